#if Agent
import Glibc

/// Tells the service manager how the agent does: datagrams to the socket that `$NOTIFY_SOCKET` names (sd_notify(3)).
///
/// Never waits: what the manager does not take at once is lost, and the next message comes soon.
final class ServiceNotification {
    /// How often the manager wants to hear that the agent makes progress; nil where it does not.
    let watchdogInterval: Duration?
    private let descriptor: Int32
    private var address: UnixAddress

    /// Nil where no service manager asks.
    convenience init?() {
        func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
        guard let socket = variable("NOTIFY_SOCKET") else { return nil }
        self.init(
            socket: socket,
            watchdogMicroseconds: variable("WATCHDOG_USEC"),
            watchdogProcess: variable("WATCHDOG_PID")
        )
    }

    /// - Parameters:
    ///   - socket: its path, or `@` and its name.
    ///   - watchdogMicroseconds: after how long without a sign of life the manager ends the process.
    ///   - watchdogProcess: which process is meant; nil for this one.
    init?(socket path: String, watchdogMicroseconds: String?, watchdogProcess: String?) {
        guard path.hasPrefix("/") || path.hasPrefix("@"), let address = UnixAddress(path) else { return nil }
        let kind = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        // Opened once, so that the watchdog is fed when no descriptors are left.
        descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { return nil }
        self.address = address
        let isMeant = watchdogProcess.map { $0 == "\(getpid())" } ?? true
        let microseconds = watchdogMicroseconds.flatMap { Int64($0) } ?? 0
        watchdogInterval = isMeant && microseconds > 0 ? .microseconds(microseconds) : nil
    }

    deinit { close(descriptor) }

    /// Sends assignments: `READY=1`, say.
    ///
    /// - Returns: whether the manager has them.
    @discardableResult
    func send(_ assignments: [String]) -> Bool {
        guard !assignments.isEmpty else { return true }
        let text = Array(assignments.joined(separator: "\n").utf8)
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        return address.use { address, size in
            sendto(descriptor, text, text.count, flags, address, size) == text.count ? 0 : -1
        } == 0
    }

    /// The moment of a `RELOADING=1`, by the clock that the manager compares with.
    static func monotonicMicroseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
    }
}
#endif
