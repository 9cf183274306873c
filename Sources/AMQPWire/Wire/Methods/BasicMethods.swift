// The methods of class basic (60): messages.

extension AMQPMethod {
    /// `basic.qos`. Bounds how much the server sends ahead of acknowledgements.
    /// Source: AMQP 0-9-1 reference, section 1.8.2.1.
    public struct BasicQos: MethodPayload {
        public static let id = AMQPMethodID.basicQos
        /// Octets sent ahead; 0 sets no limit. RabbitMQ takes only 0.
        public var prefetchSize: UInt32
        /// Messages sent ahead; 0 sets no limit.
        public var prefetchCount: UInt16
        /// For the whole channel, instead of each consumer started from here on (as RabbitMQ reads it).
        public var global: Bool

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(prefetchSize: UInt32 = 0, prefetchCount: UInt16 = 0, global: Bool = false) {
            self.prefetchSize = prefetchSize
            self.prefetchCount = prefetchCount
            self.global = global
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.long("prefetch-size", &prefetchSize)
            try coder.short("prefetch-count", &prefetchCount)
            try coder.bit("global", &global)
        }
    }

    /// `basic.qos-ok`. The bounds are in force.
    /// Source: AMQP 0-9-1 reference, section 1.8.2.2.
    public struct BasicQosOk: MethodPayload {
        public static let id = AMQPMethodID.basicQosOk

        /// The method, which has no fields.
        public init() {}

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {}
    }

    /// `basic.consume`. Starts a consumer on a queue.
    /// Source: AMQP 0-9-1 reference, section 1.8.2.3.
    public struct BasicConsume: MethodPayload {
        public static let id = AMQPMethodID.basicConsume
        /// Reserved; kept as it came.
        public var reserved1: UInt16
        /// Name of the queue; empty for the one last declared on the channel or, in a declare, for a name that the
        /// server makes.
        public var queue: AMQPText
        /// Name of the consumer on its channel.
        public var consumerTag: AMQPText
        /// Not to the connection that published. RabbitMQ ignores it.
        public var noLocal: Bool
        /// Deliveries need no acknowledgement.
        public var noAck: Bool
        /// For this connection (queue) or consumer only.
        public var exclusive: Bool
        /// Send no answer.
        public var noWait: Bool
        /// Further settings, such as `x-message-ttl`.
        public var arguments: AMQPTable

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(
            reserved1: UInt16 = 0,
            queue: AMQPText = "",
            consumerTag: AMQPText = "",
            noLocal: Bool = false,
            noAck: Bool = false,
            exclusive: Bool = false,
            noWait: Bool = false,
            arguments: AMQPTable = [:]
        ) {
            self.reserved1 = reserved1
            self.queue = queue
            self.consumerTag = consumerTag
            self.noLocal = noLocal
            self.noAck = noAck
            self.exclusive = exclusive
            self.noWait = noWait
            self.arguments = arguments
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.short("reserved-1", &reserved1)
            try coder.shortString("queue", &queue)
            try coder.shortString("consumer-tag", &consumerTag)
            try coder.bit("no-local", &noLocal)
            try coder.bit("no-ack", &noAck)
            try coder.bit("exclusive", &exclusive)
            try coder.bit("no-wait", &noWait)
            try coder.table("arguments", &arguments)
        }
    }

    /// `basic.consume-ok`. The consumer is registered; deliveries may follow at once.
    /// Source: AMQP 0-9-1 reference, section 1.8.2.4.
    public struct BasicConsumeOk: MethodPayload {
        public static let id = AMQPMethodID.basicConsumeOk
        /// Name of the consumer on its channel.
        public var consumerTag: AMQPText

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(consumerTag: AMQPText = "") {
            self.consumerTag = consumerTag
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.shortString("consumer-tag", &consumerTag)
        }
    }

    /// `basic.cancel`. Ends a consumer. RabbitMQ sends it too, always with no-wait set, when a queue goes away under
    /// its consumer.
    /// Source: AMQP 0-9-1 reference, section 1.8.2.5.
    public struct BasicCancel: MethodPayload {
        public static let id = AMQPMethodID.basicCancel
        /// Name of the consumer on its channel.
        public var consumerTag: AMQPText
        /// Send no answer.
        public var noWait: Bool

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(consumerTag: AMQPText = "", noWait: Bool = false) {
            self.consumerTag = consumerTag
            self.noWait = noWait
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.shortString("consumer-tag", &consumerTag)
            try coder.bit("no-wait", &noWait)
        }
    }

    /// `basic.cancel-ok`. The consumer has ended.
    /// Source: AMQP 0-9-1 reference, section 1.8.2.6.
    public struct BasicCancelOk: MethodPayload {
        public static let id = AMQPMethodID.basicCancelOk
        /// Name of the consumer on its channel.
        public var consumerTag: AMQPText

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(consumerTag: AMQPText = "") {
            self.consumerTag = consumerTag
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.shortString("consumer-tag", &consumerTag)
        }
    }

