#if Agent
/// A file that is renamed to `NAME.1` when it would reach a size, as Python's `RotatingFileHandler` does it.
///
/// The size counts octets, and an empty file is not renamed. A file that cannot be renamed is written on.
struct RotatingFileSink: LogSink {
    private var file: LogFile
    private let size: LoggingConfiguration.Size
    private var trouble = RotationTrouble()

    init(_ file: LogFile, _ size: LoggingConfiguration.Size) {
        self.file = file
        self.size = size
    }

    mutating func write(_ record: borrowing LogRecord, _ text: inout [UInt8]) throws(SystemError) {
        try file.openIfClosed()
        if size.limit > 0, size.backups > 0, trouble.allowsAttempt(at: record.time), let octets = file.size(),
            octets > 0,
            octets + file.length(of: text) >= size.limit, file.mayBeRenamed
        {
            do {
                try rotate()
            } catch {
                trouble.note(error, at: record.time)
            }
        }
        try file.append(&text)
    }

    private mutating func rotate() throws(SystemError) {
        for number in stride(from: size.backups - 1, to: 0, by: -1) {
            try LogFile.rename("\(file.path).\(number)", "\(file.path).\(number + 1)")
        }
        try LogFile.rename(file.path, "\(file.path).1")
        file.close()
    }

    mutating func reopen() throws(SystemError) { try file.reopen() }
    mutating func begin() throws(SystemError) { try file.begin() }
    mutating func takeTrouble() -> SystemError? { trouble.take() }
}

/// A file that is renamed to `NAME.DATE` from time to time, as Python's `TimedRotatingFileHandler` does it.
///
/// Nothing happens between records: the first one that is late begins the new file.
struct TimedRotatingFileSink: LogSink {
    private var file: LogFile
    private let schedule: RotationSchedule
    private let backups: Int
    private var rolloverAt: Int
    private var trouble = RotationTrouble()

    init(_ file: LogFile, _ schedule: LoggingConfiguration.Schedule, now: LogTime) {
        self.file = file
        self.schedule = RotationSchedule(schedule)
        backups = schedule.backups
        // What stands in the file already belongs to the time when it was written.
        rolloverAt = self.schedule.rollover(after: file.modification() ?? now.seconds)
    }

    mutating func write(_ record: borrowing LogRecord, _ text: inout [UInt8]) throws(SystemError) {
        let now = record.time.seconds
        if now >= rolloverAt, trouble.allowsAttempt(at: record.time) {
            do {
                let old = file.path + "." + schedule.suffix(rolloverAt: rolloverAt, now: now)
                // Python up to 3.12 would lose the file of that name, an hour when clocks are set back. This one goes on.
                if file.mayBeRenamed, !LogFile.exists(old) {
                    try LogFile.rename(file.path, old)
                    file.close()
                }
                rolloverAt = schedule.rollover(after: now)
                try removeOldest()
            } catch {
                trouble.note(error, at: record.time)
            }
        }
        try file.append(&text)
    }

    private func removeOldest() throws(SystemError) {
        guard backups > 0 else { return }
        let old = file.suffixes().filter(schedule.isSuffix).sorted()
        for suffix in old.dropLast(backups) { try LogFile.remove(file.path + "." + suffix) }
    }

    mutating func reopen() throws(SystemError) { try file.reopen() }
    mutating func begin() throws(SystemError) { try file.begin() }
    mutating func takeTrouble() -> SystemError? { trouble.take() }
}

/// A renaming that failed: told once, and tried again after a minute.
private struct RotationTrouble {
    private var error: SystemError?
    private var retryAt: Int?

    func allowsAttempt(at time: LogTime) -> Bool {
        // A clock that was set back must not put the next attempt off.
        retryAt.map { time.seconds >= $0 || time.seconds < $0 - 60 } ?? true
    }

    mutating func note(_ error: SystemError, at time: LogTime) {
        if retryAt == nil { self.error = error }
        retryAt = time.seconds + 60
    }

    mutating func take() -> SystemError? {
        defer { error = nil }
        return error
    }
}
#endif
