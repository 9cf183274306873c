import Synchronization

/// What is known of a channel over all the connections it lives through. Guarded by its driver's lock.
final class ChannelRecord: @unchecked Sendable {
    // Unchecked: every access is made while holding the lock of the one driver that made the record.

    /// What the channel was told to be, to be told again after a recovery.
    enum Publishing {
        case plain, confirms, transactions
    }

    private static let lastID = Atomic<UInt64>(0)

    let id = AMQPChannelID(rawValue: lastID.wrappingAdd(1, ordering: .relaxed).newValue)
    let confirmWindow: Int
    /// The number on the present connection, nil while there is none.
    var number: UInt16?
    /// Tells this opening of the channel from others: delivery tags and publish numbers begin anew with each.
    var epoch: UInt64 = 0
    /// The core's side of this opening.
    private var core: ChannelCore?
    /// The core's side of the opening before, which knows what became of publishes whose receipt was not asked for.
    private var previous: (epoch: UInt64, core: ChannelCore)?
    /// Recovery's own, on which nothing is consumed in earnest: what comes goes back as the channel closes.
    var isScratch = false
    /// Recovery is at it: an error of the broker is recovery's to deal with.
    var isBeingRestored = false
    /// For one question of the library's own; the application is told nothing of it.
    var isThrowAway = false
    /// What was submitted and not confirmed, to be sent again; empty unless that is asked for.
    var kept = RingBuffer<KeptPublish>()
    /// A publish that nobody waited for went down with its connection.
    var lostPublish: AMQPError?
    /// The present transaction went down with its connection, in part at least.
    var lostTransaction = false
    /// This program closes it: recovery leaves it alone.
    var isClosing = false
    /// Why the channel is closed for good.
    var closed: AMQPError?
    /// The channel does not come back.
    var isOver: Bool { isClosing || closed != nil }
    var publishing = Publishing.plain
    /// Prefetch counts set by `setQoS`, for the channel as a whole and for consumers to come.
    var channelPrefetch: UInt16?
    var consumerPrefetch: UInt16?
    /// What the broker was told last on the present connection, for consumers to come.
    var prefetchInForce: UInt16?
    /// Consumers that get deliveries.
    var consumers: [AMQPText: ConsumerRecord] = [:]
    /// Consumers that somebody holds, whether they get deliveries or not.
    var plans: [ObjectIdentifier: ConsumerPlan] = [:]
    /// Where those listen who want to know what happens to the channel.
    private var feeds: [ObjectIdentifier: ChannelFeed] = [:]

    init(confirmWindow: Int) {
        self.confirmWindow = confirmWindow
    }

    /// The channel is being opened on a connection.
    func opened(_ number: UInt16, _ core: ChannelCore?, epoch: UInt64) {
        self.number = number
        self.epoch = epoch
        self.core = core
        prefetchInForce = nil
    }

    /// Something was published or settled, which counts only once it is committed, if the channel has transactions.
    func didInTransaction() {
        if publishing == .transactions { core?.hasUncommitted = true }
    }

    /// The connection is lost; the channel waits for the next.
    func connectionLost(_ error: AMQPError, resends: Bool, resendLimit: Int) {
        if let ledger = core?.ledger {
            for index in 0..<kept.count where kept[index].epoch == epoch {
                let publish = kept[index]
                publish.note(ledger)
                guard publish.outcome == nil, let failure = publish.closes.counted(error, limit: resendLimit) else {
                    continue
                }
                publish.failure = failure
                if lostPublish == nil, ledger.isUnheard(publish.tag) { lostPublish = failure }
            }
            kept.removeAll { $0.outcome != nil || $0.failure != nil }
            if let failure = core?.ledger?.takeFailure().flatMap({ AMQPError($0.outcome) }) {
                lostPublish = failure
            } else if !resends, ledger.hasUnheard {
                lostPublish = error.with(delivery: .unknown)
            }
        }
        if core?.hasUncommitted == true { lostTransaction = true }
        interrupted()
    }

