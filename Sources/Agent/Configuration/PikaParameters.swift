#if Agent
import AMQPWire

/// What is to be said about a parameter of a URL.
enum URLParameterRemark: Hashable, Sendable {
    case problem(String)
    case warning(String)

    /// The same about the URL of a file.
    func `in`(_ path: String) -> URLParameterRemark {
        switch self {
        case .problem(let text): .problem("\(path): \(text)")
        case .warning(let text): .warning("\(path): \(text)")
        }
    }
}

/// The parameters that pika, the client of the Python psistats, took in a URL, from its versions 0.9 to 1.3.
///
/// Those that mean something here are taken over, the others noted. Source: `URLParameters` in `pika/connection.py`.
enum PikaParameters {
    /// Parameters without effect, and why.
    private static let idle: [(name: String, reason: String)] = [
        ("backpressure_detection", "psistats keeps its messages until the broker takes them"),
        ("blocked_connection_timeout", "psistats waits as long as the broker is blocked, and keeps its messages"),
        ("client_properties", "psistats says itself what it is"),
        ("connection_attempts", "psistats tries until it is stopped, with the pauses of retry_timer in [app]"),
        ("locale", "the protocol has only en_US"),
        ("retry_delay", "the pauses between attempts are those of retry_timer in [app]"),
        ("stack_timeout", "connection_timeout says how long a connection may take"),
        ("tcp_options", "psistats sets what it needs"),
    ]
    /// Those that are taken over.
    private static let effective = ["heartbeat_interval", "socket_timeout", "ssl_options"]

    /// The ways to log in that the client has.
    private static let mechanisms = ["PLAIN", "AMQPLAIN", "EXTERNAL"]

    /// Takes over what a broker's unknown parameters mean, and says the rest. Afterwards none is unknown.
    static func apply(to broker: inout AMQPURI) -> [URLParameterRemark] {
        var remarks: [URLParameterRemark] = []
        for parameter in broker.unknownParameters {
            switch parameter.name {
            case "heartbeat_interval": remarks += heartbeat(parameter.value, &broker)
            case "socket_timeout": remarks += timeout(parameter.value, &broker)
            case "ssl_options": remarks += options(parameter.value, &broker)
            default:
                if let idle = idle.first(where: { $0.name == parameter.name }) {
                    remarks.append(.warning("the parameter \(idle.name) in the URL has no effect: \(idle.reason)"))
                } else {
                    let known = AMQPURI.Parameter.allCases.map(\.rawValue) + effective + idle.map(\.name)
                    let hint = ConfigurationKeys.hint(for: parameter.name, among: known)
                    remarks.append(.problem("unknown parameter '\(parameter.name)' in the URL" + hint))
                }
            }
        }
        broker.unknownParameters = []
        if let mechanism = broker.authMechanisms.first(where: { !mechanisms.contains($0.uppercased()) }) {
            let near = ConfigurationKeys.suggestion(for: mechanism, among: mechanisms.map { $0.lowercased() })
            remarks.append(
                .problem(
                    "auth_mechanism has to be one of " + mechanisms.joined(separator: ", ")
                        + (near.map { "; did you mean \($0.uppercased())?" } ?? "")
                )
            )
        }
        return remarks
    }

    /// Seconds; what the parameter heartbeat was called before.
    private static func heartbeat(_ value: String, _ broker: inout AMQPURI) -> [URLParameterRemark] {
        guard let seconds = ConfigurationReader.number(value, as: UInt16.self) else {
            return [.problem("heartbeat_interval in the URL has to be a number of seconds from 0 to 65535")]
        }
        if broker.heartbeat == nil { broker.heartbeat = seconds }
        return []
    }

    /// Seconds with a fraction; how long the TCP connection may take.
    private static func timeout(_ value: String, _ broker: inout AMQPURI) -> [URLParameterRemark] {
        guard let time = ConfigurationReader.seconds(value), time > .zero else {
            return [
                .problem("socket_timeout in the URL has to be a number of seconds from 0.001 to 86400, as 5 or 0.5")
            ]
        }
        if broker.connectionTimeout == nil { broker.connectionTimeout = time }
        return []
    }

    /// A dictionary with arguments of Python's `ssl.wrap_socket`.
    private static func options(_ value: String, _ broker: inout AMQPURI) -> [URLParameterRemark] {
        if value.isEmpty || value == "None" { return [] }
        guard case .dictionary(let items)? = PythonLiteral(value) else {
            return [
                .problem(
                    "ssl_options in the URL has to be a dictionary as Python writes it; better write cacertfile=PATH, "
                        + "certfile=PATH, keyfile=PATH and verify=verify_peer"
                )
            ]
        }
        var remarks: [URLParameterRemark] = []
        func file(_ value: PythonLiteral, _ name: String) -> String? {
            if case .text(let path) = value, !path.isEmpty { return path }
            if value != .none {
                remarks.append(.problem("\(name) of ssl_options in the URL has to be the path of a file"))
            }
            return nil
        }
        for (name, value) in items.sorted(by: { $0.key < $1.key }) {
            switch name {
            case "ca_certs": broker.caCertificateFile = broker.caCertificateFile ?? file(value, name)
            case "certfile": broker.certificateFile = broker.certificateFile ?? file(value, name)
            case "keyfile": broker.keyFile = broker.keyFile ?? file(value, name)
            case "server_hostname":
                if case .text(let host) = value, !host.isEmpty {
                    broker.serverNameIndication = broker.serverNameIndication ?? host
                }
            case "cert_reqs":
                switch value {
                case .integer(0), .name("ssl.CERT_NONE"): broker.verification = broker.verification ?? .verifyNone
                case .integer(1), .integer(2), .name("ssl.CERT_OPTIONAL"), .name("ssl.CERT_REQUIRED"):
                    broker.verification = broker.verification ?? .verifyPeer
                default: remarks.append(.problem("cert_reqs of ssl_options in the URL has to be 0, 1 or 2"))
                }
            default:
                remarks.append(
                    .warning(
                        "\(name) of ssl_options in the URL has no effect: TLS is agreed on as OpenSSL is configured"
                    )
                )
            }
        }
        return remarks
    }
}
#endif
