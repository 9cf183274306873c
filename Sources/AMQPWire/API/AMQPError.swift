/// What went wrong, how far it reaches, and what is known of the message concerned.
public struct AMQPError: Error, Hashable, Sendable {
    /// The kind of failure, for a program to decide by.
    public enum Code: Hashable, Sendable {
        /// No address of the host could be reached, or its name not be resolved.
        case unreachable
        /// TLS could not be agreed on, or the broker's certificate not be verified.
        case tlsFailed
        /// The peer does not speak AMQP 0-9-1.
        case protocolMismatch
        /// The broker refused the user, the password or every mechanism offered (403).
        case loginRefused
        /// The broker refused the virtual host (530).
        case virtualHostRefused
        /// The broker's limits and ours have nothing in common.
        case negotiationFailed
        /// The connection ended without a close: end of stream, reset, no heartbeat.
        case connectionLost
        /// The broker closed the connection; see the reply code.
        case connectionClosed
        /// The broker closed the channel; see the reply code.
        case channelClosed
        /// The connection or channel was closed by this program.
        case closed
        /// The peer sent octets that are not AMQP.
        case malformedInput
        /// The peer sent a frame that may not come here.
        case unexpectedFrame
        /// The deadline passed.
        case timedOut
        /// The task that waited was cancelled.
        case cancelled
        /// A name, table or number does not fit the protocol; nothing was sent.
        case invalidArgument
        /// All channel numbers that the broker allows are in use.
        case tooManyChannels
        /// The broker could not take a publish over (basic.nack).
        case publishRefused
        /// No queue took a mandatory publish (basic.return).
        case publishReturned
        /// The broker ended a consumer, because its queue went away, say.
        case consumerCancelled
    }

    /// How far the failure reaches.
    public enum Scope: Hashable, Sendable {
        case connection, channel, message
    }

    /// What is known of the message that was to be published.
    public enum DeliveryState: Hashable, Sendable {
        /// It did not leave; publish it again without fear of a duplicate.
        case notSent
        /// It left and was not confirmed; publishing it again may make a duplicate.
        case unknown
        /// The broker said that it does not have it.
        case refused
    }

    /// The kind of failure.
    public var code: Code
    /// How far it reaches.
    public var scope: Scope
    /// What happened and what to do about it, in words for an operator. Holds no password.
    public var message: String
    /// The broker's reply code, 404 say. Source: AMQP 0-9-1 reference, section 1.1.
    public var replyCode: UInt16?
    /// The broker's own words.
    public var replyText: String?
    /// The method that caused it, where the broker or we know.
    public var method: AMQPMethodID?
    /// What is known of the delivery, where one was under way.
    public var delivery: DeliveryState?
    /// The system's error number beneath.
    public var errno: Int32?

    /// A failure.
    public init(
        _ code: Code,
        scope: Scope = .connection,
        _ message: String,
        replyCode: UInt16? = nil,
        replyText: String? = nil,
        method: AMQPMethodID? = nil,
        delivery: DeliveryState? = nil,
        errno: Int32? = nil
    ) {
        self.code = code
        self.scope = scope
        self.message = message
        self.replyCode = replyCode
        self.replyText = replyText
        self.method = method
        self.delivery = delivery
        self.errno = errno
    }

    /// Whether the connection ended with it, which may come back.
    var endedConnection: Bool {
        switch code {
        case .connectionLost, .connectionClosed, .malformedInput, .unexpectedFrame: scope == .connection
        case .unreachable, .tlsFailed, .protocolMismatch, .loginRefused, .virtualHostRefused, .negotiationFailed,
            .channelClosed, .closed, .timedOut, .cancelled, .invalidArgument, .tooManyChannels, .publishRefused,
            .publishReturned, .consumerCancelled:
            false
        }
    }

    /// The same failure, once the message has left.
    var afterSending: AMQPError {
        delivery == .refused ? self : with(delivery: .unknown)
    }

    /// The same failure, with what it means for a message under way.
    func with(delivery: DeliveryState) -> AMQPError {
        var copy = self
        copy.delivery = delivery
        return copy
    }
}

extension AMQPError: CustomStringConvertible {
    public var description: String { message }
}
