/// What is known of a consumer, and the deliveries that its reader has not taken. Guarded by its driver's lock.
final class ConsumerRecord: @unchecked Sendable {
    // Unchecked: every access is made while holding the lock of the one driver that made the record.

    /// How to consume.
    struct Options {
        var noAck: Bool
        var exclusive: Bool
        var arguments: AMQPTable
        /// Nil for the channel's.
        var prefetchCount: UInt16?
        /// Whether it counts as started once the broker was asked; recovery waits for the answer in any case.
        var noWait = false
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
    /// The opening of the channel on which the broker was asked for it last.
    var epoch: UInt64 = 0
    /// The broker knows of it, and counts it among the consumers of its queue.
    var isStarted = false
    private var waiting: RingBuffer<Arrival>
    private var waitingOctets = 0
    /// Where that counts; nil once no more comes.
    private var stock: DeliveryStock?
    private var reader: UnsafeContinuation<Next, Never>?
    private var ending: Next?

    init(channel: ChannelRecord, tag: AMQPText, queue: String, options: Options, stock: DeliveryStock) {
        self.channel = channel
        self.tag = tag
        self.queue = queue
        self.options = options
        self.stock = stock
        waiting = RingBuffer()
    }

    /// What asks the broker for it.
    func request(noWait: Bool) -> AMQPMethod.BasicConsume {
        AMQPMethod.BasicConsume(
            queue: AMQPText(queue),
            consumerTag: tag,
            noAck: options.noAck,
            exclusive: options.exclusive,
            noWait: noWait,
            arguments: options.arguments
        )
    }

    /// Hands a delivery to the reader, or keeps it until asked.
    func offer(_ delivery: Arrival, _ aftermath: inout Aftermath) {
        if let reader {
            self.reader = nil
            stock?.waitingReaders -= 1
            aftermath.deliveries.append((reader, .delivery(delivery)))
        } else {
            waiting.append(delivery)
            count(DeliveryStock.size(delivery))
        }
    }

    /// The next delivery, or the end; nil if there is neither.
    func take() -> Next? {
        guard let delivery = waiting.popFirst() else { return ending }
        count(-DeliveryStock.size(delivery))
        return .delivery(delivery)
    }

    private func count(_ octets: Int) {
        waitingOctets += octets
        stock?.octets += octets
    }

    /// Counts no more, neither what waits nor who waits for it.
    func leaveStock() {
        stock?.octets -= waitingOctets
        if reader != nil { stock?.waitingReaders -= 1 }
        stock = nil
    }

    /// Parks the reader until there is something; it is the only one.
    func park(_ continuation: UnsafeContinuation<Next, Never>) {
        reader = continuation
        stock?.waitingReaders += 1
    }

    /// The deliveries that nobody took.
    func takeAll() -> [Arrival] {
        count(-waitingOctets)
        return waiting.removeAll()
    }

    /// Drops deliveries that went back to their queue.
    func drop(where wentBack: (_ deliveryTag: UInt64) -> Bool) {
        guard !options.noAck else { return }
        for arrival in takeAll() where !wentBack(arrival.deliver.deliveryTag) {
            waiting.append(arrival)
            count(DeliveryStock.size(arrival))
        }
    }

    /// What is not acknowledged will come again, so what waits here would come twice.
    func connectionLost() {
        if !options.noAck { _ = takeAll() }
    }

    /// No more comes. What waits is still to be had.
    func end(_ error: AMQPError?, _ aftermath: inout Aftermath) {
        guard ending == nil else { return }
        ending = .ended(error)
        leaveStock()
        if let reader {
            self.reader = nil
            aftermath.deliveries.append((reader, .ended(error)))
        }
    }
}
