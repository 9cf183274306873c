/// What was declared over a connection, in order to declare it again on the next. Knows nothing of how.
///
/// Only what was declared here and not deleted here is kept: a recovery resurrects nothing that was meant to go.
struct Topology {
    /// A queue and how it was declared; one that the broker named is declared without a name again.
    struct Queue: Hashable {
        var name: AMQPText
        var declaration: AMQPMethod.QueueDeclare

        /// Whether the broker chose the name.
        var isServerNamed: Bool { declaration.queue.isEmpty }
    }

    private(set) var exchanges: [AMQPMethod.ExchangeDeclare] = []
    private(set) var queues: [Queue] = []
    private(set) var exchangeBindings: [AMQPMethod.ExchangeBind] = []
    private(set) var queueBindings: [AMQPMethod.QueueBind] = []

    /// Whether there is nothing to declare again.
    var isEmpty: Bool {
        exchanges.isEmpty && queues.isEmpty && exchangeBindings.isEmpty && queueBindings.isEmpty
    }

    /// Whether the queue or the binding that a method declares is still to be there.
    func contains(_ method: AMQPMethod) -> Bool {
        switch method {
        case .queueDeclare(let declaration): queues.contains { $0.declaration == declaration }
        case .queueBind(let binding): queueBindings.contains(binding)
        default: false
        }
    }

    mutating func declared(_ exchange: AMQPMethod.ExchangeDeclare) {
        guard !exchange.passive, !exchange.exchange.isEmpty else { return }
        exchanges.removeAll { $0.exchange == exchange.exchange }
        exchanges.append(exchange)
    }

    mutating func deletedExchange(_ name: AMQPText) {
        let sources = exchangeBindings.filter { $0.destination == name && $0.source != name }.map(\.source)
        exchanges.removeAll { $0.exchange == name }
        queueBindings.removeAll { $0.exchange == name }
        exchangeBindings.removeAll { $0.source == name || $0.destination == name }
        for source in sources { bindingEnded(source) }
    }

    /// A binding from an exchange is gone, and with the last one an exchange that deletes itself.
    private mutating func bindingEnded(_ name: AMQPText) {
        guard exchanges.contains(where: { $0.exchange == name && $0.autoDelete }) else { return }
        guard !queueBindings.contains(where: { $0.exchange == name }) else { return }
        guard !exchangeBindings.contains(where: { $0.source == name }) else { return }
        deletedExchange(name)
    }

    /// `name` is what the broker answered.
    mutating func declared(_ queue: AMQPMethod.QueueDeclare, name: AMQPText) {
        guard !queue.passive else { return }
        queues.removeAll { $0.name == name }
        queues.append(Queue(name: name, declaration: queue))
    }

    mutating func deletedQueue(_ name: AMQPText) {
        queues.removeAll { $0.name == name }
        let sources = queueBindings.filter { $0.queue == name }.map(\.exchange)
        queueBindings.removeAll { $0.queue == name }
        for source in sources { bindingEnded(source) }
    }

    mutating func bound(_ binding: AMQPMethod.QueueBind) {
        if !queueBindings.contains(binding) { queueBindings.append(binding) }
    }

    mutating func unbound(_ binding: AMQPMethod.QueueUnbind) {
        let count = queueBindings.count
        queueBindings.removeAll {
            $0.queue == binding.queue && $0.exchange == binding.exchange && $0.routingKey == binding.routingKey
                && $0.arguments == binding.arguments
        }
        if queueBindings.count < count { bindingEnded(binding.exchange) }
    }

    mutating func bound(_ binding: AMQPMethod.ExchangeBind) {
        if !exchangeBindings.contains(binding) { exchangeBindings.append(binding) }
    }

    mutating func unbound(_ binding: AMQPMethod.ExchangeUnbind) {
        let count = exchangeBindings.count
        exchangeBindings.removeAll {
            $0.destination == binding.destination && $0.source == binding.source
                && $0.routingKey == binding.routingKey && $0.arguments == binding.arguments
        }
        if exchangeBindings.count < count { bindingEnded(binding.source) }
    }

    /// A queue came back under another name.
    mutating func renamed(_ old: AMQPText, to new: AMQPText) {
        for index in queues.indices where queues[index].name == old { queues[index].name = new }
        for index in queueBindings.indices where queueBindings[index].queue == old { queueBindings[index].queue = new }
    }

    /// The last consumer of a queue that deletes itself is gone, and so is the queue.
    mutating func consumerEnded(queue: AMQPText, othersConsume: Bool) {
        guard !othersConsume, let index = queues.firstIndex(where: { $0.name == queue }) else { return }
        if queues[index].declaration.autoDelete { deletedQueue(queue) }
    }
}
