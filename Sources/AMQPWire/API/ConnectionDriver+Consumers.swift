extension ConnectionDriver {
    /// What a step of starting a consumer leads to.
    private enum Start: Sendable {
        case isThere
        case isCancelled
        case begin(ConsumerRecord)
        /// Another task is starting it.
        case wait(WaiterID)
    }

    /// Starts a consumer unless it is started, and has a reader read from it. False if it was cancelled by this program.
    nonisolated(nonsending) func start(_ plan: ConsumerPlan, for reader: ConsumerReader?) async throws(AMQPError)
        -> Bool
    {
        while true {
            let step = try perform { (state) throws(AMQPError) -> Start in
                if plan.isCancelled { return .isCancelled }
                if let run = plan.run, !run.isOver {
                    if run.isStarted {
                        reader?.read(run)
                        return .isThere
                    }
                    let waiter = state.core.waiters.add(.pause, deadline: nil)
                    run.startWaiters.append(waiter)
                    return .wait(waiter)
                }
                let run = ConsumerRecord(plan, stock: stock)
                plan.run = run
                // Counted from here on, so that others who come and go meanwhile do not end it.
                if reader != nil { run.readerCount = 1 }
                return .begin(run)
            }
            switch step {
            case .isThere: return true
            case .isCancelled: return false
            case .wait(let waiter):
                do throws(AMQPError) {
                    try await success(of: waiter)
                } catch {
                    // That the other task was cancelled is no reason to give up here.
                    guard error.code == .cancelled, !Task.isCancelled else { throw error }
                }
            case .begin(let run):
                do throws(AMQPError) {
                    try await begin(run, for: reader)
                    return state.withLock { _ in !plan.isCancelled }
                } catch {
                    // It is started on the next connection.
                    guard error.endedConnection, configuration.recovery != nil, !Task.isCancelled else { throw error }
                }
            }
        }
    }

    /// Starts a run, and tells those who wait for it.
    private nonisolated(nonsending) func begin(
        _ run: ConsumerRecord,
        for reader: ConsumerReader?
    ) async throws(AMQPError) {
        do throws(AMQPError) {
            try await consume(run, asRecovery: false)
            perform { state in
                reader?.take(over: run)
                state.startEnded(run, .done)
            }
        } catch {
            perform { state in
                if run.plan.run === run { run.plan.run = nil }
                // It may have started in the meantime, and got something.
                if state.unregister(run) {
                    if let number = run.channel.number, run.epoch == run.channel.epoch, run.epoch != run.firstEpoch {
                        // Recovery asked for it once more, and does not know that its caller gave up.
                        state.core.abandonConsumer(run.tag, noAck: run.options.noAck, channel: number)
                    }
                    state.giveBack(run)
                }
                state.startEnded(run, .failure(error))
            }
            throw error
        }
    }

    /// Tells the broker of a consumer, which is registered before it hears of it: deliveries may follow consume-ok at once. One
    /// that is resumed is told of only if its reader is still there.
    nonisolated(nonsending) func consume(_ record: ConsumerRecord, asRecovery: Bool) async throws(AMQPError) {
        let channel = record.channel
        let deadline = deadline(configuration.callTimeout)
        var asked: Asked?
        while asked == nil {
            // In one step, so that no other consumer's prefetch count comes between.
            let step = try perform { (state) throws(AMQPError) -> Consuming in
                record.readyWaiter = nil
                if record.isOver { return .asked(nil) }
                guard let number = try Self.number(channel, state, asRecovery: asRecovery) else {
                    let waiter = state.core.waiters.add(.recovery, deadline: deadline)
                    state.waitingForRecovery.append(waiter)
                    record.readyWaiter = waiter
                    return .notReady(waiter)
                }
                return .asked(try state.ask(for: record, number, deadline, asRecovery: asRecovery))
            }
            switch step {
            case .asked(nil): return
            case .asked(let waiters?): asked = waiters
            case .notReady(let waiter):
                do throws(AMQPError) {
                    try await success(of: waiter)
                } catch {
                    perform { state in state.waitingForRecovery.removeAll { $0 == waiter } }
                    throw error
                }
            }
        }
        guard let asked else { return }
        var failure: AMQPError?
        for waiter in asked.limiting {
            guard case .failure(let error) = await answer(of: waiter) else { continue }
            state.withLock { _ in channel.prefetchInForce = nil }
            failure = failure ?? error
        }
        // A consumer that the broker starts after its caller gave up, the core cancels, after its consume-ok: RabbitMQ 3.10
        // ends the connection (541) over a cancel that comes before.
        if case .failure(let error) = await answer(of: asked.starting) {
            failure = failure ?? error
        } else if failure != nil {
            abandonConsumer(record)
        }
        if let failure { throw failure }
        state.withLock { _ in record.isStarted = true }
    }

    /// Those who hear how the broker answered.
    fileprivate struct Asked: Sendable {
        var limiting: [WaiterID]
        var starting: WaiterID
    }

    private enum Consuming: Sendable {
        /// Nil if there is nothing to ask for any more.
        case asked(Asked?)
        case notReady(WaiterID)
    }

    /// What a reader finds.
    private enum Reading: Sendable {
        case next(ConsumerRecord.Next)
        case notStarted
        case mustWait(ConsumerRecord, call: UInt64)
    }

    /// The next delivery for a reader, nil at the end. A cancelled task gets the end, whatever is there to be taken.
    nonisolated(nonsending) func next(_ reader: ConsumerReader) async throws(AMQPError) -> Arrival? {
        while true {
            if Task.isCancelled { return nil }
            let (reading, isPaused) = state.withLock { state -> (Reading, Bool) in
                guard let run = reader.run else { return (.notStarted, false) }
                let reading = run.take().map { Reading.next($0) } ?? .mustWait(run, call: run.makeCall())
                return (reading, state.isReadingPaused)
            }
            if isPaused { readOn() }
            switch reading {
            case .next(.delivery(let arrival)): return arrival
            case .next(.ended(let error)):
                if let error { throw error }
                return nil
            case .notStarted:
                guard try await start(reader.source.plan, for: reader) else { return nil }
            case .mustWait(let run, let call):
                switch await wait(for: run, call) {
                case .delivery(let arrival): return arrival
                case .ended(let error?): throw error
                case .ended(nil): return nil
                }
            }
        }
    }

    /// Waits for the next delivery.
    private nonisolated(nonsending) func wait(for run: ConsumerRecord, _ call: UInt64) async -> ConsumerRecord.Next {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let (next, isPaused) = state.withLock { state -> (ConsumerRecord.Next?, Bool) in
                    // Under the lock: a cancellation from here on finds the call parked.
                    if Task.isCancelled { return (.ended(nil), false) }
                    if let next = run.take() { return (next, state.isReadingPaused) }
                    run.park(call, continuation)
                    return (nil, state.isReadingPaused)
                }
                if isPaused { readOn() }
                if let next { continuation.resume(returning: next) }
            }
        } onCancel: {
            state.withLock { _ in run.unpark(call) }?.resume(returning: .ended(nil))
        }
    }

    /// Something of what waits was taken, or is waited for: reading from the socket may go on.
    private func readOn() {
        perform(.soon) { state in state.adjustReading(self) }
    }

    /// A reader is gone; the last one ends the run.
    func leave(_ run: ConsumerRecord) {
        let isLast = state.withLock { _ in
            run.readerCount -= 1
            return run.readerCount == 0
        }
        if isLast { abandonConsumer(run) }
    }

    /// Nobody holds a consumer any more.
    func forget(_ plan: ConsumerPlan) {
        let run = state.withLock { _ in
            plan.channel.plans[ObjectIdentifier(plan)] = nil
            return plan.run.take()
        }
        if let run { abandonConsumer(run) }
    }

    /// Ends a consumer whose readers are gone, without waiting for the broker's answer.
    func abandonConsumer(_ record: ConsumerRecord) {
        let channel = record.channel
        endingReaders { state, aftermath in
            record.end(nil, &aftermath)
            if let waiter = record.readyWaiter.take() {
                state.waitingForRecovery.removeAll { $0 == waiter }
                state.core.answer(waiter, .done)
            }
            // The one who cancels it sees to the rest.
            if record.isBeingCancelled { return }
            // Ended by the broker, it may have something waiting all the same.
            guard state.unregister(record) else { return state.giveBack(record) }
            // First the cancel, then what goes back: else it would come again.
            if let number = channel.number, record.epoch == channel.epoch {
                state.core.abandonConsumer(record.tag, noAck: record.options.noAck, channel: number)
            }
            state.giveBack(record)
        }
    }

    /// Ends a consumer for good, and waits until the broker knows unless that is not wanted.
    nonisolated(nonsending) func cancelConsumer(_ plan: ConsumerPlan, noWait: Bool) async throws(AMQPError) {
        let deadline = deadline(configuration.callTimeout)
        let channel = plan.channel
        var waiter: WaiterID?
        var abandoned: ConsumerRecord?
        var cancelled: ConsumerRecord?
        endingReaders { state, aftermath in
            plan.isCancelled = true
            guard let run = plan.run, !run.isOver else { return }
            guard !noWait, run.isStarted, case .open = state.mode, let number = channel.number,
                run.epoch == channel.epoch,
                channel.consumers[run.tag] === run,
                let answer = try? state.core.call(
                    .basicCancel(.init(consumerTag: run.tag)),
                    channel: number,
                    deadline: deadline
                )
            else {
                abandoned = run
                return
            }
            waiter = answer
            cancelled = run
            run.isBeingCancelled = true
            // What came without acknowledgements is lost unless it is read.
            if !run.options.noAck { run.end(nil, cutsOff: true, &aftermath) }
        }
        if let abandoned { abandonConsumer(abandoned) }
        guard let waiter, let cancelled else { return }
        var failure: AMQPError?
        do throws(AMQPError) { try await success(of: waiter) } catch { failure = error }
        state.withLock { _ in cancelled.isBeingCancelled = false }
        // Where the broker did not answer, it may have ended it or not: it does not go on here in any case.
        if failure != nil { return try given(up: cancelled, failure) }
        endingReaders { state, aftermath in
            cancelled.end(nil, &aftermath)
            state.unregister(cancelled)
            state.giveBack(cancelled)
        }
    }

    private func given(up run: ConsumerRecord, _ failure: AMQPError?) throws(AMQPError) {
        abandonConsumer(run)
        // With its channel or connection the consumer is gone as well.
        if let failure, failure.code == .timedOut || failure.code == .cancelled { throw failure }
    }

    /// Does a step that may end readers, who are told outside of the lock.
    private func endingReaders(_ step: (inout State, inout Aftermath) -> Void) {
        var aftermath = Aftermath()
        perform { state in step(&state, &aftermath) }
        aftermath.resumeReaders()
    }
}

