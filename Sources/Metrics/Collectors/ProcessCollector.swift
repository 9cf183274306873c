import Glibc

/// How many processes there are, and what they are at.
public struct ProcessSample: Hashable, Sendable {
    /// All processes, the kernel's own threads among them; threads of programs are not counted by themselves.
    public var total: Int
    /// Those that run or wait for a processor. The one that reads this is among them if it reads in its first thread.
    public var running: Int
    /// Those in a sleep that nothing can disturb, mostly because they wait for a disk.
    public var blocked: Int
    /// Those that have ended and whose parent has not asked how.
    public var zombies: Int
}

/// Counts the processes in `/proc` by their states: R is running, D blocked, Z a zombie.
///
/// These are the numbers that `ps`, `top` and psutil show: the state of a process is that of its first thread. They are not
/// `procs_running` and `procs_blocked` of `/proc/stat`, which count threads, and know no zombies. Where processes of others are
/// hidden (the mount option `hidepid`), those that can be seen are counted; one whose state cannot be read counts in `total`.
///
/// The most expensive of the collectors: three system calls and some 2.5 µs for each process (`Benchmarks/metrics
/// processes`). The folder is kept open.
///
/// Source: Documentation/filesystems/proc.rst of the kernel, tables 1-1 and 1-4.
public final class ProcessCollector: Collector {
    /// The name of the kind of statistics: `processes`.
    public static let name = "processes"

    private let path: String
    private var directory: OpaquePointer?
    /// The path of one process's file, and then what it says: the state stands behind a name of at most 64 octets.
    private let memory: UnsafeMutableRawBufferPointer

    /// - Parameter root: the machine.
    public init(root: SystemRoot = .running) {
        path = root.proc
        memory = .allocate(byteCount: 512, alignment: 1)
    }

    deinit {
        closeDirectory()
        memory.deallocate()
    }

    /// Nil if there is no process to be seen, as in a folder that is no `/proc`.
    public func read(at now: SuspendingClock.Instant) throws(CollectorError) -> ProcessSample? {
        do throws(CollectorError) {
            let sample = try count(try openedDirectory())
            return sample.total > 0 ? sample : nil
        } catch {
            // What was wrong with it may be over when it is opened anew.
            closeDirectory()
            throw error
        }
    }

    private func openedDirectory() throws(CollectorError) -> OpaquePointer {
        if let directory {
            rewinddir(directory)
            return directory
        }
        guard let opened = opendir(path) else { throw failure("opendir", path) }
        directory = opened
        return opened
    }

    private func closeDirectory() {
        if let directory { closedir(directory) }
        directory = nil
    }

    private func count(_ directory: OpaquePointer) throws(CollectorError) -> ProcessSample {
        var sample = ProcessSample(total: 0, running: 0, blocked: 0, zombies: 0)
        let descriptor = dirfd(directory)
        while true {
            errno = 0
            guard let entry = readdir(directory) else {
                guard errno == 0 else { throw failure("readdir", path) }
                return sample
            }
            guard let digits = Self.digits(entry) else { continue }
            switch try state(of: digits, in: descriptor) {
            case .vanished: continue
            case .running: sample.running += 1
            case .blocked: sample.blocked += 1
            case .zombie: sample.zombies += 1
            case .another: break
            }
            sample.total += 1
        }
    }

    /// The name of a process's folder; nil for all others.
    private static func digits(_ entry: UnsafeMutablePointer<dirent>) -> UnsafeRawBufferPointer? {
        guard let offset = MemoryLayout<dirent>.offset(of: \.d_name) else { return nil }
        let name = UnsafeRawPointer(entry) + offset
        var count = 0
        // No number of a process is longer, and the kernel ends every name with a NUL.
        while count < 20 {
            let octet = name.load(fromByteOffset: count, as: UInt8.self)
            if octet == 0 { break }
            guard octet >= 0x30, octet <= 0x39 else { return nil }
            count += 1
        }
        guard count > 0, count < 20 else { return nil }
        return UnsafeRawBufferPointer(start: name, count: count)
    }

    private enum State {
        case running, blocked, zombie
        /// Any other, and one that cannot be read.
        case another
        /// The process ended while it was looked at.
        case vanished
    }

    private func state(of digits: UnsafeRawBufferPointer, in directory: Int32) throws(CollectorError) -> State {
        // Fewer than 20 digits and 6 octets fit.
        memory.copyMemory(from: digits)
        var end = digits.count
        for octet in "/stat\0".utf8 {
            memory[end] = octet
            end += 1
        }
        guard let start = memory.baseAddress else { return .another }
        let file = openat(directory, start.assumingMemoryBound(to: CChar.self), O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { return try stateOfUnreadable(digits, call: "open") }
        defer { close(file) }
        let count = Glibc.read(file, start, memory.count)
        guard count >= 0 else { return try stateOfUnreadable(digits, call: "read") }
        return Self.state(UnsafeRawBufferPointer(rebasing: memory[..<count]))
    }

    /// What an error with one process's file means.
    private func stateOfUnreadable(_ digits: UnsafeRawBufferPointer, call: String) throws(CollectorError) -> State {
        switch errno {
        case ENOENT, ESRCH, ENOTDIR: return .vanished
        // It would be the same with all others.
        case EMFILE, ENFILE, ENOMEM: throw failure(call, "\(path)/\(String(decoding: digits, as: UTF8.self))/stat")
        default: return .another
        }
    }

    /// The letter behind the name, which stands in parentheses and may contain anything, parentheses too.
    private static func state(_ octets: UnsafeRawBufferPointer) -> State {
        guard let parenthesis = octets.lastIndex(of: 0x29), octets.count - parenthesis > 2,
            octets[parenthesis + 1] == 0x20
        else { return .another }
        switch octets[parenthesis + 2] {
        case UInt8(ascii: "R"): return .running
        case UInt8(ascii: "D"): return .blocked
        case UInt8(ascii: "Z"): return .zombie
        default: return .another
        }
    }

    private func failure(_ call: String, _ source: String) -> CollectorError {
        CollectorError(source: source, reason: .system(call: call, errno: errno))
    }
}
