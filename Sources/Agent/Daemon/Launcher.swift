#if Agent
import CLinux
import Glibc

/// Starts the daemon as a process of its own and waits until it is up.
///
/// The daemon is this program, started anew rather than forked: after a fork only the thread that called it goes on, and what the
/// others held stays held for ever. It says through a pipe how it got on.
struct Launcher {
    /// How the daemon got on.
    enum Outcome: Equatable {
        /// It is up; the words are its own.
        case up(pid_t, String)
        /// It has ended; with this status and these words.
        case failed(Int32, String)
        /// It has said nothing yet.
        case late(pid_t)
    }

    /// The number of the pipe's end in the daemon.
    static let pipeNumber: Int32 = 3

    var arguments: [String]
    var app: Configuration.App

    /// Starts the daemon.
    ///
    /// - Parameter progress: called when it takes more than two seconds.
    func launch(progress: () -> Void) throws(SystemError) -> Outcome {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw .last("pipe") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        let pid: pid_t
        do throws(SystemError) {
            pid = try spawn(ends[1])
        } catch {
            close(ends[1])
            throw error
        }
        close(ends[1])
        return try answer(ends[0], pid, progress)
    }

    private func spawn(_ end: Int32) throws(SystemError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, app.stdinPath, O_RDONLY | O_NOCTTY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, app.stdoutPath, StandardStreams.flags, 0o644)
        posix_spawn_file_actions_addopen(&actions, 2, app.stderrPath, StandardStreams.flags, 0o644)
        posix_spawn_file_actions_adddup2(&actions, end, Self.pipeNumber)
        var pointers: [UnsafeMutablePointer<CChar>?] = (["psistats"] + arguments).map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        pointers.append(nil)
        var pid: pid_t = 0
        let failure = posix_spawn(&pid, Self.program, &actions, nil, pointers, environ)
        guard failure == 0 else {
            throw SystemError(
                code: failure,
                context:
                    "start the daemon with \(app.stdinPath), \(app.stdoutPath) and \(app.stderrPath) as its streams"
            )
        }
        return pid
    }

    /// The file of this program. Where there is no /proc, as it was called.
    private static var program: String {
        let link = "/proc/self/exe"
        guard access(link, X_OK) != 0, let name = UnsafePointer<CChar>(bitPattern: getauxval(UInt(AT_EXECFN))) else {
            return link
        }
        return String(cString: name)
    }

    /// What comes through the pipe: `+` and words when the daemon is up; else its last words, until it ends.
    private func answer(_ end: Int32, _ pid: pid_t, _ progress: () -> Void) throws(SystemError) -> Outcome {
        let start = SuspendingClock.now
        var words: [UInt8] = []
        var hasShownProgress = false
        while true {
            let passed = start.duration(to: .now)
            if passed >= app.pidfileTimeout { return .late(pid) }
            if passed >= .seconds(2), !hasShownProgress {
                hasShownProgress = true
                progress()
            }
            let left = min(app.pidfileTimeout - passed, .milliseconds(500)) / .milliseconds(1)
            var polled = pollfd(fd: end, events: Int16(POLLIN), revents: 0)
            guard poll(&polled, 1, Int32(left.rounded(.up))) > 0 else { continue }
            var piece = [UInt8](repeating: 0, count: 4_096)
            let count = try retryingInterrupts("read from the daemon") { read(end, &piece, piece.count) }
            words += piece[..<count]
            let text = String(decoding: words, as: UTF8.self)
            if text.hasPrefix("+"), text.hasSuffix("\n") { return .up(pid, String(text.dropFirst().dropLast())) }
            if count == 0 { return .failed(exitStatus(of: pid), text) }
        }
    }

    private func exitStatus(of pid: pid_t) -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        // As the macros of <sys/wait.h> do it.
        return status & 0x7F == 0 ? (status >> 8) & 0xFF : ExitStatus.software.rawValue
    }
}
#endif
