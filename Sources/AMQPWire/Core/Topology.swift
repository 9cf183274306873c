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

        /// After how much time without use the broker deletes it (`x-expires`); nil for never.
        var lifetime: Duration? {
            declaration.arguments["x-expires"]?.integer.map { .milliseconds($0) }
        }
    }

    private var exchangesByName = OrderedRegister<AMQPText, AMQPMethod.ExchangeDeclare>()
    private var queuesByName = OrderedRegister<AMQPText, Queue>()
    private var bindingsOfExchanges = BindingRegister<AMQPMethod.ExchangeBind>()
    private var bindingsOfQueues = BindingRegister<AMQPMethod.QueueBind>()

    var exchanges: [AMQPMethod.ExchangeDeclare] { exchangesByName.values }
    var queues: [Queue] { queuesByName.values }
    var exchangeBindings: [AMQPMethod.ExchangeBind] { bindingsOfExchanges.all }
    var queueBindings: [AMQPMethod.QueueBind] { bindingsOfQueues.all }

    /// Whether there is nothing to declare again.
    var isEmpty: Bool {
        exchangesByName.isEmpty && queuesByName.isEmpty && bindingsOfExchanges.isEmpty && bindingsOfQueues.isEmpty
    }

    /// Whether the queue or the binding that a method declares is still to be there.
    func contains(_ method: AMQPMethod) -> Bool {
        switch method {
        // One that the broker named has a name that is not in its declaration.
        case .queueDeclare(let declaration) where declaration.queue.isEmpty:
            queuesByName.values.contains { $0.declaration == declaration }
        case .queueDeclare(let declaration): queuesByName[declaration.queue]?.declaration == declaration
        case .queueBind(let binding): bindingsOfQueues.contains(binding)
        default: false
        }
    }

    /// The bindings of a queue.
    func bindings(of queue: AMQPText) -> Set<AMQPMethod.QueueBind> { bindingsOfQueues.leading(to: queue) }

    mutating func declared(_ exchange: AMQPMethod.ExchangeDeclare) {
        guard !exchange.passive, !exchange.exchange.isEmpty else { return }
        exchangesByName.add(exchange, for: exchange.exchange)
    }

    mutating func deletedExchange(_ name: AMQPText) {
        exchangesByName.remove(name)
        for binding in bindingsOfQueues.coming(from: name) { remove(binding) }
        for binding in bindingsOfExchanges.coming(from: name) { remove(binding) }
        let leadingHere = bindingsOfExchanges.leading(to: name)
        for binding in leadingHere { remove(binding) }
        for source in Set(leadingHere.map(\.source)) { bindingEnded(source) }
    }

    @discardableResult
    private mutating func remove(_ binding: AMQPMethod.QueueBind) -> Bool {
        bindingsOfQueues.remove(binding, from: binding.exchange, to: binding.queue)
    }

    @discardableResult
    private mutating func remove(_ binding: AMQPMethod.ExchangeBind) -> Bool {
        bindingsOfExchanges.remove(binding, from: binding.source, to: binding.destination)
    }

    /// A binding from an exchange is gone, and with the last one an exchange that deletes itself.
    private mutating func bindingEnded(_ name: AMQPText) {
        guard exchangesByName[name]?.autoDelete == true else { return }
        guard bindingsOfQueues.coming(from: name).isEmpty, bindingsOfExchanges.coming(from: name).isEmpty else {
            return
        }
        deletedExchange(name)
    }

    /// `name` is what the broker answered.
    mutating func declared(_ queue: AMQPMethod.QueueDeclare, name: AMQPText) {
        guard !queue.passive else { return }
        queuesByName.add(Queue(name: name, declaration: queue), for: name)
    }

    mutating func deletedQueue(_ name: AMQPText) {
        queuesByName.remove(name)
        let bindings = bindingsOfQueues.leading(to: name)
        for binding in bindings { remove(binding) }
        for source in Set(bindings.map(\.exchange)) { bindingEnded(source) }
    }

    mutating func bound(_ binding: AMQPMethod.QueueBind) {
        bindingsOfQueues.add(binding, from: binding.exchange, to: binding.queue)
    }

    mutating func unbound(_ binding: AMQPMethod.QueueUnbind) {
        let bound = AMQPMethod.QueueBind(
            queue: binding.queue,
            exchange: binding.exchange,
            routingKey: binding.routingKey,
            arguments: binding.arguments
        )
        if remove(bound) { bindingEnded(binding.exchange) }
    }

    mutating func bound(_ binding: AMQPMethod.ExchangeBind) {
        bindingsOfExchanges.add(binding, from: binding.source, to: binding.destination)
    }

    mutating func unbound(_ binding: AMQPMethod.ExchangeUnbind) {
        let bound = AMQPMethod.ExchangeBind(
            destination: binding.destination,
            source: binding.source,
            routingKey: binding.routingKey,
            arguments: binding.arguments
        )
        if remove(bound) { bindingEnded(binding.source) }
    }

    /// A queue came back under another name.
    mutating func renamed(_ old: AMQPText, to new: AMQPText) {
        if var queue = queuesByName[old] {
            queue.name = new
            queuesByName.replace(old, by: queue, for: new)
        }
        for binding in bindingsOfQueues.leading(to: old) {
            var renamed = binding
            renamed.queue = new
            bindingsOfQueues.replace(binding, by: renamed, source: binding.exchange, old, new)
        }
    }

    /// Whether a queue deletes itself with its last consumer.
    func deletesItself(_ queue: AMQPText) -> Bool { queuesByName[queue]?.declaration.autoDelete ?? false }

    /// The last consumer of a queue that deletes itself is gone, and so is the queue.
    mutating func consumerEnded(queue: AMQPText, othersConsume: Bool) {
        if !othersConsume, deletesItself(queue) { deletedQueue(queue) }
    }
}
