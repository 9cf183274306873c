/// What a client sends to open a connection and a channel and to make some requests there, without a broker.
///
/// The client's own core runs, and a script answers as RabbitMQ does when it agrees to everything. So the octets are those
/// that go to a broker that proposes the same limits. Opens no socket, and no time passes.
public struct AMQPRehearsal: Hashable, Sendable {
    /// The limits that the scripted broker proposes. Default: RabbitMQ's, 2,047 channels, frames of 131,072 octets,
    /// heartbeats every 60 s.
    public var brokerLimits: AMQPConnectionLimits
    /// The login mechanisms that the scripted broker offers, separated by blanks. Default: all that this client knows.
    public var brokerMechanisms: String

    /// A rehearsal; what is left out has its default.
    public init(
        brokerLimits: AMQPConnectionLimits = AMQPConnectionLimits(),
        brokerMechanisms: String = "PLAIN AMQPLAIN EXTERNAL"
    ) {
        self.brokerLimits = brokerLimits
        self.brokerMechanisms = brokerMechanisms
    }

    /// The octets that the client sends, the protocol header first.
    ///
    /// They hold the password that `uri` holds: give it another one where they are to be shown.
    ///
    /// - Parameters:
    ///   - uri: how to log in, which vhost to open, and the limits to propose.
    ///   - requests: what is sent on the channel once it is open, each after the answer to the one before. The script
    ///     answers declarations, bindings and what undoes them, qos, and the selection of confirms and transactions.
    /// - Throws: ``AMQPError`` where a value does not fit the protocol, the handshake fails, or the script has no answer.
    public func octets(_ uri: AMQPURI, requests: [AMQPMethod]) throws(AMQPError) -> [UInt8] {
        let now = Moment(nanoseconds: 0)
        var options = try AMQPConfiguration(brokers: [uri]).options(for: uri)
        options.peer = uri.host
        var core = ConnectionCore(options, waiters: WaiterTable(), deadline: nil)
        var broker = ScriptedBroker(limits: brokerLimits, mechanisms: brokerMechanisms)
        var sent: [UInt8] = []
        while !core.encoder.bytes.isEmpty {
            let octets = core.encoder.bytes.copy()
            core.encoder.bytes.removeAll()
            core.sent(now: now)
            sent += octets
            core.decoder.append(try broker.answers(to: octets))
            core.process(now: now)
            try Self.handleEvents(&core, requests)
        }
        guard core.waiters.count == 0 else {
            throw AMQPError(.invalidArgument, "a rehearsal has no answer to one of the requests")
        }
        return sent
    }

    private static func handleEvents(_ core: inout ConnectionCore, _ requests: [AMQPMethod]) throws(AMQPError) {
        var events: [CoreEvent] = []
        core.takeEvents(into: &events)
        for event in events {
            switch event {
            case .opened:
                let channel = try core.openChannel(confirmWindow: 1, deadline: nil).number
                for request in requests { _ = try core.call(request, channel: channel, deadline: nil) }
            case .answered(_, .failure(let error)), .channelClosed(_, let error), .closed(let error): throw error
            case .answered, .delivered, .unreadable, .returned, .consumerCancelled, .blocked, .unblocked, .flow: break
            }
        }
    }
}

/// RabbitMQ's part in a connection where it agrees to everything.
private struct ScriptedBroker: ~Copyable {
    let limits: AMQPConnectionLimits
    let mechanisms: String
    private var decoder = AMQPFrameDecoder(limits: AMQPWireLimits(frameSize: 0))
    private var encoder = AMQPFrameEncoder(maxFrameSize: 0)

    init(limits: AMQPConnectionLimits, mechanisms: String) {
        self.limits = limits
        self.mechanisms = mechanisms
    }

    /// What the broker sends when it has received `octets`.
    mutating func answers(to octets: [UInt8]) throws(AMQPError) -> [UInt8] {
        decoder.append(octets)
        do throws(AMQPWireError) {
            while let frame = try decoder.next() {
                if let answer = answer(to: frame.payload) { try encoder.append(answer, channel: frame.channel) }
            }
        } catch {
            throw AMQPError(.malformedInput, "the client's octets are not AMQP: \(error)")
        }
        defer { encoder.bytes.removeAll() }
        return encoder.bytes.copy()
    }

    private func answer(to payload: AMQPFrame.Payload) -> AMQPMethod? {
        switch payload {
        case .protocolHeader: .connectionStart(start)
        case .method(let method): answer(to: method)
        case .header, .body, .heartbeat: nil
        }
    }

    private var start: AMQPMethod.ConnectionStart {
        let capabilities = [
            "publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify",
            "connection.blocked", "consumer_priorities", "authentication_failure_close", "per_consumer_qos",
            "direct_reply_to",
        ]
        let table = AMQPTable(capabilities.map { AMQPTable.Entry(AMQPText($0), true) })
        return .init(
            serverProperties: ["capabilities": .table(table), "product": "RabbitMQ"],
            mechanisms: AMQPText(mechanisms)
        )
    }

    private func answer(to method: AMQPMethod) -> AMQPMethod? {
        switch method {
        case .connectionStartOk:
            .connectionTune(
                .init(channelMax: limits.channelMax, frameMax: limits.frameMax, heartbeat: limits.heartbeat ?? 0)
            )
        case .connectionOpen: .connectionOpenOk(.init())
        case .channelOpen: .channelOpenOk(.init())
        case .exchangeDeclare: .exchangeDeclareOk(.init())
        case .exchangeDelete: .exchangeDeleteOk(.init())
        case .exchangeBind: .exchangeBindOk(.init())
        case .exchangeUnbind: .exchangeUnbindOk(.init())
        case .queueDeclare(let declare): .queueDeclareOk(.init(queue: declare.queue))
        case .queueBind: .queueBindOk(.init())
        case .queueUnbind: .queueUnbindOk(.init())
        case .queuePurge: .queuePurgeOk(.init())
        case .queueDelete: .queueDeleteOk(.init())
        case .basicQos: .basicQosOk(.init())
        case .confirmSelect: .confirmSelectOk(.init())
        case .txSelect: .txSelectOk(.init())
        default: nil
        }
    }
}
