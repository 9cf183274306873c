extension ConnectionDriver {
    /// Begins to make a lost connection anew.
    func startRecovery() {
        state.withLock { state in
            guard case .recovering = state.mode, !state.closedByUser else { return }
            // The one before may still be waiting for a queue; it notices the loss and ends.
            let previous = state.recoveryTask
            // Noted before it can run to its end.
            // Detached: a deadline of the call in which the loss was noticed is not recovery's.
            state.recoveryTask = Task.detached { [self] in
                await previous?.value
                await recover()
            }
        }
    }

    private func recover() async {
        guard let recovery = configuration.recovery else { return }
        var attempts = RecoveryAttempts(recovery)
        var fatal = FatalDeclarations()
        var reason = state.withLock { state -> AMQPError in
            if case .closed(let error) = state.core.phase { error } else { AMQPError(.connectionLost, "lost") }
        }
        while !Task.isCancelled {
            let pause = attempts.pause(because: reason)
            announce(.reconnecting(attempt: attempts.count, after: pause, because: reason))
            await rest(pause)
            var failure: AMQPError?
            do throws(OpeningFailure) {
                try await openAny()
                do throws(AMQPError) {
                    let held = try await restore(&fatal)
                    if finishRecovery(isComplete: held.isEmpty) { return await declareHeld(held) }
                } catch {
                    reason = error
                    failure = attempts.failed(error, isPermanent: false)
                }
            } catch {
                reason = error.error
                failure = attempts.failed(error.error, isPermanent: error.isPermanent)
            }
            // Whoever cancelled closes, too.
            if Task.isCancelled { return }
            if let failure { return perform { state in state.startClosing(failure) } }
            perform { state in state.dropLink(reason) }
        }
    }

    /// True if the connection is open again; false if it was lost in the very end.
    private func finishRecovery(isComplete: Bool) -> Bool {
        var isOpen = false
        perform { state in
            guard case .restoring = state.mode, state.link != nil, !state.closedByUser else { return }
            isOpen = true
            if isComplete { state.recoveryTask = nil }
            state.core.statistics.reconnects &+= 1
            state.announcements.append(.recovered)
            state.recovered()
        }
        return isOpen
    }

    /// Waits for a time, and in the role of a respite no longer than the connection is there.
    func rest(_ duration: Duration, _ role: WaiterTable.Role = .pause) async {
        let deadline = moment(after: duration)
        let waiter: WaiterID? = try? perform { (state) throws(AMQPError) in
            if role.endsWithConnection, state.link == nil { return nil }
            return state.core.waiters.add(role, deadline: deadline)
        }
        if let waiter { _ = await answer(of: waiter) }
    }

    /// Makes everything what it was, apart from what the broker still holds for the lost connection.
    private func restore(_ fatal: inout FatalDeclarations) async throws(AMQPError) -> HeldQueues {
        var held = try await declareAll(&fatal, patience())
        let channels = state.withLock { $0.channels }
        for channel in channels {
            try await restoring(channel, &fatal) { (fatal) async throws(AMQPError) in
                repeat {
                    try await openChannel(channel, asRecovery: true)
                    try await configure(channel)
                } while try await !resumeConsumers(channel, &held, &fatal)
            }
        }
        // After all consumers: a broker that is short of memory takes nothing before they have drained its queues.
        for channel in channels where state.withLock({ _ in !channel.kept.isEmpty && channel.closed == nil }) {
            try await restoring(channel, &fatal) { _ async throws(AMQPError) in try await resend(channel) }
        }
        return held
    }

    // MARK: - Channels

    /// Does a step of making a channel what it was. Ends the channel where the broker does not let it be that.
    private func restoring(
        _ channel: ChannelRecord,
        _ fatal: inout FatalDeclarations,
        _ step: (inout FatalDeclarations) async throws(AMQPError) -> Void
    ) async throws(AMQPError) {
        state.withLock { _ in channel.isBeingRestored = true }
        var failure: AMQPError?
        do throws(AMQPError) {
            try await step(&fatal)
        } catch {
            let isClosing = state.withLock { state in
                channel.isBeingRestored = false
                return channel.isOver || !state.channels.contains { $0 === channel }
            }
            // Closed by this program meanwhile: there is nothing to restore.
            if isClosing, error.scope == .channel { return }
            if error.code == .connectionClosed, fatal.failed(channel, error, mostFailures) {
                // It would end the next connection, too.
                giveUp(channel, error)
                throw error
            }
            guard error.code == .channelClosed || error.code == .tooManyChannels else { throw error }
            failure = error
        }
        ending { state, aftermath in
            channel.isBeingRestored = false
            // Closed by the broker at what was sent last, and the connection is still there.
            if failure == nil, channel.number == nil, !channel.isOver, case .restoring = state.mode {
                failure = AMQPError(.channelClosed, scope: .channel, "the broker closed the channel as it was restored")
            }
            guard let failure else { return }
            state.forget(channel)
            channel.end(failure, &aftermath)
        }
        if let failure { announce(.recoveryFailed(what: "a channel", failure)) }
    }

    /// How often the broker may close the connection over something that is restored, before it is left out.
    var mostFailures: Int { max(1, configuration.recovery?.permanentFailures ?? 3) }

    /// Ends a channel that does not come back.
    private func giveUp(_ channel: ChannelRecord, _ error: AMQPError) {
        ending { state, aftermath in
            state.forget(channel)
            channel.end(error, &aftermath)
        }
        announce(.recoveryFailed(what: "a channel", error))
    }

    /// Prefetch counts, and confirm or transaction mode.
    private func configure(_ channel: ChannelRecord) async throws(AMQPError) {
        let (publishing, channelPrefetch, consumerPrefetch) = state.withLock { _ in
            (channel.publishing, channel.channelPrefetch, channel.consumerPrefetch)
        }
        // In this order: RabbitMQ forgets the channel's count over that of consumers to come.
        if let consumerPrefetch {
            _ = try await call(.basicQos(.init(prefetchCount: consumerPrefetch)), channel, asRecovery: true) { _ in
                channel.prefetchInForce = consumerPrefetch
            }
        }
        if let channelPrefetch {
            let qos = AMQPMethod.BasicQos(prefetchCount: channelPrefetch, global: true)
            _ = try await call(.basicQos(qos), channel, asRecovery: true)
        }
        switch publishing {
        case .plain: break
        case .confirms:
            try await onChannel(channel, deadline: deadline(configuration.callTimeout), asRecovery: true) {
                (state, number) throws(AMQPError) in
                try state.core.selectConfirms(number)
            }
        case .transactions: _ = try await call(.txSelect(.init()), channel, asRecovery: true)
        }
    }

    /// Starts the consumers of a channel again. False if the broker closed the channel at one of them, which is dealt with.
    private func resumeConsumers(
        _ channel: ChannelRecord,
        _ held: inout HeldQueues,
        _ fatal: inout FatalDeclarations
    ) async throws(AMQPError) -> Bool {
        let consumers = state.withLock { _ in channel.consumers.values.sorted { $0.tag.string < $1.tag.string } }
        for consumer in consumers where !held.contains(consumer) {
            do throws(AMQPError) {
                try await consume(consumer, asRecovery: true)
            } catch {
                let isFatal = error.code == .connectionClosed && fatal.failed(consumer, error, mostFailures)
                guard error.code == .channelClosed || isFatal else { throw error }
                if consumer.options.exclusive, error.replyCode == 403, EventLoop.now() < held.patience {
                    // Somebody else consumes, the lost connection maybe.
                    held.consumers.append((consumer, error))
                    announce(.recoveryDelayed(what: consumer.description, error))
                } else {
                    announce(.recoveryFailed(what: consumer.description, error))
                    drop(consumer, error)
                }
                if isFatal { throw error }
                // One that is gone may be one of many, each of which would close the channel and have all others begin again.
                if error.replyCode == 404, consumers.count >= 8 {
                    try await dropConsumersOfMissingQueues(channel, held, &fatal)
                }
                return false
            }
        }
        return true
    }

    /// Ends the consumers of a channel whose queues are gone, which is found out on another channel.
    private func dropConsumersOfMissingQueues(
        _ channel: ChannelRecord,
        _ held: HeldQueues,
        _ fatal: inout FatalDeclarations
    ) async throws(AMQPError) {
        let consumers = state.withLock { _ in Array(channel.consumers.values) }.filter { !held.contains($0) }
        let queues = Set(consumers.map(\.queue)).sorted()
        var missing: [String: AMQPError] = [:]
        var line = DeclarationLine(scratch: try await openScratchChannel(), patience: held.patience)
        let questions = queues.map { Declaration(askingFor: AMQPText($0)) }
        try await declareInLine(questions, &line, &fatal) { question, outcome in
            if case .refused(let error) = outcome, error.replyCode == 404, let queue = question.queue {
                missing[queue.string] = error
            }
        }
        // Whether it is closed or lost with the connection, nobody needs it any more.
        _ = try? await closeChannel(line.scratch)
        for consumer in consumers {
            guard let error = missing[consumer.queue] else { continue }
            announce(.recoveryFailed(what: consumer.description, error))
            drop(consumer, error)
        }
    }

    /// Ends a consumer that does not come back.
    func drop(_ consumer: ConsumerRecord, _ error: AMQPError) {
        ending { state, aftermath in
            state.unregister(consumer)
            consumer.end(error, &aftermath)
        }
    }
}

extension ConnectionDriver.State {
    /// Lets go of a connection that could not be made what it was.
    mutating func dropLink(_ error: AMQPError) {
        if link != nil { core.transportEnded(error) }
        if case .restoring = mode { mode = .recovering }
    }
}
