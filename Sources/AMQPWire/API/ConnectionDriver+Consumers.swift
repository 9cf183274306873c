extension ConnectionDriver {
    /// Starts a consumer, which is registered before the broker hears of it: its deliveries may follow consume-ok at once.
    func startConsumer(_ consumer: AMQPConsumer) async throws(AMQPError) -> ConsumerRecord {
        let record = ConsumerRecord(
            channel: consumer.channel,
            tag: consumer.tag,
            queue: consumer.queue,
            options: consumer.options
        )
        do throws(AMQPError) {
            try await consume(record, asRecovery: false)
        } catch {
            // The broker may have it all the same.
            abandonConsumer(record)
            throw error
        }
        return record
    }

    /// Tells the broker of a consumer.
    func consume(_ record: ConsumerRecord, asRecovery: Bool) async throws(AMQPError) {
        let options = record.options
        _ = try await call(
            .basicQos(.init(prefetchCount: options.prefetchCount)),
            record.channel,
            asRecovery: asRecovery
        )
        _ = try await call(.basicConsume(record.request), record.channel, asRecovery: asRecovery) { _ in
            record.channel.consumers[record.tag] = record
        }
    }

    /// The next delivery of a consumer, or its end. A cancelled task gets the end.
    func next(_ record: ConsumerRecord) async -> ConsumerRecord.Next {
        if let next = state.withLock({ _ in record.take() }) { return next }
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let next = state.withLock { _ -> ConsumerRecord.Next? in
                    if let next = record.take() { return next }
                    if Task.isCancelled { return .ended(nil) }
                    record.park(continuation)
                    return nil
                }
                if let next { continuation.resume(returning: next) }
            }
        } onCancel: {
            abandonConsumer(record)
        }
    }

    /// Ends a consumer whose reader is gone, without waiting for the broker's answer.
    func abandonConsumer(_ record: ConsumerRecord) {
        var aftermath = Aftermath()
        let isRegistered = state.withLock { state -> Bool in
            let isRegistered = record.channel.consumers.removeValue(forKey: record.tag) != nil
            record.end(nil, &aftermath)
            state.giveBack(record)
            return isRegistered
        }
        for (continuation, next) in aftermath.deliveries { continuation.resume(returning: next) }
        guard isRegistered else { return }
        perform { state in
            guard let number = record.channel.number else { return }
            let cancel = Method.BasicCancel(consumerTag: record.tag, noWait: true)
            try? state.core.send(.basicCancel(cancel), channel: number)
        }
    }

    /// Ends a consumer and waits until the broker knows.
    func cancelConsumer(_ tag: AMQPText, _ channel: ChannelRecord) async throws(AMQPError) {
        let record = state.withLock { _ in channel.consumers[tag] }
        guard let record else { return }
        _ = try await call(.basicCancel(.init(consumerTag: tag)), channel)
        var aftermath = Aftermath()
        state.withLock { state in
            channel.consumers[tag] = nil
            record.end(nil, &aftermath)
        }
        for (continuation, next) in aftermath.deliveries { continuation.resume(returning: next) }
        perform { state in state.giveBack(record) }
    }
}

extension ConnectionDriver.State {
    /// Puts what was delivered and not taken back into its queue.
    mutating func giveBack(_ record: ConsumerRecord) {
        let left = record.takeAll()
        guard !record.options.noAck, let number = record.channel.number else { return }
        for delivery in left {
            let nack = Method.BasicNack(deliveryTag: delivery.deliveryTag, multiple: false, requeue: true)
            try? core.send(.basicNack(nack), channel: number)
        }
    }
}
