// The methods of class exchange (40): exchanges.

extension AMQPMethod {
    /// `exchange.declare`. Creates an exchange, or checks that it exists with these very settings.
    /// Source: AMQP 0-9-1 reference, section 1.6.2.1.
    public struct ExchangeDeclare: MethodPayload {
        public static let id = AMQPMethodID.exchangeDeclare
        /// Reserved; kept as it came.
        public var reserved1: UInt16
        /// Name of the exchange; empty for the default exchange.
        public var exchange: AMQPText
        /// direct, fanout, topic, headers, or a type that a plugin adds.
        public var type: AMQPText
        /// Only check that it exists.
        public var passive: Bool
        /// Survives a restart of the server.
        public var durable: Bool
        /// Deleted when its last user is gone.
        public var autoDelete: Bool
        /// Takes no publishes, only messages of other exchanges.
        public var `internal`: Bool
        /// Send no answer.
        public var noWait: Bool
        /// Further settings, such as `x-message-ttl`.
        public var arguments: AMQPTable

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(
            reserved1: UInt16 = 0,
            exchange: AMQPText = "",
            type: AMQPText = "direct",
            passive: Bool = false,
            durable: Bool = false,
            autoDelete: Bool = false,
            `internal`: Bool = false,
            noWait: Bool = false,
            arguments: AMQPTable = [:]
        ) {
            self.reserved1 = reserved1
            self.exchange = exchange
            self.type = type
            self.passive = passive
            self.durable = durable
            self.autoDelete = autoDelete
            self.internal = `internal`
            self.noWait = noWait
            self.arguments = arguments
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.short("reserved-1", &reserved1)
            try coder.shortString("exchange", &exchange)
            try coder.shortString("type", &type)
            try coder.bit("passive", &passive)
            try coder.bit("durable", &durable)
            try coder.bit("auto-delete", &autoDelete)
            try coder.bit("internal", &`internal`)
            try coder.bit("no-wait", &noWait)
            try coder.table("arguments", &arguments)
        }
    }

    /// `exchange.declare-ok`. The exchange exists.
    /// Source: AMQP 0-9-1 reference, section 1.6.2.2.
    public struct ExchangeDeclareOk: MethodPayload {
        public static let id = AMQPMethodID.exchangeDeclareOk

        /// The method, which has no fields.
        public init() {}

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {}
    }

    /// `exchange.delete`. Deletes an exchange.
    /// Source: AMQP 0-9-1 reference, section 1.6.2.3.
    public struct ExchangeDelete: MethodPayload {
        public static let id = AMQPMethodID.exchangeDelete
        /// Reserved; kept as it came.
        public var reserved1: UInt16
        /// Name of the exchange; empty for the default exchange.
        public var exchange: AMQPText
        /// Only if nothing uses it.
        public var ifUnused: Bool
        /// Send no answer.
        public var noWait: Bool

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(reserved1: UInt16 = 0, exchange: AMQPText = "", ifUnused: Bool = false, noWait: Bool = false) {
            self.reserved1 = reserved1
            self.exchange = exchange
            self.ifUnused = ifUnused
            self.noWait = noWait
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.short("reserved-1", &reserved1)
            try coder.shortString("exchange", &exchange)
            try coder.bit("if-unused", &ifUnused)
            try coder.bit("no-wait", &noWait)
        }
    }

    /// `exchange.delete-ok`. The exchange is gone.
    /// Source: AMQP 0-9-1 reference, section 1.6.2.4.
    public struct ExchangeDeleteOk: MethodPayload {
        public static let id = AMQPMethodID.exchangeDeleteOk

        /// The method, which has no fields.
        public init() {}

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {}
    }

    /// `exchange.bind`. Binds an exchange to another, so that messages of the source reach the destination.
    /// Source: RabbitMQ's extension.
    public struct ExchangeBind: MethodPayload {
        public static let id = AMQPMethodID.exchangeBind
        /// Reserved; kept as it came.
        public var reserved1: UInt16
        /// Exchange that receives.
        public var destination: AMQPText
        /// Exchange that gives.
        public var source: AMQPText
        /// Routing key.
        public var routingKey: AMQPText
        /// Send no answer.
        public var noWait: Bool
        /// Further settings, such as `x-message-ttl`.
        public var arguments: AMQPTable

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(
            reserved1: UInt16 = 0,
            destination: AMQPText = "",
            source: AMQPText = "",
            routingKey: AMQPText = "",
            noWait: Bool = false,
            arguments: AMQPTable = [:]
        ) {
            self.reserved1 = reserved1
            self.destination = destination
            self.source = source
            self.routingKey = routingKey
            self.noWait = noWait
            self.arguments = arguments
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.short("reserved-1", &reserved1)
            try coder.shortString("destination", &destination)
            try coder.shortString("source", &source)
            try coder.shortString("routing-key", &routingKey)
            try coder.bit("no-wait", &noWait)
            try coder.table("arguments", &arguments)
        }
    }

    /// `exchange.bind-ok`. The binding exists.
    /// Source: RabbitMQ's extension.
    public struct ExchangeBindOk: MethodPayload {
        public static let id = AMQPMethodID.exchangeBindOk

        /// The method, which has no fields.
        public init() {}

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {}
    }

    /// `exchange.unbind`. Removes a binding between exchanges.
    /// Source: RabbitMQ's extension.
    public struct ExchangeUnbind: MethodPayload {
        public static let id = AMQPMethodID.exchangeUnbind
        /// Reserved; kept as it came.
        public var reserved1: UInt16
        /// Exchange that receives.
        public var destination: AMQPText
        /// Exchange that gives.
        public var source: AMQPText
        /// Routing key.
        public var routingKey: AMQPText
        /// Send no answer.
        public var noWait: Bool
        /// Further settings, such as `x-message-ttl`.
        public var arguments: AMQPTable

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(
            reserved1: UInt16 = 0,
            destination: AMQPText = "",
            source: AMQPText = "",
            routingKey: AMQPText = "",
            noWait: Bool = false,
            arguments: AMQPTable = [:]
        ) {
            self.reserved1 = reserved1
            self.destination = destination
            self.source = source
            self.routingKey = routingKey
            self.noWait = noWait
            self.arguments = arguments
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.short("reserved-1", &reserved1)
            try coder.shortString("destination", &destination)
            try coder.shortString("source", &source)
            try coder.shortString("routing-key", &routingKey)
            try coder.bit("no-wait", &noWait)
            try coder.table("arguments", &arguments)
        }
    }

    /// `exchange.unbind-ok`. The binding is gone. Its method id is 51, not 41.
    /// Source: RabbitMQ's extension.
    public struct ExchangeUnbindOk: MethodPayload {
        public static let id = AMQPMethodID.exchangeUnbindOk

        /// The method, which has no fields.
        public init() {}

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {}
    }
}
