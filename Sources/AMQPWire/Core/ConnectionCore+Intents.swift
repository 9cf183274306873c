extension ConnectionCore {
    /// Whether a publish may go out now.
    enum Room {
        case free(ChannelCore)
        /// Wait for it, see ``waitForRoom(_:deadline:first:)``.
        case none
    }

    /// Why nothing can be sent, if so.
    private var obstacle: AMQPError? {
        switch phase {
        case .open: nil
        case .handshaking: AMQPError(.connectionLost, "the connection is not open yet", delivery: .notSent)
        case .closing(let error, _, _, _), .closed(let error): error.with(delivery: .notSent)
        }
    }

    /// The channel with a number, if it is open.
    func usableChannel(_ number: UInt16) throws(AMQPError) -> ChannelCore {
        guard case .open = phase else { throw obstacle ?? AMQPError(.closed, "the connection is not open") }
        guard let channel = channel(number), channel.phase != .closing else {
            throw AMQPError(.closed, scope: .channel, "the channel is closed", delivery: .notSent)
        }
        return channel
    }

    /// Opens a channel; the waiter hears when it is open.
    mutating func openChannel(
        confirmWindow: Int,
        deadline: Moment?
    ) throws(AMQPError) -> (number: UInt16, waiter: WaiterID) {
        if let obstacle { throw obstacle }
        let number = try freeNumber()
        let channel = ChannelCore(number: number, confirmWindow: confirmWindow)
        channels[Int(number)] = channel
        return (number, try call(.channelOpen(.init()), channel: number, deadline: deadline))
    }

    /// A number for a channel. One that the broker closed comes last: RabbitMQ 3.10 goes on sending deliveries of the old
    /// channel even behind the open-ok of the new one.
    private mutating func freeNumber() throws(AMQPError) -> UInt16 {
        let most = outcome?.limits.channelMax ?? 1
        if channels.isEmpty { channels.append(nil) }
        let free = channels.indices.dropFirst().first { index in
            channels[index] == nil && (closedByBroker.isEmpty || closedByBroker[UInt16(index)] == nil)
        }
        if let free { return UInt16(free) }
        if channels.count <= Int(most), let next = UInt16(exactly: channels.count) {
            channels.append(nil)
            return next
        }
        let oldest = closedByBroker.filter { channel($0.key) == nil }.min { $0.value < $1.value }
        guard let oldest else {
            throw AMQPError(.tooManyChannels, "all \(most) channels that the broker allows are in use")
        }
        return oldest.key
    }

    /// Sends a method whose reply the waiter hears, as soon as the calls before it have theirs.
    /// Of one that has no reply the waiter hears when it is sent.
    mutating func call(
        _ request: AMQPMethod,
        channel number: UInt16,
        deadline: Moment?,
        hasReply: Bool = true
    ) throws(AMQPError) -> WaiterID {
        let channel = try usableChannel(number)
        let waiter = waiters.add(.call(channel: number), deadline: deadline)
        channel.queue.append(ChannelCore.Call(waiter: waiter, request: request, hasReply: hasReply))
        startNextCall(channel)
        return waiter
    }

    /// Sends the next call of a channel if none is in flight.
    mutating func startNextCall(_ channel: ChannelCore) {
        guard obstacle == nil else { return }
        while channel.mayStartNext, let call = channel.queue.popFirst() {
            do throws(AMQPWireError) {
                try append(call.request, channel)
                if !call.hasReply {
                    if let waiter = call.waiter { answer(waiter, .done) }
                } else if channel.inFlight == nil {
                    channel.inFlight = call
                } else {
                    channel.inFlightBehind.append(call)
                }
            } catch {
                let failure = AMQPError(invalid: error, call.request.id)
                if let waiter = call.waiter { answer(waiter, .failure(failure)) }
            }
        }
    }

    /// Sends a method that has no reply.
    mutating func send(_ method: AMQPMethod, channel number: UInt16) throws(AMQPError) {
        let channel = try usableChannel(number)
        do throws(AMQPWireError) {
            try append(method, channel)
        } catch {
            throw AMQPError(invalid: error, method.id)
        }
    }

    /// Appends a method of ours; what it changes here changes where it leaves.
    private mutating func append(_ method: AMQPMethod, _ channel: ChannelCore) throws(AMQPWireError) {
        try encoder.append(method, channel: channel.number)
        if case .basicConsume(let consume) = method, consume.noWait {
            channel.consumerStarted(consume.consumerTag, noAck: consume.noAck)
        }
        switch method.id {
        case .channelClose: channel.phase = .closing
        case .confirmSelect where channel.ledger == nil: channel.ledger = ConfirmLedger()
        case .txSelect: channel.hasTransactions = true
        case .txCommit:
            channel.deliveries.committed()
            channel.hasUncommitted = false
        case .txRollback:
            channel.deliveries.rolledBack()
            channel.hasUncommitted = false
        default: break  // The broker's business only.
        }
    }

    /// Closes a channel once the calls before have their replies. The waiter hears when it is closed, whichever side was
    /// first. The channel is closed even if the waiter gives up.
    mutating func closeChannel(_ number: UInt16, deadline: Moment?) throws(AMQPError) -> WaiterID {
        try call(ChannelCore.close, channel: number, deadline: deadline)
    }

    /// Closes a channel whose end nobody waits for.
    mutating func abandonChannel(_ number: UInt16) {
        guard let channel = channel(number), channel.phase != .closing else { return }
        let close = AMQPMethod.ChannelClose(replyCode: 200, replyText: "Goodbye")
        channel.queue.append(ChannelCore.Call(waiter: nil, request: .channelClose(close)))
        startNextCall(channel)
    }

    /// Closes the connection, behind everything that was to be sent. The waiter hears when it is over, in any case; more than
    /// one may wait for it.
    mutating func close(_ reason: AMQPError, now: Moment) throws(AMQPError) -> WaiterID {
        if case .closing = phase { return waiters.add(.closing, deadline: nil) }
        if let obstacle { throw obstacle }
        let waiter = waiters.add(.closing, deadline: nil)
        try? encoder.append(AMQPMethod.ConnectionClose(replyCode: 200, replyText: "Goodbye"), channel: 0)
        let (until, latest) = (now.advanced(by: options.closeTimeout), now.advanced(by: options.longestClose))
        phase = .closing(reason, waiter, until: min(until, latest), latest: latest)
        for other in waiters.all(where: { $0 != .closing && $0.endsWithConnection }) {
            guard let role = waiters.remove(other) else { continue }
            note(.answered(other, .failure(reason.meaning(for: role))))
        }
        return waiter
    }
}

