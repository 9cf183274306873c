/// Where a broker is and how to log in there: one host of an `amqp://` or `amqps://` URI.
///
/// Parses and prints; it resolves no name and opens no file. Source: RabbitMQ's URI specification
/// (<https://www.rabbitmq.com/docs/uri-spec>) and its query parameters
/// (<https://www.rabbitmq.com/docs/uri-query-parameters>).
///
/// | written | means |
/// |---|---|
/// | `amqp://host` | the vhost `/` |
/// | `amqp://host/` | the vhost `/`; the specification has an empty name here, which can be set as a property |
/// | `amqp://host/%2F` | the vhost `/` |
/// | `amqp://` | `guest`, `guest`, `localhost`, 5672, `/` |
/// | `amqp://user@host` | the password `guest` |
/// | `amqp://:@host` | an empty user name and an empty password |
///
/// Choices that the specification leaves open, or where this reader is stricter or milder than it:
/// a password may hold further unescaped colons; characters outside ASCII need no escape in user, password, vhost and
/// parameters; a colon needs a port behind it; port 0 is refused; `#` is refused; an unescaped `@` in the vhost is
/// accepted only behind a user part, since without one it is the tail of a password; `+` in a query is a plus sign.
///
/// No text that this type prints holds the password: see ``description``.
public struct AMQPURI: Hashable, Sendable {
    /// `amqp` for TCP, `amqps` for TLS from the first byte.
    public enum Scheme: String, Hashable, Sendable, CaseIterable {
        /// AMQP over TCP, by default on port 5672.
        case amqp
        /// AMQP over TLS, by default on port 5671.
        case amqps

        /// 5672 for `amqp`, 5671 for `amqps`.
        public var defaultPort: UInt16 {
            switch self {
            case .amqp: 5672
            case .amqps: 5671
            }
        }
    }

    /// How far to trust the server's certificate.
    public enum Verification: String, Hashable, Sendable, CaseIterable {
        /// The chain and the name have to be right.
        case verifyPeer = "verify_peer"
        /// Any certificate will do.
        case verifyNone = "verify_none"
    }

    /// Plain TCP or TLS.
    public var scheme: Scheme
    /// The user name, decoded. Default: `guest`.
    public var user: String
    /// The password, decoded. Default: `guest`. Never printed.
    public var password: String
    /// The host name or address, decoded, an IPv6 address without its brackets and with its zone behind `%`.
    /// Default: `localhost`.
    public var host: String
    /// 1...65535. Default: 5672, with TLS 5671.
    public var port: UInt16
    /// The vhost, decoded, at most 255 bytes; may be empty. Default: `/`.
    public var vhost: String

    /// `heartbeat`: the interval to propose, in seconds; 0 turns heartbeats off. `nil`: not given.
    public var heartbeat: UInt16?
    /// `connection_timeout`: how long resolving, connecting, TLS and login may take together; written in milliseconds. `nil`:
    /// not given, and 0 means the same.
    public var connectionTimeout: Duration?
    /// `channel_max`: the number of channels to propose; 0 means no limit of our own. `nil`: not given.
    public var channelMax: UInt16?
    /// `frame_max`: the largest frame to propose, in bytes; 0 means no limit of our own. `nil`: not given.
    ///
    /// Not among RabbitMQ's documented parameters, but common in clients. At least 4096 (AMQP 0-9-1, section 1.4.2.6).
    public var frameMax: UInt32?
    /// `auth_mechanism`: the SASL mechanisms to consider, in the order given, as written. Empty: not given.
    public var authMechanisms: [String] = []
    /// `cacertfile`: path of the PEM file with the authorities to trust. `nil`: not given.
    public var caCertificateFile: String?
    /// `certfile`: path of the PEM file with our certificate. `nil`: not given.
    public var certificateFile: String?
    /// `keyfile`: path of the PEM file with our private key. `nil`: not given.
    public var keyFile: String?
    /// `verify`: whether the server's certificate is checked. `nil`: not given.
    public var verification: Verification?
    /// `server_name_indication`: the name that the server's certificate has to bear. `nil`: not given.
    public var serverNameIndication: String?
    /// `fail_if_no_peer_cert`: means something to servers only; kept because RabbitMQ's examples carry it.
    public var failIfNoPeerCertificate: Bool?
    /// Parameters this library does not know, decoded, in the order given. They have no effect; tell the operator.
    /// A parameter without `=` has an empty value.
    public var unknownParameters: [UnknownParameter] = []

    /// A query parameter this library does not know.
    public struct UnknownParameter: Hashable, Sendable {
        /// The name, decoded.
        public var name: String
        /// The value, decoded. Never printed: it may well be a secret.
        public var value: String
    }

    /// A URI from its parts, already decoded.
    ///
    /// - Parameters:
    ///   - scheme: plain TCP or TLS.
    ///   - user: the user name.
    ///   - password: the password.
    ///   - host: a host name, an IPv4 address, or an IPv6 address without brackets.
    ///   - port: `nil` means the scheme's own.
    ///   - vhost: the vhost's name.
    public init(
        scheme: Scheme = .amqp,
        user: String = "guest",
        password: String = "guest",
        host: String = "localhost",
        port: UInt16? = nil,
        vhost: String = "/"
    ) {
        self.scheme = scheme
        self.user = user
        self.password = password
        self.host = host
        self.port = port ?? scheme.defaultPort
        self.vhost = vhost
    }

    /// Reads the URI of one host.
    ///
    /// - Throws: ``AMQPURIError``, with `severalHosts` where ``list(_:)`` would return more than one.
    public init(_ text: String) throws(AMQPURIError) {
        var scanner = AMQPURIScanner(text)
        let all = scanner.bytes.indices
        let hosts = try scanner.uri(in: all)
        guard let first = hosts.first, hosts.count == 1 else {
            throw AMQPURIError(.severalHosts, offset: scanner.secondHost)
        }
        self = first
    }

    /// Reads one or several hosts, in the order in which they are to be tried.
    ///
    /// Takes `amqp://user:password@h1:5672,h2:5673/vhost`, where everything but host and port is shared, as well as
    /// whole URIs with commas between them, and a mixture. A comma separates URIs where `amqp://` or `amqps://` follows
    /// it (blanks in between allowed), and hosts where it stands behind the user part; elsewhere, in a password say, it
    /// is a comma. Blanks and line ends around the whole are dropped.
    ///
    /// - Returns: at least one URI.
    /// - Throws: ``AMQPURIError``; its offset counts from the start of the whole text.
    public static func list(_ text: String) throws(AMQPURIError) -> [AMQPURI] {
        var scanner = AMQPURIScanner(text)
        var result: [AMQPURI] = []
        for range in scanner.ranges() {
            result += try scanner.uri(in: range)
        }
        return result
    }
}

extension AMQPURI: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The URI with `***` for the password and for the values of unknown parameters. All of host, port and vhost are
    /// written out. What it prints can be parsed again, and gives an equal value but for what is masked.
    public var description: String {
        rendered(masked: true)
    }

    /// As ``description``.
    public var debugDescription: String {
        rendered(masked: true)
    }

    /// Mirrors ``description`` alone, so that no dump of a structure shows the password.
    public var customMirror: Mirror {
        Mirror(self, children: ["uri": rendered(masked: true)], displayStyle: .struct)
    }
}

extension AMQPURI.UnknownParameter: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The name; the value is left out.
    public var description: String {
        name
    }

    /// As ``description``.
    public var debugDescription: String {
        name
    }

    /// Mirrors the name alone.
    public var customMirror: Mirror {
        Mirror(self, children: ["name": name], displayStyle: .struct)
    }
}
