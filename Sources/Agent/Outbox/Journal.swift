#if Agent
import Glibc

/// Writes the journal of the outbox: what waits there is kept in a folder, and found by the next run of the agent.
///
/// Segments are appended to, and removed oldest first as soon as nothing in them waits; when nothing waits at all, all of them
/// go. To be used by one thread at a time. Decides nothing about what is worth writing: ``Outbox`` does.
final class Journal {
    /// When what was written is forced to the disk.
    enum Sync: String, CaseIterable, Hashable, Sendable {
        case never, second, message
    }

    struct Settings: Hashable, Sendable {
        var folder: String
        var sync = Sync.second
        /// The bytes that all segments together may have.
        var mostBytes = 64 << 20
    }

    enum Failure: Error {
        /// Another agent uses the folder.
        case inUse(by: pid_t?)
        /// The folder belongs to somebody else, or others can write it.
        case foreign(String)
        case system(SystemError)
    }

    private struct Segment {
        var number: UInt64
        var size: Int
        /// Messages in it that wait.
        var waiting = 0
    }

    let settings: Settings
    /// What stands for this run in the keys of its messages.
    let run: UInt64
    private let lock: Int32
    private var segments: [Segment] = []
    private var nextNumber: UInt64 = 0
    /// The last segment, open for writing.
    private var current: Int32 = -1
    private var isDirty = false
    private var syncedAt = SuspendingClock.now

    /// Segments are begun anew at this size.
    private var segmentSize: Int { max(16 << 10, min(4 << 20, settings.mostBytes / 8)) }

    /// Takes a folder, which is made where it is missing, and reads what the last run left in it.
    init(_ settings: Settings) throws(Failure) {
        self.settings = settings
        var random = SystemRandomNumberGenerator()
        run = random.next()
        lock = try Self.locked(settings.folder)
    }

    deinit {
        if current >= 0 { close(current) }
        close(lock)
    }

    /// The bytes of all segments.
    var size: Int { segments.reduce(0) { $0 + $1.size } }

    /// What the runs before left. To be called once, before anything is written.
    func recover() -> JournalReading {
        let reading = JournalReading(folder: settings.folder)
        for number in reading.segments {
            var status = stat()
            let path = JournalFiles.path(number, in: settings.folder)
            segments.append(Segment(number: number, size: stat(path, &status) == 0 ? Int(status.st_size) : 0))
        }
        for message in reading.waiting {
            if let index = segments.firstIndex(where: { $0.number == message.segment }) { segments[index].waiting += 1 }
        }
        // What is not ours to read is not ours to write over either.
        nextNumber = (JournalFiles.numbers(in: settings.folder).last ?? 0) &+ 1
        removeFinished()
        return reading
    }

    /// Writes messages and which of those written before need not be kept any more, in one piece.
    ///
    /// - Parameter done: with the segments in which they are.
    /// - Returns: the segment in which the messages are.
    func write(
        _ messages: [(key: JournalRecord.Key, report: OutgoingReport)],
        done: [(key: JournalRecord.Key, segment: UInt64)]
    ) throws(SystemError) -> UInt64 {
        var bytes: [UInt8] = []
        for (key, report) in messages { JournalRecord.message(key, report).write(to: &bytes) }
        for (key, _) in done { JournalRecord.done(key).write(to: &bytes) }
        try append(bytes)
        segments[segments.count - 1].waiting += messages.count
        for (_, segment) in done { finished(in: segment) }
        removeFinished()
        try sync(force: settings.sync == .message)
        return segments.last?.number ?? 0
    }

    /// Messages in a segment need not be kept any more, which is not written down: their segment goes as a whole.
    private func finished(in segment: UInt64) {
        if let index = segments.firstIndex(where: { $0.number == segment }) { segments[index].waiting -= 1 }
    }

    /// Removes all segments: nothing waits.
    func removeAll() {
        closeCurrent()
        for segment in segments { unlink(JournalFiles.path(segment.number, in: settings.folder)) }
        segments = []
    }

    /// Whether there is anything on disk.
    var hasSegments: Bool { !segments.isEmpty }

