/// Something that happened to a connection. Nothing in it needs an answer.
///
/// ``kind`` says what it is, and which of the other properties it has; those it does not have are nil. Kinds and properties can
/// be added to, so a `switch` over the kind needs a `default`.
public struct AMQPEvent: Sendable {
    /// What happened.
    public struct Kind: Hashable, Sendable, CustomStringConvertible {
        enum Name: String {
            case connected, disconnected, reconnecting, recovered, recoveryFailed, recoveryDelayed, recoveryCompleted,
                queueRenamed, credentialsFailed, blocked, unblocked, returned, channelClosed, consumerCancelled, closed
        }

        let name: Name

        private init(_ name: Name) { self.name = name }

        /// The connection is open; has ``AMQPEvent/peer`` and ``AMQPEvent/serverProperties``.
        public static var connected: Kind { Kind(.connected) }
        /// The connection is lost, and with it whatever it was blocked for; has ``AMQPEvent/error``. A close by this program is
        /// told by ``closed`` only.
        public static var disconnected: Kind { Kind(.disconnected) }
        /// The next attempt to connect comes after a pause; has ``AMQPEvent/attempt``, ``AMQPEvent/pause`` and, as the reason,
        /// ``AMQPEvent/error``.
        public static var reconnecting: Kind { Kind(.reconnecting) }
        /// The connection, its channels and what was declared on them are back, apart from what was said to be delayed.
        public static var recovered: Kind { Kind(.recovered) }
        /// Something that was declared could not be declared again, or a consumer or channel not be brought back. The rest was.
        /// Has ``AMQPEvent/what`` and ``AMQPEvent/error``.
        public static var recoveryFailed: Kind { Kind(.recoveryFailed) }
        /// The broker still holds something for the lost connection, which it has not missed yet, or somebody else consumes the
        /// queue of an exclusive consumer. Everything else comes back without it; it is tried again until two heartbeats have
        /// passed. Has ``AMQPEvent/what`` and ``AMQPEvent/error``.
        public static var recoveryDelayed: Kind { Kind(.recoveryDelayed) }
        /// Something that recovery was delayed for is back, with all that depends on it; ``recovered`` was told before. Has
        /// ``AMQPEvent/what``.
        public static var recoveryCompleted: Kind { Kind(.recoveryCompleted) }
        /// A queue that the broker had named came back under another name; has ``AMQPEvent/queue``, the new name, and
        /// ``AMQPEvent/formerQueue``.
        public static var queueRenamed: Kind { Kind(.queueRenamed) }
        /// No fresh credentials could be had, or given to the broker, before those in use expire; it is tried again. Has
        /// ``AMQPEvent/error``.
        public static var credentialsFailed: Kind { Kind(.credentialsFailed) }
        /// The broker reads no publishes for now, publishers wait; has ``AMQPEvent/reason``.
        public static var blocked: Kind { Kind(.blocked) }
        /// The broker reads publishes again.
        public static var unblocked: Kind { Kind(.unblocked) }
        /// A message came back that no waiting publish is known for; has ``AMQPEvent/returned`` and ``AMQPEvent/channel``.
        public static var returned: Kind { Kind(.returned) }
        /// The broker closed a channel; has ``AMQPEvent/error`` and ``AMQPEvent/channel``.
        public static var channelClosed: Kind { Kind(.channelClosed) }
        /// The broker ended a consumer; has ``AMQPEvent/consumerTag``, ``AMQPEvent/queue`` and ``AMQPEvent/channel``.
        public static var consumerCancelled: Kind { Kind(.consumerCancelled) }
        /// The connection is over for good; has ``AMQPEvent/error``, unless it was closed by this program.
        public static var closed: Kind { Kind(.closed) }

        /// The member's name, `recoveryFailed` say.
        public var description: String { name.rawValue }
    }

