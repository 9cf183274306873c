/// A client's side of an AMQP connection, without I/O, clock, lock or task.
///
///     handshaking ──open-ok──> open ──close()──> closing ──close-ok──> closed
///          │                    │ └──close from the broker, answered──> closed
///          └────── error ───────┴──── lost, malformed, silent ────────> closed
///
/// Five verbs drive it: octets received go into ``decoder`` and ``process(now:)`` takes them; ``takeEvents(into:)`` gives what
/// happened; ``encoder`` holds the octets to send, ``sent(now:)`` says that some went; ``deadline`` is the earliest moment at
/// which ``deadlinePassed(now:)`` has something to do; and the intents (`call`, `publish`, …) stand in `ConnectionCore+Intents`.
///
/// Choices that the specification leaves open: a violation by the peer closes the connection with the fitting reply code and
/// does not wait for close-ok; frames on a channel that this side closes are dropped until its close-ok, and on one that the
/// broker closed until its number is open again (RabbitMQ sends up to 200 deliveries behind its channel.close); a server's
/// `basic.cancel` is answered only if it asks for an answer; a message that cannot be taken costs its consumer, not the
/// connection; a header or method frame may be larger than agreed, since RabbitMQ does not count headers that it made longer
/// itself.
struct ConnectionCore: ~Copyable, Sendable {
    /// What a connection is given.
    struct Options: Sendable {
        var handshake = Handshake.Settings()
        /// Octets of the largest message taken from the broker.
        var maxBodySize = 512 * 1024 * 1024
        /// How long to wait for close-ok since the broker took something last.
        var closeTimeout = Duration.seconds(5)
        /// How long to wait for it in all.
        var longestClose = Duration.seconds(30)
        /// How long the broker may take nothing while too much is waiting that it asked for.
        var stallTimeout = Duration.seconds(30)
        /// Octets waiting to be sent above which publishers wait.
        var highWaterMark = 1024 * 1024
        /// Bytes of a buffer that is kept while it is empty; larger ones are given back.
        var largestIdleBuffer: Int { max(highWaterMark.multipliedReportingOverflow(by: 2).partialValue, 1 << 20) }
        /// The broker's address, for errors.
        var peer = ""
    }

    enum Phase {
        case handshaking(Handshake, WaiterID)
        case open
        /// Our close is to be sent or sent; the waiter, if any, wants to know when it is answered.
        case closing(AMQPError, WaiterID?, until: Moment, latest: Moment)
        case closed(AMQPError)
    }

    let options: Options
    var encoder = AMQPFrameEncoder(capacity: 4096)
    var decoder: AMQPFrameDecoder
    var phase: Phase
    var waiters: WaiterTable
    var channels: [ChannelCore?] = []
    /// Numbers of channels that the broker closed, and the how-manieth close it was. What comes on them is dropped until they
    /// are open again: the broker may have sent it before it saw our close-ok.
    var closedByBroker: [UInt16: UInt64] = [:]
    var closesByBroker: UInt64 = 0
    var outcome: Handshake.Outcome?
    /// Why the broker does not read publishes, while it does not.
    var blockedReason: String?
    var heartbeat: HeartbeatMonitor?
    var statistics = AMQPConnectionStatistics()
    /// Octets handed to the socket's owner and not yet written.
    var inTransit = 0
    /// Bytes of ``encoder``, and of those in transit, that answer the broker or give something back to it.
    var answerBytes = 0
    var answerBytesInTransit = 0
    /// Until when the broker has to take some of them, while it is not read for them.
    private(set) var stallDeadline: Moment?
    private var connectionCalls: ChannelCore
    private var events: [CoreEvent] = []

