/// Declarations at which the broker closes the whole connection, as RabbitMQ 4.3 does at queues that are neither durable nor
/// exclusive. They are given up after some attempts, lest nothing else comes back.
struct FatalDeclarations {
    var failures: [String: Int] = [:]
}

/// Queues that the broker still holds for the lost connection (405), and what of them is to be declared once it does not.
struct HeldQueues {
    /// Something to be declared.
    struct Declaration {
        /// In words, for events.
        var what: String
        var queue: AMQPText
        var method: AMQPMethod
    }

    var declarations: [Declaration] = []
    /// How long to be patient.
    var patience: Moment

    var isEmpty: Bool { declarations.isEmpty }

    func contains(_ queue: AMQPText) -> Bool {
        declarations.contains { $0.queue == queue }
    }
}

/// Declaring again what was declared on a connection that is lost: at once, and what the broker still holds later on.
extension ConnectionDriver {
    /// What became of a declaration.
    private enum Declared {
        case reply(AMQPMethod)
        /// Exclusive to the connection that was lost, which the broker has not missed yet.
        case held(AMQPError)
        /// Refused for good, and reported.
        case refused(AMQPError)
    }

    /// How long to be patient with what the lost connection still holds: until the broker misses its heartbeats.
    func patience() -> Moment {
        let heartbeat = state.withLock { $0.core.outcome?.limits.heartbeat ?? 0 }
        return deadline(heartbeat == 0 ? .seconds(10) : .seconds(2 * Int64(heartbeat)))
    }

    /// The pause between attempts at what the lost connection still holds.
    var lockPause: Duration { min(configuration.recovery?.firstPause ?? .seconds(1), .seconds(1)) }

    /// Declares exchanges, queues and bindings on a channel of their own, which an error may close.
    func declareAll(_ fatal: inout FatalDeclarations, _ patience: Moment) async throws(AMQPError) -> HeldQueues {
        var held = HeldQueues(patience: patience)
        let topology = state.withLock { $0.topology }
        guard !topology.isEmpty else { return held }
        var scratch = try await openScratchChannel()
        for exchange in topology.exchanges {
            let what = "exchange '\(exchange.exchange)'"
            _ = try await declare(what, .exchangeDeclare(exchange), &scratch, &fatal)
        }
        for queue in topology.queues {
            let what = "queue '\(queue.name)'"
            let method = AMQPMethod.queueDeclare(queue.declaration)
            switch try await declare(what, method, &scratch, &fatal, patience) {
            case .reply(.queueDeclareOk(let ok)) where ok.queue != queue.name: rename(queue.name, to: ok.queue)
            case .held(let error):
                held.declarations.append(.init(what: what, queue: queue.name, method: method))
                announce(.recoveryDelayed(what: what, error))
            case .reply, .refused, nil: break
            }
        }
        // The names may be new ones now.
        let renamed = state.withLock { $0.topology }
        for binding in renamed.exchangeBindings {
            let what = "binding of exchange '\(binding.destination)' to '\(binding.source)'"
            _ = try await declare(what, .exchangeBind(binding), &scratch, &fatal)
        }
        for binding in renamed.queueBindings {
            let what = "binding of queue '\(binding.queue)' to '\(binding.exchange)'"
            let declaration = HeldQueues.Declaration(what: what, queue: binding.queue, method: .queueBind(binding))
            if held.contains(binding.queue) {
                held.declarations.append(declaration)
            } else if case .held(let error) = try await declare(what, declaration.method, &scratch, &fatal, patience) {
                held.declarations.append(declaration)
                announce(.recoveryDelayed(what: what, error))
            }
        }
        // Whether it is closed or lost with the connection, nobody needs it any more.
        _ = try? await closeChannel(scratch)
        return held
    }

    private func openScratchChannel() async throws(AMQPError) -> ChannelRecord {
        let scratch = ChannelRecord(confirmWindow: 1)
        scratch.isBeingRestored = true
        try await openChannel(scratch, asRecovery: true)
        return scratch
    }

    /// Declares one thing; nil if it is given up already. What the broker refuses is reported, and the rest goes on.
    private func declare(
        _ what: String,
        _ method: AMQPMethod,
        _ scratch: inout ChannelRecord,
        _ fatal: inout FatalDeclarations,
        _ patience: Moment? = nil
    ) async throws(AMQPError) -> Declared? {
        let mostFailures = max(1, configuration.recovery?.permanentFailures ?? 1)
        if fatal.failures[what, default: 0] >= mostFailures { return nil }
        do throws(AMQPError) {
            return .reply(try await call(method, scratch, asRecovery: true))
        } catch {
            switch error.code {
            case .channelClosed:
                scratch = try await openScratchChannel()
                if error.replyCode == 405, let patience, EventLoop.now() < patience { return .held(error) }
            case .invalidArgument: break
            case .connectionClosed where error.method == method.id:
                fatal.failures[what, default: 0] += 1
                if fatal.failures[what] == mostFailures { announce(.recoveryFailed(what: what, error)) }
                throw error
            default: throw error
            }
            announce(.recoveryFailed(what: what, error))
            return .refused(error)
        }
    }

