#if Agent
import Glibc

/// A moment of the wall clock.
struct LogTime: Hashable, Sendable {
    /// Since 1970-01-01 00:00 UTC.
    var seconds: Int
    /// 0..<1000000000.
    var nanoseconds = 0

    /// The system's clock.
    static func now() -> LogTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return LogTime(seconds: time.tv_sec, nanoseconds: time.tv_nsec)
    }

    /// As Python's `time.time()`.
    var real: Double { Double(seconds) + Double(nanoseconds) / 1e9 }
}

/// One message and what is known of it: Python's `LogRecord`. Knows nothing of where it will be written.
struct LogRecord: Sendable {
    /// The logger's name, `psistats.cpu`, say.
    var name: String
    var level: LogLevel
    /// The text, with the metadata behind it. May have several lines.
    var message: String
    /// The source file as the compiler names it, `Module/File.swift`.
    var path = ""
    var line = 0
    var function = ""
    var time: LogTime
    /// When the program began to log.
    var start = LogTime(seconds: 0)
    /// The thread's and the process's numbers.
    var thread = 0
    var process = 0

    /// The part of the path behind the last `/`.
    var filename: Substring {
        path.utf8.lastIndex(of: UInt8(ascii: "/")).map { path[path.utf8.index(after: $0)...] } ?? path[...]
    }

    /// The file's name without its extension.
    var module: Substring {
        let name = filename
        // As Python's os.path.splitext has it: a dot at the very start begins no extension.
        guard let dot = name.utf8.lastIndex(of: UInt8(ascii: ".")), name[..<dot].contains(where: { $0 != "." }) else {
            return name
        }
        return name[..<dot]
    }
}

extension LogRecord {
    /// The name of the thread that asks; the first thread is called `MainThread`, as in Python.
    static func currentThreadName() -> String {
        guard let text = firstLine(of: "/proc/thread-self/comm") else { return "Thread" }
        var link = [CChar](repeating: 0, count: 64)
        let count = readlink("/proc/thread-self", &link, link.count)
        let target = String(decoding: link.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return target.hasSuffix("/task/\(getpid())") ? "MainThread" : text
    }

    private static func firstLine(of path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = read(descriptor, &buffer, buffer.count)
        guard count > 0 else { return nil }
        return String(decoding: buffer.prefix(count).prefix { $0 != 0x0A }, as: UTF8.self)
    }
}
#endif
