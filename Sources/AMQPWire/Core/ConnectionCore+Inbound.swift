extension ConnectionCore {
    /// Takes all whole frames that the decoder holds.
    mutating func process(now: Moment) {
        heartbeat?.received(at: now)
        do throws(AMQPWireError) {
            while !isClosed, let raw = try decoder.nextRaw() {
                statistics.framesReceived &+= 1
                try frameReceived(raw, now: now)
            }
        } catch {
            malformed(error)
        }
        openGates()
    }

    private var isClosed: Bool {
        if case .closed = phase { true } else { false }
    }

    private var isClosing: Bool {
        if case .closing = phase { true } else { false }
    }

    private mutating func malformed(_ error: AMQPWireError) {
        if case .handshaking(let handshake, _) = phase, handshake.stage == .greeting {
            let stranger = decoder.withBufferedOctets { Stranger($0.prefix(Stranger.telling)) }
            ended(
                AMQPError(
                    .protocolMismatch,
                    "the peer \(options.peer) does not speak AMQP 0-9-1 (\(error))",
                    remedy: stranger.advice
                )
            )
        } else {
            violated(
                error.replyCode,
                AMQPError(
                    .malformedInput,
                    "the broker \(options.peer) sent what is not AMQP: \(error)",
                    reply: AMQPError.Reply(code: error.replyCode, text: "")
                )
            )
        }
    }

    private mutating func unexpected(_ what: String, _ replyCode: UInt16 = 505, method: AMQPMethodID? = nil) {
        violated(
            replyCode,
            AMQPError(
                .unexpectedFrame,
                "the broker \(options.peer) sent \(what)",
                reply: AMQPError.Reply(code: replyCode, text: ""),
                method: method
            ),
            method: method
        )
    }

    private mutating func frameReceived(_ raw: AMQPFrameDecoder.RawFrame, now: Moment) throws(AMQPWireError) {
        if !closedByBroker.isEmpty, isLeftover(raw) { return }
        switch raw.type {
        case nil: protocolHeaderReceived()
        case .heartbeat: break
        case .method:
            // A payload decoded here, so it is a method.
            guard case .method(let method) = try decoder.method(raw).payload else { return }
            if raw.channel == 0 {
                connectionMethodReceived(method, now: now)
            } else {
                channelMethodReceived(method, raw.channel, now: now)
            }
        case .header: try headerReceived(raw)
        case .body: try bodyReceived(raw)
        }
    }

    /// Whether a frame was sent on a channel before the broker saw that its close is answered.
    private func isLeftover(_ raw: AMQPFrameDecoder.RawFrame) -> Bool {
        guard case .open = phase, closedByBroker[raw.channel] != nil else { return false }
        guard let channel = channel(raw.channel) else { return true }
        // Either its number is being opened again, or our close has crossed the broker's.
        guard raw.type == .method, let number = decoder.methodNumber else { return true }
        let awaited: Set<AMQPMethodID> =
            channel.phase == .opening ? [.channelOpenOk, .channelClose] : [.channelClose, .channelCloseOk]
        return AMQPMethodID(rawValue: number).map { !awaited.contains($0) } ?? true
    }

    private mutating func protocolHeaderReceived() {
        let octets = decoder.withWholeFrame { Array($0) }
        guard octets.starts(with: "AMQP".utf8) else {
            return malformed(AMQPWireError(.unsupportedProtocol(octets), offset: 0))
        }
        // Where in the header the version stands differs from version to version, so the octets speak for themselves.
        ended(
            AMQPError(
                .protocolMismatch,
                "the broker \(options.peer) wants another version of AMQP than 0-9-1: it answered \(hexadecimal(octets))"
            )
        )
    }
}

// MARK: - Methods of the connection