    /// Starts a connection: the protocol header is to be sent, and `waiter` of ``opening`` hears how it ends.
    init(_ options: Options, waiters: consuming WaiterTable, deadline: Moment?) {
        self.options = options
        decoder = AMQPFrameDecoder(limits: AMQPWireLimits(frameSize: max(131_072, options.handshake.limits.frameMax)))
        decoder.cutsContent = true
        self.waiters = waiters
        let waiter = self.waiters.add(.opening, deadline: deadline)
        phase = .handshaking(Handshake(options.handshake), waiter)
        connectionCalls = ChannelCore(number: 0, confirmWindow: 1)
        connectionCalls.phase = .open
        encoder.maxFrameSize = 0
        encoder.appendProtocolHeader()
    }

    /// No connection, as there is before the first and between two. Deadlines of waiters pass all the same.
    init(notConnected waiters: consuming WaiterTable) {
        options = Options()
        decoder = AMQPFrameDecoder()
        self.waiters = waiters
        phase = .closed(AMQPError(.connectionLost, "there is no connection", delivery: .notSent))
        connectionCalls = ChannelCore(number: 0, confirmWindow: 1)
    }

    /// The waiter that hears how the opening ends, while it goes on.
    var opening: WaiterID? {
        if case .handshaking(_, let waiter) = phase { waiter } else { nil }
    }

    /// ``statistics`` with the frames that the encoder has counted.
    var wholeStatistics: AMQPConnectionStatistics {
        var whole = statistics
        whole.framesSent &+= encoder.frameCount
        return whole
    }

    /// Hands the events over and keeps the memory for more.
    mutating func takeEvents(into other: inout [CoreEvent]) {
        swap(&events, &other)
        events.removeAll(keepingCapacity: true)
    }

    /// Does something that sends what the broker has provoked.
    mutating func answering(_ step: (inout ConnectionCore) -> Void) {
        let before = encoder.bytes.count
        step(&self)
        answerBytes &+= max(0, encoder.bytes.count &- before)
    }

    /// Bytes of answers that may wait to be sent before nothing more is read that asks for them.
    static let answerMark = 256 << 10

    /// Whether the broker asks and asks and does not listen.
    func hasTooManyAnswers(isReadingPaused: Bool) -> Bool {
        answerBytes &+ answerBytesInTransit > (isReadingPaused ? Self.answerMark / 2 : Self.answerMark)
    }

    /// The filled buffer is taken to be sent.
    mutating func taken(_ count: Int) {
        inTransit = count
        answerBytesInTransit = answerBytes
        answerBytes = 0
    }

    /// So many bytes of what was taken are left.
    mutating func left(_ count: Int) {
        inTransit = count
        if count == 0 { answerBytesInTransit = 0 }
    }

    /// Notes an event for the driver.
    mutating func note(_ event: CoreEvent) {
        events.append(event)
    }

    /// Answers a waiter, unless it has its answer.
    mutating func answer(_ waiter: WaiterID, _ answer: @autoclosure () -> Answer) {
        if waiters.remove(waiter) != nil { events.append(.answered(waiter, answer())) }
    }

    /// The channel with a number; 0 is the connection's own.
    func channel(_ number: UInt16) -> ChannelCore? {
        if number == 0 { return connectionCalls }
        return Int(number) < channels.count ? channels[Int(number)] : nil
    }
}

// MARK: - Time

extension ConnectionCore {
    /// The earliest moment at which there is something to do. It may be early, never late.
    var deadline: Moment? {
        var earliest = waiters.earliestDeadline
        if let heartbeat { earliest = min(earliest ?? heartbeat.deadline, heartbeat.deadline) }
        if case .closing(_, _, let until, _) = phase { earliest = min(earliest ?? until, until) }
        if let stallDeadline { earliest = min(earliest ?? stallDeadline, stallDeadline) }
        return earliest
    }

    /// Some octets of ``encoder`` went to the broker.
    mutating func sent(now: Moment) {
        heartbeat?.sent(at: now)
        if stallDeadline != nil { stallDeadline = now.advanced(by: options.stallTimeout) }
        if case .closing(let error, let waiter, _, let latest) = phase {
            let until = min(now.advanced(by: options.closeTimeout), latest)
            phase = .closing(error, waiter, until: until, latest: latest)
        }
    }