    /// `basic.publish`. Publishes the message whose header and body frames follow.
    /// Source: AMQP 0-9-1 reference, section 1.8.2.7.
    public struct BasicPublish: MethodPayload {
        public static let id = AMQPMethodID.basicPublish
        /// Reserved; kept as it came.
        public var reserved1: UInt16
        /// Name of the exchange; empty for the default exchange.
        public var exchange: AMQPText
        /// Routing key.
        public var routingKey: AMQPText
        /// Return the message if no queue takes it.
        public var mandatory: Bool
        /// Return the message if no consumer takes it at once. RabbitMQ closes the connection (540).
        public var immediate: Bool

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(
            reserved1: UInt16 = 0,
            exchange: AMQPText = "",
            routingKey: AMQPText = "",
            mandatory: Bool = false,
            immediate: Bool = false
        ) {
            self.reserved1 = reserved1
            self.exchange = exchange
            self.routingKey = routingKey
            self.mandatory = mandatory
            self.immediate = immediate
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.short("reserved-1", &reserved1)
            try coder.shortString("exchange", &exchange)
            try coder.shortString("routing-key", &routingKey)
            try coder.bit("mandatory", &mandatory)
            try coder.bit("immediate", &immediate)
        }
    }

    /// `basic.return`. A message that could not be routed (mandatory) or delivered at once (immediate) comes back;
    /// its content follows.
    /// Source: AMQP 0-9-1 reference, section 1.8.2.8.
    public struct BasicReturn: MethodPayload {
        public static let id = AMQPMethodID.basicReturn
        /// Why; section 1.1 of the reference lists the codes.
        public var replyCode: UInt16
        /// Why, in words. Servers cut it at 255 octets.
        public var replyText: AMQPText
        /// Name of the exchange; empty for the default exchange.
        public var exchange: AMQPText
        /// Routing key.
        public var routingKey: AMQPText

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(
            replyCode: UInt16 = 0,
            replyText: AMQPText = "",
            exchange: AMQPText = "",
            routingKey: AMQPText = ""
        ) {
            self.replyCode = replyCode
            self.replyText = replyText
            self.exchange = exchange
            self.routingKey = routingKey
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.short("reply-code", &replyCode)
            try coder.shortString("reply-text", &replyText)
            try coder.shortString("exchange", &exchange)
            try coder.shortString("routing-key", &routingKey)
        }
    }

    /// `basic.deliver`. A message for a consumer; its content follows.
    /// Source: AMQP 0-9-1 reference, section 1.8.2.9.
    public struct BasicDeliver: MethodPayload {
        public static let id = AMQPMethodID.basicDeliver
        /// Name of the consumer on its channel.
        public var consumerTag: AMQPText
        /// Number of the delivery or publish on its channel, from 1; 0 with `multiple` means all so far.
        public var deliveryTag: UInt64
        /// Has been delivered before.
        public var redelivered: Bool
        /// Name of the exchange; empty for the default exchange.
        public var exchange: AMQPText
        /// Routing key.
        public var routingKey: AMQPText

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(
            consumerTag: AMQPText = "",
            deliveryTag: UInt64 = 0,
            redelivered: Bool = false,
            exchange: AMQPText = "",
            routingKey: AMQPText = ""
        ) {
            self.consumerTag = consumerTag
            self.deliveryTag = deliveryTag
            self.redelivered = redelivered
            self.exchange = exchange
            self.routingKey = routingKey
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.shortString("consumer-tag", &consumerTag)
            try coder.longLong("delivery-tag", &deliveryTag)
            try coder.bit("redelivered", &redelivered)
            try coder.shortString("exchange", &exchange)
            try coder.shortString("routing-key", &routingKey)
        }
    }

    /// `basic.get`. Asks for one message of a queue.
    /// Source: AMQP 0-9-1 reference, section 1.8.2.10.
    public struct BasicGet: MethodPayload {
        public static let id = AMQPMethodID.basicGet
        /// Reserved; kept as it came.
        public var reserved1: UInt16
        /// Name of the queue; empty for the one last declared on the channel or, in a declare, for a name that the
        /// server makes.
        public var queue: AMQPText
        /// Deliveries need no acknowledgement.
        public var noAck: Bool

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(reserved1: UInt16 = 0, queue: AMQPText = "", noAck: Bool = false) {
            self.reserved1 = reserved1
            self.queue = queue
            self.noAck = noAck
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.short("reserved-1", &reserved1)
            try coder.shortString("queue", &queue)
            try coder.bit("no-ack", &noAck)
        }
    }

