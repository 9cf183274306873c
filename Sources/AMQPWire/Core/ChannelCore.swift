/// One channel: its calls, its content under way, its confirms. Belongs to ``ConnectionCore``, which leads the frames here.
///
///     opening ──open-ok──> open ──close()──> closing ──close-ok──> gone
///                            └──close from the broker, answered at once──> gone
///
/// One call is in flight at a time, since brokers answer some pipelined calls out of order; the others wait in a queue. A call that
/// its caller gave up stays in flight until its reply came, so that the reply cannot be taken for another's; what it brought
/// is given back: a message, a consumer, an open channel.
final class ChannelCore: @unchecked Sendable {
    // Unchecked: it is reached only through the one core that it belongs to, and goes wherever that goes.

    /// Where the channel is in its life.
    enum Phase {
        case opening, open, closing
    }

    /// A method that waits for its reply, or for its turn.
    struct Call {
        /// Nil once the caller gave up.
        var waiter: WaiterID?
        var request: AMQPMethod
        /// Whether the broker answers it.
        var hasReply = true

        /// Whether it is sent even if its caller gives up before its turn: a close, a rollback, and a prefetch count, which
        /// others that start their consumers behind it count on.
        var isDoneAnyway: Bool { [.channelClose, .txRollback, .basicQos].contains(request.id) }

        /// Whether it starts the consumer with a tag.
        func isStart(of tag: AMQPText) -> Bool {
            if case .basicConsume(let consume) = request { consume.consumerTag == tag } else { false }
        }
    }

    /// More publishes than this are never unconfirmed, whatever was asked for.
    static let largestWindow = 1 << 24
    /// What closes a channel that is not needed any more.
    static let close = AMQPMethod.channelClose(.init(replyCode: 200, replyText: "Goodbye"))

    let number: UInt16
    var phase = Phase.opening
    var inFlight: Call?
    var queue = RingBuffer<Call>()
    /// Whether calls are sent before the ones before them are answered. For declarations, which brokers answer in order.
    var isPipelined = false
    /// The calls that were sent behind the one in flight.
    var inFlightBehind = RingBuffer<Call>()
    var content = ContentAssembler()
    /// Present once confirm mode is on.
    var ledger: ConfirmLedger?
    /// What was delivered and is to be acknowledged.
    var deliveries = DeliveryLedger()
    /// Consumers whose deliveries the broker forgets as it sends them, until their end.
    var ackless: Set<AMQPText> = []
    /// Whether what is published and settled counts once it is committed.
    var hasTransactions = false
    /// Something was published or settled since the last commit or rollback left.
    var hasUncommitted = false
    /// Unconfirmed publishes that may be outstanding.
    let confirmWindow: Int
    /// Whether the broker lets us publish (channel.flow).
    var mayFlow = true
    /// Who waits for room to publish, first come first.
    var waitingForRoom = RingBuffer<WaiterID>()
    /// How many of them were told to go on and have not come back yet; each has a place in the window.
    var promised = 0
    /// Who waits for all confirms up to a tag.
    var waitingForConfirms: [(through: UInt64, waiter: WaiterID)] = []

    /// Whether the next call may be sent now. A close waits for its turn in any case: no reply is taken behind it.
    var mayStartNext: Bool {
        inFlight == nil || (isPipelined && !queue.isEmpty && queue[0].request.id != .channelClose)
    }

    /// Whether the call in flight cancels the consumer with a tag.
    func isCancelling(_ tag: AMQPText) -> Bool {
        if case .basicCancel(let cancel) = inFlight?.request { cancel.consumerTag == tag } else { false }
    }

    /// The broker starts a consumer.
    func consumerStarted(_ tag: AMQPText, noAck: Bool) {
        if noAck { ackless.insert(tag) } else { ackless.remove(tag) }
    }

    init(number: UInt16, confirmWindow: Int) {
        self.number = number
        self.confirmWindow = min(max(1, confirmWindow), Self.largestWindow)
    }
}
