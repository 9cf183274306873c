#if Agent
import Glibc

/// Where one handler's lines go. Never waits, beyond a tenth of a second for the rest of a line that was begun.
///
/// Knows neither levels nor formats nor other handlers. One thread at a time uses it.
protocol LogSink: Sendable {
    /// Passes on a record, whole or not at all.
    ///
    /// - Parameters:
    ///   - record: for those who want more than its text.
    ///   - text: the record as the handler's formatter wrote it. May be changed.
    mutating func write(_ record: borrowing LogRecord, _ text: inout [UInt8]) throws(SystemError)

    /// Opens anew what has a name, because something else may have that name now. What was open stays open if that fails.
    mutating func reopen() throws(SystemError)

    /// The configuration that this belongs to is applied: what may destroy something is done now, emptying a file, say.
    mutating func begin() throws(SystemError)

    /// What went wrong since the last question without costing a line: an old file that could not be renamed.
    mutating func takeTrouble() -> SystemError?
}

extension LogSink {
    mutating func reopen() throws(SystemError) {}
    mutating func begin() throws(SystemError) {}
    mutating func takeTrouble() -> SystemError? { nil }
}

/// Drops everything.
struct NullSink: LogSink {
    func write(_ record: borrowing LogRecord, _ text: inout [UInt8]) {}
}

/// Standard output or standard error.
struct StreamSink: LogSink {
    private let descriptor: Int32
    private var line: LogLine

    init(_ stream: LoggingConfiguration.Stream) {
        descriptor =
            switch stream {
            case .standardOutput: STDOUT_FILENO
            case .standardError: STDERR_FILENO
            }
        line = LogLine(LogStream(descriptor))
    }

    /// Something else may stand behind the descriptor now, a terminal or a file.
    mutating func reopen() {
        line = LogLine(LogStream(descriptor))
    }

    mutating func write(_ record: borrowing LogRecord, _ text: inout [UInt8]) throws(SystemError) {
        try line.write(&text)
    }
}

/// A file; a watched one is opened anew when something else has its name.
struct FileSink: LogSink {
    private var file: LogFile
    private let isWatched: Bool

    init(_ file: LogFile, isWatched: Bool) {
        self.file = file
        self.isWatched = isWatched
    }

    mutating func write(_ record: borrowing LogRecord, _ text: inout [UInt8]) throws(SystemError) {
        if isWatched { try file.reopenIfReplaced() }
        try file.append(&text)
    }

    mutating func reopen() throws(SystemError) { try file.reopen() }
    mutating func begin() throws(SystemError) { try file.begin() }
}
#endif