extension ConnectionCore {
    private mutating func connectionMethodReceived(_ method: AMQPMethod, now: Moment) {
        switch method {
        case .connectionClose(let close): closeReceived(close)
        case .connectionCloseOk:
            guard case .closing(let error, _, _, _) = phase else {
                return unexpected("connection.close-ok unasked", 503)
            }
            ended(error)
        case _ where isClosing: break  // What a broker sends before it sees our close is of no use any more.
        case .connectionBlocked(let blocked):
            blockedReason = blocked.reason.string
            note(.blocked(reason: blocked.reason.string))
        case .connectionUnblocked:
            blockedReason = nil
            note(.unblocked)
        case .connectionUpdateSecretOk where outcome != nil:
            if let channel = channel(0) { replied(method, nil, channel) }
        default: handshakeMethodReceived(method, now: now)
        }
    }

    private mutating func handshakeMethodReceived(_ method: AMQPMethod, now: Moment) {
        switch phase {
        case .handshaking(var handshake, let waiter):
            do throws(AMQPError) {
                let action = try handshake.received(method)
                phase = .handshaking(handshake, waiter)
                switch action {
                case .send(let methods):
                    let before = encoder.bytes.count
                    try send(methods, limits: handshake.limits, now: now)
                    answerBytes &+= encoder.bytes.count &- before
                case .opened(let outcome):
                    self.outcome = outcome
                    phase = .open
                    note(.opened(outcome))
                    answer(waiter, .done)
                }
            } catch {
                ended(error)
            }
        case .open: unexpected("\(method.id.name) on channel 0", 503, method: method.id)
        case .closing, .closed: break
        }
    }

    private mutating func send(_ methods: [AMQPMethod], limits: AMQPConnectionLimits?, now: Moment) throws(AMQPError) {
        if let limits {
            encoder.maxFrameSize = limits.frameMax
            decoder.limits = Self.limits(agreed: limits.frameMax, maxBodySize: options.maxBodySize)
            heartbeat = HeartbeatMonitor(seconds: limits.heartbeat ?? 0, now: now)
        }
        for method in methods {
            do throws(AMQPWireError) {
                try encoder.append(method, channel: 0)
            } catch {
                throw AMQPError(.invalidArgument, "\(method.id.name) cannot be sent: \(error)")
            }
        }
    }

    /// What is taken of a broker with which a frame size was agreed, 0 for none.
    private static func limits(agreed frameMax: UInt32, maxBodySize: Int) -> AMQPWireLimits {
        // RabbitMQ tolerates frames that are a little too large, and some brokers send them.
        let (tolerated, isBeyond) = frameMax.addingReportingOverflow(8)
        let largest = UInt32(clamping: max(maxBodySize, Int(smallestHeadLimit))).addingReportingOverflow(8)
        let unlimited = largest.overflow ? .max : largest.partialValue
        let frameSize = frameMax == 0 || isBeyond ? unlimited : tolerated
        let headLimit = max(smallestHeadLimit, frameMax)
        return AMQPWireLimits(
            frameSize: frameSize,
            headFrameSize: headLimit,
            nesting: AMQPWireLimits.deepestNesting,
            tableSize: Int(headLimit)
        )
    }

    /// Bytes of a method or header frame that is taken whatever was agreed. A header that RabbitMQ made longer by
    /// dead-lettering has some hundred bytes for each queue and reason.
    private static let smallestHeadLimit: UInt32 = 1 << 20

    private mutating func closeReceived(_ close: AMQPMethod.ConnectionClose) {
        answering { core in try? core.encoder.append(AMQPMethod.ConnectionCloseOk(), channel: 0) }
        let error = AMQPError(connectionClosed: close, options: options, phase: phase)
        switch phase {
        case .closing: break  // Ours crossed it; its close-ok is still to come.
        case .handshaking, .open, .closed: ended(error)
        }
    }
}

// MARK: - Methods of a channel

