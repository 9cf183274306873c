extension ConnectionCore {
    mutating func publish(
        _ method: AMQPMethod.BasicPublish,
        properties: AMQPProperties,
        bytes: [UInt8],
        on channel: ChannelCore
    ) throws(AMQPError) -> UInt64? {
        try bytes.withUnsafeBufferPointer { (body) throws(AMQPError) in
            try publish(method, properties: properties, body: UnsafeRawBufferPointer(body), on: channel)
        }
    }
}

extension ConnectionDriver {
    /// Encodes a publish; returns its tag where the channel has confirms.
    typealias Encoding = (inout ConnectionCore, ChannelCore) throws(AMQPError) -> UInt64?

    /// How a step of publishing went.
    private enum Step: Sendable {
        case sent(tag: UInt64?, epoch: UInt64)
        case mustWait(WaiterID)
        case notReady
    }

    /// Publishes as soon as there is room. The step that encodes is the one that assigns the tag.
    @inline(__always)
    nonisolated(nonsending) func publish(
        _ record: ChannelRecord,
        _ urgency: Urgency,
        confirms: Bool = false,
        _ encode: Encoding
    ) async throws(AMQPError) -> (tag: UInt64?, epoch: UInt64) {
        if case .sent(let tag, let epoch) = try attempt(
            record,
            urgency,
            confirms,
            deadline: nil,
            retrying: false,
            encode
        ) {
            return (tag, epoch)
        }
        return try await publishSlowly(record, urgency, confirms, encode)
    }

    /// Publishes where the first attempt found no room.
    @inline(never)
    private nonisolated(nonsending) func publishSlowly(
        _ record: ChannelRecord,
        _ urgency: Urgency,
        _ confirms: Bool,
        _ encode: Encoding
    ) async throws(AMQPError) -> (tag: UInt64?, epoch: UInt64) {
        let deadline = deadline(configuration.confirmTimeout)
        var retrying = false
        while true {
            switch try attempt(record, urgency, confirms, deadline: deadline, retrying: retrying, encode) {
            case .sent(let tag, let epoch): return (tag, epoch)
            case .mustWait(let waiter):
                do throws(AMQPError) {
                    try await success(of: waiter)
                    retrying = true
                } catch {
                    // It did not leave, so it may wait for the connection to come back.
                    guard error.endedConnection else { throw error }
                    retrying = false
                    try await ready(deadline: deadline)
                }
            case .notReady:
                retrying = false
                try await ready(deadline: deadline)
            }
        }
    }

    /// One attempt; without a deadline it only tries.
    @inline(__always)
    private func attempt(
        _ record: ChannelRecord,
        _ urgency: Urgency,
        _ confirms: Bool,
        deadline: Moment?,
        retrying: Bool,
        _ encode: Encoding
    ) throws(AMQPError) -> Step {
        try perform(urgency) { (state) throws(AMQPError) in
            if let error = record.closed { throw error.with(delivery: .notSent) }
            guard case .open = state.mode, let number = record.number else {
                switch state.mode {
                case .closed(let error): throw error.with(delivery: .notSent)
                case .open: throw AMQPError(.closed, scope: .channel, "the channel is closed", delivery: .notSent)
                case .connecting, .restoring, .recovering: return .notReady
                }
            }
            switch try state.core.room(number, retrying: retrying) {
            case .free(let channel):
                if confirms, record.publishing == .plain {
                    try state.core.selectConfirms(number)
                    record.publishing = .confirms
                }
                do throws(AMQPError) {
                    let tag = try encode(&state.core, channel)
                    record.didInTransaction()
                    return .sent(tag: tag, epoch: record.epoch)
                } catch {
                    // The room that this one was given is another's now.
                    state.core.openGates()
                    throw error
                }
            case .none:
                // What is to be confirmed first has to leave.
                state.isUrgent = true
                guard let deadline else { return .notReady }
                return .mustWait(try state.core.waitForRoom(number, deadline: deadline, first: retrying))
            }
        }
    }

    /// Publishes and hands out a receipt.
    nonisolated(nonsending) func submit(
        _ channel: AMQPChannel,
        _ content: @autoclosure () -> KeptPublish.Content,
        _ encode: Encoding
    ) async throws(AMQPError) -> AMQPPublishReceipt {
        let record = channel.record
        guard resendsUnconfirmed else {
            let (tag, epoch) = try await publish(record, .soon, confirms: true, encode)
            return AMQPPublishReceipt(deliveryTag: tag ?? 0, channel: channel, epoch: epoch, kept: nil)
        }
        let content = content()
        var kept: KeptPublish?
        let (tag, epoch) = try await publish(record, .soon, confirms: true) { (core, channel) throws(AMQPError) in
            let tag = try encode(&core, channel)
            // Kept in the same step: the connection may be lost before this call is back.
            if let tag {
                let publish = KeptPublish(content, tag: tag, epoch: record.epoch)
                record.keep(publish)
                kept = publish
            }
            return tag
        }
        return AMQPPublishReceipt(deliveryTag: tag ?? 0, channel: channel, epoch: epoch, kept: kept)
    }

