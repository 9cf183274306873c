#if Agent
import AMQPWire

/// A broker that has let us in, and what it said of itself.
struct OpenBroker {
    let connection: AMQPConnection
    let properties: AMQPTable

    init(_ connection: AMQPConnection) {
        self.connection = connection
        properties = connection.serverProperties
    }

    /// Whether it can be asked for permissions without a change.
    var isRabbitMQ: Bool { properties["product"]?.string == "RabbitMQ" }
}

/// Exchange, queue and permissions. Each question has a channel of its own, since an answer of "no" closes the channel.
extension BrokerCheck {
    /// What a question has for an answer.
    enum Answer {
        case yes
        /// The broker closed the channel, or the connection, or did not answer.
        case no(AMQPError)
    }

    func check(_ broker: OpenBroker) async throws(SystemError) {
        let topology = Topology(configuration, hostname: hostname)
        guard try await checkExchange(topology.exchange, broker),
            try await checkQueue(topology.queue, broker)
        else { return }
        guard broker.isRabbitMQ else {
            try report.noted(.permissions, "not checked: only RabbitMQ tells without a change")
            return try await checkFlow(broker)
        }
        for probe in [PermissionProbe.binding(topology.binding), .publishing(topology.binding)] {
            guard try await passes(probe, .permissions, broker) else { return }
        }
        try report.passed(.permissions, "user '\(self.broker.user)' may bind and publish")
        try await checkFlow(broker)
    }

    /// Says so if a permission is missing. Of other brokers than RabbitMQ it cannot be known.
    private func passes(
        _ probe: PermissionProbe,
        _ stage: CheckReport.Stage,
        _ broker: OpenBroker
    ) async throws(SystemError) -> Bool {
        guard broker.isRabbitMQ else { return true }
        let answer = await ask(broker) { channel throws(AMQPError) in try await probe.ask(on: channel) }
        guard case .no(let error) = answer, !probe.isPermitted(error) else { return true }
        // A broker that is blocked reads no question; that is told later.
        if error.code == .timedOut, broker.connection.blockedReason != nil { return true }
        try failTopology(stage, error)
        return false
    }

    /// Asks on a channel of its own.
    private func ask(
        _ broker: OpenBroker,
        _ question: (AMQPChannel) async throws(AMQPError) -> Void
    ) async -> Answer {
        do throws(AMQPError) {
            let channel = try await broker.connection.openChannel()
            try await question(channel)
            try await channel.close()
            return .yes
        } catch {
            return .no(error)
        }
    }

    /// Whether the exchange is as it has to be, or can be made so.
    private func checkExchange(
        _ wanted: AMQPMethod.ExchangeDeclare,
        _ broker: OpenBroker
    ) async throws(SystemError) -> Bool {
        let name = wanted.exchange.string
        let existence = await ask(broker) { channel throws(AMQPError) in
            try await channel.declareExchangePassively(name)
        }
        if case .no(let error) = existence {
            guard error.reply?.kind == .notFound else {
                try failTopology(.exchange, error)
                return false
            }
            guard try await passes(.declaringExchange(wanted), .exchange, broker) else { return false }
            try report.passed(.exchange, "'\(name)' does not exist yet; psistats makes it")
            return true
        }
        // What exists is only compared.
        let equality = await ask(broker) { channel throws(AMQPError) in
            try await channel.declareExchange(
                name,
                type: AMQPExchangeType(wanted.type.string),
                durable: wanted.durable,
                autoDelete: wanted.autoDelete
            )
        }
        if case .no(let error) = equality {
            try failTopology(.exchange, error)
            return false
        }
        try report.passed(.exchange, "'\(name)' exists as psistats.conf has it, type \(wanted.type.string)")
        return true
    }

    /// Whether the queue is as it has to be, or can be made so.
    private func checkQueue(
        _ wanted: AMQPMethod.QueueDeclare,
        _ broker: OpenBroker
    ) async throws(SystemError) -> Bool {
        let name = wanted.queue.string
        let existence = await ask(broker) { channel throws(AMQPError) in
            _ = try await channel.declareQueuePassively(name)
        }
        if case .no(let error) = existence {
            switch error.reply?.kind {
            case .notFound:
                guard try await passes(.declaringQueue(wanted), .queue, broker) else { return false }
                try reportMissing(wanted, broker)
                return true
            case .resourceLocked where wanted.exclusive:
                try report.noted(
                    .queue,
                    "'\(name)' is in use by another connection: that of psistats, if it runs on this machine (psistats "
                        + "status); else another psistats reports as '\(hostname)', and this one could not"
                )
                return true
            default:
                try failTopology(.queue, error)
                return false
            }
        }
        // What exists is only compared.
        let equality = await ask(broker) { channel throws(AMQPError) in
            try await channel.declareQueue(
                name,
                durable: wanted.durable,
                exclusive: wanted.exclusive,
                autoDelete: wanted.autoDelete,
                arguments: wanted.arguments
            )
        }
        if case .no(let error) = equality {
            if error.reply?.kind == .resourceLocked {
                // It could be asked about, so nobody holds it exclusively.
                try report.failed(
                    .queue,
                    "the queue '\(name)' exists and is not exclusive, psistats.conf asks for an exclusive one",
                    remedy: "set exclusive=False in [queue], or delete the queue, which psistats then makes anew: "
                        + "rabbitmqctl delete_queue -p \(BrokerAdvice.quoted(self.broker.vhost)) \(BrokerAdvice.quoted(name))",
                    .configuration
                )
            } else {
                try failTopology(.queue, error)
            }
            return false
        }
        try report.passed(.queue, "'\(name)' exists as psistats.conf has it")
        return true
    }

    /// A queue that is to be made. Whether the broker's configuration permits one that is neither durable nor exclusive is known
    /// only when it is made.
    private func reportMissing(_ wanted: AMQPMethod.QueueDeclare, _ broker: OpenBroker) throws(SystemError) {
        let isDeprecated = broker.isRabbitMQ && !wanted.durable && !wanted.exclusive
        let condition =
            isDeprecated ? " if the broker's configuration permits queues that are neither durable nor exclusive" : ""
        try report.passed(.queue, "'\(wanted.queue.string)' does not exist yet; psistats makes it" + condition)
    }

    /// A failure behind the virtual host.
    private func failTopology(_ stage: CheckReport.Stage, _ error: AMQPError) throws(SystemError) {
        if let mismatch = ArgumentMismatch(error.reply) {
            return try report.failed(stage, mismatch.description, remedy: mismatch.remedy, error.exitStatus)
        }
        try fail(stage, error)
    }
}
#endif