extension ConnectionCore {
    private mutating func channelMethodReceived(_ method: AMQPMethod, _ number: UInt16, now: Moment) {
        guard case .open = phase else {
            if case .handshaking = phase { unexpected("\(method.id.name) before the connection is open", 503) }
            return
        }
        guard let channel = channel(number) else {
            return unexpected("\(method.id.name) on channel \(number), which is not open", 504, method: method.id)
        }
        // The broker's reader and the writer of its channel are two processes: a close may come between any two frames.
        if case .channelClose(let close) = method { return channelCloseReceived(close, channel) }
        guard !channel.content.isBusy else {
            return unexpected("\(method.id.name) in the middle of a message", 505, method: method.id)
        }
        switch method {
        case .channelCloseOk:
            guard channel.phase == .closing else {
                return unexpected("channel.close-ok unasked", 503, method: method.id)
            }
            drop(channel, AMQPError(.closed, scope: .channel, "the channel is closed"))
        case _ where channel.phase == .closing:
            // What a broker sends before it sees our close is of no use any more.
            if method.id.traits.hasContent { channel.content.methodReceived(method) }
        case _ where channel.phase == .opening: replied(method, nil, channel)
        case .basicGetOk where channel.inFlight?.request.id != .basicGet: replied(method, nil, channel)
        case .basicDeliver, .basicReturn, .basicGetOk: channel.content.methodReceived(method)
        case .basicAck(let ack): settled(channel, ack.deliveryTag, multiple: ack.multiple, refused: false)
        case .basicNack(let nack): settled(channel, nack.deliveryTag, multiple: nack.multiple, refused: true)
        case .basicCancel(let cancel):
            channel.ackless.remove(cancel.consumerTag)
            note(.consumerCancelled(channel: number, tag: cancel.consumerTag))
            if !cancel.noWait {
                let cancelOk = AMQPMethod.BasicCancelOk(consumerTag: cancel.consumerTag)
                answering { core in try? core.encoder.append(cancelOk, channel: number) }
            }
        case .channelFlow(let flow):
            channel.mayFlow = flow.active
            answering { core in try? core.encoder.append(AMQPMethod.ChannelFlowOk(active: flow.active), channel: number)
            }
            note(.flow(channel: number, active: flow.active))
        // GarageMQ answers a cancel that asked for no answer.
        case .basicCancelOk(let cancelOk) where !channel.isCancelling(cancelOk.consumerTag): break
        default: replied(method, nil, channel)
        }
    }

    /// A method came that can only be the reply to the call in flight.
    private mutating func replied(_ method: AMQPMethod, _ message: AMQPMessage?, _ channel: ChannelCore) {
        guard let call = channel.inFlight, call.request.id.traits.replies.contains(method.id) else {
            return unexpected("\(method.id.name) unasked on channel \(channel.number)", 503, method: method.id)
        }
        channel.inFlight = channel.inFlightBehind.popFirst()
        noteReply(method, to: call, channel)
        if let waiter = call.waiter {
            if let message, case .basicGetOk(let getOk) = method {
                answer(waiter, .message(getOk, message))
            } else {
                answer(waiter, .reply(method))
            }
        } else {
            undo(call.request, method, channel)
        }
        startNextCall(channel)
    }

    /// What a reply changes here.
    private mutating func noteReply(_ reply: AMQPMethod, to call: ChannelCore.Call, _ channel: ChannelCore) {
        switch (call.request, reply) {
        case (_, .channelOpenOk):
            channel.phase = .open
            closedByBroker[channel.number] = nil
        case (.basicGet(let get), .basicGetOk(let getOk)):
            if !get.noAck { channel.deliveries.arrived(getOk.deliveryTag) }
        // The broker took back what it had sent until here.
        case (_, .basicRecoverOk): channel.deliveries.tookBack()
        case (.basicConsume(let consume), .basicConsumeOk(let consumeOk)):
            channel.consumerStarted(consumeOk.consumerTag, noAck: consume.noAck)
        case (.basicCancel(let cancel), _): channel.ackless.remove(cancel.consumerTag)
        default: break  // The caller's business only.
        }
    }

