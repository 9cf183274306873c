import Testing

@testable import AMQPWire

/// What AMQPWire does in the recordings of `Fixtures/amqp/amqpwire`, step by step.
///
/// Each is one connection, and waits for one thing after the other: what it sends is the same each time.
enum OwnSession: String, CaseIterable, Sendable {
    case topology
    case publishes
    case getsAndAcks = "gets-and-acks"
    case consumes
    case returns
    case transactions
    case everyTableType = "every-table-type"
    case channelErrors = "channel-errors"
    case amqplain

    /// Does it with the broker at a port.
    func run(port: UInt16) async throws {
        var uri = AMQPURI()
        uri.host = "127.0.0.1"
        uri.port = port
        var configuration = AMQPConfiguration(brokers: [uri])
        configuration.recovery = nil
        configuration.connectionName = "recorded"
        configuration.limits.heartbeat = 0
        configuration.limits.frameMax = 8_192
        if self == .amqplain { configuration.mechanisms = [.amqplain] }
        // What a broker says to it that does not permit it is worth recording as well.
        configuration.permitsGlobalQoS = true
        try await AMQPConnection.withConnection(configuration) { connection in
            try await connection.withChannel { channel in try await perform(connection, channel) }
        }
    }

    private func perform(_ connection: AMQPConnection, _ channel: AMQPChannel) async throws {
        switch self {
        case .topology: try await declare(channel)
        case .publishes: try await publish(channel)
        case .getsAndAcks: try await get(channel)
        case .consumes: try await consume(channel)
        case .returns: try await provokeReturns(channel)
        case .transactions: try await commit(channel)
        case .everyTableType: try await sendTables(channel)
        case .channelErrors: try await provokeErrors(connection, channel)
        case .amqplain: break
        }
    }

    private func declare(_ channel: AMQPChannel) async throws {
        try await channel.declareExchange("own.topic", type: .topic, durable: true)
        try await channel.declareExchange("own.fanout", type: .fanout, autoDelete: true, arguments: ["x-note": "own"])
        try await channel.declareQueue(
            "own.queue",
            durable: true,
            arguments: ["x-message-ttl": 10_000, "x-max-length": 5]
        )
        let unnamed = try await channel.declareQueue(exclusive: true)
        try await channel.bindExchange("own.fanout", to: "own.topic", routingKey: "a.#")
        try await channel.bindQueue("own.queue", to: "own.topic", routingKey: "b.*", arguments: ["x-note": true])
        try await channel.bindQueue(unnamed.name, to: "own.fanout", noWait: true)
        try await channel.declareExchangePassively("own.topic")
        _ = try await channel.declareQueuePassively("own.queue")
        try await channel.unbindQueue("own.queue", from: "own.topic", routingKey: "b.*", arguments: ["x-note": true])
        try await channel.unbindExchange("own.fanout", from: "own.topic", routingKey: "a.#")
        try await channel.purgeQueue("own.queue")
        try await channel.deleteQueue("own.queue", ifUnused: true, ifEmpty: true)
        try await channel.deleteExchange("own.topic", ifUnused: true)
    }

    private func publish(_ channel: AMQPChannel) async throws {
        let queue = try await channel.declareQueue("own.publishes", exclusive: true).name
        try await channel.publish("hello", routingKey: queue)
        try await channel.publish([], routingKey: queue, properties: Self.properties)
        // As much as a frame of 8,192 octets holds, and one octet more.
        for size in [8_184, 8_185] {
            try await channel.publish([UInt8](repeating: 0xCE, count: size), routingKey: queue)
        }
        let prepared = try channel.publisher(exchange: "amq.direct", routingKey: queue, properties: Self.properties)
        try await prepared.publish(Array("prepared".utf8))
    }

