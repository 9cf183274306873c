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
        /// The largest frame, in bytes, that the broker takes before one is agreed on; nil for what its version has by default,
        /// 0 for no limit.
        var initialFrameMax: UInt32?
        var limits = AMQPConnectionLimits()
        /// What the broker shows of this client; see ``standardProperties``.
        var clientProperties = Self.standardProperties

        /// Product and capabilities. Source: RabbitMQ's guides on consumer cancellation, blocked connections, confirms and
        /// authentication failures.
        static let standardProperties: AMQPTable = [
            "product": "AMQPWire", "platform": "Swift", "version": .string(AMQPText(PackageVersion.current)),
            "information": "https://github.com/psistats/psistats",
            "capabilities": .table([
                "publisher_confirms": true, "exchange_exchange_bindings": true, "basic.nack": true,
                "consumer_cancel_notify": true, "connection.blocked": true, "consumer_priorities": true,
                "authentication_failure_close": true, "per_consumer_qos": true, "direct_reply_to": true,
            ]),
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
        case awaitingTune(Login)
        case awaitingOpenOk(Outcome)
        case finished
    }

    /// A login under way.
    private struct Login {
        var serverProperties: AMQPTable
        var mechanism: AMQPSASLMechanism
        var conversation: any AMQPSASLConversation
        /// Bytes in the frame that it began with.
        var size: Int
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

    /// Whether frames smaller than RabbitMQ takes from 4.1 on were agreed on.
    var hasSmallFrames: Bool {
        limits.map { $0.frameMax != 0 && $0.frameMax < AMQPConnectionLimits.smallestFrameMaxOfRabbitMQ } ?? false
    }

    /// Takes a method of channel 0, other than a close.
    mutating func received(_ method: AMQPMethod) throws(AMQPError) -> Action {
        switch (state, method) {
        case (.awaitingStart, .connectionStart(let start)):
            return .send([try answer(start)])
        case (.awaitingTune(var login), .connectionSecure(let secure)):
            let response = try said(login.mechanism) { try login.conversation.respond(to: secure.challenge) }
            state = .awaitingTune(login)
            return .send([.connectionSecureOk(.init(response: response))])
        case (.awaitingTune(let login), .connectionTune(let tune)):
            return .send(try answer(tune, login))
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
        guard let mechanism = settings.mechanisms.first(where: { offered.contains(Substring($0.name)) }) else {
            let ours = settings.mechanisms.map(\.name).joined(separator: ", ")
            throw AMQPError(
                .loginRefused,
                "the broker offers the login mechanisms \(start.mechanisms.string), this client was told to use \(ours)",
                remedy: "choose one of those that the broker offers"
            )
        }
        var conversation = mechanism.begin(settings.credentials)
        let startOk = AMQPMethod.ConnectionStartOk(
            clientProperties: settings.clientProperties,
            mechanism: AMQPText(mechanism.name),
            response: try said(mechanism) { try conversation.start() },
            locale: "en_US"
        )
        let size = try measured(startOk, for: start.serverProperties)
        state = .awaitingTune(
            Login(
                serverProperties: start.serverProperties,
                mechanism: mechanism,
                conversation: conversation,
                size: size
            )
        )
        return .connectionStartOk(startOk)
    }

    /// What a mechanism says, with its errors as ours.
    private func said(
        _ mechanism: AMQPSASLMechanism,
        _ step: () throws -> AMQPSecret
    ) throws(AMQPError) -> AMQPSecret {
        do {
            return try step()
        } catch let error as AMQPWireError {
            throw AMQPError(.invalidArgument, "the credentials do not fit \(mechanism.name): \(error)")
        } catch let error as AMQPError {
            throw error
        } catch {
            throw AMQPError(.loginRefused, "\(mechanism.name) ended the login: \(error)")
        }
    }

    /// The bytes of the frame that a login begins with. Too many for the broker are an error before they are sent: it would
    /// hang up after some seconds without a word.
    private func measured(
        _ startOk: AMQPMethod.ConnectionStartOk,
        for serverProperties: AMQPTable
    ) throws(AMQPError) -> Int {
        var encoder = AMQPFrameEncoder()
        encoder.maxFrameSize = 0
        do throws(AMQPWireError) {
            try encoder.append(startOk, channel: 0)
        } catch {
            throw AMQPError(.invalidArgument, "connection.start-ok cannot be sent: \(error)")
        }
        let size = encoder.bytes.count
        guard let most = settings.initialFrameMax ?? Self.initialFrameMax(serverProperties), most > 0, size > most
        else {
            return size
        }
        throw AMQPError(
            .invalidArgument,
            "the login is a frame of \(size) bytes, \(startOk.response.octets.count) of them user and password or token; "
                + "the broker takes \(most) before larger ones are agreed on",
            remedy: "shorten it, or raise initial_frame_max of the broker and of this client's configuration"
        )
    }

    /// The largest frame that a RabbitMQ takes before a size is agreed on, if it is set up as by default. Source: its
    /// configuration `initial_frame_max`. Of other brokers it is not known.
    static func initialFrameMax(_ serverProperties: AMQPTable) -> UInt32? {
        guard serverProperties["product"]?.string == "RabbitMQ", let version = serverProperties["version"]?.string
        else {
            return nil
        }
        let numbers = version.split(separator: ".").prefix(2).map { Int($0) ?? 0 }
        return numbers.lexicographicallyPrecedes([4, 1]) ? 4_096 : 8_192
    }

    /// A login that the broker hung up on.
    func hungUp(_ reason: AMQPError, peer: String) -> AMQPError {
        var size = 0
        if case .awaitingTune(let login) = state { size = login.size }
        let isLarge = size > Int(AMQPConnectionLimits.smallestFrameMax)
        return AMQPError(
            .loginRefused,
            "the broker \(peer) hung up on the login of user '\(settings.credentials.user)' (\(reason.message))",
            remedy: isLarge
                ? "check user and password; the login is a frame of \(size) bytes, and not every broker takes as much"
                : "check user and password",
            errno: reason.errno
        )
    }

    private mutating func answer(
        _ tune: AMQPMethod.ConnectionTune,
        _ login: Login
    ) throws(AMQPError) -> [AMQPMethod] {
        let limits = settings.limits.agreed(with: tune, of: login.serverProperties)
        guard limits.frameMax == 0 || limits.frameMax >= AMQPConnectionLimits.smallestFrameMax else {
            throw AMQPError(
                .negotiationFailed,
                "a frame size of \(limits.frameMax) was agreed on, \(AMQPConnectionLimits.smallestFrameMax) is the least",
                remedy: "leave the limits as they are by default"
            )
        }
        state = .awaitingOpenOk(
            Outcome(serverProperties: login.serverProperties, mechanism: login.mechanism, limits: limits)
        )
        return [
            .connectionTuneOk(
                .init(channelMax: limits.channelMax, frameMax: limits.frameMax, heartbeat: limits.heartbeat ?? 0)
            ),
            .connectionOpen(.init(virtualHost: AMQPText(settings.virtualHost))),
        ]
    }
}
