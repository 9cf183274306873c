#if Agent
import Glibc
import Testing

/// A terminal for a program to run in, and what one would see there.
///
/// Not thread-safe: one test drives it, and reads only while it waits for something.
final class PseudoTerminal {
    struct Failure: Error {
        var call: String
        var code: Int32
        var screen = ""
    }

    private let main: Int32
    /// Held open, so that the modes can be looked at and the end of the program be no end of the terminal.
    private let side: Int32
    private let name: String
    private(set) var process: pid_t = 0
    /// All that the program wrote.
    private(set) var output: [UInt8] = []
    private(set) var screen: VirtualScreen
    /// The modes before the program was started.
    private(set) var usualModes = Modes()

    /// Starts a program in a terminal of its own, as the leader of a session.
    init(_ program: String, _ arguments: [String], environment: [String] = [], rows: Int, columns: Int) throws {
        var size = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
        var (main, side): (Int32, Int32) = (-1, -1)
        var name = [CChar](repeating: 0, count: 256)
        guard openpty(&main, &side, &name, nil, &size) == 0 else { throw Failure(call: "openpty", code: errno) }
        for descriptor in [main, side] { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        self.main = main
        self.side = side
        self.name = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        screen = VirtualScreen(rows: rows, columns: columns)
        usualModes = try modes()
        process = try spawn(program, arguments, environment)
    }

    deinit {
        if process > 0 {
            kill(process, SIGKILL)
            waitpid(process, nil, 0)
        }
        close(main)
        close(side)
    }

    private func spawn(_ program: String, _ arguments: [String], _ environment: [String]) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // The first terminal that the leader of a session opens becomes the session's.
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, name, O_RDWR, 0)
        posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDERR_FILENO)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        sigdelset(&signals, SIGKILL)
        sigdelset(&signals, SIGSTOP)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        // POSIX_SPAWN_SETSID is not in POSIX, and not in Swift's Glibc.
        let setsid: Int32 = 0x80
        posix_spawnattr_setflags(
            &attributes,
            Int16(Int32(POSIX_SPAWN_SETSIGDEF) | Int32(POSIX_SPAWN_SETSIGMASK) | setsid)
        )
        let argv = ([program] + arguments).map { strdup($0) }
        let envp = environment.map { strdup($0) }
        defer { for text in argv + envp { free(text) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, program, &actions, &attributes, argv + [nil], envp + [nil])
        guard code == 0 else { throw Failure(call: "posix_spawn \(program)", code: code) }
        return process
    }

    // MARK: What a user does

    /// Types something.
    func type(_ text: String) throws {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(main, $0.baseAddress, $0.count) }
            guard count > 0 else { throw Failure(call: "write", code: errno) }
            rest = rest.dropFirst(count)
        }
    }

    /// Gives the window another size, of which the program is told by a signal.
    func resize(rows: Int, columns: Int) throws {
        var size = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
        screen.resize(rows: rows, columns: columns)
        guard ioctl(main, UInt(TIOCSWINSZ), &size) == 0 else { throw Failure(call: "TIOCSWINSZ", code: errno) }
    }

    /// Sends the program a signal.
    func signal(_ signal: Int32) {
        kill(process, signal)
    }

    // MARK: What a user sees

    /// Reads until the screen is as wanted; fails with the screen where that takes too long.
    func wait(until isSo: (VirtualScreen) -> Bool) throws {
        while !isSo(screen) {
            guard try readMore() else { throw Failure(call: "the program ended before", code: 0, screen: screen.text) }
        }
    }

    /// Reads until a line of the screen contains something.
    func wait(for text: String) throws {
        try wait { $0.text.contains(text) }
    }

    /// Reads until a line of the screen begins with something.
    func wait(for text: String, atLine row: Int) throws {
        try wait { $0.line(row).hasPrefix(text) }
    }

    /// Reads until the program has written something.
    func wait(forOutput text: String) throws {
        while !String(decoding: output, as: UTF8.self).contains(text) {
            guard try readMore() else { throw Failure(call: "the program ended before", code: 0, screen: screen.text) }
        }
    }

    /// Reads until the program has ended; its wait status.
    func waitForEnd() throws -> Int32 {
        var status: Int32 = 0
        while true {
            let ended = waitpid(process, &status, WNOHANG)
            if ended == process { break }
            guard ended == 0 || errno == EINTR else { throw Failure(call: "waitpid", code: errno) }
            _ = try readMore(patience: 100, isTimeoutFailure: false)
        }
        process = 0
        while try readMore(patience: 0, isTimeoutFailure: false) {}
        return status
    }

    /// The modes of the terminal.
    func modes() throws -> Modes {
        var modes = termios()
        guard tcgetattr(side, &modes) == 0 else { throw Failure(call: "tcgetattr", code: errno) }
        return Modes(input: modes.c_iflag, output: modes.c_oflag, control: modes.c_cflag, local: modes.c_lflag)
    }

    struct Modes: Hashable {
        var input: tcflag_t = 0
        var output: tcflag_t = 0
        var control: tcflag_t = 0
        var local: tcflag_t = 0
    }

    /// Reads once; false where nothing came within the time that is given.
    private func readMore(patience: Int32 = 30_000, isTimeoutFailure: Bool = true) throws -> Bool {
        var polled = pollfd(fd: main, events: Int16(POLLIN), revents: 0)
        guard poll(&polled, 1, patience) > 0 else {
            if isTimeoutFailure { throw Failure(call: "nothing came", code: 0, screen: screen.text) }
            return false
        }
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = read(main, &chunk, chunk.count)
        guard count > 0 else { return false }
        output += chunk.prefix(count)
        screen.feed(chunk.prefix(count))
        return true
    }
}
#endif