    private func get(_ channel: AMQPChannel) async throws {
        let queue = try await channel.declareQueue("own.gets", exclusive: true).name
        _ = try await channel.get(queue)
        for number in 0..<4 { try await channel.publish("\(number)", routingKey: queue) }
        try await channel.get(queue)?.ack()
        try await channel.get(queue)?.nack(requeue: true)
        try await channel.get(queue)?.reject(requeue: false)
        _ = try await channel.get(queue)
        try await channel.recover()
        _ = try await channel.get(queue)
        try await channel.get(queue)?.ack(multiple: true)
        _ = try await channel.get(queue, noAck: true)
    }

    private func consume(_ channel: AMQPChannel) async throws {
        let queue = try await channel.declareQueue("own.consumes", exclusive: true).name
        try await channel.setQoS(prefetchCount: 10, global: true)
        for number in 0..<3 { try await channel.publish("\(number)", routingKey: queue) }
        let consumer = channel.consume(queue, prefetchCount: 1, priority: 3, consumerTag: "own")
        var deliveries = consumer.makeAsyncIterator()
        // With a prefetch of one the next comes after the ack.
        for _ in 0..<3 {
            guard let delivery = try await deliveries.next() else { return }
            try await delivery.ack()
        }
        try await consumer.cancel()
    }

    private func provokeReturns(_ channel: AMQPChannel) async throws {
        for properties in [AMQPProperties(), Self.properties] {
            let error = await #expect(throws: AMQPError.self) {
                try await channel.publish(
                    "x",
                    exchange: "amq.topic",
                    routingKey: "n",
                    properties: properties,
                    mandatory: true
                )
            }
            #expect(error?.code == .publishReturned)
        }
    }

    private func commit(_ channel: AMQPChannel) async throws {
        let queue = try await channel.declareQueue("own.transactions", exclusive: true).name
        try await channel.selectTransactions()
        try await channel.publish("kept", routingKey: queue)
        try await channel.commit()
        try await channel.get(queue)?.ack()
        try await channel.publish("dropped", routingKey: queue)
        try await channel.rollback()
    }

    private func sendTables(_ channel: AMQPChannel) async throws {
        let headers: AMQPTable = [
            "t": true, "b": .int8(.min), "B": .uint8(.max), "s": .int16(.min), "u": .uint16(.max), "I": .int32(.min),
            "i": .uint32(.max), "l": .int64(.min), "L": .int64L(1), "f": .float(1.5), "d": .double(0.1),
            "D": .decimal(.init(scale: 2, value: 314)), "S": "Zürich", "A": [1, "two", .void, [], ["k": true]],
            "T": .timestamp(1_600_000_000), "F": ["a": ["b": [:]]], "x": .bytes([0, 0xCE, 0xFF]), "V": .void,
        ]
        let queue = try await channel.declareQueue("own.tables", exclusive: true, arguments: headers).name
        try await channel.publish("typed", routingKey: queue, properties: AMQPProperties(headers: headers))
        _ = try await channel.get(queue, noAck: true)
    }

    private func provokeErrors(_ connection: AMQPConnection, _ channel: AMQPChannel) async throws {
        for name in ["own.missing", "own.missing-too"] {
            let other = try await connection.openChannel()
            let error = await #expect(throws: AMQPError.self) { try await other.declareQueuePassively(name) }
            #expect(error?.replyCode == 404)
        }
        try await channel.setFlow(active: true)
    }

    private static var properties: AMQPProperties {
        var properties = AMQPProperties()
        properties.contentType = "application/json"
        properties.contentEncoding = "utf-8"
        properties.headers = ["host": "pi"]
        properties.deliveryMode = 2
        properties.priority = 5
        properties.correlationID = "correlation"
        properties.replyTo = "replies"
        properties.expiration = "60000"
        properties.messageID = "message"
        properties.timestamp = 1_600_000_000
        properties.type = "cpu"
        properties.userID = "guest"
        properties.appID = "test"
        properties.reserved = "reserved"
        return properties
    }
}
