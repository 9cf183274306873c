/// What becomes of a delivery.
enum Settlement: Hashable, Sendable {
    case acknowledged
    /// Refused by `basic.nack`, which RabbitMQ added and which can name several.
    case refused(requeue: Bool)
    /// Refused by `basic.reject`.
    case rejected(requeue: Bool)

    fileprivate func method(_ tag: UInt64, multiple: Bool) -> AMQPMethod {
        switch self {
        case .acknowledged: .basicAck(.init(deliveryTag: tag, multiple: multiple))
        case .refused(let requeue): .basicNack(.init(deliveryTag: tag, multiple: multiple, requeue: requeue))
        case .rejected(let requeue): .basicReject(.init(deliveryTag: tag, requeue: requeue))
        }
    }
}

extension ConnectionCore {
    /// Settles a delivery. False if there is nothing to settle, and then nothing is sent.
    @discardableResult
    mutating func settle(_ tag: UInt64, _ settlement: Settlement, channel number: UInt16) throws(AMQPError) -> Bool {
        let channel = try usableChannel(number)
        guard channel.deliveries.isUnsettled(tag) else { return false }
        try send(settlement.method(tag, multiple: false), channel: number)
        channel.deliveries.settled(tag, multiple: false, tentatively: channel.hasTransactions)
        return true
    }

    /// Settles all deliveries that came and are still to be settled, up to a tag. Returns the newest of them; nil if there are
    /// none, and then nothing is sent.
    mutating func settleAll(
        upTo tag: UInt64 = .max,
        _ settlement: Settlement,
        channel number: UInt16
    ) throws(AMQPError) -> UInt64? {
        let channel = try usableChannel(number)
        // Not the tag itself, which may be settled already, and never 0, which would reach for what is on its way here.
        guard let newest = channel.deliveries.newestUnsettled(upTo: tag) else { return nil }
        try send(settlement.method(newest, multiple: true), channel: number)
        channel.deliveries.settled(newest, multiple: true, tentatively: channel.hasTransactions)
        return newest
    }

    /// Cancels a consumer whose end nobody waits for. One whose start is not answered yet is cancelled after its consume-ok.
    mutating func abandonConsumer(_ tag: AMQPText, noAck: Bool, channel number: UInt16) {
        guard let channel = channel(number), channel.phase != .closing, !abandonStart(of: tag, channel) else { return }
        if noAck {
            // Answered, so that it is known until when something may come that is not to be given back.
            channel.queue.append(ChannelCore.Call(request: .basicCancel(.init(consumerTag: tag))))
            startNextCall(channel)
        } else {
            // The channel is usable, and a tag that was sent before can be sent again.
            try? send(.basicCancel(.init(consumerTag: tag, noWait: true)), channel: number)
        }
    }

    /// Gives up the start of a consumer that is under way, or waits for its turn. False if there is none.
    private mutating func abandonStart(of tag: AMQPText, _ channel: ChannelCore) -> Bool {
        if let waiter = channel.inFlight?.waiter, channel.inFlight?.isStart(of: tag) == true {
            channel.inFlight?.waiter = nil
            answer(waiter, .done)
            return true
        }
        var isFound = false
        for call in channel.queue.removeAll() {
            guard let waiter = call.waiter, call.isStart(of: tag) else {
                channel.queue.append(call)
                continue
            }
            answer(waiter, .done)
            isFound = true
        }
        return isFound
    }
}