    /// Nothing is read for now, or is again.
    mutating func readingPauses(_ pauses: Bool, now: Moment) {
        heartbeat?.listens(!pauses, at: now)
    }

    /// The broker has to take something in time from now on, or need not any more.
    mutating func mustTake(_ must: Bool, now: Moment) {
        guard must != (stallDeadline != nil) else { return }
        stallDeadline = must ? now.advanced(by: options.stallTimeout) : nil
    }

    /// Whether the connection is open and nobody waits for anything from the broker, apart from deliveries.
    var isIdle: Bool {
        guard case .open = phase else { return false }
        return !waiters.contains { $0.awaitsPeer }
    }

    /// Does what is due.
    mutating func deadlinePassed(now: Moment) {
        if case .closing(let error, _, let until, _) = phase, until <= now {
            ended(error)
        }
        for waiter in waiters.expired(at: now) {
            expire(waiter)
        }
        if let stallDeadline, stallDeadline <= now {
            transportEnded(
                AMQPError(
                    .connectionLost,
                    "the broker \(options.peer) has taken nothing for \(options.stallTimeout) while "
                        + "\(answerBytes &+ answerBytesInTransit) bytes of answers to it are waiting"
                )
            )
        }
        switch heartbeat?.verdict(at: now) {
        case .sendHeartbeat:
            // Bytes that wait to be sent are as good a sign of life, and heartbeats that nobody takes would pile up.
            if encoder.bytes.isEmpty, inTransit == 0 { encoder.appendHeartbeat() }
            heartbeat?.sent(at: now)
        case .peerIsSilent:
            let seconds = outcome?.limits.heartbeat ?? 0
            transportEnded(
                AMQPError(
                    .connectionLost,
                    "the broker \(options.peer) has sent nothing for \(UInt32(seconds) * 2) s, two heartbeat intervals",
                    remedy: "check the network and the broker's host"
                )
            )
        case .nothing, nil: break
        }
    }

    private mutating func expire(_ waiter: WaiterID) {
        guard let role = waiters.role(waiter) else { return }
        if role == .opening {
            return ended(AMQPError(.timedOut, "the broker \(options.peer) did not finish the handshake in time"))
        }
        giveUp(waiter, AMQPError(.timedOut, scope: .channel, "no answer in time to \(description(role))"))
    }

    private func description(_ role: WaiterTable.Role) -> String {
        switch role {
        case .opening: "the handshake"
        case .closing: "connection.close"
        case .call(let number): channel(number)?.inFlight?.request.id.name ?? "a method"
        case .confirm, .allConfirms: "a publish: it is not confirmed"
        case .rpcReply: "a request: its reply did not come"
        case .recovery, .pause, .respite: "a call: the connection is lost and not back yet"
        case .room: "a publish: \(blockedReason.map { "the broker is blocked (\($0))" } ?? "no room to send it")"
        }
    }

    /// Ends a wait whose caller does not want to wait any more: a deadline, a cancelled task.
    mutating func giveUp(_ waiter: WaiterID, _ error: AMQPError) {
        guard let role = waiters.remove(waiter) else { return }
        var error = error
        switch role {
        case .opening, .closing, .pause, .respite: break
        case .recovery: error.delivery = .notSent
        case .call(let number):
            guard let channel = channel(number) else { break }
            if channel.inFlight?.waiter == waiter { channel.inFlight?.waiter = nil }
            for index in 0..<channel.inFlightBehind.count where channel.inFlightBehind[index].waiter == waiter {
                channel.inFlightBehind[index].waiter = nil
            }
            for call in channel.queue.removeAll() {
                if call.waiter != waiter {
                    channel.queue.append(call)
                } else if call.isDoneAnyway {
                    channel.queue.append(ChannelCore.Call(request: call.request))
                }
            }
        case .rpcReply: error.delivery = .unknown
        case .confirm(let number, let tag):
            error.delivery = .unknown
            channel(number)?.ledger?.abandon(tag, waiter)
        case .allConfirms(let number, _):
            error.delivery = .unknown
            channel(number)?.waitingForConfirms.removeAll { $0.waiter == waiter }
        case .room(let number):
            error.delivery = .notSent
            channel(number)?.waitingForRoom.removeAll { $0 == waiter }
        }
        note(.answered(waiter, .failure(error)))
    }
}