    /// The channel is gone, and comes back.
    func interrupted() {
        // An opening that was lost before anything was published on it knows nothing.
        if let core, previous == nil || core.ledger?.nextTag ?? 1 > 1 { previous = (epoch, core) }
        core = nil
        number = nil
        for consumer in consumers.values { consumer.connectionLost() }
    }

    /// What became of a publish on an opening of the channel that is over, or is being closed; nil if that is not known.
    func pastOutcome(_ tag: UInt64, epoch: UInt64) -> ConfirmLedger.Outcome? {
        if isClosing, let core, self.epoch == epoch { return core.ledger?.outcome(of: tag) }
        guard let previous, previous.epoch == epoch else { return nil }
        return previous.core.ledger?.outcome(of: tag)
    }

    /// Keeps a publish until it is confirmed, and forgets those that are.
    func keep(_ publish: KeptPublish) {
        while kept.count > 0, kept[0].epoch == epoch, let ledger = core?.ledger, kept[0].tag < ledger.firstPending {
            kept[0].note(ledger)
            _ = kept.popFirst()
        }
        kept.append(publish)
    }

    /// A queue came back under another name.
    func queueRenamed(_ old: AMQPText, to new: AMQPText) {
        for plan in plans.values where plan.queue == old.string { plan.queue = new.string }
        for consumer in consumers.values where consumer.queue == old.string { consumer.plan.queue = new.string }
    }

    /// Somebody listens from here on.
    func listen(_ feed: ChannelFeed, _ aftermath: inout Aftermath) {
        if closed == nil { feeds[ObjectIdentifier(feed)] = feed } else { feed.finish(&aftermath) }
    }

    /// Nobody listens there any more.
    func stopListening(_ feed: ChannelFeed) {
        feeds[ObjectIdentifier(feed)] = nil
    }

    /// Tells those who listen.
    func tell(_ event: AMQPEvent, _ aftermath: inout Aftermath) {
        for feed in feeds.values { feed.post(event, &aftermath) }
    }

    /// The channel is over.
    func end(_ error: AMQPError, _ aftermath: inout Aftermath) {
        guard closed == nil else { return }
        closed = error
        if let core { previous = (epoch, core) }
        core = nil
        number = nil
        _ = kept.removeAll()
        for consumer in consumers.values {
            // What nobody took and nobody acknowledged goes back to its queue with the channel.
            consumer.connectionLost()
            consumer.end(error, &aftermath)
        }
        consumers = [:]
        if error.code != .closed { tell(.channelClosed(channel: id, error), &aftermath) }
        for feed in feeds.values { feed.finish(&aftermath) }
        feeds = [:]
    }
}

/// A publish that is sent again if its connection is lost. Guarded by its driver's lock.
final class KeptPublish: @unchecked Sendable {
    // Unchecked: every access is made while holding the lock of the one driver that made the publish.

    /// What is published.
    enum Content {
        case plain(AMQPMethod.BasicPublish, AMQPProperties, [UInt8])
        case prepared(PreparedFrames, [UInt8])
    }

    let content: Content
    /// Where it was sent last.
    var tag: UInt64
    var epoch: UInt64
    /// How it ended, once it is not kept any more.
    private(set) var outcome: ConfirmLedger.Outcome?
    /// Why it is not sent again, if it is not kept any more for that.
    var failure: AMQPError?
    /// How often the broker has closed a connection over it, maybe.
    var closes = ClosesOverPublish()

    init(_ content: Content, tag: UInt64, epoch: UInt64) {
        self.content = content
        self.tag = tag
        self.epoch = epoch
    }

    /// Takes its outcome over from the ledger that it is in, if it has one there.
    func note(_ ledger: ConfirmLedger) {
        outcome = ledger.outcome(of: tag)
    }

    /// Sends it, once more.
    func encode(_ core: inout ConnectionCore, _ channel: ChannelCore) throws(AMQPError) -> UInt64? {
        switch content {
        case .plain(let method, let properties, let body):
            try core.publish(method, properties: properties, bytes: body, on: channel)
        case .prepared(let frames, let body):
            try body.withUnsafeBufferPointer { (body) throws(AMQPError) in
                try core.publish(frames, body: UnsafeRawBufferPointer(body), on: channel)
            }
        }
    }
}
