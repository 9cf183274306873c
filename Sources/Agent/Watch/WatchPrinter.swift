#if Agent
import Glibc

/// A line for each message on standard output, where that is no terminal or JSON is wanted; news of the connection go to
/// standard error. One thread that polls, so that a signal ends it even while nobody reads the output.
struct WatchPrinter: ~Copyable {
    private let signals: SignalInbox
    private let mailbox: WatchMailbox
    private var pending: ArraySlice<UInt8> = []
    private var unreadableCount = 0
    /// What was said last of the connection.
    private var lastNews = WatchLink.connecting.summary
    /// The count of unreadable messages at which the next one is told of.
    private var nextTold = 1
    private var isQuitting = false
    private var ending: CommandFailure?

    /// The signals that end the program.
    static let signals = [SIGINT, SIGTERM, SIGHUP]
    /// What a pipe that can be written takes without waiting (`PIPE_BUF`).
    private static let pieceSize = 4_096
    /// Octets that wait to be written, above which nothing is taken from the mailbox.
    private static let enough = 65_536

    init(signals: consuming SignalInbox, mailbox: WatchMailbox) {
        self.signals = signals
        self.mailbox = mailbox
    }

    /// Prints until a signal or the feed ends it, or nobody reads any more.
    mutating func run() throws(CommandFailure) {
        while !isQuitting { try wait() }
        if let ending { throw ending }
    }

    private mutating func wait() throws(CommandFailure) {
        let takes = pending.count < Self.enough
        var polled = [
            pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: takes ? mailbox.descriptor : -1, events: Int16(POLLIN), revents: 0),
            // An end without a reader shows itself without being asked for.
            pollfd(fd: STDOUT_FILENO, events: pending.isEmpty ? 0 : Int16(POLLOUT), revents: 0),
        ]
        guard poll(&polled, nfds_t(polled.count), -1) > 0 else { return }
        if polled[0].revents != 0, !signals.take().isEmpty { isQuitting = true }
        if polled[1].revents != 0 {
            for item in mailbox.take() { received(item) }
        }
        if polled[2].revents & Int16(POLLOUT) != 0 {
            try writePiece()
        } else if polled[2].revents & Int16(POLLERR) != 0 {
            throw CommandFailure(status: .outputClosed, message: nil)
        }
    }

    private mutating func writePiece() throws(CommandFailure) {
        let piece = pending.prefix(Self.pieceSize)
        do throws(SystemError) {
            let count = try piece.withUnsafeBufferPointer { (octets) throws(SystemError) in
                try retryingInterrupts("write") { write(STDOUT_FILENO, octets.baseAddress, octets.count) }
            }
            pending = pending.dropFirst(count)
        } catch {
            throw CommandFailure(writing: error)
        }
    }

    private mutating func received(_ item: WatchMailbox.Item) {
        switch item {
        case .message(let message): print(Array(WatchLine.text(message, time: WatchLine.timeOfDay()).utf8))
        case .line(let octets): print(octets)
        case .unreadable(let reason):
            unreadableCount &+= 1
            // At the first, the tenth, the hundredth …
            guard unreadableCount == nextTold else { return }
            nextTold = nextTold.multipliedReportingOverflow(by: 10).partialValue
            note("passed over \(reason)" + (unreadableCount == 1 ? "" : "; \(unreadableCount) so far"))
        case .link(let link):
            // The pauses until the next attempt are no news.
            let text = link.summary
            guard text != lastNews else { return }
            lastNews = text
            note(text)
        case .ended(let failure):
            ending = failure
            isQuitting = true
        }
    }

    private mutating func print(_ line: [UInt8]) {
        pending += line
        pending.append(UInt8(ascii: "\n"))
    }

    private func note(_ text: String) {
        var output = OutputFile(descriptor: STDERR_FILENO)
        // Where standard error cannot be written there is nobody to tell.
        try? output.append(line: "psistats: \(text.shown)")
        try? output.flush()
    }
}
#endif