extension AMQPError {
    /// A method that cannot be written.
    init(invalid error: AMQPWireError, _ method: AMQPMethodID) {
        self.init(
            .invalidArgument,
            scope: .message,
            "\(method.name) cannot be sent: \(error.reason)\(error.field.map { " (in \($0))" } ?? "")",
            method: method,
            delivery: .notSent
        )
    }
}

// MARK: - Publishing

extension ConnectionCore {
    /// Whether a channel may publish now. Someone who was told to try again passes `retrying`, once; others go behind those
    /// who wait or were told.
    func room(_ number: UInt16, retrying: Bool) throws(AMQPError) -> Room {
        let channel = try usableChannel(number)
        if retrying {
            channel.promised = max(0, channel.promised - 1)
        } else if !channel.waitingForRoom.isEmpty {
            return .none
        }
        return freePlaces(channel) > 0 ? .free(channel) : .none
    }

    /// How many may publish now who were not told so yet.
    private func freePlaces(_ channel: ChannelCore) -> Int {
        guard blockedReason == nil, channel.mayFlow, encoder.bytes.count &+ inTransit < options.highWaterMark else {
            return 0
        }
        // What is confirmed out of order keeps its place until those before it are; that is bounded, too.
        if let span = channel.ledger?.span, span >= channel.confirmWindow &* 8 { return 0 }
        return channel.confirmWindow - (channel.ledger?.outstanding ?? 0) - channel.promised
    }

    /// Waits for room on a channel; someone who had waited before goes first.
    mutating func waitForRoom(_ number: UInt16, deadline: Moment?, first: Bool) throws(AMQPError) -> WaiterID {
        let channel = try usableChannel(number)
        let waiter = waiters.add(.room(channel: number), deadline: deadline)
        if first { channel.waitingForRoom.prepend(waiter) } else { channel.waitingForRoom.append(waiter) }
        return waiter
    }

    /// Tells those who wait for room to try again, as many as there is room for.
    mutating func openGates() {
        for case let channel? in channels where !channel.waitingForRoom.isEmpty {
            var free = freePlaces(channel)
            while free > 0, let waiter = channel.waitingForRoom.popFirst() {
                answer(waiter, .done)
                channel.promised += 1
                free -= 1
            }
        }
    }

