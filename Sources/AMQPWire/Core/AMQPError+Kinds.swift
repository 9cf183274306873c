extension AMQPError {
    /// The kind of failure, for a program to decide by.
    public struct Code: Hashable, Sendable {
        enum Kind: String, Hashable, Sendable, CaseIterable {
            case unreachable, tlsFailed, protocolMismatch, loginRefused, virtualHostRefused, negotiationFailed,
                connectionLost, connectionClosed, channelClosed, closed, malformedInput, unexpectedFrame, timedOut,
                cancelled, invalidArgument, tooManyChannels, publishRefused, publishReturned, consumerCancelled,
                unreadableMessage, credentialsUnavailable
        }

        let kind: Kind

        private init(_ kind: Kind) { self.kind = kind }

        /// No address of the host could be reached, or its name not be resolved.
        public static var unreachable: Code { Code(.unreachable) }
        /// TLS could not be agreed on, or one side did not accept the other's certificate; see ``AMQPError/tls``.
        public static var tlsFailed: Code { Code(.tlsFailed) }
        /// The peer does not speak AMQP 0-9-1.
        public static var protocolMismatch: Code { Code(.protocolMismatch) }
        /// The broker refused the user, the password or every mechanism offered (403).
        public static var loginRefused: Code { Code(.loginRefused) }
        /// The broker refused the virtual host (530).
        public static var virtualHostRefused: Code { Code(.virtualHostRefused) }
        /// The broker's limits and ours have nothing in common.
        public static var negotiationFailed: Code { Code(.negotiationFailed) }
        /// The connection ended without a close: end of stream, reset, no heartbeat.
        public static var connectionLost: Code { Code(.connectionLost) }
        /// The broker closed the connection; see ``AMQPError/reply``.
        public static var connectionClosed: Code { Code(.connectionClosed) }
        /// The broker closed the channel; see ``AMQPError/reply``.
        public static var channelClosed: Code { Code(.channelClosed) }
        /// The connection or channel was closed by this program.
        public static var closed: Code { Code(.closed) }
        /// The peer sent bytes that are not AMQP.
        public static var malformedInput: Code { Code(.malformedInput) }
        /// The peer sent a frame that may not come here.
        public static var unexpectedFrame: Code { Code(.unexpectedFrame) }
        /// The deadline passed.
        public static var timedOut: Code { Code(.timedOut) }
        /// The task that waited was cancelled.
        public static var cancelled: Code { Code(.cancelled) }
        /// A name, a number, a file or another setting cannot be used; nothing was sent for it.
        public static var invalidArgument: Code { Code(.invalidArgument) }
        /// All channel numbers that the broker allows are in use.
        public static var tooManyChannels: Code { Code(.tooManyChannels) }
        /// The broker could not take a publish over (basic.nack).
        public static var publishRefused: Code { Code(.publishRefused) }
        /// No queue took a mandatory publish (basic.return).
        public static var publishReturned: Code { Code(.publishReturned) }
        /// The broker ended a consumer, because its queue went away, say.
        public static var consumerCancelled: Code { Code(.consumerCancelled) }
        /// A message came that is larger than `maxMessageSize`, or whose header is too large or cannot be read. The consumer
        /// that it was for has ended. It was refused without being put back, so it does not come again: the broker
        /// dead-letters it where its queue says so, and drops it otherwise.
        public static var unreadableMessage: Code { Code(.unreadableMessage) }
        /// The application's own source of credentials gave none; see ``AMQPConfiguration/credentials``.
        public static var credentialsUnavailable: Code { Code(.credentialsUnavailable) }
    }

    /// How far a failure reaches.
    public struct Scope: Hashable, Sendable {
        private enum Kind: String { case connection, channel, message }

        private let kind: Kind

        private init(_ kind: Kind) { self.kind = kind }

        /// The connection and all its channels.
        public static var connection: Scope { Scope(.connection) }
        /// One channel and its consumers; the connection goes on.
        public static var channel: Scope { Scope(.channel) }
        /// One message or one call; the channel goes on.
        public static var message: Scope { Scope(.message) }
    }

    /// How far a connection had come. Each stage begins when the one before is done, so they can be compared.
    public struct Stage: Hashable, Sendable, Comparable {
        private enum Kind: Int { case resolving, connecting, securing, greeting, login, virtualHost, open }

        private let kind: Kind

        private init(_ kind: Kind) { self.kind = kind }

        /// The host's name was being looked up.
        public static var resolving: Stage { Stage(.resolving) }
        /// A TCP connection was being made.
        public static var connecting: Stage { Stage(.connecting) }
        /// TLS was being agreed on, its files being read included; with TLS 1.3 the broker says only after that whether it
        /// takes the client's certificate.
        public static var securing: Stage { Stage(.securing) }
        /// The protocol header was sent; `connection.start` had not come.
        public static var greeting: Stage { Stage(.greeting) }
        /// `connection.start` had come; the user was not let in yet.
        public static var login: Stage { Stage(.login) }
        /// The user was let in and the limits were agreed on; the virtual host was not open yet.
        public static var virtualHost: Stage { Stage(.virtualHost) }
        /// The connection was open.
        public static var open: Stage { Stage(.open) }

        /// Whether `left` comes before `right`.
        public static func < (left: Stage, right: Stage) -> Bool { left.kind.rawValue < right.kind.rawValue }
    }

    /// What is known of a message that was to be published.
    public struct DeliveryState: Hashable, Sendable {
        private enum Kind: String { case notSent, unknown, refused }

        private let kind: Kind

        private init(_ kind: Kind) { self.kind = kind }

        /// It did not leave; publish it again without fear of a duplicate.
        public static var notSent: DeliveryState { DeliveryState(.notSent) }
        /// It left and was not confirmed; publishing it again may make a duplicate.
        public static var unknown: DeliveryState { DeliveryState(.unknown) }
        /// The broker said that it does not have it.
        public static var refused: DeliveryState { DeliveryState(.refused) }
    }

    /// Why TLS failed.
    public struct TLSFailure: Hashable, Sendable {
        enum Kind: String {
            case unknownAuthority, wrongName, expired, notYetValid, certificateRefused, clientCertificateRequired,
                clientCertificateRefused, notTLS, noCommonVersion, unknownServerName, handshakeRefused, other
        }

        let kind: Kind

        private init(_ kind: Kind) { self.kind = kind }

        /// Whether a certificate was refused, by either side.
        var isOfCertificate: Bool {
            switch kind {
            case .unknownAuthority, .wrongName, .expired, .notYetValid, .certificateRefused, .clientCertificateRequired,
                .clientCertificateRefused:
                true
            case .notTLS, .noCommonVersion, .unknownServerName, .handshakeRefused, .other: false
            }
        }

        /// No trusted authority signed the broker's certificate.
        public static var unknownAuthority: TLSFailure { TLSFailure(.unknownAuthority) }
        /// The broker's certificate is for another host.
        public static var wrongName: TLSFailure { TLSFailure(.wrongName) }
        /// The broker's certificate, or one that it depends on, has expired.
        public static var expired: TLSFailure { TLSFailure(.expired) }
        /// The broker's certificate is not valid yet: one of the clocks is wrong as a rule.
        public static var notYetValid: TLSFailure { TLSFailure(.notYetValid) }
        /// The broker's certificate was not accepted for another reason, or by a verification of the application's own.
        public static var certificateRefused: TLSFailure { TLSFailure(.certificateRefused) }
        /// The broker asks for a certificate of the client's and got none.
        public static var clientCertificateRequired: TLSFailure { TLSFailure(.clientCertificateRequired) }
        /// The broker does not accept the client's certificate: it is unknown, expired or revoked.
        public static var clientCertificateRefused: TLSFailure { TLSFailure(.clientCertificateRefused) }
        /// The peer does not speak TLS on this port.
        public static var notTLS: TLSFailure { TLSFailure(.notTLS) }
        /// The two sides allow no common version of TLS.
        public static var noCommonVersion: TLSFailure { TLSFailure(.noCommonVersion) }
        /// The broker does not know the server name that it was asked for.
        public static var unknownServerName: TLSFailure { TLSFailure(.unknownServerName) }
        /// The broker refused the handshake without saying why: no common cipher, or a certificate of the client's missing.
        public static var handshakeRefused: TLSFailure { TLSFailure(.handshakeRefused) }
        /// Something else.
        public static var other: TLSFailure { TLSFailure(.other) }
    }
}

extension AMQPError.Code: CustomStringConvertible {
    /// The member's name, `connectionLost` say.
    public var description: String { kind.rawValue }
}

extension AMQPError.Scope: CustomStringConvertible {
    /// The member's name.
    public var description: String { kind.rawValue }
}

extension AMQPError.Stage: CustomStringConvertible {
    /// The stage in words, `virtual host` say.
    public var description: String {
        switch kind {
        case .resolving: "resolving"
        case .connecting: "connecting"
        case .securing: "securing"
        case .greeting: "greeting"
        case .login: "login"
        case .virtualHost: "virtual host"
        case .open: "open"
        }
    }
}

extension AMQPError.DeliveryState: CustomStringConvertible {
    /// The member's name.
    public var description: String { kind.rawValue }
}

extension AMQPError.TLSFailure: CustomStringConvertible {
    /// The member's name.
    public var description: String { kind.rawValue }
}