    /// `basic.get-ok`. The message asked for; its content follows.
    /// Source: AMQP 0-9-1 reference, section 1.8.2.11.
    public struct BasicGetOk: MethodPayload {
        public static let id = AMQPMethodID.basicGetOk
        /// Number of the delivery or publish on its channel, from 1; 0 with `multiple` means all so far.
        public var deliveryTag: UInt64
        /// Has been delivered before.
        public var redelivered: Bool
        /// Name of the exchange; empty for the default exchange.
        public var exchange: AMQPText
        /// Routing key.
        public var routingKey: AMQPText
        /// Messages in the queue.
        public var messageCount: UInt32

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(
            deliveryTag: UInt64 = 0,
            redelivered: Bool = false,
            exchange: AMQPText = "",
            routingKey: AMQPText = "",
            messageCount: UInt32 = 0
        ) {
            self.deliveryTag = deliveryTag
            self.redelivered = redelivered
            self.exchange = exchange
            self.routingKey = routingKey
            self.messageCount = messageCount
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.longLong("delivery-tag", &deliveryTag)
            try coder.bit("redelivered", &redelivered)
            try coder.shortString("exchange", &exchange)
            try coder.shortString("routing-key", &routingKey)
            try coder.long("message-count", &messageCount)
        }
    }

    /// `basic.get-empty`. The queue has no message now.
    /// Source: AMQP 0-9-1 reference, section 1.8.2.12.
    public struct BasicGetEmpty: MethodPayload {
        public static let id = AMQPMethodID.basicGetEmpty
        /// Reserved; kept as it came.
        public var reserved1: AMQPText

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(reserved1: AMQPText = "") {
            self.reserved1 = reserved1
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.shortString("reserved-1", &reserved1)
        }
    }

    /// `basic.ack`. From a client: deliveries are dealt with. From a server in confirm mode: publishes are taken
    /// over.
    /// Source: AMQP 0-9-1 reference, section 1.8.2.13.
    public struct BasicAck: MethodPayload {
        public static let id = AMQPMethodID.basicAck
        /// Number of the delivery or publish on its channel, from 1; 0 with `multiple` means all so far.
        public var deliveryTag: UInt64
        /// All up to and including the tag.
        public var multiple: Bool

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(deliveryTag: UInt64 = 0, multiple: Bool = false) {
            self.deliveryTag = deliveryTag
            self.multiple = multiple
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.longLong("delivery-tag", &deliveryTag)
            try coder.bit("multiple", &multiple)
        }
    }

    /// `basic.reject`. Refuses one delivery.
    /// Source: AMQP 0-9-1 reference, section 1.8.2.14.
    public struct BasicReject: MethodPayload {
        public static let id = AMQPMethodID.basicReject
        /// Number of the delivery or publish on its channel, from 1; 0 with `multiple` means all so far.
        public var deliveryTag: UInt64
        /// Put back into the queue instead of dropped.
        public var requeue: Bool

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(deliveryTag: UInt64 = 0, requeue: Bool = false) {
            self.deliveryTag = deliveryTag
            self.requeue = requeue
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.longLong("delivery-tag", &deliveryTag)
            try coder.bit("requeue", &requeue)
        }
    }

    /// `basic.recover-async`. Asks for the unacknowledged deliveries again, without an answer. Deprecated; use
    /// ``BasicRecover``.
    /// Source: AMQP 0-9-1 reference, section 1.8.2.15.
    public struct BasicRecoverAsync: MethodPayload {
        public static let id = AMQPMethodID.basicRecoverAsync
        /// Put back into the queue instead of dropped.
        public var requeue: Bool

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(requeue: Bool = false) {
            self.requeue = requeue
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.bit("requeue", &requeue)
        }
    }

    /// `basic.recover`. Asks for the unacknowledged deliveries again.
    /// Source: AMQP 0-9-1 reference, section 1.8.2.16.
    public struct BasicRecover: MethodPayload {
        public static let id = AMQPMethodID.basicRecover
        /// Put back into the queue instead of dropped.
        public var requeue: Bool

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(requeue: Bool = false) {
            self.requeue = requeue
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.bit("requeue", &requeue)
        }
    }

    /// `basic.recover-ok`. The deliveries are requeued.
    /// Source: AMQP 0-9-1 reference, section 1.8.2.17.
    public struct BasicRecoverOk: MethodPayload {
        public static let id = AMQPMethodID.basicRecoverOk

        /// The method, which has no fields.
        public init() {}

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {}
    }

    /// `basic.nack`. From a client: deliveries are refused. From a server in confirm mode: publishes could not be
    /// taken over.
    /// Source: RabbitMQ's extension.
    public struct BasicNack: MethodPayload {
        public static let id = AMQPMethodID.basicNack
        /// Number of the delivery or publish on its channel, from 1; 0 with `multiple` means all so far.
        public var deliveryTag: UInt64
        /// All up to and including the tag.
        public var multiple: Bool
        /// Put back into the queue instead of dropped.
        public var requeue: Bool

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(deliveryTag: UInt64 = 0, multiple: Bool = false, requeue: Bool = false) {
            self.deliveryTag = deliveryTag
            self.multiple = multiple
            self.requeue = requeue
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.longLong("delivery-tag", &deliveryTag)
            try coder.bit("multiple", &multiple)
            try coder.bit("requeue", &requeue)
        }
    }
}
