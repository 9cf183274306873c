/// Something that was declared over a connection and is declared again when the connection is recovered.
public struct AMQPDeclaration: Sendable, Hashable {
    /// What kind of thing was declared. More kinds may be added.
    public struct Kind: Sendable, Hashable, CustomStringConvertible {
        /// The kind in words: `queue`.
        public let description: String

        /// An exchange.
        public static let exchange = Kind(description: "exchange")
        /// A queue.
        public static let queue = Kind(description: "queue")
        /// A binding of an exchange to another.
        public static let exchangeBinding = Kind(description: "exchange binding")
        /// A binding of a queue to an exchange.
        public static let queueBinding = Kind(description: "queue binding")
    }

    /// What was declared.
    public let kind: Kind
    /// The exchange's or queue's name; of a binding, that of its destination: the bound queue or exchange. A queue that the
    /// broker named has the name of the lost connection.
    public let name: String
    /// The exchange that a binding takes messages from; nil for exchanges and queues.
    public let source: String?
    /// The routing key of a binding; nil for exchanges and queues.
    public let routingKey: String?
    /// Whether an exchange or queue survives a restart of the broker; false for bindings.
    public let isDurable: Bool
    /// Whether a queue belongs to its connection alone; false for everything else.
    public let isExclusive: Bool
    /// Whether an exchange or queue is deleted with its last binding or consumer; false for bindings.
    public let isAutoDelete: Bool
    /// Further arguments as they were declared.
    public let arguments: AMQPTable

    init(_ exchange: AMQPMethod.ExchangeDeclare) {
        kind = .exchange
        name = exchange.exchange.string
        source = nil
        routingKey = nil
        isDurable = exchange.durable
        isExclusive = false
        isAutoDelete = exchange.autoDelete
        arguments = exchange.arguments
    }

    init(_ queue: Topology.Queue) {
        kind = .queue
        name = queue.name.string
        source = nil
        routingKey = nil
        isDurable = queue.declaration.durable
        isExclusive = queue.declaration.exclusive
        isAutoDelete = queue.declaration.autoDelete
        arguments = queue.declaration.arguments
    }

    init(_ binding: AMQPMethod.ExchangeBind) {
        self.init(.exchangeBinding, binding.destination, binding.source, binding.routingKey, binding.arguments)
    }

    init(_ binding: AMQPMethod.QueueBind) {
        self.init(.queueBinding, binding.queue, binding.exchange, binding.routingKey, binding.arguments)
    }

    private init(_ kind: Kind, _ name: AMQPText, _ source: AMQPText, _ routingKey: AMQPText, _ arguments: AMQPTable) {
        self.kind = kind
        self.name = name.string
        self.source = source.string
        self.routingKey = routingKey.string
        isDurable = false
        isExclusive = false
        isAutoDelete = false
        self.arguments = arguments
    }
}

/// Which of the exchanges, queues and bindings that were declared over a lost connection are declared again on the next.
///
/// Channels and consumers come back in any case. A consumer whose queue is not there ends with the broker's error (404).
public struct AMQPTopologyRecovery: Sendable {
    /// Whether something is declared again; nil for everything.
    let isWanted: (@Sendable (AMQPDeclaration) -> Bool)?

    /// Everything that was declared and not deleted. The default.
    public static let all = AMQPTopologyRecovery(isWanted: nil)

    /// Nothing: the broker's definitions are somebody else's to keep.
    public static let none = AMQPTopologyRecovery { _ in false }

    /// What a filter says yes to. It is asked at each recovery, in the order exchanges, queues, bindings, about a thing maybe
    /// more than once; it should be quick, and may be called on any thread.
    public static func only(_ isWanted: @escaping @Sendable (AMQPDeclaration) -> Bool) -> AMQPTopologyRecovery {
        AMQPTopologyRecovery(isWanted: isWanted)
    }
}

extension Topology {
    /// The part of it that is to be declared again.
    func restored(by recovery: AMQPTopologyRecovery) -> Topology {
        guard let isWanted = recovery.isWanted else { return self }
        var wanted = Topology()
        for exchange in exchanges where isWanted(AMQPDeclaration(exchange)) { wanted.declared(exchange) }
        for queue in queues where isWanted(AMQPDeclaration(queue)) {
            wanted.declared(queue.declaration, name: queue.name)
        }
        for binding in exchangeBindings where isWanted(AMQPDeclaration(binding)) { wanted.bound(binding) }
        for binding in queueBindings where isWanted(AMQPDeclaration(binding)) { wanted.bound(binding) }
        return wanted
    }
}