    /// Gives back what a call brought that its caller has given up: nobody else could.
    private mutating func undo(_ request: AMQPMethod, _ reply: AMQPMethod, _ channel: ChannelCore) {
        switch (request, reply) {
        case (.basicGet(let get), .basicGetOk(let getOk)) where !get.noAck:
            // It came and is open, so this cannot fail.
            _ = try? settle(getOk.deliveryTag, .rejected(requeue: true), channel: channel.number)
        case (.basicConsume(let consume), .basicConsumeOk(let consumeOk)) where consume.noAck:
            // What comes until the broker answers is not to be given back. Before other calls: one may start the same tag.
            let cancel = AMQPMethod.basicCancel(.init(consumerTag: consumeOk.consumerTag))
            channel.queue.prepend(ChannelCore.Call(request: cancel))
        case (.basicConsume, .basicConsumeOk(let consumeOk)):
            let cancel = AMQPMethod.BasicCancel(consumerTag: consumeOk.consumerTag, noWait: true)
            try? encoder.append(cancel, channel: channel.number)
        case (.channelOpen, _):
            channel.queue.append(ChannelCore.Call(request: ChannelCore.close))
        default: break  // Nothing that lasts, or nothing that could be told from what others did.
        }
    }

    private mutating func channelCloseReceived(_ close: AMQPMethod.ChannelClose, _ channel: ChannelCore) {
        answering { core in try? core.encoder.append(AMQPMethod.ChannelCloseOk(), channel: channel.number) }
        let error = AMQPError(channelClosed: close, channel: channel.number)
        closesByBroker &+= 1
        closedByBroker[channel.number] = closesByBroker
        if channel.phase == .closing {
            // Ours crossed it; its close-ok is still to come.
            failWaiters(channel, error)
        } else {
            drop(channel, error)
        }
        note(.channelClosed(channel: channel.number, error))
    }

    /// Forgets a channel and answers all who wait for it.
    private mutating func drop(_ channel: ChannelCore, _ error: AMQPError) {
        channels[Int(channel.number)] = nil
        let closers = channel.queue.removeAll() + [channel.inFlight].compactMap { $0 }
        for call in closers where call.request.id == .channelClose {
            if let waiter = call.waiter { answer(waiter, .done) }
        }
        failWaiters(channel, error)
    }

    /// Answers all who wait for a channel, apart from the caller of its close that is under way.
    private mutating func failWaiters(_ channel: ChannelCore, _ error: AMQPError) {
        let closer = channel.phase == .closing ? channel.inFlight?.waiter : nil
        for waiter in waiters.all(where: { $0.channel == channel.number }) where waiter != closer {
            guard let role = waiters.remove(waiter) else { continue }
            note(.answered(waiter, .failure(error.meaning(for: role))))
        }
    }
}

// MARK: - Content and confirms

extension ConnectionCore {
    private mutating func headerReceived(_ raw: AMQPFrameDecoder.RawFrame) throws(AMQPWireError) {
        guard let channel = contentChannel(raw) else { return }
        let frameSize = UInt64(raw.size) &+ raw.cut
        if channel.phase == .closing, let size = decoder.announcedBodySize {
            return dropped(channel) { (content) throws(ContentAssembler.Violation) in
                _ = try content.drop(bodySize: size)
            }
        }
        if raw.cut > 0, let size = decoder.announcedBodySize {
            let limit = max(decoder.limits.headFrameSize, decoder.limits.frameSize)
            return unreadable("its header has \(frameSize) bytes, \(limit) are taken", size, channel)
        }
        let header: AMQPContentHeader
        do throws(AMQPWireError) {
            guard case .header(let decoded) = try decoder.header(raw).payload else { return }
            header = decoded
        } catch {
            guard let size = decoder.announcedBodySize else { throw error }
            return unreadable("its header cannot be read, \(error.reason)", size, channel)
        }
        guard header.bodySize <= UInt64(max(0, options.maxBodySize)) || header.bodySize > UInt64(Int64.max) else {
            return unreadable("\(options.maxBodySize) bytes are taken", header.bodySize, channel)
        }
        // Class, weight and body size stand before the flags and properties.
        let result = decoder.withPayload { payload in
            Result { () throws(ContentAssembler.Violation) in
                try channel.content.headerReceived(
                    header,
                    rawProperties: UnsafeRawBufferPointer(rebasing: payload.dropFirst(12))
                )
            }
        }
        contentAdvanced(channel, result)
    }

