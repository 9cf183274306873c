/// What a client sends to open a connection and a channel and to make some requests there, without a broker.
///
/// The client's own handshake and encoder run, and a script answers as RabbitMQ does when it agrees to everything. So the
/// octets are those that would go to a broker that proposes the same limits. Opens no socket, and knows no time.
public struct Rehearsal: Hashable, Sendable {
    /// The limits that the scripted broker proposes. Default: RabbitMQ's, 2,047 channels, frames of 131,072 octets,
    /// heartbeats every 60 s.
    public var brokerLimits: ConnectionLimits
    /// The login mechanisms that the scripted broker offers, separated by blanks. Default: all that this client knows.
    public var brokerMechanisms: String
    /// The channel that is opened. Default: 1, the first that a client takes.
    public var channel: UInt16

    /// A rehearsal; what is left out has its default.
    public init(
        brokerLimits: ConnectionLimits = ConnectionLimits(),
        brokerMechanisms: String = "PLAIN AMQPLAIN EXTERNAL",
        channel: UInt16 = 1
    ) {
        self.brokerLimits = brokerLimits
        self.brokerMechanisms = brokerMechanisms
        self.channel = channel
    }

    /// The octets that the client sends, the protocol header first.
    ///
    /// They hold the password that `uri` holds: give it another one where they are to be shown.
    ///
    /// - Parameters:
    ///   - uri: how to log in, which vhost to open, and the limits to propose.
    ///   - requests: what is sent on the channel once it is open, each after the answer to the one before.
    /// - Throws: ``AMQPError`` where a value does not fit the protocol or the handshake fails.
    public func octets(_ uri: AMQPURI, requests: [Method]) throws(AMQPError) -> [UInt8] {
        var handshake = Handshake(try Handshake.Settings(uri))
        var encoder = FrameEncoder()
        encoder.appendProtocolHeader()
        for answer in brokerAnswers {
            switch try handshake.received(answer) {
            case .send(let methods):
                if let limits = handshake.limits { encoder.maxFrameSize = limits.frameMax }
                for method in methods { try encoder.appendChecked(method, channel: 0) }
            case .opened:
                for method in [.channelOpen(.init())] + requests {
                    try encoder.appendChecked(method, channel: channel)
                }
            }
        }
        return encoder.bytes.copy()
    }

    /// What RabbitMQ answers to the protocol header, start-ok and open, in this order.
    private var brokerAnswers: [Method] {
        [
            .connectionStart(
                .init(
                    serverProperties: [
                        "capabilities": [
                            "publisher_confirms": true, "exchange_exchange_bindings": true, "basic.nack": true,
                            "consumer_cancel_notify": true, "connection.blocked": true, "consumer_priorities": true,
                            "authentication_failure_close": true, "per_consumer_qos": true, "direct_reply_to": true,
                        ],
                        "product": "RabbitMQ",
                    ],
                    mechanisms: AMQPText(brokerMechanisms)
                )
            ),
            .connectionTune(
                .init(
                    channelMax: brokerLimits.channelMax,
                    frameMax: brokerLimits.frameMax,
                    heartbeat: brokerLimits.heartbeat
                )
            ),
            .connectionOpenOk(.init()),
        ]
    }
}

extension FrameEncoder {
    fileprivate mutating func appendChecked(_ method: Method, channel: UInt16) throws(AMQPError) {
        do throws(WireError) {
            try append(method, channel: channel)
        } catch {
            throw AMQPError(
                .invalidArgument,
                "\(method.id.name) cannot be sent: \(error.reason)\(error.field.map { " (in \($0))" } ?? "")",
                method: method.id
            )
        }
    }
}
