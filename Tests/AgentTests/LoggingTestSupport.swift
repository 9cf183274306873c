#if Agent
import Glibc
import Synchronization
import Testing

@testable import PsistatsAgent

/// Log files in a directory of their own, gone with all its files when the test lets go of it.
final class LogDirectory {
    let path: String

    init() throws {
        // The expected files were written in this zone.
        Self.zone
        var template = Array("/tmp/psistats-log-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw FileFailure(path: "/tmp", reason: .system(errno)) }
        path = String(cString: made)
    }

    /// Has the whole process use the zone of `Fixtures/logging/list-with-python`.
    static let zone: Void = {
        setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1)
        tzset()
    }()

    subscript(name: String) -> String { path + "/" + name }

    var names: [String] {
        guard let stream = opendir(path) else { return [] }
        defer { closedir(stream) }
        var result: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { memory in
                String(decoding: memory.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { result.append(name) }
        }
        return result.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    func text(_ name: String) -> String? {
        guard case .success(let bytes) = FileReading.bytes(of: self[name], asRoot: false) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    func write(_ name: String, _ text: String, modified: Int? = nil) throws {
        let file = try #require(fopen(self[name], "w"))
        fputs(text, file)
        fclose(file)
        guard let modified else { return }
        let time = timeval(tv_sec: modified, tv_usec: 0)
        try #require(utimes(self[name], [time, time]) == 0)
    }

    /// A line `file "name" "content"` for each file, as the expected files have them.
    var listing: [String] {
        names.map { "file \(ConfigFileTests.quoted($0)) \(ConfigFileTests.quoted(text($0) ?? "?"))" }
    }

    deinit {
        for name in names where rmdir(self[name]) != 0 { unlink(self[name]) }
        rmdir(path)
    }
}

/// What was reported about handlers that fail.
final class Reports: Sendable {
    private let list = Mutex<[String]>([])

    var lines: [String] { list.withLock { $0 } }

    func add(_ line: String) {
        list.withLock { $0.append(line) }
    }
}

/// A clock that a test sets.
final class LogClock: Sendable {
    private let time: Mutex<LogTime>

    init(_ seconds: Int, _ nanoseconds: Int = 0) {
        time = Mutex(LogTime(seconds: seconds, nanoseconds: nanoseconds))
    }

    func set(_ seconds: Int, _ nanoseconds: Int = 0) {
        time.withLock { $0 = LogTime(seconds: seconds, nanoseconds: nanoseconds) }
    }

    var now: LogTime { time.withLock { $0 } }
}

extension LogRecord {
    /// A record with the fields of `Fixtures/logging/list-with-python`.
    static func sample(
        _ message: String,
        _ seconds: Int = 1_795_000_000,
        _ nanoseconds: Int = 0,
        name: String = "psistats",
        level: LogLevel = .info
    ) -> LogRecord {
        LogRecord(
            name: name,
            level: level,
            message: message,
            path: "PsistatsAgent/Scheduler.swift",
            line: 42,
            function: "run(_:)",
            time: LogTime(seconds: seconds, nanoseconds: nanoseconds),
            start: LogTime(seconds: 1_795_000_000, nanoseconds: 250_000_000),
            thread: 140_000,
            process: 4_711
        )
    }
}

extension LoggingConfiguration {
    /// The root alone, with one handler.
    static func single(_ target: Target, level: LogLevel = .debug, format: LogFormat = .message) -> Self {
        LoggingConfiguration(
            loggers: [Logger(name: "", level: level, handlers: ["h"])],
            handlers: [Handler(name: "h", format: format, target: target)]
        )
    }
}

/// The blocks of an expected file: a head and the lines up to the next head.
func loggingBlocks(_ name: String, head: String) throws -> [(head: String, lines: [String])] {
    var blocks: [(head: String, lines: [String])] = []
    for line in try Repository.lines("Fixtures/logging/\(name).expected") {
        if line.hasPrefix(head + " ") {
            blocks.append((String(line.dropFirst(head.count + 1)), []))
        } else {
            blocks[try #require(blocks.indices.last)].lines.append(line)
        }
    }
    return blocks
}

/// The texts in quotes of a line.
func loggingTexts(_ line: String) -> [String] {
    line.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
        .filter { $0.offset % 2 == 1 }
        .compactMap { ConfigFileTests.unquoted("\"\($0.element)\"") }
}
#endif
