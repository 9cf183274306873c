/// Something that recovery declares again.
struct Declaration {
    /// In words, for events.
    var what: String
    /// The queue that it is about, if it is about one.
    var queue: AMQPText?
    var method: AMQPMethod

    init(_ exchange: AMQPMethod.ExchangeDeclare) {
        what = "exchange '\(exchange.exchange)'"
        method = .exchangeDeclare(exchange)
    }

    init(_ queue: Topology.Queue) {
        what = "queue '\(queue.name)'"
        self.queue = queue.name
        method = .queueDeclare(queue.declaration)
    }

    init(_ binding: AMQPMethod.ExchangeBind) {
        what = "binding of exchange '\(binding.destination)' to '\(binding.source)'"
        method = .exchangeBind(binding)
    }

    init(_ binding: AMQPMethod.QueueBind) {
        what = "binding of queue '\(binding.queue)' to '\(binding.exchange)'"
        queue = binding.queue
        method = .queueBind(binding)
    }

    /// Asks whether a queue is there.
    init(askingFor queue: AMQPText) {
        what = "queue '\(queue)'"
        self.queue = queue
        method = .queueDeclare(.init(queue: queue, passive: true))
    }
}

/// Declarations that are sent without waiting for the answers to those before them. Brokers take them one after another, so
/// the first without an answer is the one that an error means.
struct DeclarationLine {
    /// The channel that they are made on; an error closes it, and another takes its place.
    var scratch: ChannelRecord
    /// How long to be patient with what the lost connection still holds.
    var patience: Moment
    /// How many may be unanswered. Each error costs what was sent behind it, so it narrows the line.
    var width = 64

    static let greatestWidth = 256
}

extension ConnectionDriver {
    /// Sends declarations one behind the other, and says what became of each.
    ///
    /// - Parameter isHeldAlready: takes what is not to be sent now.
    func declareInLine(
        _ declarations: [Declaration],
        _ line: inout DeclarationLine,
        _ fatal: inout FatalDeclarations,
        _ done: (Declaration, Declared) -> Void,
        isHeldAlready: (Declaration) -> Bool = { _ in false }
    ) async throws(AMQPError) {
        var next = 0
        var unanswered = RingBuffer<(index: Int, waiter: WaiterID)>()
        while true {
            var batch: [Int] = []
            while next < declarations.count, unanswered.count + batch.count < line.width {
                let declaration = declarations[next]
                next += 1
                if fatal.failures[declaration.what, default: 0] >= mostFailures || isHeldAlready(declaration) {
                    continue
                }
                batch.append(next - 1)
            }
            do throws(AMQPError) {
                if !batch.isEmpty {
                    let methods = batch.map { declarations[$0].method }
                    let waiters = try await call(methods, line.scratch)
                    for (index, waiter) in zip(batch, waiters) { unanswered.append((index, waiter)) }
                }
            } catch {
                // Closed over one that is on its way, whose answer says so: what is here is sent again.
                if error.code == .channelClosed, !unanswered.isEmpty {
                    next = batch.first ?? next
                } else {
                    while let (_, other) = unanswered.popFirst() { _ = await answer(of: other) }
                    throw error
                }
            }
            guard let (index, waiter) = unanswered.popFirst() else { return }
            let declaration = declarations[index]
            switch await answer(of: waiter) {
            case .reply(let reply):
                done(declaration, .reply(reply))
                if line.width < DeclarationLine.greatestWidth { line.width += 1 }
            case .failure(let error):
                // What was encoded wrongly costs nobody else anything.
                if error.code == .invalidArgument {
                    done(declaration, .refused(error))
                    continue
                }
                // Those behind it have failed with it, or will.
                while let (_, other) = unanswered.popFirst() { _ = await answer(of: other) }
                switch error.code {
                case .channelClosed:
                    next = index + 1
                    line.width = max(1, line.width / 2)
                    line.scratch = try await openScratchChannel()
                    let isHeld = error.replyCode == 405 && EventLoop.now() < line.patience
                    done(declaration, isHeld ? .held(error) : .refused(error))
                case .connectionClosed where error.method == declaration.method.id:
                    fatal.failures[declaration.what, default: 0] += 1
                    if fatal.failures[declaration.what] == mostFailures {
                        announce(.recoveryFailed(what: declaration.what, error))
                    }
                    throw error
                default: throw error
                }
            case .done, .message: break
            }
        }
    }

    /// Sends methods one behind the other.
    private func call(_ methods: [AMQPMethod], _ channel: ChannelRecord) async throws(AMQPError) -> [WaiterID] {
        let deadline = deadline(configuration.callTimeout)
        return try await onChannel(channel, deadline: deadline, asRecovery: true) { (state, number) throws(AMQPError) in
            var waiters: [WaiterID] = []
            for method in methods {
                waiters.append(try state.core.call(method, channel: number, deadline: deadline))
            }
            return waiters
        }
    }
}
