extension ConnectionDriver {
    /// Begins to make a lost connection anew.
    func startRecovery() {
        let task = Task { await recover() }
        state.withLock { state in
            state.recoveryTask = task
            if state.closedByUser { task.cancel() }
        }
    }

    private func recover() async {
        guard let recovery = configuration.recovery else { return }
        var pause = recovery.firstPause
        var permanentFailures = 0
        var attempt = 0
        var reason = state.withLock { state -> AMQPError in
            if case .closed(let error) = state.core.phase { error } else { AMQPError(.connectionLost, "lost") }
        }
        while !Task.isCancelled {
            attempt += 1
            let wait = pause.varied(by: recovery.jitter)
            notify(.reconnecting(attempt: attempt, after: wait, because: reason))
            await rest(wait)
            pause = min(pause * 2, recovery.longestPause)
            do throws(AMQPError) {
                try await openAny()
                perform { state in if case .recovering = state.mode, state.link != nil { state.mode = .restoring } }
                try await restore()
                if finishRecovery() { return }
            } catch {
                reason = error
                permanentFailures = error.isPermanent ? permanentFailures + 1 : 0
                if permanentFailures >= max(1, recovery.permanentFailures) {
                    return perform { state in state.startClosing(error) }
                }
            }
            perform { state in state.dropLink(reason) }
        }
    }

    /// True if the connection is open again; false if it was lost in the very end.
    private func finishRecovery() -> Bool {
        var isOpen = false
        perform { state in
            guard case .restoring = state.mode, state.link != nil else { return }
            isOpen = true
            state.recoveryTask = nil
            state.recovered()
            if configuration.onEvent != nil { state.untold.append(.recovered) }
        }
        tell()
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

    private func restore() async throws(AMQPError) {
        try await restoreTopology()
        for channel in state.withLock({ $0.channels }) {
            try await reopen(channel)
        }
    }

    /// Declares exchanges, queues and bindings on a channel of their own, which an error may close.
    private func restoreTopology() async throws(AMQPError) {
        let topology = state.withLock { $0.topology }
        guard !topology.isEmpty else { return }
        var scratch = ChannelRecord(confirmWindow: 1)
        try await reopen(scratch)
        func declare(_ what: String, _ method: Method) async throws(AMQPError) -> Method? {
            do throws(AMQPError) {
                return try await call(method, scratch, asRecovery: true)
            } catch {
                guard error.code == .channelClosed || error.code == .invalidArgument else { throw error }
                notify(.recoveryFailed(what: what, error))
                scratch = ChannelRecord(confirmWindow: 1)
                try await reopen(scratch)
                return nil
            }
        }
        for exchange in topology.exchanges {
            _ = try await declare("exchange '\(exchange.exchange)'", .exchangeDeclare(exchange))
        }
        for queue in topology.queues {
            let reply = try await declare("queue '\(queue.name)'", .queueDeclare(queue.declaration))
            if case .queueDeclareOk(let ok) = reply, ok.queue != queue.name { rename(queue.name, to: ok.queue) }
        }
        // The names may be new ones now.
        let renamed = state.withLock { $0.topology }
        for binding in renamed.exchangeBindings {
            _ = try await declare(
                "binding of exchange '\(binding.destination)' to '\(binding.source)'",
                .exchangeBind(binding)
            )
        }
        for binding in renamed.queueBindings {
            _ = try await declare("binding of queue '\(binding.queue)' to '\(binding.exchange)'", .queueBind(binding))
        }
        _ = try? await closeChannel(scratch, asRecovery: true)
    }

    private func rename(_ old: AMQPText, to new: AMQPText) {
        perform { state in
            state.topology.renamed(old, to: new)
            for channel in state.channels {
                for consumer in channel.consumers.values where consumer.queue == old.string {
                    consumer.queue = new.string
                }
            }
        }
        notify(.queueRenamed(from: old.string, to: new.string))
    }

    /// Opens a channel again and makes it what it was.
    private func reopen(_ channel: ChannelRecord) async throws(AMQPError) {
        try await openChannel(channel, asRecovery: true)
        let (publishing, channelPrefetch, consumerPrefetch, consumers) = state.withLock { _ in
            (channel.publishing, channel.channelPrefetch, channel.consumerPrefetch, Array(channel.consumers.values))
        }
        if let channelPrefetch {
            _ = try await call(
                .basicQos(.init(prefetchCount: channelPrefetch, global: true)),
                channel,
                asRecovery: true
            )
        }
        if let consumerPrefetch {
            _ = try await call(.basicQos(.init(prefetchCount: consumerPrefetch)), channel, asRecovery: true)
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
        for consumer in consumers {
            do throws(AMQPError) {
                try await consume(consumer, asRecovery: true)
            } catch {
                guard error.scope == .channel, error.code == .channelClosed else { throw error }
                notify(.recoveryFailed(what: "consumer '\(consumer.tag)'", error))
                return
            }
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

extension Duration {
    /// The duration, up to the given part longer or shorter.
    fileprivate func varied(by part: Double) -> Duration {
        self * Double.random(in: (1 - min(max(part, 0), 1))...(1 + min(max(part, 0), 1)))
    }
}