extension ConsumerReader {
    /// Reads from a run from here on.
    fileprivate func read(_ run: ConsumerRecord) {
        run.readerCount += 1
        take(over: run)
    }

    /// Reads from a run that counts it already.
    fileprivate func take(over run: ConsumerRecord) {
        // A copy of the iterator was first.
        if self.run == nil { self.run = run } else { run.readerCount -= 1 }
    }
}

extension ConnectionDriver.State {
    /// Asks the broker for a consumer. Nil if there is nothing to ask for.
    fileprivate mutating func ask(
        for record: ConsumerRecord,
        _ number: UInt16,
        _ deadline: Moment,
        asRecovery: Bool
    ) throws(AMQPError) -> ConnectionDriver.Asked? {
        let (channel, options) = (record.channel, record.options)
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
                limiting.append(try core.call(.basicQos(qos), channel: number, deadline: deadline))
            }
            channel.prefetchInForce = prefetchCount
        }
        channel.consumers[record.tag] = record
        record.epoch = channel.epoch
        if !asRecovery { record.firstEpoch = channel.epoch }
        let noWait = options.noWait && !asRecovery
        let starting = try core.call(
            .basicConsume(record.request(noWait: noWait)),
            channel: number,
            deadline: deadline,
            hasReply: !noWait
        )
        return .init(limiting: limiting, starting: starting)
    }

    /// A start has its answer: tells those who wait for it.
    fileprivate mutating func startEnded(_ run: ConsumerRecord, _ answer: Answer) {
        for waiter in run.startWaiters { core.answer(waiter, answer) }
        run.startWaiters = []
    }

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
        guard topology.deletesItself(AMQPText(record.queue)) else { return }
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
