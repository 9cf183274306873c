/// A way of logging in that SASL and the broker know.
///
/// Sources: RFC 4422 (SASL, and EXTERNAL in its appendix A), RFC 4616 (PLAIN), RFC 4505 (ANONYMOUS); RabbitMQ's access control
/// guide (AMQPLAIN). Two mechanisms are equal if their names are.
public struct AMQPSASLMechanism: Sendable {
    /// The name by which brokers offer it, in capitals by convention.
    public let name: String
    let begin: @Sendable (AMQPCredentials) -> any AMQPSASLConversation

    /// A mechanism of one's own.
    ///
    /// - Parameters:
    ///   - name: the name by which the broker offers it.
    ///   - begin: called for each login with what the broker's URI, or the configuration, has for user and password. It runs
    ///     where nothing may block, and so does the conversation.
    public init(_ name: String, begin: @escaping @Sendable (AMQPCredentials) -> any AMQPSASLConversation) {
        self.name = name
        self.begin = begin
    }

    /// User and password in one string of bytes.
    public static let plain = AMQPSASLMechanism("PLAIN") { credentials in
        AMQPSingleResponse { () throws(AMQPWireError) in
            AMQPSecret(octets: [0] + Array(credentials.user.utf8) + [0] + credentials.password.octets)
        }
    }

    /// User and password in a field table; what AMQP 0-8 called its default.
    public static let amqplain = AMQPSASLMechanism("AMQPLAIN") { credentials in
        AMQPSingleResponse { () throws(AMQPWireError) in
            var encoder = AMQPFrameEncoder()
            let password = AMQPText(octets: credentials.password.octets)
            try encoder.write(["LOGIN": credentials.user, "PASSWORD": .string(password)])
            // The entries only: the long string around them has the length.
            return AMQPSecret(octets: Array(encoder.bytes.copy().dropFirst(4)))
        }
    }

    /// Who the client is says its TLS certificate.
    public static let external = AMQPSASLMechanism("EXTERNAL") { credentials in
        AMQPSingleResponse { () throws(AMQPWireError) in AMQPSecret(credentials.user) }
    }

    /// Nobody in particular: the broker decides what such a client may do. RabbitMQ offers it since 4.0.
    public static let anonymous = AMQPSASLMechanism("ANONYMOUS") { _ in
        AMQPSingleResponse { () throws(AMQPWireError) in AMQPSecret() }
    }

    /// The mechanisms that this client has.
    static let known: [AMQPSASLMechanism] = [.plain, .amqplain, .external, .anonymous]
}

extension AMQPSASLMechanism: Hashable, CustomStringConvertible {
    /// The name.
    public var description: String { name }

    /// Whether the names are the same.
    public static func == (left: AMQPSASLMechanism, right: AMQPSASLMechanism) -> Bool { left.name == right.name }

    /// Hashes the name.
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// The client's side of one login.
///
/// What it throws ends the attempt to connect with ``AMQPError/Code/loginRefused``; its description stands in the error's
/// message, so it must hold no secret.
public protocol AMQPSASLConversation: Sendable {
    /// What the login begins with, in `connection.start-ok`; empty for a mechanism in which the broker begins.
    mutating func start() throws -> AMQPSecret

    /// The answer to a challenge of the broker's, which comes in `connection.secure`. Without an implementation of its own a
    /// conversation has no second step: an empty challenge gets an empty answer, any other ends the login.
    mutating func respond(to challenge: AMQPSecret) throws -> AMQPSecret
}

extension AMQPSASLConversation {
    /// As ``AMQPSASLConversation/respond(to:)`` says of conversations without a second step.
    public mutating func respond(to challenge: AMQPSecret) throws -> AMQPSecret {
        guard challenge.octets.isEmpty else {
            throw AMQPError(.loginRefused, "the broker asks for a login in more steps than the mechanism has")
        }
        return AMQPSecret()
    }
}

/// A login that is one response.
struct AMQPSingleResponse: AMQPSASLConversation {
    let response: @Sendable () throws(AMQPWireError) -> AMQPSecret

    mutating func start() throws -> AMQPSecret { try response() }
}
