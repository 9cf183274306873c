/// What a consumer asks the broker for, over all the times that it is started. Guarded by its driver's lock.
///
/// Its channel knows it for as long as somebody holds the consumer, so that a queue that comes back under another name is
/// asked for by that name.
final class ConsumerPlan: @unchecked Sendable {
    // Unchecked: every access is made while holding the lock of the one driver that made the plan.

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

    let channel: ChannelRecord
    let tag: AMQPText
    let options: Options
    /// The queue's present name.
    var queue: String
    /// What was started last; it may be over.
    var run: ConsumerRecord?
    /// Who waits for what it brings, where that is replies to requests; nil for a consumer with readers.
    var replies: ReplyTable?
    /// Cancelled by this program: nothing is started any more.
    var isCancelled = false

    init(channel: ChannelRecord, tag: AMQPText, queue: String, options: Options) {
        self.channel = channel
        self.tag = tag
        self.queue = queue
        self.options = options
    }
}

/// One run of a consumer, from its start to its end, and the deliveries that its readers have not taken. Guarded by its
/// driver's lock.
final class ConsumerRecord: @unchecked Sendable {
    // Unchecked: every access is made while holding the lock of the one driver that made the record.

    /// What a reader gets.
    enum Next: Sendable {
        case delivery(Arrival)
        case ended(AMQPError?)
    }

    let plan: ConsumerPlan
    /// The opening of the channel on which the broker was asked for it last.
    var epoch: UInt64 = 0
    /// That on which whoever starts it asked for it.
    var firstEpoch: UInt64 = 0
    /// The broker knows of it, and counts it among the consumers of its queue.
    var isStarted = false
    /// A cancel is under way, whose answer decides what becomes of the deliveries that wait.
    var isBeingCancelled = false
    /// Who waits for the start that another task makes.
    var startWaiters: [WaiterID] = []
    /// The start waits for the connection to come back.
    var readyWaiter: WaiterID?
    /// How many iterators read from it.
    var readerCount = 0
    private var waiting: RingBuffer<Arrival>
    private var waitingOctets = 0
    /// Where that counts; nil once no more comes.
    private var stock: DeliveryStock?
    private var parked = RingBuffer<(call: UInt64, continuation: UnsafeContinuation<Next, Never>)>()
    private var nextCall: UInt64 = 0
    private var ending: Next?
    /// What waits is not to be had any more.
    private var isCutOff = false

    init(_ plan: ConsumerPlan, stock: DeliveryStock) {
        self.plan = plan
        self.stock = stock
        waiting = RingBuffer()
    }

    var channel: ChannelRecord { plan.channel }
    var tag: AMQPText { plan.tag }
    var queue: String { plan.queue }
    var options: ConsumerPlan.Options { plan.options }
    var replies: ReplyTable? { plan.replies }
    /// No more comes.
    var isOver: Bool { ending != nil }

    /// The consumer in words, for events.
    var description: String { "consumer '\(tag)' of queue '\(queue)'" }

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

    /// Hands a delivery to the reader that waits longest, or keeps it until one asks.
    func offer(_ delivery: Arrival, _ aftermath: inout Aftermath) {
        if let reader = parked.popFirst() {
            stock?.waitingReaders -= 1
            aftermath.deliveries.append((reader.continuation, .delivery(delivery)))
        } else {
            waiting.append(delivery)
            count(DeliveryStock.size(delivery))
        }
    }

    /// The next delivery, or the end; nil if there is neither.
    func take() -> Next? {
        guard !isCutOff, let delivery = waiting.popFirst() else { return ending }
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
        stock?.waitingReaders -= parked.count
        stock = nil
    }

    /// A number for a call that is going to wait.
    func makeCall() -> UInt64 {
        nextCall &+= 1
        return nextCall
    }

    /// Parks a call until there is something for it.
    func park(_ call: UInt64, _ continuation: UnsafeContinuation<Next, Never>) {
        parked.append((call, continuation))
        stock?.waitingReaders += 1
    }

    /// A call does not wait any more; nil if it has its answer.
    func unpark(_ call: UInt64) -> UnsafeContinuation<Next, Never>? {
        var found: UnsafeContinuation<Next, Never>?
        parked.removeAll { row in
            guard row.call == call else { return false }
            found = row.continuation
            return true
        }
        if found != nil { stock?.waitingReaders -= 1 }
        return found
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

    /// No more comes. What waits is still to be had, unless it is to go back.
    func end(_ error: AMQPError?, cutsOff: Bool = false, _ aftermath: inout Aftermath) {
        if cutsOff { isCutOff = true }
        guard ending == nil else { return }
        ending = .ended(error)
        leaveStock()
        while let reader = parked.popFirst() { aftermath.deliveries.append((reader.continuation, .ended(error))) }
    }
}
