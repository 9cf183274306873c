extension ConnectionDriver {
    /// Begins to make a lost connection anew.
    func startRecovery() {
        state.withLock { state in
            guard case .recovering = state.mode, !state.closedByUser else { return }
            // Noted before it can run to its end.
            state.recoveryTask = Task { await recover() }
        }
    }

    private func recover() async {
        guard let recovery = configuration.recovery else { return }
        var pause = recovery.firstPause
        var permanentFailures = 0
        var attempt = 0
        var fatal = FatalDeclarations()
        var reason = state.withLock { state -> AMQPError in
            if case .closed(let error) = state.core.phase { error } else { AMQPError(.connectionLost, "lost") }
        }
        while !Task.isCancelled {
            attempt += 1
            let wait = pause.varied(by: recovery.jitter)
            announce(.reconnecting(attempt: attempt, after: wait, because: reason))
            await rest(wait)
            pause = min(pause * 2, recovery.longestPause)
            do throws(AMQPError) {
                try await openAny()
                try await restore(&fatal)
                if finishRecovery() { return }
            } catch {
                reason = error
                permanentFailures = error.isPermanent ? permanentFailures + 1 : 0
            }
            // Whoever cancelled closes, too.
            if Task.isCancelled { return }
            if permanentFailures >= max(1, recovery.permanentFailures) {
                reason.message = "given up after \(permanentFailures) attempts: \(reason.message)"
                return perform { state in state.startClosing(reason) }
            }
            perform { state in state.dropLink(reason) }
        }
    }

    /// True if the connection is open again; false if it was lost in the very end.
    private func finishRecovery() -> Bool {
        var isOpen = false
        perform { state in
            guard case .restoring = state.mode, state.link != nil, !state.closedByUser else { return }
            isOpen = true
            state.recoveryTask = nil
            state.core.statistics.reconnects &+= 1
            state.announcements.append(.recovered)
            state.recovered()
        }
        return isOpen
    }

    private func rest(_ duration: Duration) async {
        let deadline = deadline(duration)
        let waiter: WaiterID? = try? perform { (state) throws(AMQPError) in
            state.core.waiters.add(.pause, deadline: deadline)
        }
        if let waiter { _ = await answer(of: waiter) }
    }

    // MARK: - What was declared

    /// Declarations at which the broker closes the whole connection, as RabbitMQ 4.3 does at queues that are neither durable
    /// nor exclusive. They are given up after some attempts, lest nothing else comes back.
    private struct FatalDeclarations {
        var failures: [String: Int] = [:]
    }

    /// How long to be patient with what the lost connection still holds: until the broker misses its heartbeats.
    private func patience() -> Moment {
        let heartbeat = state.withLock { $0.core.outcome?.limits.heartbeat ?? 0 }
        return deadline(heartbeat == 0 ? .seconds(10) : .seconds(2 * Int64(heartbeat)))
    }

    /// The pause between attempts at what the lost connection still holds.
    private var lockPause: Duration { min(configuration.recovery?.firstPause ?? .seconds(1), .seconds(1)) }

    private func restore(_ fatal: inout FatalDeclarations) async throws(AMQPError) {
        let patience = patience()
        try await restoreTopology(&fatal, patience)
        let channels = state.withLock { $0.channels }
        for channel in channels {
            try await restoring(channel) { () async throws(AMQPError) in
                repeat {
                    try await openChannel(channel, asRecovery: true)
                    try await configure(channel)
                } while try await !resumeConsumers(channel, patience)
            }
        }
        // After all consumers: a broker that is short of memory takes nothing before they have drained its queues.
        for channel in channels where state.withLock({ _ in !channel.kept.isEmpty && channel.closed == nil }) {
            try await restoring(channel) { () async throws(AMQPError) in try await resend(channel) }
        }
    }

    /// Declares exchanges, queues and bindings on a channel of their own, which an error may close.
    private func restoreTopology(_ fatal: inout FatalDeclarations, _ patience: Moment) async throws(AMQPError) {
        let topology = state.withLock { $0.topology }
        guard !topology.isEmpty else { return }
        var scratch = try await openScratchChannel()
        for exchange in topology.exchanges {
            let what = "exchange '\(exchange.exchange)'"
            _ = try await declare(what, .exchangeDeclare(exchange), &scratch, &fatal, patience)
        }
        for queue in topology.queues {
            let what = "queue '\(queue.name)'"
            let reply = try await declare(what, .queueDeclare(queue.declaration), &scratch, &fatal, patience)
            if case .queueDeclareOk(let ok) = reply, ok.queue != queue.name { rename(queue.name, to: ok.queue) }
        }
        // The names may be new ones now.
        let renamed = state.withLock { $0.topology }
        for binding in renamed.exchangeBindings {
            let what = "binding of exchange '\(binding.destination)' to '\(binding.source)'"
            _ = try await declare(what, .exchangeBind(binding), &scratch, &fatal, patience)
        }
        for binding in renamed.queueBindings {
            let what = "binding of queue '\(binding.queue)' to '\(binding.exchange)'"
            _ = try await declare(what, .queueBind(binding), &scratch, &fatal, patience)
        }
        _ = try? await closeChannel(scratch)
    }

    private func openScratchChannel() async throws(AMQPError) -> ChannelRecord {
        let scratch = ChannelRecord(confirmWindow: 1)
        scratch.isBeingRestored = true
        try await openChannel(scratch, asRecovery: true)
        return scratch
    }

    /// Declares one thing. What the broker refuses is reported, and the rest goes on.
    private func declare(
        _ what: String,
        _ method: Method,
        _ scratch: inout ChannelRecord,
        _ fatal: inout FatalDeclarations,
        _ patience: Moment
    ) async throws(AMQPError) -> Method? {
        if fatal.failures[what, default: 0] >= max(1, configuration.recovery?.permanentFailures ?? 1) { return nil }
        while true {
            do throws(AMQPError) {
                return try await call(method, scratch, asRecovery: true)
            } catch {
                switch error.code {
                case .channelClosed:
                    scratch = try await openScratchChannel()
                    // Exclusive to the connection that was lost, which the broker has not missed yet.
                    if error.replyCode == 405, EventLoop.now() < patience {
                        await rest(lockPause)
                        continue
                    }
                case .invalidArgument: break
                case .connectionClosed where error.method == method.id:
                    fatal.failures[what, default: 0] += 1
                    if fatal.failures[what] == max(1, configuration.recovery?.permanentFailures ?? 1) {
                        announce(.recoveryFailed(what: what, error))
                    }
                    throw error
                default: throw error
                }
                announce(.recoveryFailed(what: what, error))
                return nil
            }
        }
    }

    private func rename(_ old: AMQPText, to new: AMQPText) {
        perform { state in
            state.topology.renamed(old, to: new)
            for channel in state.channels {
                for consumer in channel.consumers.values where consumer.queue == old.string {
                    consumer.queue = new.string
                }
            }
            state.announcements.append(.queueRenamed(from: old.string, to: new.string))
        }
    }

    // MARK: - Channels

    /// Does a step of making a channel what it was. Ends the channel where the broker does not let it be that.
    private func restoring(
        _ channel: ChannelRecord,
        _ step: () async throws(AMQPError) -> Void
    ) async throws(AMQPError) {
        state.withLock { _ in channel.isBeingRestored = true }
        var failure: AMQPError?
        do throws(AMQPError) {
            try await step()
        } catch {
            let isClosing = state.withLock { state in
                channel.isBeingRestored = false
                return channel.closed != nil || !state.channels.contains { $0 === channel }
            }
            // Closed by this program meanwhile: there is nothing to restore.
            if isClosing, error.scope == .channel { return }
            guard error.code == .channelClosed || error.code == .tooManyChannels else { throw error }
            failure = error
        }
        var aftermath = Aftermath()
        state.withLock { state in
            channel.isBeingRestored = false
            // Closed by the broker at what was sent last, and the connection is still there.
            if failure == nil, channel.number == nil, channel.closed == nil, case .restoring = state.mode {
                failure = AMQPError(.channelClosed, scope: .channel, "the broker closed the channel as it was restored")
            }
            guard let failure else { return }
            state.forget(channel)
            channel.end(failure, &aftermath)
        }
        for (continuation, next) in aftermath.deliveries { continuation.resume(returning: next) }
        if let failure { announce(.recoveryFailed(what: "a channel", failure)) }
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
            let qos = Method.BasicQos(prefetchCount: channelPrefetch, global: true)
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
    private func resumeConsumers(_ channel: ChannelRecord, _ patience: Moment) async throws(AMQPError) -> Bool {
        let consumers = state.withLock { _ in channel.consumers.values.sorted { $0.tag.string < $1.tag.string } }
        for consumer in consumers {
            do throws(AMQPError) {
                try await consume(consumer, asRecovery: true)
            } catch {
                guard error.code == .channelClosed else { throw error }
                if consumer.options.exclusive, error.replyCode == 403, EventLoop.now() < patience {
                    await rest(lockPause)
                } else {
                    announce(.recoveryFailed(what: "consumer '\(consumer.tag)' of queue '\(consumer.queue)'", error))
                    drop(consumer, error)
                }
                return false
            }
        }
        return true
    }

    private func drop(_ consumer: ConsumerRecord, _ error: AMQPError) {
        var aftermath = Aftermath()
        state.withLock { state in
            state.unregister(consumer)
            consumer.end(error, &aftermath)
        }
        for (continuation, next) in aftermath.deliveries { continuation.resume(returning: next) }
    }
}

extension ConnectionDriver.State {
    /// Lets go of a connection that could not be made what it was.
    mutating func dropLink(_ error: AMQPError) {
        if link != nil { core.transportEnded(error) }
        if case .restoring = mode { mode = .recovering }
    }
}

extension Duration {
    /// The duration, up to the given part longer or shorter.
    fileprivate func varied(by part: Double) -> Duration {
        self * Double.random(in: (1 - min(max(part, 0), 1))...(1 + min(max(part, 0), 1)))
    }
}