    private func rename(_ old: AMQPText, to new: AMQPText) {
        perform { state in
            state.topology.renamed(old, to: new)
            for channel in state.channels { channel.queueRenamed(old, to: new) }
            state.announcements.append(.queueRenamed(from: old.string, to: new.string))
        }
    }

    // MARK: - What the broker still holds

    /// Declares what the broker held for the lost connection as soon as it lets go of it, and has its consumers go on. Ends
    /// with the connection at the latest; the next recovery begins anew.
    func declareHeld(_ held: HeldQueues) async {
        guard !held.isEmpty else { return }
        var left = held
        var scratch: ChannelRecord?
        do throws(AMQPError) {
            var channel = try await openScratchChannel()
            scratch = channel
            while !left.isEmpty, !Task.isCancelled {
                await rest(lockPause, .respite)
                defer { scratch = channel }
                try await tryHeld(&left, &channel)
            }
        } catch {
            // Of a connection that is lost or closed its event says it all.
            if !error.endedConnection, error.code != .closed, error.code != .cancelled { giveUp(left, error) }
        }
        // As above.
        if let scratch { _ = try? await closeChannel(scratch) }
        state.withLock { state in
            if case .open = state.mode { state.recoveryTask = nil }
        }
    }

    /// Tells the application, and the readers, of what is not waited for any more.
    private func giveUp(_ held: HeldQueues, _ error: AMQPError) {
        for declaration in held.declarations { announce(.recoveryFailed(what: declaration.what, error)) }
        for queue in Set(held.declarations.map(\.queue)) {
            for consumer in consumers(of: queue) { drop(consumer, of: queue, error) }
        }
    }

    private func tryHeld(_ held: inout HeldQueues, _ scratch: inout ChannelRecord) async throws(AMQPError) {
        var fatal = FatalDeclarations()
        var stillHeld = HeldQueues(patience: held.patience)
        var refusals: [AMQPText: AMQPError] = [:]
        for declaration in held.declarations where refusals[declaration.queue] == nil {
            // What was deleted meanwhile is not resurrected.
            guard state.withLock({ $0.topology.contains(declaration.method) }) else { continue }
            if stillHeld.contains(declaration.queue) {
                stillHeld.declarations.append(declaration)
                continue
            }
            switch try await declare(declaration.what, declaration.method, &scratch, &fatal, held.patience) {
            case .held: stillHeld.declarations.append(declaration)
            case .refused(let error):
                // Without its queue nothing can be bound or consumed.
                if declaration.method.id == .queueDeclare { refusals[declaration.queue] = error }
            case .reply, nil: break
            }
        }
        for queue in Set(held.declarations.map(\.queue)) where !stillHeld.contains(queue) {
            if let refusal = refusals[queue] {
                for consumer in consumers(of: queue) { drop(consumer, of: queue, refusal) }
            } else if await resumeConsumers(of: queue) {
                announce(.recoveryCompleted(what: "queue '\(queue)'"))
            }
        }
        held = stillHeld
    }

    /// Starts the consumers of a queue again; those that cannot be are ended. True if all are there that are to be.
    private func resumeConsumers(of queue: AMQPText) async -> Bool {
        var areThere = true
        for consumer in consumers(of: queue) {
            do throws(AMQPError) {
                try await consume(consumer, asRecovery: true)
            } catch {
                // Closed by this program, the channel has ended them.
                if error.code == .closed { continue }
                areThere = false
                // With the connection they come back.
                if error.endedConnection || error.code == .cancelled { continue }
                drop(consumer, of: queue, error)
            }
        }
        return areThere
    }

    private func consumers(of queue: AMQPText) -> [ConsumerRecord] {
        let consumers = state.withLock { state in
            state.channels.flatMap { $0.consumers.values.filter { $0.queue == queue.string } }
        }
        return consumers.sorted { $0.tag.string < $1.tag.string }
    }

    private func drop(_ consumer: ConsumerRecord, of queue: AMQPText, _ error: AMQPError) {
        announce(.recoveryFailed(what: "consumer '\(consumer.tag)' of queue '\(queue)'", error))
        drop(consumer, error)
    }
}
