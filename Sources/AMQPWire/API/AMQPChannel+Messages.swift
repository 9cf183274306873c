extension AMQPChannel {
    // MARK: Consuming

    /// Bounds how many deliveries may be unacknowledged: of each consumer started from here on that names no count of its own,
    /// or with `global` of the channel as a whole. 0 sets no limit.
    ///
    /// RabbitMQ 4.3 and later know no count of the channel as a whole unless their configuration permits it: they say yes, and
    /// take it for that of each consumer. Which of the two, no client can see, so there `global` is an error unless
    /// ``AMQPConfiguration/permitsGlobalQoS`` says that it is permitted.
    ///
    /// - Throws: ``AMQPError``; with `global`, `invalidArgument` as described, before anything is sent.
    public func setQoS(prefetchCount: UInt16, global: Bool = false) async throws(AMQPError) {
        let record = record
        if global { try driver.checkGlobalQoS() }
        do throws(AMQPError) {
            _ = try await driver.call(.basicQos(.init(prefetchCount: prefetchCount, global: global)), record) { _ in
                if !global { record.prefetchInForce = prefetchCount }
            }
            // RabbitMQ forgets the channel's count over that of consumers to come.
            if !global, let whole = driver.state.withLock({ _ in record.channelPrefetch }) {
                _ = try await driver.call(.basicQos(.init(prefetchCount: whole, global: true)), record)
            }
        } catch {
            driver.state.withLock { _ in record.prefetchInForce = nil }
            throw error
        }
        driver.state.withLock { _ in
            if global { record.channelPrefetch = prefetchCount } else { record.consumerPrefetch = prefetchCount }
        }
    }

    /// Consumes a queue: `for try await delivery in channel.consume("queue") { … }`.
    ///
    /// - Parameters:
    ///   - prefetchCount: deliveries that may be unacknowledged at a time, 0 for no limit; nil for what `setQoS` said, or 100
    ///     where it was not called. With `noAck` the broker sends as fast as it can and this has no effect.
    ///   - noAck: the broker forgets each message as it sends it.
    ///   - exclusive: refuse other consumers on the queue.
    ///   - priority: consumers with a higher one are served first. RabbitMQ's extension.
    ///   - consumerTag: a name that no other consumer of the channel has; empty for one made here.
    ///   - noWait: do not wait for the broker's answer. If it refuses, it closes the channel. Where the prefetch count is not
    ///     the one before, the answer to that is waited for.
    public func consume(
        _ queue: String,
        prefetchCount: UInt16? = nil,
        noAck: Bool = false,
        exclusive: Bool = false,
        priority: Int32? = nil,
        arguments: AMQPTable = [:],
        consumerTag: String = "",
        noWait: Bool = false
    ) -> AMQPConsumer {
        var arguments = arguments
        if let priority { arguments["x-priority"] = .int32(priority) }
        let options = ConsumerPlan.Options(
            noAck: noAck,
            exclusive: exclusive,
            arguments: arguments,
            prefetchCount: prefetchCount,
            noWait: noWait
        )
        return AMQPConsumer(source: ConsumerSource(self, driver.plan(queue, consumerTag, record, options)))
    }

    /// Takes one message from a queue, or nil where it has none.
    public func get(_ queue: String, noAck: Bool = false) async throws(AMQPError) -> AMQPDelivery? {
        var epoch: UInt64 = 0
        let get = AMQPMethod.basicGet(.init(queue: AMQPText(queue), noAck: noAck))
        switch try await driver.answer(get, record, registering: { [record] _ in epoch = record.epoch }) {
        case .message(let ok, let message):
            return AMQPDelivery(Arrival(ok, message, epoch: epoch), channel: self, isSettled: noAck)
        case .reply, .done: return nil
        case .failure(let error): throw error
        }
    }

    /// Acknowledges all deliveries of the channel that came and are not settled yet, those included that no loop has taken.
    /// Does nothing where there are none. What is still on its way here is not touched.
    public func ackAll() async throws(AMQPError) {
        try await settleAll(.acknowledged)
    }

    /// Refuses all deliveries of the channel that came and are not settled yet; those that no loop has taken are not given to
    /// one any more. Does nothing where there are none. RabbitMQ's extension.
    public func nackAll(requeue: Bool = true) async throws(AMQPError) {
        try await settleAll(.refused(requeue: requeue))
    }

    private func settleAll(_ settlement: Settlement) async throws(AMQPError) {
        let record = record
        let deadline = driver.deadline(driver.configuration.callTimeout)
        try await driver.onChannel(record, deadline: deadline) { (state, number) throws(AMQPError) in
            try state.settleAll(record, number, settlement)
        }
    }

    /// Has what is not acknowledged delivered again, to any consumer. RabbitMQ knows no other way than `requeue`.
    public func recover(requeue: Bool = true) async throws(AMQPError) {
        let record = record
        _ = try await driver.call(.basicRecover(.init(requeue: requeue)), record)
        driver.state.withLock { $0.dropWhatWentBack(record) }
    }

    /// Asks the broker to stop or go on delivering on this channel. RabbitMQ closes the connection (540) on `active` false.
    public func setFlow(active: Bool) async throws(AMQPError) {
        _ = try await call(.channelFlow(.init(active: active)))
    }

    // MARK: Transactions

    /// Puts the channel into transaction mode: publishes and acknowledgements take effect with ``commit()``.
    public func selectTransactions() async throws(AMQPError) {
        _ = try await call(.txSelect(.init()))
        driver.state.withLock { _ in record.publishing = .transactions }
    }

    /// Commits what was published and acknowledged since the last commit or rollback.
    ///
    /// - Throws: ``AMQPError``. Where the connection was lost since then and recovered, nothing takes effect, and the error's
    ///   `delivery` is `notSent`; it is `unknown` where the commit itself was not answered.
    public func commit() async throws(AMQPError) {
        try await driver.commit(record)
    }

    /// Abandons what was published and acknowledged since the last commit or rollback.
    public func rollback() async throws(AMQPError) {
        try await driver.rollBack(record)
    }
}

extension ConnectionDriver {
    /// A consumer that is yet to be started; one without a tag gets one that is unique on its connection.
    func plan(
        _ queue: String,
        _ tag: String,
        _ channel: ChannelRecord,
        _ options: ConsumerPlan.Options
    ) -> ConsumerPlan {
        state.withLock { state in
            var tag = tag
            if tag.isEmpty {
                tag = "amqpwire-\(state.nextConsumer)"
                state.nextConsumer &+= 1
            }
            let plan = ConsumerPlan(channel: channel, tag: AMQPText(tag), queue: queue, options: options)
            channel.plans[ObjectIdentifier(plan)] = plan
            return plan
        }
    }
}