    /// What happened.
    public var kind: Kind
    /// The broker's address.
    public var peer: String?
    /// What the broker says of itself: `product`, `version`, `capabilities` and more.
    public var serverProperties: AMQPTable?
    /// What failed, or why something is done.
    public var error: AMQPError?
    /// The channel that it happened to, ``AMQPChannel/id``.
    public var channel: AMQPChannelID?
    /// The number of the attempt since the connection was lost, from 1.
    public var attempt: Int?
    /// How long it is until the attempt.
    public var pause: Duration?
    /// What could not be made again, or is late: `queue 'tasks'`, say.
    public var what: String?
    /// The queue's name.
    public var queue: String?
    /// The name that the queue had before.
    public var formerQueue: String?
    /// The consumer's tag.
    public var consumerTag: String?
    /// Why publishes wait, in the broker's words.
    public var reason: String?
    /// The message that came back.
    public var returned: AMQPReturnedMessage?

    /// An event of a kind; its other properties are for the caller to set, as in a test of an application's own.
    public init(_ kind: Kind) {
        self.kind = kind
    }
}

extension AMQPEvent: CustomStringConvertible {
    /// The kind and what it has, in one line, for a log.
    public var description: String {
        var parts = [kind.description]
        if let peer { parts.append(peer) }
        if let channel { parts.append("\(channel)") }
        if let what { parts.append(what) }
        if let formerQueue { parts.append("queue '\(formerQueue)' to") }
        if let queue { parts.append("queue '\(queue)'") }
        if let consumerTag { parts.append("consumer '\(consumerTag)'") }
        if let attempt { parts.append("attempt \(attempt)") }
        if let pause { parts.append("in \(pause)") }
        if let returned { parts.append("from exchange '\(returned.exchange)', key '\(returned.routingKey)'") }
        if let reason { parts.append("(\(reason))") }
        let text = parts.joined(separator: " ")
        return error.map { "\(text): \($0)" } ?? text
    }
}

extension AMQPEvent {
    static func connected(peer: String, serverProperties: AMQPTable) -> AMQPEvent {
        var event = AMQPEvent(.connected)
        event.peer = peer
        event.serverProperties = serverProperties
        return event
    }

    static func credentialsFailed(_ error: AMQPError) -> AMQPEvent { AMQPEvent(.credentialsFailed, error) }

    static func disconnected(_ error: AMQPError) -> AMQPEvent { AMQPEvent(.disconnected, error) }

    static func reconnecting(attempt: Int, after pause: Duration, because error: AMQPError) -> AMQPEvent {
        var event = AMQPEvent(.reconnecting, error)
        event.attempt = attempt
        event.pause = pause
        return event
    }

    static var recovered: AMQPEvent { AMQPEvent(.recovered) }

    static func recoveryFailed(what: String, _ error: AMQPError) -> AMQPEvent {
        AMQPEvent(.recoveryFailed, error, what: what)
    }

    static func recoveryDelayed(what: String, _ error: AMQPError) -> AMQPEvent {
        AMQPEvent(.recoveryDelayed, error, what: what)
    }

    static func recoveryCompleted(what: String) -> AMQPEvent { AMQPEvent(.recoveryCompleted, what: what) }

    static func queueRenamed(from: String, to: String) -> AMQPEvent {
        var event = AMQPEvent(.queueRenamed)
        event.formerQueue = from
        event.queue = to
        return event
    }

    static func blocked(reason: String) -> AMQPEvent {
        var event = AMQPEvent(.blocked)
        event.reason = reason
        return event
    }

    static var unblocked: AMQPEvent { AMQPEvent(.unblocked) }

    static func returned(channel: AMQPChannelID, _ message: AMQPReturnedMessage) -> AMQPEvent {
        var event = AMQPEvent(.returned)
        event.channel = channel
        event.returned = message
        return event
    }

    static func channelClosed(channel: AMQPChannelID, _ error: AMQPError) -> AMQPEvent {
        var event = AMQPEvent(.channelClosed, error)
        event.channel = channel
        return event
    }

    static func consumerCancelled(channel: AMQPChannelID, tag: String, queue: String) -> AMQPEvent {
        var event = AMQPEvent(.consumerCancelled)
        event.channel = channel
        event.consumerTag = tag
        event.queue = queue
        return event
    }

    static func closed(_ error: AMQPError?) -> AMQPEvent { AMQPEvent(.closed, error) }

    private init(_ kind: Kind, _ error: AMQPError? = nil, what: String? = nil) {
        self.kind = kind
        self.error = error
        self.what = what
    }
}