    /// Turns confirm mode on, without an answer: the broker counts from the next publish in any case.
    mutating func selectConfirms(_ number: UInt16) throws(AMQPError) {
        let channel = try usableChannel(number)
        guard channel.ledger == nil else { return }
        try send(.confirmSelect(.init(nowait: true)), channel: number)
    }

    /// Publishes a message on a channel that has room. Returns its delivery tag, or nil without confirm mode.
    mutating func publish(
        _ publish: AMQPMethod.BasicPublish,
        properties: AMQPProperties,
        body: UnsafeRawBufferPointer,
        on channel: ChannelCore
    ) throws(AMQPError) -> UInt64? {
        let number = channel.number
        let (start, frames) = (encoder.bytes.count, encoder.frameCount)
        let headerStart: Int
        do throws(AMQPWireError) {
            try encoder.append(publish, channel: number)
            headerStart = encoder.bytes.count
            try encoder.append(AMQPContentHeader(bodySize: UInt64(body.count), properties: properties), channel: number)
        } catch {
            encoder.bytes.truncate(to: start)
            encoder.frameCount = frames
            openGates()  // The place is another's.
            throw AMQPError(invalid: error, .basicPublish)
        }
        let tag = register(channel) { encoder in
            guard publish.mandatory else { return nil }
            return publish.exchange.withOctets { exchange in
                publish.routingKey.withOctets { routingKey in
                    encoder.bytes.withUnsafeBytes { held in
                        // Frame header, class, weight and body size stand before the flags and properties, the end behind.
                        let raw = UnsafeRawBufferPointer(rebasing: held[(headerStart + 19)..<(held.count - 1)])
                        return ContentDigest(exchange: exchange, routingKey: routingKey, properties: raw, body: body)
                    }
                }
            }
        }
        encoder.append(body: body, channel: number)
        return tag
    }

    /// Publishes a message whose frames before the body are made already.
    mutating func publish(
        _ prepared: PreparedFrames,
        body: UnsafeRawBufferPointer,
        on channel: ChannelCore
    ) throws(AMQPError) -> UInt64? {
        let number = channel.number
        guard prepared.fits(encoder.maxFrameSize) else {
            openGates()  // The place is another's.
            throw AMQPError(
                .invalidArgument,
                scope: .message,
                "the properties do not fit the frame size",
                delivery: .notSent
            )
        }
        prepared.append(to: &encoder, channel: number, bodySize: UInt64(body.count))
        let tag = register(channel) { _ in prepared.digest(body: body) }
        encoder.append(body: body, channel: number)
        return tag
    }

    private mutating func register(
        _ channel: ChannelCore,
        digest: (borrowing AMQPFrameEncoder) -> ContentDigest?
    ) -> UInt64? {
        statistics.publishes &+= 1
        return channel.ledger?.published(digest: digest(encoder))
    }

    /// Ties a waiter to a publish. The waiter is nil if the outcome is known, and then the outcome says it.
    mutating func waitForConfirm(
        _ tag: UInt64,
        channel number: UInt16,
        deadline: Moment?
    ) throws(AMQPError) -> WaiterID? {
        let channel = try usableChannel(number)
        // Nothing is confirmed on a channel with transactions.
        guard channel.ledger != nil else { return nil }
        let waiter = waiters.add(.confirm(channel: number, tag: tag), deadline: deadline)
        guard let outcome = channel.ledger?.wait(for: tag, waiter) else { return waiter }
        _ = waiters.remove(waiter)
        if let failure = AMQPError(outcome) { throw failure }
        return nil
    }

    /// Waits for the confirms of all publishes so far. Nil if they are in; throws the first failure that nobody waited for.
    mutating func waitForConfirms(channel number: UInt16, deadline: Moment?) throws(AMQPError) -> WaiterID? {
        let channel = try usableChannel(number)
        guard let ledger = channel.ledger else { return nil }
        guard ledger.outstanding > 0 else {
            if let failure = channel.ledger?.takeFailure().flatMap({ AMQPError($0.outcome) }) { throw failure }
            return nil
        }
        let through = ledger.nextTag &- 1
        let waiter = waiters.add(.allConfirms(channel: number, through: through), deadline: deadline)
        channel.waitingForConfirms.append((through, waiter))
        return waiter
    }
}
