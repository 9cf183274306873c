import CLinux
import Glibc

/// A daemon that runs, as other processes see it.
struct RunningAgent {
    var pid: pid_t
    var place: RuntimePlace

    /// The daemon of a configuration; nil if none runs.
    static func find(_ app: Configuration.App) throws(SystemError) -> RunningAgent? {
        for place in RuntimePlace.forFinding(app) {
            guard let pid = try PidFile.holder(place.pidfile), pid > 0, isThisProgram(pid) else { continue }
            return RunningAgent(pid: pid, place: place)
        }
        return nil
    }

    /// Whether a process runs this program, wherever it is installed; a pidfile can be named in the configuration that is
    /// another program's. True where that cannot be known, because the process is another user's, who alone may send it
    /// signals.
    static func isThisProgram(_ pid: pid_t) -> Bool {
        guard let program = programName(of: "\(pid)"), let own = programName(of: "self") else { return true }
        return program == own
    }

    private static func programName(of process: String) -> String? {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/\(process)/exe", &path, path.count)
        guard count > 0 else { return nil }
        let text = String(decoding: path.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let name = text.split(separator: "/").last.map(String.init)
        // What the kernel says of a program whose file was replaced.
        let deleted = " (deleted)"
        return name.map { $0.hasSuffix(deleted) ? String($0.dropLast(deleted.count)) : $0 }
    }

    /// How it does.
    func status() throws(SystemError) -> AgentStatus {
        let json = try ControlSocket.ask(place.socket)
        do {
            return try AgentStatus(json: json)
        } catch {
            throw SystemError(code: EPROTO, context: "the answer of process \(pid)")
        }
    }

    /// Whether it has ended.
    func hasEnded() throws(SystemError) -> Bool {
        try PidFile.holder(place.pidfile) != pid
    }

    /// Sends it a signal; to it and nobody else: whether it holds the pidfile is asked once more, when its number cannot pass to
    /// another any more.
    ///
    /// - Returns: false if it has ended meanwhile.
    func send(_ signal: Int32) throws(SystemError) -> Bool {
        let handle = clinux_pidfd_open(pid)
        guard handle >= 0 else {
            if errno == ESRCH { return false }
            throw .last("pidfd_open")
        }
        defer { close(handle) }
        guard try !hasEnded() else { return false }
        guard clinux_pidfd_send_signal(handle, signal) == 0 else {
            if errno == ESRCH { return false }
            throw .last("send signal \(signal) to process \(pid)")
        }
        return true
    }

    /// Waits until it has ended, at most so long.
    ///
    /// - Parameter progress: called when it takes more than two seconds.
    /// - Returns: whether it has.
    func waitForEnd(atMost time: Duration, progress: () -> Void) throws(SystemError) -> Bool {
        let start = SuspendingClock.now
        var hasShownProgress = false
        let handle = clinux_pidfd_open(pid)
        defer { if handle >= 0 { close(handle) } }
        while try !hasEnded() {
            let passed = start.duration(to: .now)
            if passed >= time { return false }
            if passed >= .seconds(2), !hasShownProgress {
                hasShownProgress = true
                progress()
            }
            // Readable when the process ends; the lock goes at the same time.
            var polled = pollfd(fd: handle, events: Int16(POLLIN), revents: 0)
            _ = poll(&polled, 1, 50)
        }
        return true
    }
}
