#if Agent
import CLinux
import Glibc

/// The terminal that standard output goes to: its size, its modes, and what is written to it and typed in it.
///
/// Never waits: what the terminal does not take at once is kept. Restores the terminal when it goes away. Knows nothing of
/// what is drawn.
final class Terminal {
    /// What has to be read and written without waiting; to be polled.
    let descriptor: Int32
    private let isOwned: Bool
    private var modes: termios?
    private var pending: ArraySlice<UInt8> = []

    /// The alternate screen, no cursor, no wrapping at the right edge.
    static let entering = "\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l\u{1B}[0m\u{1B}[2J"
    /// Ends a sequence that was cut off, and undoes ``entering``.
    static let leaving = "\u{18}\u{1B}[0m\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"

    /// The terminal of a descriptor; nil if that is none.
    init?(of original: Int32) {
        guard isatty(original) == 1 else { return nil }
        // An opening of our own, since not to wait is a property of the opening, which is shared with the shell.
        var name = [CChar](repeating: 0, count: 256)
        var opened: Int32 = -1
        if ttyname_r(original, &name, name.count) == 0 {
            opened = open(name, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
        }
        isOwned = opened >= 0
        descriptor = opened >= 0 ? opened : original
    }

    deinit {
        leave()
        if isOwned { close(descriptor) }
    }

    /// Whether there is something that the terminal has not taken yet.
    var isBusy: Bool { !pending.isEmpty }

    /// The window's size; 24 lines of 80 where the terminal does not know.
    var size: WindowSize {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0, size.ws_col > 0 else {
            return WindowSize(rows: 24, columns: 80)
        }
        return WindowSize(rows: Int(size.ws_row), columns: Int(size.ws_col))
    }

    /// Takes the terminal over: keys come as they are typed and are not shown. Ctrl-C and Ctrl-Z stay signals.
    ///
    /// A process in the background is stopped by the system here until it is brought to the front.
    func enter() throws(SystemError) {
        guard modes == nil else { return }
        var usual = termios()
        guard tcgetattr(descriptor, &usual) == 0 else { throw .last("tcgetattr") }
        var raw = usual
        raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ECHONL | IEXTEN)
        // Ctrl-\ comes as a key: its signal would end the program and leave the terminal as it is here. 0 is for no key.
        raw.c_cc.1 = 0
        raw.c_iflag &= ~tcflag_t(IXON | ICRNL | INLCR | IGNCR)
        try set(raw)
        modes = usual
        write(Array(Self.entering.utf8))
    }

    /// Gives the terminal back as it was. Waits for it to take the octets that this needs, a second at most.
    func leave() {
        guard var usual = modes else { return }
        pending = ArraySlice(Self.leaving.utf8)
        for _ in 0..<10 where isBusy {
            flush()
            guard isBusy else { break }
            var polled = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            if poll(&polled, 1, 100) > 0, polled.revents & Int16(POLLERR | POLLHUP) != 0 { break }
        }
        pending = []
        modes = nil
        // Not to be stopped for it where the shell has the terminal already.
        var signals = sigset_t()
        var before = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTTOU)
        pthread_sigmask(SIG_BLOCK, &signals, &before)
        while tcsetattr(descriptor, TCSANOW, &usual) != 0, errno == EINTR {}
        pthread_sigmask(SIG_SETMASK, &before, nil)
    }

    /// Writes what the terminal takes now, and keeps the rest for ``flush()``.
    func write(_ octets: [UInt8]) {
        pending += octets
        flush()
    }

    /// Writes of what is kept what the terminal takes now.
    func flush() {
        while !pending.isEmpty {
            let count = pending.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                pending = pending.dropFirst(count)
            } else if errno != EINTR {
                // A terminal that is gone takes nothing, ever.
                if errno != EAGAIN { pending = [] }
                return
            }
        }
        pending = []
    }

    /// What was typed. Empty if that is nothing; nil if the terminal is gone.
    func read() -> [UInt8]? {
        var octets = [UInt8](repeating: 0, count: 256)
        while true {
            let count = Glibc.read(descriptor, &octets, octets.count)
            if count > 0 { return Array(octets.prefix(count)) }
            if count == 0 { return nil }
            if errno == EAGAIN { return [] }
            if errno != EINTR { return nil }
        }
    }

    private func set(_ modes: termios) throws(SystemError) {
        var modes = modes
        while tcsetattr(descriptor, TCSANOW, &modes) != 0 {
            guard errno == EINTR else { throw .last("tcsetattr") }
        }
    }
}
#endif
