/// Declarations at which the broker closes the whole connection, as RabbitMQ 4 can be configured to do at queues that are neither
/// durable nor exclusive, and channels and consumers likewise. They are given up after some attempts, or nothing else would
/// come back.
struct FatalDeclarations {
    var failures: [String: Int] = [:]

    /// The broker closed the connection as a channel was restored. True if it was the channel, too often by now.
    mutating func failed(_ channel: ChannelRecord, _ error: AMQPError, _ most: Int) -> Bool {
        // A limit of channels: whichever is asked for next is one too many.
        if error.isOfChannelOpen { return failed("channel.open", most) }
        return switch error.method {
        case .basicQos, .txSelect, .confirmSelect: failed("channel \(ObjectIdentifier(channel))", most)
        default: false
        }
    }

    /// The broker closed the connection as a consumer was started again. True if it was the consumer, too often by now.
    mutating func failed(_ consumer: ConsumerRecord, _ error: AMQPError, _ most: Int) -> Bool {
        error.method == .basicConsume && failed("consumer \(ObjectIdentifier(consumer))", most)
    }

    private mutating func failed(_ what: String, _ most: Int) -> Bool {
        failures[what, default: 0] += 1
        return failures[what, default: 0] >= most
    }
}

/// Queues that the broker still holds for the lost connection (405), and what of them is to be declared once it does not;
/// exclusive consumers whose queue somebody else consumes (403), the lost connection or another client.
struct HeldQueues {
    /// Something to be declared.
    struct Declaration {
        /// In words, for events.
        var what: String
        var queue: AMQPText
        var method: AMQPMethod
    }

    var declarations: [Declaration] = []
    /// With what the broker said when each was asked for last.
    var consumers: [(record: ConsumerRecord, error: AMQPError)] = []
    /// How long to be patient.
    var patience: Moment

    var isEmpty: Bool { declarations.isEmpty && consumers.isEmpty }

    func contains(_ queue: AMQPText) -> Bool {
        declarations.contains { $0.queue == queue }
    }

    /// Whether a consumer has to wait, for itself or for its queue.
    func contains(_ consumer: ConsumerRecord) -> Bool {
        contains(AMQPText(consumer.queue)) || consumers.contains { $0.record === consumer }
    }
}

/// Declaring again what was declared on a connection that is lost: at once, and what the broker still holds later on.
extension ConnectionDriver {
    /// What became of a declaration.
    enum Declared {
        case reply(AMQPMethod)
        /// Exclusive to the connection that was lost, which the broker has not missed yet.
        case held(AMQPError)
        /// Refused for good, and reported.
        case refused(AMQPError)
    }

    /// How long to be patient with what the lost connection still holds: until the broker misses its heartbeats.
    func patience() -> Moment {
        let heartbeat = state.withLock { $0.core.outcome?.limits.heartbeat ?? 0 }
        return moment(after: heartbeat == 0 ? .seconds(10) : .seconds(2 * Int64(heartbeat)))
    }

    /// The pause between attempts at what the lost connection still holds.
    var lockPause: Duration { min(configuration.recovery?.firstPause ?? .seconds(1), .seconds(1)) }

    /// Declares exchanges, queues and bindings on a channel of their own, which an error may close.
    func declareAll(_ fatal: inout FatalDeclarations, _ patience: Moment) async throws(AMQPError) -> HeldQueues {
        var held = HeldQueues(patience: patience)
        forgetExpiredQueues()
        let wanted = configuration.recovery?.topology ?? .all
        let topology = state.withLock { $0.topology }.restored(by: wanted)
        guard !topology.isEmpty else { return held }
        var line = DeclarationLine(scratch: try await openScratchChannel(), patience: patience)
        try await declare(topology.exchanges.map(Declaration.init), &line, &fatal, &held)
        var bound: Set<AMQPMethod.QueueBind> = []
        var queues: [Declaration] = []
        for queue in topology.queues {
            queues.append(Declaration(queue))
            // Before it is gone again.
            guard queue.lifetime != nil, !queue.isServerNamed else { continue }
            let bindings = topology.bindings(of: queue.name)
            queues += bindings.map(Declaration.init)
            bound.formUnion(bindings)
        }
        try await declare(queues, &line, &fatal, &held)
        // The names may be new ones now.
        let renamed = state.withLock { $0.topology }.restored(by: wanted)
        try await declare(renamed.exchangeBindings.map(Declaration.init), &line, &fatal, &held)
        let bindings = renamed.queueBindings.filter { !bound.contains($0) }
        try await declare(bindings.map(Declaration.init), &line, &fatal, &held)
        // Whether it is closed or lost with the connection, nobody needs it any more.
        _ = try? await closeChannel(line.scratch)
        return held
    }

