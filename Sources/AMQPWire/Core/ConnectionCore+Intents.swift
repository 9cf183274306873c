extension ConnectionCore {
    /// Whether a publish may go out now.
    enum Room {
        case free
        /// Wait for it, see ``waitForRoom(_:deadline:first:)``.
        case none
    }

    /// Why nothing can be sent, if so.
    private var obstacle: AMQPError? {
        switch phase {
        case .open: nil
        case .handshaking: AMQPError(.connectionLost, "the connection is not open yet", delivery: .notSent)
        case .closing(let error, _, _), .closed(let error): error.with(delivery: .notSent)
        }
    }

    /// The channel with a number, if it is open.
    private func openChannel(_ number: UInt16) throws(AMQPError) -> ChannelCore {
        if let obstacle { throw obstacle }
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
        let most = outcome?.limits.channelMax ?? 1
        let number: UInt16
        if let free = channels.indices.dropFirst().first(where: { channels[$0] == nil }) {
            number = UInt16(free)
        } else {
            if channels.isEmpty { channels.append(nil) }
            guard channels.count <= Int(most), let next = UInt16(exactly: channels.count) else {
                throw AMQPError(.tooManyChannels, "all \(most) channels that the broker allows are in use")
            }
            channels.append(nil)
            number = next
        }
        let channel = ChannelCore(number: number, confirmWindow: confirmWindow, maxBodySize: options.maxBodySize)
        channels[Int(number)] = channel
        return (number, try call(.channelOpen(.init()), channel: number, deadline: deadline))
    }

    /// Sends a method whose reply the waiter hears, as soon as the calls before it have theirs.
    mutating func call(_ request: Method, channel number: UInt16, deadline: Moment?) throws(AMQPError) -> WaiterID {
        let channel = try openChannel(number)
        let waiter = waiters.add(.call(channel: number), deadline: deadline)
        channel.queue.append(ChannelCore.Call(waiter: waiter, request: request))
        startNextCall(channel)
        return waiter
    }

    /// Sends the next call of a channel if none is in flight.
    mutating func startNextCall(_ channel: ChannelCore) {
        while channel.inFlight == nil, let call = channel.queue.popFirst() {
            do throws(WireError) {
                // In flight before its bytes can leave.
                channel.inFlight = call
                try encoder.append(call.request, channel: channel.number)
                if case .channelClose = call.request { channel.phase = .closing }
            } catch {
                channel.inFlight = nil
                let failure = AMQPError(invalid: error, call.request.id)
                if let waiter = call.waiter { answer(waiter, .failure(failure)) }
            }
        }
    }

    /// Sends a method that has no reply.
    mutating func send(_ method: Method, channel number: UInt16) throws(AMQPError) {
        _ = try openChannel(number)
        do throws(WireError) {
            try encoder.append(method, channel: number)
        } catch {
            throw AMQPError(invalid: error, method.id)
        }
    }

    /// Closes a channel. The waiter hears when the broker answered, whichever side was first.
    mutating func closeChannel(_ number: UInt16, deadline: Moment?) throws(AMQPError) -> WaiterID {
        try call(.channelClose(.init(replyCode: 200, replyText: "Goodbye")), channel: number, deadline: deadline)
    }

    /// Closes a channel whose end nobody waits for.
    mutating func abandonChannel(_ number: UInt16) {
        guard let channel = channel(number), channel.phase != .closing else { return }
        let close = Method.ChannelClose(replyCode: 200, replyText: "Goodbye")
        channel.queue.append(ChannelCore.Call(waiter: nil, request: .channelClose(close)))
        startNextCall(channel)
    }

    /// Closes the connection. The waiter hears when it is over, in any case; more than one may wait for it.
    mutating func close(_ reason: AMQPError, now: Moment) throws(AMQPError) -> WaiterID {
        if case .closing = phase { return waiters.add(.closing, deadline: nil) }
        if let obstacle { throw obstacle }
        let waiter = waiters.add(.closing, deadline: nil)
        try? encoder.append(Method.ConnectionClose(replyCode: 200, replyText: "Goodbye"), channel: 0)
        phase = .closing(reason, waiter, until: now.advanced(by: options.closeTimeout))
        for other in waiters.all(where: { $0 != .closing && $0.endsWithConnection }) {
            guard let role = waiters.remove(other) else { continue }
            note(.answered(other, .failure(reason.meaning(for: role))))
        }
        return waiter
    }
}

