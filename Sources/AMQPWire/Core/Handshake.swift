/// Leads a client from the protocol header to an open virtual host. Knows nothing of sockets, frames or time.
///
///     protocol header sent ──start──> start-ok sent ──tune──> tune-ok, open sent ──open-ok──> opened
///                                      │        ▲
///                                      └─secure─┘ secure-ok sent
///
/// The specification leaves open what happens when a login fails; with `authentication_failure_close`, which this client
/// announces, a broker sends `connection.close` 403. Without it it goes silent for three seconds and cuts the connection,
/// which is why an end of stream here is reported as a refused login.
struct Handshake {
    /// What the client brings along.
    struct Settings: Hashable, Sendable {
        var credentials = AMQPCredentials(user: "guest", password: "guest")
        /// In order of preference; the first that the broker offers is used.
        var mechanisms: [AMQPSASLMechanism] = [.plain, .amqplain]
        var virtualHost = "/"
        var limits = AMQPConnectionLimits()
        /// What the broker shows of this client; see ``standardProperties``.
        var clientProperties = Self.standardProperties

        /// Product and capabilities. Source: RabbitMQ's guides on consumer cancellation, blocked connections, confirms and
        /// authentication failures.
        static let standardProperties: AMQPTable = [
            "product": "AMQPWire", "platform": "Swift", "version": "1.0.0",
            "information": "https://github.com/psistats/psistats",
            "capabilities": [
                "publisher_confirms": true, "exchange_exchange_bindings": true, "basic.nack": true,
                "consumer_cancel_notify": true, "connection.blocked": true, "consumer_priorities": true,
                "authentication_failure_close": true, "per_consumer_qos": true, "direct_reply_to": true,
            ],
        ]
    }

    /// What the broker said of itself and what was agreed.
    struct Outcome: Hashable, Sendable {
        var serverProperties: AMQPTable
        var mechanism: AMQPSASLMechanism
        var limits: AMQPConnectionLimits
    }

    /// What to do after a method came.
    enum Action: Hashable, Sendable {
        case send([AMQPMethod])
        case opened(Outcome)
    }

    private enum State {
        case awaitingStart
        case awaitingTune(AMQPTable, AMQPSASLMechanism)
        case awaitingOpenOk(Outcome)
        case finished
    }

    let settings: Settings
    private var state = State.awaitingStart

    /// A handshake whose protocol header is sent.
    init(_ settings: Settings) {
        self.settings = settings
    }

    /// How far the handshake is.
    var stage: AMQPError.Stage {
        switch state {
        case .awaitingStart: .greeting
        case .awaitingTune: .login
        case .awaitingOpenOk, .finished: .virtualHost
        }
    }

    /// The limits in force once `tune` is answered.
    var limits: AMQPConnectionLimits? {
        if case .awaitingOpenOk(let outcome) = state { outcome.limits } else { nil }
    }

    /// Takes a method of channel 0, other than a close.
    mutating func received(_ method: AMQPMethod) throws(AMQPError) -> Action {
        switch (state, method) {
        case (.awaitingStart, .connectionStart(let start)):
            return .send([try answer(start)])
        case (.awaitingTune, .connectionSecure(let secure)):
            guard secure.challenge.octets.isEmpty else {
                throw AMQPError(.loginRefused, "the broker asks for a login in more steps than the mechanism has")
            }
            return .send([.connectionSecureOk(.init())])
        case (.awaitingTune(let properties, let mechanism), .connectionTune(let tune)):
            return .send(try answer(tune, properties, mechanism))
        case (.awaitingOpenOk(let outcome), .connectionOpenOk):
            state = .finished
            return .opened(outcome)
        default:
            throw AMQPError(
                .unexpectedFrame,
                "the broker sent \(method.id.name) in the middle of the handshake",
                reply: AMQPError.Reply(code: 503, text: ""),
                method: method.id
            )
        }
    }

    private mutating func answer(_ start: AMQPMethod.ConnectionStart) throws(AMQPError) -> AMQPMethod {
        guard start.versionMajor == 0, start.versionMinor == 9 else {
            throw AMQPError(
                .protocolMismatch,
                "the broker speaks AMQP \(start.versionMajor)-\(start.versionMinor), this client 0-9-1"
            )
        }
        let offered = start.mechanisms.string.split(separator: " ")
        guard let mechanism = settings.mechanisms.first(where: { offered.contains(Substring($0.rawValue)) }) else {
            let ours = settings.mechanisms.map(\.rawValue).joined(separator: ", ")
            throw AMQPError(
                .loginRefused,
                "the broker offers the login mechanisms \(start.mechanisms.string), this client was told to use \(ours)",
                remedy: "choose one of those that the broker offers"
            )
        }
        let response: AMQPSecret
        do throws(AMQPWireError) {
            response = try settings.credentials.response(mechanism)
        } catch {
            throw AMQPError(.invalidArgument, "the credentials do not fit \(mechanism.rawValue): \(error)")
        }
        state = .awaitingTune(start.serverProperties, mechanism)
        return .connectionStartOk(
            .init(
                clientProperties: settings.clientProperties,
                mechanism: AMQPText(mechanism.rawValue),
                response: response,
                locale: "en_US"
            )
        )
    }

    private mutating func answer(
        _ tune: AMQPMethod.ConnectionTune,
        _ properties: AMQPTable,
        _ mechanism: AMQPSASLMechanism
    ) throws(AMQPError) -> [AMQPMethod] {
        let limits = settings.limits.agreed(with: tune)
        guard limits.frameMax == 0 || limits.frameMax >= AMQPConnectionLimits.smallestFrameMax else {
            throw AMQPError(
                .negotiationFailed,
                "a frame size of \(limits.frameMax) was agreed on, \(AMQPConnectionLimits.smallestFrameMax) is the least",
                remedy: "leave the limits as they are by default"
            )
        }
        state = .awaitingOpenOk(Outcome(serverProperties: properties, mechanism: mechanism, limits: limits))
        return [
            .connectionTuneOk(
                .init(channelMax: limits.channelMax, frameMax: limits.frameMax, heartbeat: limits.heartbeat)
            ),
            .connectionOpen(.init(virtualHost: AMQPText(settings.virtualHost))),
        ]
    }
}