    private mutating func bodyReceived(_ raw: AMQPFrameDecoder.RawFrame) throws(AMQPWireError) {
        guard let channel = contentChannel(raw) else { return }
        if channel.phase == .closing { channel.content.dropBody() }
        if raw.cut > 0 {
            let size = UInt64(raw.size) &+ raw.cut
            let limit = UInt64(decoder.limits.frameSize)
            let error = AMQPWireError(.frameTooLarge(size: size, limit: limit), offset: decoder.frameStart)
            var isDropped = false
            dropped(channel) { (content) throws(ContentAssembler.Violation) in
                isDropped = try content.dropped(size &- UInt64(FrameFormat.overhead))
            }
            if case .open = phase, !isDropped { throw error }
            return
        }
        let result = decoder.withPayload { payload in
            Result { () throws(ContentAssembler.Violation) in try channel.content.bodyReceived(payload) }
        }
        contentAdvanced(channel, result)
    }

    private mutating func contentChannel(_ raw: AMQPFrameDecoder.RawFrame) -> ChannelCore? {
        guard case .open = phase else {
            if case .handshaking = phase { unexpected("content before the connection is open") }
            return nil
        }
        guard raw.channel != 0, let channel = channel(raw.channel) else {
            unexpected("content on channel \(raw.channel), which is not open", 504)
            return nil
        }
        return channel
    }

    private mutating func contentAdvanced(
        _ channel: ChannelCore,
        _ result: Result<ContentAssembler.Content?, ContentAssembler.Violation>
    ) {
        switch result {
        case .success(let content?) where channel.phase != .closing: contentReceived(content, channel)
        case .success: break
        case .failure(let violation): violated(violation, channel)
        }
    }

    private mutating func violated(_ violation: ContentAssembler.Violation, _ channel: ChannelCore) {
        unexpected("\(violation.reason), on channel \(channel.number)", violation.replyCode)
    }

    /// Takes a frame of content that nobody wants.
    private mutating func dropped(
        _ channel: ChannelCore,
        _ step: (inout ContentAssembler) throws(ContentAssembler.Violation) -> Void
    ) {
        do throws(ContentAssembler.Violation) { try step(&channel.content) } catch { violated(error, channel) }
    }

    /// A message came that cannot be taken. Its body is dropped, and those whom it was for hear of it.
    private mutating func unreadable(_ reason: String, _ bodySize: UInt64, _ channel: ChannelCore) {
        let method: AMQPMethod
        do throws(ContentAssembler.Violation) {
            method = try channel.content.drop(bodySize: bodySize)
        } catch {
            return violated(error, channel)
        }
        switch method {
        case .basicDeliver(let deliver):
            noteArrival(deliver, channel)
            let isForgotten = channel.ackless.contains(deliver.consumerTag)
            let error = AMQPError(unreadable: method, bodySize, reason, isForgotten: isForgotten)
            note(.unreadable(channel: channel.number, deliver, error))
        case .basicGetOk(let getOk):
            guard let call = channel.inFlight, case .basicGet(let get) = call.request else { return }
            channel.inFlight = nil
            if !get.noAck {
                channel.deliveries.arrived(getOk.deliveryTag)
                // One whose caller has given up goes back, since nobody hears of it. It came and is open, so this cannot fail.
                let settlement = Settlement.rejected(requeue: call.waiter == nil)
                _ = try? settle(getOk.deliveryTag, settlement, channel: channel.number)
            }
            if let waiter = call.waiter {
                answer(waiter, .failure(AMQPError(unreadable: method, bodySize, reason, isForgotten: get.noAck)))
            }
            startNextCall(channel)
        case .basicReturn(let method):
            // Without its content it is told by its route.
            let empty = UnsafeRawBufferPointer(start: nil, count: 0)
            let digest = method.exchange.withOctets { exchange in
                method.routingKey.withOctets { routingKey in
                    ContentDigest(exchange: exchange, routingKey: routingKey, properties: empty, body: empty)
                }
            }
            returned(method, AMQPMessage(body: []), digest, channel)
        default: break  // No other method has content.
        }
    }

