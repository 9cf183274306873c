extension ConnectionDriver {
    /// Starts a consumer, which is registered before the broker hears of it: its deliveries may follow consume-ok at once.
    func startConsumer(_ consumer: AMQPConsumer) async throws(AMQPError) -> ConsumerRecord {
        let record = ConsumerRecord(
            channel: consumer.channel.record,
            tag: consumer.tag,
            queue: consumer.queue,
            options: consumer.options,
            stock: stock
        )
        do throws(AMQPError) {
            try await consume(record, asRecovery: false)
        } catch {
            // It may have started in the meantime, and got something.
            perform { state in
                if state.unregister(record) { state.giveBack(record) }
            }
            throw error
        }
        return record
    }

    /// Tells the broker of a consumer; of one that is resumed only if its reader is still there.
    func consume(_ record: ConsumerRecord, asRecovery: Bool) async throws(AMQPError) {
        let (channel, options) = (record.channel, record.options)
        let deadline = deadline(configuration.callTimeout)
        // In one step, so that no other consumer's prefetch count comes between.
        let waiters = try await onChannel(channel, deadline: deadline, asRecovery: asRecovery) {
            (state, number) throws(AMQPError) -> (limiting: [WaiterID], starting: WaiterID)? in
            let known = channel.consumers[record.tag]
            // Its reader is gone, or the broker has been asked for it on this connection.
            if asRecovery, known !== record || record.epoch == channel.epoch { return nil }
            if !asRecovery, known != nil {
                throw AMQPError(
                    .invalidArgument,
                    scope: .channel,
                    "the consumer tag '\(record.tag)' is in use on this channel: choose another, or none"
                )
            }
            var limiting: [WaiterID] = []
            let prefetchCount = options.prefetchCount ?? channel.consumerPrefetch ?? AMQPConsumer.usualPrefetchCount
            if channel.prefetchInForce != prefetchCount {
                var limits = [AMQPMethod.BasicQos(prefetchCount: prefetchCount)]
                // RabbitMQ forgets the channel's count over that of consumers to come.
                if let whole = channel.channelPrefetch { limits.append(.init(prefetchCount: whole, global: true)) }
                for qos in limits {
                    limiting.append(try state.core.call(.basicQos(qos), channel: number, deadline: deadline))
                }
                channel.prefetchInForce = prefetchCount
            }
            channel.consumers[record.tag] = record
            record.epoch = channel.epoch
            let noWait = options.noWait && !asRecovery
            let starting = try state.core.call(
                .basicConsume(record.request(noWait: noWait)),
                channel: number,
                deadline: deadline,
                hasReply: !noWait
            )
            return (limiting, starting)
        }
        guard let waiters else { return }
        var failure: AMQPError?
        for waiter in waiters.limiting {
            guard case .failure(let error) = await answer(of: waiter) else { continue }
            state.withLock { _ in channel.prefetchInForce = nil }
            failure = failure ?? error
        }
        // A consumer that the broker starts after its caller gave up, the core cancels, after its consume-ok: RabbitMQ 3.10
        // ends the connection (541) over a cancel that comes before.
        if case .failure(let error) = await answer(of: waiters.starting) {
            failure = failure ?? error
        } else if failure != nil {
            abandonConsumer(record)
        }
        if let failure { throw failure }
        state.withLock { _ in record.isStarted = true }
    }

    /// The next delivery of a consumer, or its end. A cancelled task gets the end, whatever is there to be taken.
    func next(_ record: ConsumerRecord) async -> ConsumerRecord.Next {
        if Task.isCancelled {
            abandonConsumer(record)
            return .ended(nil)
        }
        if let next = taking({ _ in record.take() }) { return next }
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let next = taking { _ -> ConsumerRecord.Next? in
                    if let next = record.take() { return next }
                    record.park(continuation)
                    return nil
                }
                if let next { continuation.resume(returning: next) }
            }
        } onCancel: {
            abandonConsumer(record)
        }
    }

    /// Takes something of what waits, after which reading from the socket may go on.
    private func taking(_ step: (inout State) -> ConsumerRecord.Next?) -> ConsumerRecord.Next? {
        let (next, isPaused) = state.withLock { state in (step(&state), state.isReadingPaused) }
        if isPaused { perform(.soon) { state in state.adjustReading(self) } }
        return next
    }

    /// Ends a consumer whose reader is gone, without waiting for the broker's answer.
    func abandonConsumer(_ record: ConsumerRecord) {
        end(record)
        let channel = record.channel
        perform { state in
            // Ended by the broker, it may have something waiting all the same.
            guard state.unregister(record) else { return state.giveBack(record) }
            // First the cancel, then what goes back: else it would come again.
            if let number = channel.number, record.epoch == channel.epoch {
                state.core.abandonConsumer(record.tag, noAck: record.options.noAck, channel: number)
            }
            state.giveBack(record)
        }
    }

    /// Ends a consumer, and waits until the broker knows unless that is not wanted.
    func cancelConsumer(_ tag: AMQPText, _ channel: ChannelRecord, noWait: Bool) async throws(AMQPError) {
        guard let record = state.withLock({ _ in channel.consumers[tag] }) else { return }
        if noWait { return abandonConsumer(record) }
        do throws(AMQPError) {
            _ = try await call(.basicCancel(.init(consumerTag: tag)), channel)
        } catch {
            // The broker may have ended it, or may not: it does not go on here in any case.
            abandonConsumer(record)
            throw error
        }
        end(record)
        perform { state in
            state.unregister(record)
            state.giveBack(record)
        }
    }

    /// Tells the reader that no more comes.
    private func end(_ record: ConsumerRecord) {
        ending { _, aftermath in record.end(nil, &aftermath) }
    }
}

