/// What is known of a channel over all the connections it lives through. Guarded by its driver's lock.
final class ChannelRecord: @unchecked Sendable {
    // Unchecked: every access is made while holding the lock of the one driver that made the record.

    /// What the channel was told to be, to be told again after a recovery.
    enum Publishing {
        case plain, confirms, transactions
    }

    let confirmWindow: Int
    /// The number on the present connection, nil while there is none.
    var number: UInt16?
    /// Why the channel is closed for good.
    var closed: AMQPError?
    var publishing = Publishing.plain
    /// Prefetch counts set by `setQoS`, for the channel as a whole and for consumers to come.
    var channelPrefetch: UInt16?
    var consumerPrefetch: UInt16?
    /// What the broker was told last on the present connection, for consumers to come.
    var prefetchInForce: UInt16?
    /// Tags of consumers without acknowledgements that are being cancelled: what still comes for them is gone.
    var draining: Set<AMQPText> = []
    /// The last delivery that came, and the last of those that were settled together.
    var lastArrived: UInt64 = 0
    var settledThrough: UInt64 = 0
    /// Consumers that get deliveries.
    var consumers: [AMQPText: ConsumerRecord] = [:]

    init(confirmWindow: Int) {
        self.confirmWindow = confirmWindow
    }

    /// The connection is lost; the channel waits for the next.
    func connectionLost() {
        number = nil
        prefetchInForce = nil
        draining = []
        lastArrived = 0
        settledThrough = 0
        for consumer in consumers.values { consumer.connectionLost() }
    }

    /// The channel is over.
    func end(_ error: AMQPError, _ aftermath: inout Aftermath) {
        guard closed == nil else { return }
        closed = error
        number = nil
        for consumer in consumers.values { consumer.end(error, &aftermath) }
        consumers = [:]
    }
}

/// What is known of a consumer, and the deliveries that its reader has not taken. Guarded by its driver's lock.
final class ConsumerRecord: @unchecked Sendable {
    // Unchecked: every access is made while holding the lock of the one driver that made the record.

    /// How to consume.
    struct Options {
        var noAck: Bool
        var exclusive: Bool
        var arguments: FieldTable
        /// Nil for the channel's.
        var prefetchCount: UInt16?
    }

    /// What the reader gets.
    enum Next: Sendable {
        case delivery(Arrival)
        case ended(AMQPError?)
    }

    let channel: ChannelRecord
    let tag: AMQPText
    var queue: String
    let options: Options
    private var waiting: RingBuffer<Arrival>
    private var reader: UnsafeContinuation<Next, Never>?
    private var ending: Next?

    init(channel: ChannelRecord, tag: AMQPText, queue: String, options: Options) {
        self.channel = channel
        self.tag = tag
        self.queue = queue
        self.options = options
        waiting = RingBuffer()
    }

    /// Hands a delivery to the reader, or keeps it until asked.
    func offer(_ delivery: Arrival, _ aftermath: inout Aftermath) {
        if let reader {
            self.reader = nil
            aftermath.deliveries.append((reader, .delivery(delivery)))
        } else {
            waiting.append(delivery)
        }
    }

    /// The next delivery, or the end; nil if there is neither.
    func take() -> Next? {
        if let delivery = waiting.popFirst() { return .delivery(delivery) }
        return ending
    }

    /// Parks the reader until there is something; it is the only one.
    func park(_ continuation: UnsafeContinuation<Next, Never>) {
        reader = continuation
    }

    /// The deliveries that nobody took.
    func takeAll() -> [Arrival] { waiting.removeAll() }

    /// Drops the deliveries up to a tag, which were refused.
    func dropThrough(_ deliveryTag: UInt64) {
        if !options.noAck { waiting.removeAll { $0.deliver.deliveryTag <= deliveryTag } }
    }

    /// What is not acknowledged will come again, so what waits here would come twice.
    func connectionLost() {
        if !options.noAck { _ = waiting.removeAll() }
    }

    /// No more comes. What waits is still to be had.
    func end(_ error: AMQPError?, _ aftermath: inout Aftermath) {
        guard ending == nil else { return }
        ending = .ended(error)
        if let reader {
            self.reader = nil
            aftermath.deliveries.append((reader, .ended(error)))
        }
    }
}