    /// Declares things one behind the other. What the broker refuses is reported, and the rest goes on.
    private func declare(
        _ declarations: [Declaration],
        _ line: inout DeclarationLine,
        _ fatal: inout FatalDeclarations,
        _ held: inout HeldQueues
    ) async throws(AMQPError) {
        try await declareInLine(declarations, &line, &fatal) { declaration, outcome in
            switch outcome {
            case .reply(.queueDeclareOk(let ok)):
                if let name = declaration.queue, ok.queue != name { rename(name, to: ok.queue) }
            case .held(let error):
                if let queue = declaration.queue {
                    held.declarations.append(.init(what: declaration.what, queue: queue, method: declaration.method))
                }
                announce(.recoveryDelayed(what: declaration.what, error))
            case .refused(let error): announce(.recoveryFailed(what: declaration.what, error))
            case .reply: break
            }
        } isHeldAlready: { declaration in
            // A binding waits with its queue.
            guard case .queueBind = declaration.method, let queue = declaration.queue, held.contains(queue) else {
                return false
            }
            // Behind an error they come by twice.
            if held.declarations.contains(where: { $0.method == declaration.method }) { return true }
            held.declarations.append(.init(what: declaration.what, queue: queue, method: declaration.method))
            return true
        }
    }

    /// Forgets queues that nobody here consumes and that the broker has deleted by now, as it was told to (`x-expires`).
    private func forgetExpiredQueues() {
        let now = EventLoop.now()
        state.withLock { state in
            guard let lost = state.lostAt else { return }
            let away = now.since(lost)
            let expired = state.topology.queues.filter { $0.lifetime.map { $0 <= away } ?? false }
            guard !expired.isEmpty else { return }
            var consumed: Set<String> = []
            for channel in state.channels { consumed.formUnion(channel.consumers.values.map(\.queue)) }
            for queue in expired where !consumed.contains(queue.name.string) { state.topology.deletedQueue(queue.name) }
        }
    }

    func openScratchChannel() async throws(AMQPError) -> ChannelRecord {
        let scratch = ChannelRecord(confirmWindow: 1)
        scratch.isScratch = true
        scratch.isBeingRestored = true
        try await openChannel(scratch, asRecovery: true)
        state.withLock { state in scratch.number.flatMap { state.core.channel($0) }?.isPipelined = true }
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
            // Of a connection that is lost or closed its event says it all, unless it went over the channel for these.
            let isCause = error.isOfChannelOpen
            let isOver = error.endedConnection || error.code == .closed || error.code == .cancelled
            if isCause || !isOver { giveUp(left, error) }
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
            for consumer in consumers(of: queue) { giveUp(consumer, error) }
        }
        for (consumer, error) in held.consumers where isStillWanted(consumer) { giveUp(consumer, error) }
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
                for consumer in consumers(of: queue) { giveUp(consumer, refusal) }
            } else if await resumeConsumers(of: queue) {
                announce(.recoveryCompleted(what: "queue '\(queue)'"))
            }
        }
        for (consumer, error) in held.consumers where isStillWanted(consumer) {
            let isWaiting = stillHeld.contains(AMQPText(consumer.queue))
            if isWaiting { stillHeld.consumers.append((consumer, error)) }
            guard !isWaiting, let failure = try await tryHeld(consumer, error, &scratch) else { continue }
            if failure.replyCode == 403, EventLoop.now() < held.patience {
                stillHeld.consumers.append((consumer, failure))
            } else {
                giveUp(consumer, failure)
            }
        }
        held = stillHeld
    }

    /// Starts an exclusive consumer if nobody else consumes its queue now. Returns why it could not be started.
    ///
    /// What the broker refuses costs a channel, so it is asked on one of recovery's own: the consumer's has others on it.
    private func tryHeld(
        _ consumer: ConsumerRecord,
        _ last: AMQPError,
        _ scratch: inout ChannelRecord
    ) async throws(AMQPError) -> AMQPError? {
        let queue = AMQPText(consumer.queue)
        do throws(AMQPError) {
            let passive = AMQPMethod.queueDeclare(.init(queue: queue, passive: true))
            if case .queueDeclareOk(let ok) = try await call(passive, scratch, asRecovery: true), ok.consumerCount > 0 {
                return last
            }
            // What it gets goes back with the channel, a message at most.
            _ = try await call(.basicQos(.init(prefetchCount: 1)), scratch, asRecovery: true)
            let exclusive = AMQPMethod.BasicConsume(queue: queue, consumerTag: consumer.tag, exclusive: true)
            _ = try await call(.basicConsume(exclusive), scratch, asRecovery: true)
        } catch {
            guard error.code == .channelClosed else { throw error }
            scratch = try await openScratchChannel()
            return error
        }
        try await closeChannel(scratch)
        scratch = try await openScratchChannel()
        do throws(AMQPError) {
            try await consume(consumer, asRecovery: true)
            if isStillWanted(consumer) { announce(.recoveryCompleted(what: consumer.description)) }
            return nil
        } catch {
            if error.endedConnection || error.code == .cancelled { throw error }
            // Closed by this program, its channel has ended it.
            return error.code == .closed ? nil : error
        }
    }

    /// Whether a consumer still has a reader.
    private func isStillWanted(_ consumer: ConsumerRecord) -> Bool {
        state.withLock { _ in consumer.channel.consumers[consumer.tag] === consumer }
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
                giveUp(consumer, error)
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

    private func giveUp(_ consumer: ConsumerRecord, _ error: AMQPError) {
        announce(.recoveryFailed(what: consumer.description, error))
        drop(consumer, error)
    }
}
