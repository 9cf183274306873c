extension AMQPError {
    /// A reply code with the broker's words, and what these say.
    ///
    /// The words are meant for people, differ from version to version and are cut off at 255 bytes. ``init(code:text:)`` reads
    /// those of RabbitMQ 3.10 to 4.3, LavinMQ and GarageMQ, in one place, so that nobody else has to search them. What it does
    /// not find is nil, and what it does not know is ``Kind/other``.
    public struct Reply: Hashable, Sendable {
        /// The reply code. Source: AMQP 0-9-1 reference, section 1.1.
        public var code: UInt16
        /// The broker's words, as they came.
        public var text: String
        /// What it is about.
        public var kind: Kind
        /// What was refused, is missing, locked, in use or different.
        public var resource: Resource?
        /// The user who was refused, or whose limit is reached.
        public var user: String?
        /// The permission that is missing: `configure`, `write` or `read`. RabbitMQ names it since 3.12.
        public var permission: String?
        /// The argument or property that cannot be used or is different.
        public var argument: Argument?
        /// The limit that is reached: connections, channels, queues, consumers, or bytes of a message.
        public var limit: UInt64?
        /// The size of the message that is too large, in bytes.
        public var size: UInt64?
        /// The deprecated feature that the broker does not permit, `transient_nonexcl_queues` say.
        public var feature: String?

        /// Something that an error is about.
        public struct Resource: Hashable, Sendable {
            /// What it is.
            public var kind: ResourceKind
            /// Its name; of a topic, the routing key.
            public var name: String
            /// The virtual host that it is in; nil for virtual hosts, and where the broker does not say.
            public var virtualHost: String?
            /// The exchange of a topic.
            public var exchange: String?
        }

        /// An argument or property, and the values that it has.
        public struct Argument: Hashable, Sendable {
            /// `x-message-ttl`, `durable`, `auto_delete`, `type`, `expiration` …
            public var name: String
            /// What was asked for; nil for nothing.
            public var received: String?
            /// What the existing queue or exchange has; nil for nothing.
            public var current: String?
        }
    }
}

extension AMQPError.Reply {
    /// What kind of thing a resource is.
    public struct ResourceKind: Hashable, Sendable, CustomStringConvertible {
        private enum Kind: String { case queue, exchange, topic, virtualHost }

        private let kind: Kind

        private init(_ kind: Kind) { self.kind = kind }

        /// A queue.
        public static var queue: ResourceKind { ResourceKind(.queue) }
        /// An exchange.
        public static var exchange: ResourceKind { ResourceKind(.exchange) }
        /// Routing keys of a topic exchange.
        public static var topic: ResourceKind { ResourceKind(.topic) }
        /// A virtual host.
        public static var virtualHost: ResourceKind { ResourceKind(.virtualHost) }

        /// The kind in words, `virtual host` say.
        public var description: String { kind == .virtualHost ? "virtual host" : kind.rawValue }
    }

    /// What a reply is about.
    public struct Kind: Hashable, Sendable, CustomStringConvertible {
        enum Name: String {
            case accessRefused, reservedName, loginRefused, notFound, unavailable, argumentMismatch, invalidArgument,
                unknownExchangeType, featureNotPermitted, resourceLocked, exclusiveConsumer, resourceInUse,
                resourceNotEmpty, connectionLimit, channelLimit, queueLimit, exchangeLimit, consumerLimit,
                messageTooLarge, unknownDeliveryTag, acknowledgementTimeout, consumerTagInUse, noReplyConsumer,
                limitsRefused, lowOnDisk, shutdown, closedByOperator, unroutable, noConsumers, other
        }

        let name: Name

        init(_ name: Name) { self.name = name }

