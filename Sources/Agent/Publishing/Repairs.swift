import AMQPWire

/// What to do about failures that a connection has outlived, and when to give that up.
struct Repairs {
    enum Action: Equatable {
        /// The exchange or the queue went away.
        case declareAgain
        /// Nothing is known to be wrong.
        case sendAgain
        /// The broker refuses one of the messages under way.
        case sendOneByOne
        /// The broker refuses the oldest message, which was the only one under way.
        case giveUpOldest
    }

    /// Failures since a message was last confirmed.
    private var failures = 0
    /// How many messages may be on their way without a confirm.
    private(set) var window = PublishingSession.usualWindow
    /// Messages that are to be confirmed one by one before the window opens again.
    private var suspects = 0
    static let limit = 3

    /// What to do; nil to begin again with a new connection.
    mutating func action(after error: AMQPError) -> Action? {
        failures += 1
        switch error.code {
        case .publishReturned: return failures < Self.limit ? .declareAgain : nil
        case .publishRefused: return failures < Self.limit ? .sendAgain : nil
        case .channelClosed where error.reply?.kind == .notFound: return failures < Self.limit ? .declareAgain : nil
        case .channelClosed where error.replyCode == 406 || error.replyCode == 311:
            if window == 1 { return .giveUpOldest }
            window = 1
            suspects = PublishingSession.usualWindow
            return .sendOneByOne
        // While the broker is blocked no publish leaves; it is the same message's turn again.
        case .timedOut: return error.delivery == .notSent ? .sendAgain : nil
        default: return nil
        }
    }

    /// A message was confirmed.
    mutating func confirmed() {
        failures = 0
        guard window == 1 else { return }
        suspects -= 1
        if suspects <= 0 { window = PublishingSession.usualWindow }
    }
}
