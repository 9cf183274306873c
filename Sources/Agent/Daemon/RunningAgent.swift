#if Agent
import CLinux
import Glibc

/// A daemon that runs, as other processes see it.
struct RunningAgent {
    var pid: pid_t
    var place: RuntimePlace

    /// The daemon of a configuration; nil if none runs.
    ///
    /// - Parameters:
    ///   - configuration: the file's absolute path, by which a daemon is found whose pidfile was another when it was started.
    ///   - isStarting: whether to find what keeps this user from starting one.
    static func find(
        _ app: Configuration.App,
        configuration: String,
        isStarting: Bool = false
    ) throws(SystemError) -> RunningAgent? {
        for place in RuntimePlace.forFinding(app, isStarting: isStarting) {
            if let agent = try at(place) { return agent }
        }
        guard configuration != ConfigurationFinder.defaults else { return nil }
        let file = FileIdentity(behind: configuration)
        for pid in processes() {
            guard let folder = lockFolder(of: pid), try AgentLock.holder(in: folder) == pid,
                let record = AgentLock.record(in: folder)
            else { continue }
            let isSame = record.configuration == configuration
            guard isSame || file != nil && FileIdentity(behind: record.configuration) == file else { continue }
            return RunningAgent(pid: pid, place: RuntimePlace(pidfile: record.pidfile))
        }
        return nil
    }

    /// The daemon whose files are at a place.
    private static func at(_ place: RuntimePlace) throws(SystemError) -> RunningAgent? {
        guard let owner = AgentLock.owner(in: place.lockFolder), let pid = try holder(place, owner) else { return nil }
        // Only the owner's processes and root's can have opened the file; nobody else is to be sent a signal for it.
        let user = UserName.owner(of: pid)
        guard user == nil || user == owner || user == 0, isThisProgram(pid) else { return nil }
        return RunningAgent(pid: pid, place: place)
    }

    private static func holder(_ place: RuntimePlace, _ owner: uid_t) throws(SystemError) -> pid_t? {
        if owner == geteuid() || geteuid() == 0 { return try AgentLock.holder(in: place.lockFolder) }
        // Only its user and root may ask the lock. Others ask who listens at the socket, or read the pidfile.
        if let listener = ControlSocket.listener(at: place.socket), listener.user == owner { return listener.process }
        guard let pid = PidFile.number(in: place.pidfile), UserName.owner(of: pid) == owner else { return nil }
        return pid
    }

    /// The processes of this program that this user may look into.
    private static func processes() -> [pid_t] {
        guard let own = programName(of: "self") else { return [] }
        return DirectoryListing.names(in: "/proc").compactMap { pid_t($0) }.filter { pid in
            pid != getpid() && programName(of: "\(pid)") == own
        }
    }

    /// The folder of the lock that a process has open.
    private static func lockFolder(of pid: pid_t) -> String? {
        let ending = ".lock/" + AgentLock.fileName
        for number in DirectoryListing.names(in: "/proc/\(pid)/fd") {
            guard let path = LinkTarget.of("/proc/\(pid)/fd/\(number)"), path.hasSuffix(ending) else { continue }
            return String(path.dropLast(AgentLock.fileName.count + 1))
        }
        return nil
    }

    /// Whether a process runs this program, wherever it is installed. Of another user's process only the name that it gave itself
    /// can be seen.
    static func isThisProgram(_ pid: pid_t) -> Bool {
        guard let own = programName(of: "self") else { return true }
        if let program = programName(of: "\(pid)") { return program == own }
        guard let name = commandName(of: pid) else { return true }
        return name == "psistats" || own.utf8.starts(with: name.utf8)
    }

    /// What the process calls itself, at most 15 bytes.
    private static func commandName(of pid: pid_t) -> String? {
        let descriptor = open("/proc/\(pid)/comm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(descriptor, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes.prefix(count).prefix { $0 != 0x0A }, as: UTF8.self) : nil
    }

    private static func programName(of process: String) -> String? {
        let name = LinkTarget.of("/proc/\(process)/exe")?.split(separator: "/").last.map(String.init)
        // What the kernel says of a program whose file was replaced.
        let deleted = " (deleted)"
        return name.map { $0.hasSuffix(deleted) ? String($0.dropLast(deleted.count)) : $0 }
    }

    /// Whose process it is, where that is another user's than this one: " of user 'bob'"; else nothing.
    var ownerWords: String {
        guard let owner = UserName.owner(of: pid), owner != geteuid() else { return "" }
        return " of " + UserName.of(owner)
    }

    /// How it does.
    func status() throws(SystemError) -> AgentStatus {
        let json = try ControlSocket.ask(place.socket, of: pid)
        do {
            return try AgentStatus(json: json)
        } catch {
            throw SystemError(code: EPROTO, context: "the answer of process \(pid)")
        }
    }

    /// Whether it still is the daemon that was found.
    private func isStillThere() throws(SystemError) -> Bool {
        guard let owner = AgentLock.owner(in: place.lockFolder) else { return false }
        return try Self.holder(place, owner) == pid
    }

    /// Sends it a signal; to it and nobody else: whether it is the daemon is asked once more, when its number cannot pass to
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
        guard try isStillThere() else { return false }
        guard clinux_pidfd_send_signal(handle, signal) == 0 else {
            if errno == ESRCH { return false }
            throw .last("send signal \(signal) to process \(pid)\(ownerWords)")
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
        guard handle >= 0 else {
            if errno == ESRCH { return true }
            throw .last("pidfd_open")
        }
        defer { close(handle) }
        while try isStillThere() {
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
#endif