        /// The user has no permission for ``AMQPError/Reply/resource``.
        public static var accessRefused: Kind { Kind(.accessRefused) }
        /// The name is the broker's own: it begins with `amq.`, or is that of the default exchange.
        public static var reservedName: Kind { Kind(.reservedName) }
        /// User, password or a new secret are wrong, or the user may not come from this host.
        public static var loginRefused: Kind { Kind(.loginRefused) }
        /// ``AMQPError/Reply/resource`` does not exist.
        public static var notFound: Kind { Kind(.notFound) }
        /// ``AMQPError/Reply/resource`` exists, and the node that has it does not serve it now.
        public static var unavailable: Kind { Kind(.unavailable) }
        /// ``AMQPError/Reply/resource`` exists with another ``AMQPError/Reply/argument``.
        public static var argumentMismatch: Kind { Kind(.argumentMismatch) }
        /// ``AMQPError/Reply/argument`` has a value that cannot be used, or cannot be used there.
        public static var invalidArgument: Kind { Kind(.invalidArgument) }
        /// The broker knows no exchanges of the type in ``AMQPError/Reply/argument``.
        public static var unknownExchangeType: Kind { Kind(.unknownExchangeType) }
        /// The broker is set up not to permit the deprecated ``AMQPError/Reply/feature``, or no longer has it.
        public static var featureNotPermitted: Kind { Kind(.featureNotPermitted) }
        /// Another connection holds the queue exclusively.
        public static var resourceLocked: Kind { Kind(.resourceLocked) }
        /// Another consumer has the queue to itself, or others consume from it.
        public static var exclusiveConsumer: Kind { Kind(.exclusiveConsumer) }
        /// It was to be deleted only if unused, and is in use.
        public static var resourceInUse: Kind { Kind(.resourceInUse) }
        /// It was to be deleted only if empty, and is not.
        public static var resourceNotEmpty: Kind { Kind(.resourceNotEmpty) }
        /// The user, the virtual host or the node has all the connections that it may have.
        public static var connectionLimit: Kind { Kind(.connectionLimit) }
        /// The user, the node or the connection has all the channels that it may have.
        public static var channelLimit: Kind { Kind(.channelLimit) }
        /// The virtual host has all the queues that it may have.
        public static var queueLimit: Kind { Kind(.queueLimit) }
        /// The broker has all the exchanges that it may have.
        public static var exchangeLimit: Kind { Kind(.exchangeLimit) }
        /// The channel has all the consumers that it may have.
        public static var consumerLimit: Kind { Kind(.consumerLimit) }
        /// The message has more bytes than the broker takes.
        public static var messageTooLarge: Kind { Kind(.messageTooLarge) }
        /// A delivery was settled that the channel does not have, or has no longer.
        public static var unknownDeliveryTag: Kind { Kind(.unknownDeliveryTag) }
        /// A delivery was not settled within the time that the broker allows.
        public static var acknowledgementTimeout: Kind { Kind(.acknowledgementTimeout) }
        /// The channel has a consumer of that tag.
        public static var consumerTagInUse: Kind { Kind(.consumerTagInUse) }
        /// A request names `amq.rabbitmq.reply-to`, and nothing consumes from it on this channel.
        public static var noReplyConsumer: Kind { Kind(.noReplyConsumer) }
        /// The broker does not take a limit that was agreed on, a frame size that is too small say.
        public static var limitsRefused: Kind { Kind(.limitsRefused) }
        /// The broker is low on disk space.
        public static var lowOnDisk: Kind { Kind(.lowOnDisk) }
        /// The broker is being shut down.
        public static var shutdown: Kind { Kind(.shutdown) }
        /// An operator closed it.
        public static var closedByOperator: Kind { Kind(.closedByOperator) }
        /// No queue is bound for the message.
        public static var unroutable: Kind { Kind(.unroutable) }
        /// The queue has no consumer that could take an immediate message.
        public static var noConsumers: Kind { Kind(.noConsumers) }
        /// Something else; the code and the text say what.
        public static var other: Kind { Kind(.other) }

        /// The member's name, `argumentMismatch` say.
        public var description: String { name.rawValue }
    }
}
