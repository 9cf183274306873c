/// What went wrong: its kind, how far it reaches, how far the connection had come, and what is known of the message concerned.
///
/// Decide by the fields, show ``description``. Types that may grow (``Code``, ``Stage``, ``Reply/Kind`` and the rest) are
/// structures with static members: a `switch` over them needs a `default`, and a new member breaks nobody.
public struct AMQPError: Error, Hashable, Sendable {
    private struct Facts: Hashable, Sendable {
        var code: Code
        var scope: Scope
        var stage: Stage?
        var message: String
        var remedy: String?
        var reply: Reply?
        var method: AMQPMethodID?
        var channel: UInt16?
        var file: String?
        var tls: TLSFailure?
        var errno: Int32?
        var delivery: DeliveryState?
    }

    /// One word, however many facts there are: an error is a part of many results and is made seldom.
    private indirect enum Box: Hashable, Sendable {
        case holding(Facts)
    }

    private var box: Box

    private var facts: Facts {
        get {
            switch box {
            case .holding(let facts): facts
            }
        }
        set { box = .holding(newValue) }
    }

    /// The kind of failure.
    public var code: Code {
        get { facts.code }
        set { facts.code = newValue }
    }

    /// How far it reaches.
    public var scope: Scope {
        get { facts.scope }
        set { facts.scope = newValue }
    }

    /// How far the connection had come; nil for a failure that no connection had a part in, such as an argument.
    public var stage: Stage? {
        get { facts.stage }
        set { facts.stage = newValue }
    }

    /// What happened, in one line for an operator. Holds no password.
    public var message: String {
        get { facts.message }
        set { facts.message = newValue }
    }

    /// What to do about it, where that is known. Holds no password.
    public var remedy: String? {
        get { facts.remedy }
        set { facts.remedy = newValue }
    }

    /// The broker's close or return; where this client closed the connection because of what the broker sent, its own close.
    public var reply: Reply? {
        get { facts.reply }
        set { facts.reply = newValue }
    }

    /// The method that caused it, where the broker or this client knows.
    public var method: AMQPMethodID? {
        get { facts.method }
        set { facts.method = newValue }
    }

    /// The number of the channel concerned. A number is used again once its channel is closed.
    public var channel: UInt16? {
        get { facts.channel }
        set { facts.channel = newValue }
    }

    /// The path of the file that cannot be used: a certificate, a key.
    public var file: String? {
        get { facts.file }
        set { facts.file = newValue }
    }

    /// Why TLS failed, where it did.
    public var tls: TLSFailure? {
        get { facts.tls }
        set { facts.tls = newValue }
    }

    /// The system's error number beneath. Source: `errno.h`.
    public var errno: Int32? {
        get { facts.errno }
        set { facts.errno = newValue }
    }

    /// What is known of the delivery, where one was under way.
    public var delivery: DeliveryState? {
        get { facts.delivery }
        set { facts.delivery = newValue }
    }

    /// The reply code, 404 say. Source: AMQP 0-9-1 reference, section 1.1.
    public var replyCode: UInt16? { reply?.code }

    /// The broker's own words, unparsed.
    public var replyText: String? { reply?.text }

    /// A failure; what is left out is not known.
    public init(
        _ code: Code,
        scope: Scope = .connection,
        stage: Stage? = nil,
        _ message: String,
        remedy: String? = nil,
        reply: Reply? = nil,
        method: AMQPMethodID? = nil,
        channel: UInt16? = nil,
        file: String? = nil,
        tls: TLSFailure? = nil,
        errno: Int32? = nil,
        delivery: DeliveryState? = nil
    ) {
        box = .holding(
            Facts(
                code: code,
                scope: scope,
                stage: stage,
                message: message,
                remedy: remedy,
                reply: reply,
                method: method,
                channel: channel,
                file: file,
                tls: tls,
                errno: errno,
                delivery: delivery
            )
        )
    }

    /// Whether the connection ended with it, which may come back.
    var endedConnection: Bool {
        switch code.kind {
        case .connectionLost, .connectionClosed, .malformedInput, .unexpectedFrame: scope == .connection
        case .unreachable, .tlsFailed, .protocolMismatch, .loginRefused, .virtualHostRefused, .negotiationFailed,
            .channelClosed, .closed, .timedOut, .cancelled, .invalidArgument, .tooManyChannels, .publishRefused,
            .publishReturned, .consumerCancelled, .unreadableMessage, .credentialsUnavailable:
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

    /// The same failure at a stage, unless it names one.
    func at(_ stage: Stage) -> AMQPError {
        guard self.stage == nil else { return self }
        var copy = self
        copy.stage = stage
        return copy
    }
}

extension AMQPError: CustomStringConvertible {
    /// What happened and, behind a colon, what to do about it. One line, without any password.
    public var description: String {
        remedy.map { "\(message): \($0)" } ?? message
    }
}