    /// Turns confirm mode on before the first publish that needs it.
    func enableConfirms(_ record: ChannelRecord, noWait: Bool) async throws(AMQPError) {
        let deadline = deadline(configuration.callTimeout)
        let waiter = try await onChannel(record, deadline: deadline) { (state, number) throws(AMQPError) -> WaiterID? in
            switch record.publishing {
            case .confirms: return nil
            case .transactions:
                throw AMQPError(
                    .invalidArgument,
                    scope: .channel,
                    "a channel with transactions has no confirms: open another for them",
                    delivery: .notSent
                )
            case .plain: break
            }
            let waiter: WaiterID? =
                noWait ? nil : try state.core.call(.confirmSelect(.init()), channel: number, deadline: deadline)
            // Behind another call it has not left yet; what is published from here on counts all the same.
            try state.core.selectConfirms(number)
            record.publishing = .confirms
            return waiter
        }
        if let waiter { try await success(of: waiter) }
    }

    /// Whether publishes whose confirm was lost are sent again.
    var resendsUnconfirmed: Bool { configuration.recovery?.resendsUnconfirmed ?? false }

    /// Sends the publishes of a channel that were not confirmed on the connection before, in their order.
    func resend(_ record: ChannelRecord) async throws(AMQPError) {
        let deadline = deadline(configuration.confirmTimeout)
        var next = 0
        while true {
            let waiter = try await onChannel(record, deadline: deadline, asRecovery: true) {
                (state, number) throws(AMQPError) -> WaiterID? in
                while next < record.kept.count {
                    let publish = record.kept[next]
                    guard case .free(let channel) = try state.core.room(number, retrying: true) else {
                        // A blocked broker is waited for, however long it takes: coming anew would not help.
                        return try state.core.waitForRoom(number, deadline: nil, first: true)
                    }
                    if let tag = try publish.encode(&state.core, channel) {
                        publish.tag = tag
                        publish.epoch = record.epoch
                    }
                    next += 1
                }
                return nil
            }
            guard let waiter else { return }
            try await success(of: waiter)
        }
    }

    /// Commits a channel's transaction, unless part of it was lost.
    func commit(_ record: ChannelRecord) async throws(AMQPError) {
        let deadline = deadline(configuration.callTimeout)
        let waiter = try await onChannel(record, deadline: deadline) { (state, number) throws(AMQPError) -> WaiterID? in
            if record.lostTransaction { return nil }
            return try state.core.call(.txCommit(.init()), channel: number, deadline: deadline)
        }
        guard let waiter else {
            try await rollBack(record)
            throw AMQPError(
                .connectionLost,
                scope: .channel,
                "the connection was lost during the transaction, so none of it took effect: do it again",
                delivery: .notSent
            )
        }
        do throws(AMQPError) {
            try await success(of: waiter)
        } catch {
            throw error.with(delivery: .unknown)
        }
    }

    /// Abandons a channel's transaction.
    func rollBack(_ record: ChannelRecord) async throws(AMQPError) {
        _ = try await call(.txRollback(.init()), record) { _ in record.lostTransaction = false }
    }

    /// Publishes and waits for the confirm.
    nonisolated(nonsending) func publishConfirmed(_ record: ChannelRecord, _ encode: Encoding) async throws(AMQPError) {
        var hasLeft = false
        var closes = ClosesOverPublish()
        while true {
            let deadline = deadline(configuration.confirmTimeout)
            var waiter: WaiterID?
            let tag: UInt64?
            do throws(AMQPError) {
                (tag, _) = try await publish(record, .now, confirms: true) { (core, channel) throws(AMQPError) in
                    let tag = try encode(&core, channel)
                    // Registered before the bytes can leave: the confirm may be faster than this call.
                    if let tag { waiter = try core.waitForConfirm(tag, channel: channel.number, deadline: deadline) }
                    return tag
                }
            } catch {
                throw hasLeft ? error.afterSending : error
            }
            guard tag != nil, let waiter else { return }
            hasLeft = true
            do throws(AMQPError) {
                return try await success(of: waiter)
            } catch {
                guard resendsUnconfirmed, error.endedConnection else { throw error }
                if let failure = closes.counted(error, limit: configuration.recovery?.resendLimit ?? 1) {
                    throw failure
                }
            }
        }
    }
}