// MARK: - The end

extension ConnectionCore {
    /// The socket ended or failed, or nobody wants the connection any more.
    mutating func transportEnded(_ reason: AMQPError) {
        switch phase {
        case .handshaking(let handshake, _) where handshake.stage == .login && reason.code == .connectionLost:
            ended(handshake.hungUp(reason, peer: options.peer))
        case .handshaking(let handshake, _) where handshake.stage == .greeting && reason.code == .connectionLost:
            var reason = reason
            reason.message += " instead of a greeting"
            reason.remedy = "is it a TLS port (amqps://), or a broker that is just starting?"
            ended(reason)
        case .handshaking(let handshake, _) where handshake.hasSmallFrames && reason.code == .connectionLost:
            let least = AMQPConnectionLimits.smallestFrameMaxOfRabbitMQ
            ended(
                AMQPError(
                    .negotiationFailed,
                    "the broker \(options.peer) hung up on a frame size of \(handshake.limits?.frameMax ?? 0) bytes "
                        + "(\(reason.message))",
                    remedy: "RabbitMQ 4.1 and later take none below \(least): give no frame_max, or at least \(least)",
                    errno: reason.errno
                )
            )
        case .closing(let error, _, _, _): ended(error)
        case .handshaking, .open: ended(reason)
        case .closed: break
        }
    }

    /// Closes the connection because of what the broker sent.
    mutating func violated(_ replyCode: UInt16, _ error: AMQPError, method: AMQPMethodID? = nil) {
        switch phase {
        case .handshaking, .closed: ended(error)
        case .closing(let reason, _, _, _): ended(reason)
        case .open:
            var text = error.message.utf8.prefix(255)
            while !text.isEmpty, String(text) == nil { text.removeLast() }
            let close = AMQPMethod.ConnectionClose(
                replyCode: replyCode,
                replyText: AMQPText(octets: text),
                classID: method?.classID ?? 0,
                methodID: method?.methodID ?? 0
            )
            try? encoder.append(close, channel: 0)
            ended(error)
        }
    }

    /// Answers everyone and ends.
    mutating func ended(_ reason: AMQPError) {
        let error: AMQPError
        switch phase {
        case .closed: return
        case .handshaking(let handshake, _): error = reason.at(handshake.stage)
        case .open, .closing: error = reason.at(.open)
        }
        let wasClosing: WaiterID? = if case .closing(_, let waiter, _, _) = phase { waiter } else { nil }
        phase = .closed(error)
        heartbeat = nil
        stallDeadline = nil
        if let wasClosing { answer(wasClosing, .done) }
        for waiter in waiters.all(where: \.endsWithConnection) {
            guard let role = waiters.remove(waiter) else { continue }
            note(.answered(waiter, .failure(error.meaning(for: role))))
        }
        channels = []
        connectionCalls = ChannelCore(number: 0, confirmWindow: 1)
        note(.closed(error))
    }
}

extension AMQPError {
    /// The same failure, with what it means for someone who waits.
    func meaning(for role: WaiterTable.Role) -> AMQPError {
        switch role {
        case .opening, .closing, .call, .pause, .respite: self
        case .confirm, .allConfirms, .rpcReply: with(delivery: .unknown)
        case .room, .recovery: with(delivery: .notSent)
        }
    }
}
