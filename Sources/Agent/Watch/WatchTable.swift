#if Agent
import Glibc

/// The table in the terminal: joins the mailbox, the keyboard, the signals and the screen, on one thread that polls.
struct WatchTable: ~Copyable {
    private let terminal: Terminal
    private let signals: SignalInbox
    private let mailbox: WatchMailbox
    private var model = WatchModel()
    private var screen: WatchScreen
    private var painter: GridPainter
    private var keys = KeyDecoder()
    private let clock = ContinuousClock()
    private var lastDrawing: ContinuousClock.Instant?
    private var isOutdated = true
    private var isQuitting = false
    private var ending: CommandFailure?

    /// The signals that end the program or have to do with the terminal.
    static let signals = [SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP, SIGCONT]
    /// Between two drawings.
    private static let pause = Duration.milliseconds(100)
    /// Ages are drawn anew so often.
    private static let longestPause = Duration.seconds(1)

    init(
        terminal: Terminal,
        signals: consuming SignalInbox,
        mailbox: WatchMailbox,
        subject: String,
        usesColor: Bool,
        usesUnicode: Bool
    ) {
        self.terminal = terminal
        self.signals = signals
        self.mailbox = mailbox
        screen = WatchScreen(subject: subject, usesUnicode: usesUnicode)
        painter = GridPainter(usesColor: usesColor)
    }

    /// Draws until it is quit. The terminal is as it was before when this returns or throws.
    mutating func run() throws(CommandFailure) {
        try enter()
        defer { terminal.leave() }
        while !isQuitting {
            drawIfDue()
            wait()
        }
        if let ending { throw ending }
    }

    private func enter() throws(CommandFailure) {
        do throws(SystemError) {
            try terminal.enter()
        } catch {
            throw CommandFailure(.ioError, "the terminal: \(error.context): \(error.reason)")
        }
    }

    private mutating func drawIfDue() {
        let now = clock.now
        let sinceLast = lastDrawing.map { $0.duration(to: now) } ?? Self.longestPause
        guard !terminal.isBusy, sinceLast >= (isOutdated ? Self.pause : Self.longestPause) else { return }
        terminal.write(painter.octets(for: screen.grid(of: model, size: terminal.size, at: now)))
        lastDrawing = now
        isOutdated = false
    }

    /// Waits for something to happen or to be due, and deals with it.
    private mutating func wait() {
        let due = (lastDrawing ?? clock.now) + (isOutdated ? Self.pause : Self.longestPause)
        // Rounded up, lest it polls again and again within the last millisecond.
        let milliseconds = max(0, clock.now.duration(to: due) / .milliseconds(1)).rounded(.up)
        var polled = [
            pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: terminal.descriptor, events: Int16(POLLIN | (terminal.isBusy ? POLLOUT : 0)), revents: 0),
        ]
        // Where the terminal takes nothing, only the terminal can change that.
        guard poll(&polled, nfds_t(polled.count), terminal.isBusy ? -1 : Int32(min(1_000, milliseconds))) > 0 else {
            return
        }
        if polled[0].revents != 0 {
            for signal in signals.take() { received(signal) }
        }
        if polled[1].revents != 0 {
            let now = clock.now
            for item in mailbox.take() { received(item, at: now) }
            isOutdated = true
        }
        if polled[2].revents & Int16(POLLOUT) != 0 { terminal.flush() }
        if polled[2].revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 { readKeys() }
    }

    private mutating func received(_ signal: Int32) {
        switch signal {
        case SIGWINCH:
            isOutdated = true
            lastDrawing = nil
        case SIGTSTP:
            terminal.leave()
            signals.stopProcess()
            comeBack()
        case SIGCONT: comeBack()
        default: isQuitting = true
        }
    }

    /// Takes the terminal over again, as after Ctrl-Z or a stop that nobody told of. Others may have written to it.
    private mutating func comeBack() {
        do throws(CommandFailure) {
            terminal.leave()
            try enter()
        } catch {
            ending = error
            isQuitting = true
        }
        painter.forget()
        lastDrawing = nil
        isOutdated = true
    }

    private mutating func received(_ item: WatchMailbox.Item, at now: ContinuousClock.Instant) {
        switch item {
        case .message(let message): model.received(message, at: now)
        case .line: break
        case .unreadable: model.receivedUnreadable(at: now)
        case .link(let link): model.link = link
        case .ended(let failure):
            ending = failure
            isQuitting = true
        }
    }

    private mutating func readKeys() {
        guard let octets = terminal.read() else {
            isQuitting = true
            return
        }
        for key in keys.keys(in: octets) { pressed(key) }
    }

    private mutating func pressed(_ key: KeyDecoder.Key) {
        let page = max(1, screen.pageSize(rows: terminal.size.rows, link: model.link))
        switch key {
        case .character(UInt8(ascii: "q")), .character(UInt8(ascii: "Q")): isQuitting = true
        // Ctrl-\
        case .character(0x1C): isQuitting = true
        case .character(UInt8(ascii: "h")): model.sort(by: .hostname)
        case .character(UInt8(ascii: "a")): model.sort(by: .age)
        case .character(UInt8(ascii: "c")): model.sort(by: .cpu)
        case .character(UInt8(ascii: "m")): model.sort(by: .mem)
        case .character(UInt8(ascii: "t")): model.sort(by: .temperature)
        case .character(UInt8(ascii: "p")): screen.toggleCores()
        case .character(UInt8(ascii: "j")), .down: screen.scroll(by: 1)
        case .character(UInt8(ascii: "k")), .up: screen.scroll(by: -1)
        case .character(UInt8(ascii: " ")), .pageDown: screen.scroll(by: page)
        case .pageUp: screen.scroll(by: -page)
        case .home: screen.scrollToStart()
        case .end: screen.scrollToEnd()
        // Ctrl-L: something else may have written to the terminal.
        case .character(0x0C): painter.forget()
        case .character: return
        }
        // A key is answered at once.
        isOutdated = true
        lastDrawing = nil
    }
}
#endif
