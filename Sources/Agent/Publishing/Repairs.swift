#if Agent
import AMQPWire

/// What to do about failures that a connection has outlived, and when to give that up.
struct Repairs {
    enum Action: Equatable {
        /// The exchange or the queue went away.
        case declareAgain
        /// Nothing is known to be wrong; or the broker has no room for now, which takes a pause.
        case sendAgain(after: Duration)
        /// The broker closed the channel over one of the messages under way.
        case sendOneByOne
        /// The broker closed the channel over the only message under way.
        case giveUp
    }

    /// Failures since a message was last confirmed.
    private var failures = 0
    /// How many messages may be on their way without a confirm.
    private(set) var window = PublishingSession.usualWindow
    /// Messages that are to be confirmed one by one before the window opens again.
    private var suspects = 0
    /// Whether the broker has refused messages since the window was last open: a queue that is full, say.
    private(set) var isRefused = false
    private var nextPause = firstPause

    static let limit = 3
    /// How long to wait after a message was refused; twice as long each time, until one is confirmed.
    static let firstPause = Duration.milliseconds(100)
    static let longestPause = Duration.seconds(5)

    /// What to do; nil to begin again with a new connection.
    mutating func action(after error: AMQPError) -> Action? {
        failures += 1
        switch error.code {
        case .publishReturned: return failures < Self.limit ? .declareAgain : nil
        case .publishRefused:
            // Another connection would be refused as well, and might lose an exclusive queue.
            isRefused = true
            narrow()
            defer { nextPause = min(nextPause * 2, Self.longestPause) }
            return .sendAgain(after: nextPause)
        case .channelClosed where error.reply?.kind == .notFound: return failures < Self.limit ? .declareAgain : nil
        case .channelClosed where error.replyCode == 406 || error.replyCode == 311:
            if window == 1 { return .giveUp }
            narrow()
            return .sendOneByOne
        // While the broker is blocked no publish leaves; it is the same message's turn again.
        case .timedOut: return error.delivery == .notSent ? .sendAgain(after: .zero) : nil
        default: return nil
        }
    }

    private mutating func narrow() {
        window = 1
        suspects = PublishingSession.usualWindow
    }

    /// A message was confirmed.
    mutating func confirmed() {
        failures = 0
        nextPause = Self.firstPause
        guard window == 1 else { return }
        suspects -= 1
        guard suspects <= 0 else { return }
        window = PublishingSession.usualWindow
        isRefused = false
    }
}
#endif
