// The methods of class queue (50): queues.

extension AMQPMethod {
    /// `queue.declare`. Creates a queue, or checks that it exists with these very settings.
    /// Source: AMQP 0-9-1 reference, section 1.7.2.1.
    public struct QueueDeclare: MethodPayload {
        public static let id = AMQPMethodID.queueDeclare
        /// Reserved; kept as it came.
        public var reserved1: UInt16
        /// Name of the queue; empty for the one last declared on the channel or, in a declare, for a name that the
        /// server makes.
        public var queue: AMQPText
        /// Only check that it exists.
        public var passive: Bool
        /// Survives a restart of the server.
        public var durable: Bool
        /// For this connection (queue) or consumer only.
        public var exclusive: Bool
        /// Deleted when its last user is gone.
        public var autoDelete: Bool
        /// Send no answer.
        public var noWait: Bool
        /// Further settings, such as `x-message-ttl`.
        public var arguments: AMQPTable

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(
            reserved1: UInt16 = 0,
            queue: AMQPText = "",
            passive: Bool = false,
            durable: Bool = false,
            exclusive: Bool = false,
            autoDelete: Bool = false,
            noWait: Bool = false,
            arguments: AMQPTable = [:]
        ) {
            self.reserved1 = reserved1
            self.queue = queue
            self.passive = passive
            self.durable = durable
            self.exclusive = exclusive
            self.autoDelete = autoDelete
            self.noWait = noWait
            self.arguments = arguments
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.short("reserved-1", &reserved1)
            try coder.shortString("queue", &queue)
            try coder.bit("passive", &passive)
            try coder.bit("durable", &durable)
            try coder.bit("exclusive", &exclusive)
            try coder.bit("auto-delete", &autoDelete)
            try coder.bit("no-wait", &noWait)
            try coder.table("arguments", &arguments)
        }
    }

    /// `queue.declare-ok`. The queue exists.
    /// Source: AMQP 0-9-1 reference, section 1.7.2.2.
    public struct QueueDeclareOk: MethodPayload {
        public static let id = AMQPMethodID.queueDeclareOk
        /// Name of the queue; empty for the one last declared on the channel or, in a declare, for a name that the
        /// server makes.
        public var queue: AMQPText
        /// Messages in the queue.
        public var messageCount: UInt32
        /// Consumers of the queue.
        public var consumerCount: UInt32

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(queue: AMQPText = "", messageCount: UInt32 = 0, consumerCount: UInt32 = 0) {
            self.queue = queue
            self.messageCount = messageCount
            self.consumerCount = consumerCount
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.shortString("queue", &queue)
            try coder.long("message-count", &messageCount)
            try coder.long("consumer-count", &consumerCount)
        }
    }

    /// `queue.bind`. Binds a queue to an exchange.
    /// Source: AMQP 0-9-1 reference, section 1.7.2.3.
    public struct QueueBind: MethodPayload {
        public static let id = AMQPMethodID.queueBind
        /// Reserved; kept as it came.
        public var reserved1: UInt16
        /// Name of the queue; empty for the one last declared on the channel or, in a declare, for a name that the
        /// server makes.
        public var queue: AMQPText
        /// Name of the exchange; empty for the default exchange.
        public var exchange: AMQPText
        /// Routing key.
        public var routingKey: AMQPText
        /// Send no answer.
        public var noWait: Bool
        /// Further settings, such as `x-message-ttl`.
        public var arguments: AMQPTable

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(
            reserved1: UInt16 = 0,
            queue: AMQPText = "",
            exchange: AMQPText = "",
            routingKey: AMQPText = "",
            noWait: Bool = false,
            arguments: AMQPTable = [:]
        ) {
            self.reserved1 = reserved1
            self.queue = queue
            self.exchange = exchange
            self.routingKey = routingKey
            self.noWait = noWait
            self.arguments = arguments
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.short("reserved-1", &reserved1)
            try coder.shortString("queue", &queue)
            try coder.shortString("exchange", &exchange)
            try coder.shortString("routing-key", &routingKey)
            try coder.bit("no-wait", &noWait)
            try coder.table("arguments", &arguments)
        }
    }

    /// `queue.bind-ok`. The binding exists.
    /// Source: AMQP 0-9-1 reference, section 1.7.2.4.
    public struct QueueBindOk: MethodPayload {
        public static let id = AMQPMethodID.queueBindOk

        /// The method, which has no fields.
        public init() {}

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {}
    }