extension ConnectionDriver.State {
    /// Takes a consumer out of the books, with its queue if that deletes itself; false if it is out of them.
    @discardableResult
    mutating func unregister(_ record: ConsumerRecord) -> Bool {
        guard record.channel.consumers[record.tag] === record else { return false }
        record.channel.consumers[record.tag] = nil
        record.leaveStock()
        if record.isStarted { consumerEnded(record) }
        return true
    }

    /// A queue that deletes itself goes with its last consumer, and is not to be declared again.
    mutating func consumerEnded(_ record: ConsumerRecord) {
        let othersConsume = channels.contains { channel in
            channel.consumers.values.contains { $0 !== record && $0.queue == record.queue }
        }
        topology.consumerEnded(queue: AMQPText(record.queue), othersConsume: othersConsume)
    }

    /// Takes a channel that is over out of the books.
    mutating func forget(_ record: ChannelRecord) {
        channels.removeAll { $0 === record }
        if let number = record.number, channelsByNumber[number] === record { channelsByNumber[number] = nil }
        for consumer in record.consumers.values where consumer.isStarted { consumerEnded(consumer) }
    }

    /// Puts what was delivered and not taken back into its queue. What came without acknowledgements can still be taken.
    mutating func giveBack(_ record: ConsumerRecord) {
        guard !record.options.noAck else { return }
        let left = record.takeAll()
        guard let number = record.channel.number else { return }
        // With the connection that they came over, or a channel that is being closed, they go back by themselves.
        for arrival in left where arrival.epoch == record.channel.epoch {
            _ = try? core.settle(arrival.deliver.deliveryTag, .refused(requeue: true), channel: number)
        }
    }

    /// Settles all deliveries of a channel that came and are not settled, up to a tag.
    mutating func settleAll(
        _ record: ChannelRecord,
        _ number: UInt16,
        upTo tag: UInt64 = .max,
        _ settlement: Settlement
    ) throws(AMQPError) {
        guard let newest = try core.settleAll(upTo: tag, settlement, channel: number) else { return }
        record.didInTransaction()
        // What goes back comes anew, so no reader gets it any more. In a transaction it may yet be taken back.
        guard settlement != .acknowledged, record.publishing != .transactions else { return }
        for consumer in record.consumers.values { consumer.drop { $0 <= newest } }
    }

    /// Drops the deliveries of a channel that the broker took back, as far as nobody has taken them.
    func dropWhatWentBack(_ record: ChannelRecord) {
        guard let number = record.number, let channel = core.channel(number) else { return }
        for consumer in record.consumers.values { consumer.drop { !channel.deliveries.isUnsettled($0) } }
    }
}