    /// The number of the oldest segment, if there are too many bytes, for its messages to be given up.
    var oversized: UInt64? { size > settings.mostBytes && segments.count > 1 ? segments.first?.number : nil }

    /// Removes the oldest segment, with what is in it.
    func removeOldest() {
        guard segments.count > 1, let first = segments.first else { return }
        unlink(JournalFiles.path(first.number, in: settings.folder))
        segments.removeFirst()
    }

    /// Forces to the disk what was written, if it is time to.
    func sync(force: Bool = false) throws(SystemError) {
        guard isDirty, current >= 0, settings.sync != .never else { return }
        guard force || syncedAt.duration(to: .now) >= .seconds(1) else { return }
        syncedAt = .now
        isDirty = false
        guard fdatasync(current) == 0 else { throw .last("write to \(settings.folder)") }
    }

    private func append(_ bytes: [UInt8]) throws(SystemError) {
        if current < 0 || segments.last.map({ $0.size >= segmentSize }) ?? true { try begin() }
        guard let segment = segments.last else { return }
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { memory in
                Glibc.write(current, memory.baseAddress?.advanced(by: written), memory.count - written)
            }
            if count > 0 {
                written += count
            } else if count == 0 || errno != EINTR {
                let failure =
                    count == 0
                    ? SystemError(code: ENOSPC, context: "write to \(settings.folder)")
                    : SystemError.last("write to \(settings.folder)")
                // Half a record would be passed over, but a whole one is to follow.
                if ftruncate(current, off_t(segment.size)) != 0 { closeCurrent() }
                throw failure
            }
        }
        segments[segments.count - 1].size += bytes.count
        isDirty = true
    }

    /// Begins a segment.
    private func begin() throws(SystemError) {
        try sync(force: true)
        closeCurrent()
        let path = JournalFiles.path(nextNumber, in: settings.folder)
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW
        let descriptor = open(path, flags, 0o600)
        guard descriptor >= 0 else { throw .last(path) }
        let header = JournalFiles.header
        guard Glibc.write(descriptor, header, header.count) == header.count else {
            let failure = SystemError.last(path)
            close(descriptor)
            unlink(path)
            throw failure
        }
        current = descriptor
        segments.append(Segment(number: nextNumber, size: header.count))
        nextNumber &+= 1
        if settings.sync != .never { syncFolder() }
    }

    /// Removes the oldest segments in which nothing waits. Only those: what is written down as done may be in a later one.
    private func removeFinished() {
        while let first = segments.first, first.waiting <= 0, segments.count > 1 || current < 0 {
            unlink(JournalFiles.path(first.number, in: settings.folder))
            segments.removeFirst()
        }
    }

    private func closeCurrent() {
        if current >= 0 { close(current) }
        current = -1
        isDirty = false
    }

    private func syncFolder() {
        let descriptor = open(settings.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    // MARK: The folder

    private static func locked(_ folder: String) throws(Failure) -> Int32 {
        if mkdir(folder, 0o700) != 0, errno != EEXIST { throw .system(.last("mkdir \(folder)")) }
        var status = stat()
        guard stat(folder, &status) == 0 else { throw .system(.last(folder)) }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw .foreign("is not a folder") }
        guard status.st_uid == geteuid() else { throw .foreign("belongs to \(UserName.of(status.st_uid))") }
        guard status.st_mode & 0o022 == 0 else { throw .foreign("can be written by others") }
        let path = folder + "/lock"
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .system(.last(path)) }
        var lock = flock(l_type: Int16(F_WRLCK), l_whence: Int16(SEEK_SET), l_start: 0, l_len: 0, l_pid: 0)
        if fcntl(descriptor, F_SETLK, &lock) == 0 { return descriptor }
        let failure = SystemError.last(path)
        let isHeld = failure.code == EAGAIN || failure.code == EACCES
        let holder = fcntl(descriptor, F_GETLK, &lock) == 0 && lock.l_type != Int16(F_UNLCK) ? lock.l_pid : nil
        close(descriptor)
        throw isHeld ? .inUse(by: holder) : .system(failure)
    }
}
#endif