    /// A delivery came, which is to be settled unless its consumer wants no acknowledgements.
    private mutating func noteArrival(_ deliver: AMQPMethod.BasicDeliver, _ channel: ChannelCore) {
        if channel.ackless.isEmpty || !channel.ackless.contains(deliver.consumerTag) {
            channel.deliveries.arrived(deliver.deliveryTag)
        }
    }

    private mutating func contentReceived(_ content: ContentAssembler.Content, _ channel: ChannelCore) {
        switch content.method {
        case .basicDeliver(let deliver):
            statistics.messagesReceived &+= 1
            noteArrival(deliver, channel)
            note(.delivered(channel: channel.number, deliver, content.message))
        case .basicReturn(let method): returned(method, content.message, content.digest, channel)
        default:
            replied(content.method, content.message, channel)
        }
    }

    /// A message came back for want of a queue.
    private mutating func returned(
        _ method: AMQPMethod.BasicReturn,
        _ message: AMQPMessage,
        _ digest: ContentDigest?,
        _ channel: ChannelCore
    ) {
        statistics.publishesReturned &+= 1
        let reason = ConfirmLedger.ReturnReason(
            replyCode: method.replyCode,
            replyText: method.replyText.string,
            exchange: method.exchange.string,
            routingKey: method.routingKey.string
        )
        if let digest, channel.ledger?.returned(reason, digest: digest) == true { return }
        let returned = AMQPReturnedMessage(
            replyCode: reason.replyCode,
            replyText: reason.replyText,
            exchange: reason.exchange,
            routingKey: reason.routingKey,
            message: message
        )
        note(.returned(channel: channel.number, returned))
    }

    private mutating func settled(_ channel: ChannelCore, _ tag: UInt64, multiple: Bool, refused: Bool) {
        guard channel.ledger != nil else { return unexpected("a confirm on a channel without confirms", 503) }
        let before = channel.ledger?.outstanding ?? 0
        let known = channel.ledger?.settled(tag, multiple: multiple, refused: refused) { waiter, outcome in
            answer(waiter, AMQPError(outcome).map { .failure($0) } ?? .done)
        }
        guard known == true else { return unexpected("a confirm of publish \(tag), which was never sent", 503) }
        let count = UInt64(before - (channel.ledger?.outstanding ?? 0))
        if refused { statistics.publishesRefused &+= count } else { statistics.publishesConfirmed &+= count }
        answerDrained(channel)
    }

    /// Answers those who wait for all confirms up to a tag, once they are in.
    mutating func answerDrained(_ channel: ChannelCore) {
        guard !channel.waitingForConfirms.isEmpty, let settled = channel.ledger?.firstPending else { return }
        for (through, waiter) in channel.waitingForConfirms where through < settled {
            let failure = channel.ledger?.takeFailure().flatMap { AMQPError($0.outcome) }
            answer(waiter, failure.map { .failure($0) } ?? .done)
        }
        channel.waitingForConfirms.removeAll { $0.through < settled }
    }
}