    /// `queue.unbind`. Removes a binding of a queue. It has no no-wait bit.
    /// Source: AMQP 0-9-1 reference, section 1.7.2.5.
    public struct QueueUnbind: MethodPayload {
        public static let id = AMQPMethodID.queueUnbind
        /// Reserved; kept as it came.
        public var reserved1: UInt16
        /// Name of the queue; empty for the one last declared on the channel or, in a declare, for a name that the
        /// server makes.
        public var queue: AMQPText
        /// Name of the exchange; empty for the default exchange.
        public var exchange: AMQPText
        /// Routing key.
        public var routingKey: AMQPText
        /// Further settings, such as `x-message-ttl`.
        public var arguments: AMQPTable

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(
            reserved1: UInt16 = 0,
            queue: AMQPText = "",
            exchange: AMQPText = "",
            routingKey: AMQPText = "",
            arguments: AMQPTable = [:]
        ) {
            self.reserved1 = reserved1
            self.queue = queue
            self.exchange = exchange
            self.routingKey = routingKey
            self.arguments = arguments
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.short("reserved-1", &reserved1)
            try coder.shortString("queue", &queue)
            try coder.shortString("exchange", &exchange)
            try coder.shortString("routing-key", &routingKey)
            try coder.table("arguments", &arguments)
        }
    }

    /// `queue.unbind-ok`. The binding is gone.
    /// Source: AMQP 0-9-1 reference, section 1.7.2.6.
    public struct QueueUnbindOk: MethodPayload {
        public static let id = AMQPMethodID.queueUnbindOk

        /// The method, which has no fields.
        public init() {}

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {}
    }

    /// `queue.purge`. Drops the messages of a queue that wait for a consumer.
    /// Source: AMQP 0-9-1 reference, section 1.7.2.7.
    public struct QueuePurge: MethodPayload {
        public static let id = AMQPMethodID.queuePurge
        /// Reserved; kept as it came.
        public var reserved1: UInt16
        /// Name of the queue; empty for the one last declared on the channel or, in a declare, for a name that the
        /// server makes.
        public var queue: AMQPText
        /// Send no answer.
        public var noWait: Bool

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(reserved1: UInt16 = 0, queue: AMQPText = "", noWait: Bool = false) {
            self.reserved1 = reserved1
            self.queue = queue
            self.noWait = noWait
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.short("reserved-1", &reserved1)
            try coder.shortString("queue", &queue)
            try coder.bit("no-wait", &noWait)
        }
    }

    /// `queue.purge-ok`. The queue is purged.
    /// Source: AMQP 0-9-1 reference, section 1.7.2.8.
    public struct QueuePurgeOk: MethodPayload {
        public static let id = AMQPMethodID.queuePurgeOk
        /// Messages in the queue.
        public var messageCount: UInt32

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(messageCount: UInt32 = 0) {
            self.messageCount = messageCount
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.long("message-count", &messageCount)
        }
    }

    /// `queue.delete`. Deletes a queue.
    /// Source: AMQP 0-9-1 reference, section 1.7.2.9.
    public struct QueueDelete: MethodPayload {
        public static let id = AMQPMethodID.queueDelete
        /// Reserved; kept as it came.
        public var reserved1: UInt16
        /// Name of the queue; empty for the one last declared on the channel or, in a declare, for a name that the
        /// server makes.
        public var queue: AMQPText
        /// Only if nothing uses it.
        public var ifUnused: Bool
        /// Only if it holds no message.
        public var ifEmpty: Bool
        /// Send no answer.
        public var noWait: Bool

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(
            reserved1: UInt16 = 0,
            queue: AMQPText = "",
            ifUnused: Bool = false,
            ifEmpty: Bool = false,
            noWait: Bool = false
        ) {
            self.reserved1 = reserved1
            self.queue = queue
            self.ifUnused = ifUnused
            self.ifEmpty = ifEmpty
            self.noWait = noWait
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.short("reserved-1", &reserved1)
            try coder.shortString("queue", &queue)
            try coder.bit("if-unused", &ifUnused)
            try coder.bit("if-empty", &ifEmpty)
            try coder.bit("no-wait", &noWait)
        }
    }

    /// `queue.delete-ok`. The queue is gone.
    /// Source: AMQP 0-9-1 reference, section 1.7.2.10.
    public struct QueueDeleteOk: MethodPayload {
        public static let id = AMQPMethodID.queueDeleteOk
        /// Messages in the queue.
        public var messageCount: UInt32

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(messageCount: UInt32 = 0) {
            self.messageCount = messageCount
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.long("message-count", &messageCount)
        }
    }
}
