extension ConnectionDriver {
    /// Waits until a waiter is answered; a cancelled task answers its own.
    nonisolated(nonsending) func answer(of waiter: WaiterID) async -> Answer {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let early = state.withLock { $0.park(waiter, continuation) }
                if let early { continuation.resume(returning: early) }
            }
        } onCancel: {
            perform { state in
                state.core.giveUp(waiter, AMQPError(.cancelled, scope: .message, "the task was cancelled"))
            }
        }
    }

    /// Waits until a waiter is answered, even in a task that is cancelled: for what ends by itself in any case.
    nonisolated(nonsending) func answerRegardless(of waiter: WaiterID) async -> Answer {
        await withUnsafeContinuation { continuation in
            let early = state.withLock { $0.park(waiter, continuation) }
            if let early { continuation.resume(returning: early) }
        }
    }

    /// Waits for an answer that says nothing but yes or no.
    nonisolated(nonsending) func success(of waiter: WaiterID) async throws(AMQPError) {
        if case .failure(let error) = await answer(of: waiter) { throw error }
    }

    /// When a call has to be done that may take `timeout`, unless its caller has set another deadline.
    func deadline(_ timeout: Duration) -> Moment {
        CallDeadline.current ?? moment(after: timeout)
    }

    /// The moment after a time from now.
    func moment(after time: Duration) -> Moment {
        EventLoop.now().advanced(by: time)
    }

    /// Waits until the connection is usable, which it mostly is.
    nonisolated(nonsending) func ready(deadline: Moment) async throws(AMQPError) {
        while true {
            let waiter = try perform { (state) throws(AMQPError) -> WaiterID? in
                switch state.mode {
                case .open: return nil
                case .closed(let error): throw error.with(delivery: .notSent)
                case .connecting, .restoring, .recovering:
                    let waiter = state.core.waiters.add(.recovery, deadline: deadline)
                    state.waitingForRecovery.append(waiter)
                    return waiter
                }
            }
            guard let waiter else { return }
            do throws(AMQPError) {
                try await success(of: waiter)
            } catch {
                perform { state in state.waitingForRecovery.removeAll { $0 == waiter } }
                throw error
            }
        }
    }

    /// What a channel's number is, if calls may be made on it.
    static func number(
        _ channel: ChannelRecord,
        _ state: borrowing State,
        asRecovery: Bool
    ) throws(AMQPError) -> UInt16? {
        if let error = channel.closed { throw error.with(delivery: .notSent) }
        if channel.isClosing { throw AMQPError.closedHere }
        switch state.mode {
        case .closed(let error): throw error.with(delivery: .notSent)
        case .open:
            guard let number = channel.number else {
                throw AMQPError(.closed, scope: .channel, "the channel is closed", delivery: .notSent)
            }
            return number
        case .restoring where asRecovery:
            guard let number = channel.number else {
                throw AMQPError(.channelClosed, scope: .channel, "the broker closed the channel while it was restored")
            }
            return number
        case .connecting, .restoring, .recovering:
            if asRecovery { throw AMQPError(.connectionLost, "the connection was lost again") }
            return nil
        }
    }

    /// Does something on a channel as soon as the connection is usable.
    nonisolated(nonsending) func onChannel<Value: Sendable>(
        _ channel: ChannelRecord,
        _ urgency: Urgency = .now,
        deadline: Moment,
        asRecovery: Bool = false,
        _ step: (inout State, UInt16) throws(AMQPError) -> Value
    ) async throws(AMQPError) -> Value {
        while true {
            let value = try perform(urgency) { (state) throws(AMQPError) -> Value? in
                guard let number = try Self.number(channel, state, asRecovery: asRecovery) else { return nil }
                return try step(&state, number)
            }
            if let value { return value }
            try await ready(deadline: deadline)
        }
    }

    /// Sends a method and waits for its reply. `registering` runs in the same step, before the method can leave.
    nonisolated(nonsending) func call(
        _ method: AMQPMethod,
        _ channel: ChannelRecord,
        asRecovery: Bool = false,
        registering: (inout State) -> Void = { _ in }
    ) async throws(AMQPError) -> AMQPMethod {
        switch try await answer(method, channel, asRecovery: asRecovery, registering: registering) {
        case .reply(let reply): return reply
        case .failure(let error): throw error
        case .done, .message: throw AMQPError(.unexpectedFrame, "\(method.id.name) was not answered by a method")
        }
    }

    /// Sends a method and waits for whatever answers it.
    nonisolated(nonsending) func answer(
        _ method: AMQPMethod,
        _ channel: ChannelRecord,
        asRecovery: Bool = false,
        registering: (inout State) -> Void = { _ in }
    ) async throws(AMQPError) -> Answer {
        let deadline = deadline(configuration.callTimeout)
        let waiter = try await onChannel(channel, deadline: deadline, asRecovery: asRecovery) {
            (state, number) throws(AMQPError) in
            let waiter = try state.core.call(method, channel: number, deadline: deadline)
            registering(&state)
            return waiter
        }
        return await answer(of: waiter)
    }

    /// Sends a method that has no reply.
    nonisolated(nonsending) func send(_ method: AMQPMethod, _ channel: ChannelRecord) async throws(AMQPError) {
        try await onChannel(channel, deadline: deadline(configuration.callTimeout)) {
            (state, number) throws(AMQPError) in
            try state.core.send(method, channel: number)
        }
    }
}