extension AMQPError {
    /// A method that cannot be written.
    init(invalid error: WireError, _ method: MethodID) {
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
    /// Whether a channel may publish now. Someone who was told to try again passes `retrying`; others go behind those who wait.
    func room(_ number: UInt16, retrying: Bool) throws(AMQPError) -> Room {
        let channel = try openChannel(number)
        if !retrying, !channel.waitingForRoom.isEmpty { return .none }
        return hasRoom(channel) ? .free : .none
    }

    private func hasRoom(_ channel: ChannelCore) -> Bool {
        blockedReason == nil && channel.mayFlow && encoder.bytes.count &+ inTransit < options.highWaterMark
            && channel.ledger?.outstanding ?? 0 < channel.confirmWindow
    }

    /// Waits for room on a channel; someone who had waited before goes first.
    mutating func waitForRoom(_ number: UInt16, deadline: Moment?, first: Bool) throws(AMQPError) -> WaiterID {
        let channel = try openChannel(number)
        let waiter = waiters.add(.room(channel: number), deadline: deadline)
        if first { channel.waitingForRoom.prepend(waiter) } else { channel.waitingForRoom.append(waiter) }
        return waiter
    }

    /// Tells those who wait for room to try again, as many as there is room for.
    mutating func openGates() {
        for case let channel? in channels where !channel.waitingForRoom.isEmpty && hasRoom(channel) {
            var free = channel.confirmWindow - (channel.ledger?.outstanding ?? 0)
            while free > 0, let waiter = channel.waitingForRoom.popFirst() {
                answer(waiter, .done)
                free -= 1
            }
        }
    }

    /// Turns confirm mode on, without an answer: the broker counts from the next publish in any case.
    mutating func selectConfirms(_ number: UInt16) throws(AMQPError) {
        let channel = try openChannel(number)
        guard channel.ledger == nil else { return }
        try send(.confirmSelect(.init(nowait: true)), channel: number)
        channel.ledger = ConfirmLedger()
    }

    /// Publishes a message. Returns its delivery tag, or nil without confirm mode.
    mutating func publish(
        _ publish: Method.BasicPublish,
        properties: BasicProperties,
        body: UnsafeRawBufferPointer,
        channel number: UInt16
    ) throws(AMQPError) -> UInt64? {
        let channel = try openChannel(number)
        let start = encoder.bytes.count
        let headerStart: Int
        do throws(WireError) {
            try encoder.append(publish, channel: number)
            headerStart = encoder.bytes.count
            try encoder.append(ContentHeader(bodySize: UInt64(body.count), properties: properties), channel: number)
        } catch {
            encoder.bytes.truncate(to: start)
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
        channel number: UInt16
    ) throws(AMQPError) -> UInt64? {
        let channel = try openChannel(number)
        guard prepared.fits(encoder.maxFrameSize) else {
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
        digest: (borrowing FrameEncoder) -> ContentDigest?
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
        let channel = try openChannel(number)
        let waiter = waiters.add(.confirm(channel: number, tag: tag), deadline: deadline)
        guard let outcome = channel.ledger?.wait(for: tag, waiter) else { return waiter }
        _ = waiters.remove(waiter)
        if let failure = AMQPError(outcome) { throw failure }
        return nil
    }

    /// Waits for the confirms of all publishes so far. Nil if they are in; throws the first failure that nobody waited for.
    mutating func waitForConfirms(channel number: UInt16, deadline: Moment?) throws(AMQPError) -> WaiterID? {
        let channel = try openChannel(number)
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
