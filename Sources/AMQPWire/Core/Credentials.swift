/// A way of logging in that SASL and RabbitMQ know.
///
/// Sources: RFC 4616 (PLAIN), RFC 4422 appendix A (EXTERNAL); RabbitMQ's access control guide (AMQPLAIN).
public enum AMQPSASLMechanism: String, Hashable, Sendable, CaseIterable {
    /// User and password in one octet string.
    case plain = "PLAIN"
    /// User and password in a field table; what AMQP 0-8 called its default.
    case amqplain = "AMQPLAIN"
    /// Who the client is says its TLS certificate.
    case external = "EXTERNAL"
}

/// A user and a password. Printing it shows the user only.
public struct AMQPCredentials: Hashable, Sendable {
    /// Name of the user.
    public var user: String
    /// The password, or an OAuth 2 token.
    public var password: AMQPSecret

    /// A user and a password.
    public init(user: String, password: String) {
        self.user = user
        self.password = AMQPSecret(password)
    }

    /// What a mechanism sends in `connection.start-ok`.
    func response(_ mechanism: AMQPSASLMechanism) throws(AMQPWireError) -> AMQPSecret {
        switch mechanism {
        case .plain:
            return AMQPSecret(octets: [0] + Array(user.utf8) + [0] + password.octets)
        case .amqplain:
            var encoder = AMQPFrameEncoder()
            try encoder.write(["LOGIN": .init(user), "PASSWORD": .string(AMQPText(octets: password.octets))])
            // The entries only: the long string around them has the length.
            return AMQPSecret(octets: Array(encoder.bytes.copy().dropFirst(4)))
        case .external:
            return AMQPSecret(user)
        }
    }
}
