import Testing

@testable import AMQPWire

/// What an administrator can do to a RabbitMQ, for real, and what its releases make of it: see docs/brokers.md.
@Suite(
    "With a RabbitMQ that an administrator has his way with",
    .ownBroker,
    .serialized,
    .enabled(if: OwnBroker.isWanted, OwnBroker.absence),
    .timeLimit(.minutes(5))
)
struct ConfiguredBrokerTests {
    let broker: OwnBroker
    private let release = RabbitMQRelease.current

    init() throws {
        broker = try #require(OwnBroker.current)
    }

    @Test("transient queues that are not permitted end the connection (541); exclusive and durable ones are made")
    func deniedTransientQueues() async throws {
        // 3.10 has no such setting.
        guard release >= RabbitMQRelease(4, 0) else { return try await expectTransientQueue(broker) }
        let setting = "deprecated_features.permit.transient_nonexcl_queues=false"
        try await OwnBroker.with("denying", ["--set", setting]) { broker in
            try await broker.withChannel { connection, channel in
                try await channel.declareQueue("exclusive", exclusive: true)
                try await channel.declareQueue("expiring", durable: true, arguments: ["x-expires": 60_000])
                let error = await #expect(throws: AMQPError.self) { try await channel.declareQueue("transient") }
                #expect(error?.code == .connectionClosed)
                #expect(error?.replyCode == 541)
                #expect(error?.method == .queueDeclare)
                #expect(error?.reply?.feature == "transient_nonexcl_queues")
                #expect(error?.remedy?.contains("x-expires") == true)
                #expect(!connection.isOpen)
            }
            // In a topology it is left out, and the rest comes back.
            let events = EventLog()
            let connection = try await AMQPConnection.connect(.quick(broker.uri, events, pause: .milliseconds(50)))
            let channel = try await connection.openChannel()
            try await channel.declareQueue("kept", exclusive: true)
            _ = await #expect(throws: AMQPError.self) { try await channel.declareQueue("transient") }
            await events.wait(for: "recovered")
            #expect(try await channel.declareQueuePassively("kept").name == "kept")
            await connection.close()
        }
        try await expectTransientQueue(broker)
    }

    private func expectTransientQueue(_ broker: OwnBroker) async throws {
        try await broker.withChannel { _, channel in
            try await channel.declareQueue("transient")
            try await channel.deleteQueue("transient")
        }
    }

    @Test("where global prefetch counts are permitted, two consumers share one")
    func permittedGlobalQoS() async throws {
        let isPermitted = release < RabbitMQRelease(4, 3)
        let options = isPermitted ? [] : ["--set", "deprecated_features.permit.global_qos=true"]
        try await OwnBroker.with("permitting", options) { broker in
            var configuration = try broker.configuration
            configuration.permitsGlobalQoS = true
            try await AMQPConnection.withConnection(configuration) { connection in
                try await connection.withChannel { channel in
                    let queue = try await channel.declareQueue(exclusive: true).name
                    for number in 0..<12 { try await channel.publish("\(number)", routingKey: queue) }
                    try await channel.setQoS(prefetchCount: 3, global: true)
                    var first = channel.consume(queue, prefetchCount: 0).makeAsyncIterator()
                    var second = channel.consume(queue, prefetchCount: 0).makeAsyncIterator()
                    let delivery = try await first.next()
                    let reader = Task { try await second.next() }
                    try await channel.expectMessages(9, in: queue)
                    try await delivery?.ack()
                    try await channel.expectMessages(8, in: queue)
                    reader.cancel()
                    _ = try? await reader.value
                }
            }
        }
    }

    @Test("maintenance: connections are closed (320), the port is closed, and after it everything is back")
    func maintenance() async throws {
        let events = EventLog()
        let connection = try await AMQPConnection.connect(
            .quick(broker.uri, events, pause: .milliseconds(50)) { $0.callTimeout = .seconds(60) }
        )
        let channel = try await connection.openChannel()
        try await channel.declareQueue("maintained", durable: true)
        try await channel.publish("1", routingKey: "maintained", properties: AMQPProperties(deliveryMode: 2))
        let plain = try await AMQPConnection.connect(broker.configuration)
        let onPlain = try await plain.openChannel()
        let waiting = Task { for try await _ in onPlain.consume("maintained", prefetchCount: 1) {} }
        try await eventually { try await channel.declareQueuePassively("maintained").consumerCount == 1 }

        try await broker.tool("rabbitmq-upgrade", "drain")
        let error = await #expect(throws: AMQPError.self) { try await waiting.value }
        #expect(error?.code == .connectionClosed)
        #expect(error?.replyCode == 320)
        #expect(error?.message.contains("maintenance") == true)
        let refused = await #expect(throws: AMQPError.self) {
            await (try AMQPConnection.connect(broker.configuration)).close()
        }
        #expect(refused?.code == .unreachable)
        await events.wait(for: "reconnecting 2")

        try await broker.tool("rabbitmq-upgrade", "revive")
        await events.wait(for: "recovered")
        try await channel.publish("2", routingKey: "maintained", properties: AMQPProperties(deliveryMode: 2))
        var bodies: [String] = []
        while let delivery = try await channel.get("maintained", noAck: true) {
            bodies.append(String(decoding: delivery.body, as: UTF8.self))
        }
        #expect(bodies == ["1", "2"])
        try await channel.deleteQueue("maintained")
        await connection.close()
    }

    @Test("a delivery that is not acknowledged in time costs the channel; from RabbitMQ 4.3 on, only the consumer")
    func consumerTimeout() async throws {
        let settings =
            "[application:set_env(rabbit, K, V) || {K, V} <- [{consumer_timeout, 500}, {channel_tick_interval, 200}]]."
        try await OwnBroker.with("timing", []) { broker in
            try await broker.control("eval", settings)
            try await broker.withChannel { connection, channel in
                try await channel.declareQueue("slow", durable: true, arguments: ["x-queue-type": "quorum"])
                try await channel.publish("x", routingKey: "slow")
                var deliveries = channel.consume("slow", prefetchCount: 1).makeAsyncIterator()
                let delivery = try #require(try await deliveries.next())
                let error = await #expect(throws: AMQPError.self) { _ = try await deliveries.next() }
                #expect(connection.isOpen)
                if release >= RabbitMQRelease(4, 3) {
                    #expect(error?.code == .consumerCancelled)
                    #expect(channel.isOpen)
                    // What it held goes to whoever asks next.
                    let again = try await eventualValue { try await channel.get("slow") }
                    #expect(again.isRedelivered)
                    try await again.ack()
                } else {
                    #expect(error?.code == .channelClosed)
                    #expect(error?.replyCode == 406)
                    #expect(error?.message.contains("timed out") == true)
                    #expect(!channel.isOpen)
                }
                withExtendedLifetime(delivery) {}
            }
        }
    }

    @Test("OAuth 2: a token is a password, its scopes are permissions, and a new one is handed over before it ends")
    func oauth() async throws {
        try await OwnBroker.with("oauth", ["--oauth"]) { broker in
            let everything = ["configure", "write", "read"].map { "rabbitmq.\($0):*/*" }
            var configuration = try broker.configuration
            configuration.brokers[0].user = ""
            configuration.brokers[0].password = try await broker.token(seconds: 3, everything)
            try await AMQPConnection.withConnection(configuration) { connection in
                let channel = try await connection.openChannel()
                let queue = try await channel.declareQueue(exclusive: true).name
                try await connection.updateSecret(broker.token(seconds: 60, Array(everything.dropLast())))
                // With the first token it would end here.
                try await Task.sleep(for: .seconds(4))
                try await channel.publish("x", routingKey: queue)
                let error = await #expect(throws: AMQPError.self) { _ = try await channel.get(queue) }
                #expect(error?.code == .channelClosed)
                #expect(error?.replyCode == 403)
                #expect(connection.isOpen)
            }
            configuration.brokers[0].password = "no token"
            let error = await #expect(throws: AMQPError.self) {
                await (try AMQPConnection.connect(configuration)).close()
            }
            #expect(error?.code == .loginRefused)
        }
    }

    @Test("a message that comes back from a quorum queue too often is dead-lettered, and says how often it came")
    func deliveryLimit() async throws {
        try await broker.withChannel { _, channel in
            try await channel.declareQueue("dead", durable: true)
            let arguments: AMQPTable = [
                "x-queue-type": "quorum", "x-delivery-limit": 2, "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": "dead",
            ]
            try await channel.declareQueue("limited", durable: true, arguments: arguments)
            try await channel.publish("poison", routingKey: "limited")
            var counts: [AMQPFieldValue?] = []
            for _ in 0..<3 {
                let delivery = try await eventualValue { try await channel.get("limited") }
                counts.append(delivery.properties.headers?["x-delivery-count"])
                try await delivery.reject(requeue: true)
            }
            #expect(counts.map { $0.flatMap(number) ?? 0 } == [0, 1, 2])
            let dead = try await eventualValue { try await channel.get("dead", noAck: true) }
            #expect(dead.body == Array("poison".utf8))
            #expect(dead.properties.headers?["x-first-death-reason"] == "delivery_limit")
            #expect(try await channel.get("limited") == nil)
            for queue in ["dead", "limited"] { try await channel.deleteQueue(queue) }
        }
    }

    private func number(_ value: AMQPFieldValue) -> Int? {
        switch value {
        case .int64(let number): Int(number)
        case .int32(let number): Int(number)
        case .uint8(let number): Int(number)
        case .int8(let number): Int(number)
        default: nil
        }
    }

    @Test("a stream is read from where x-stream-offset says, as often as one likes, and each message names its offset")
    func streamOffset() async throws {
        try await broker.withChannel { _, channel in
            try await channel.declareQueue("stream", durable: true, arguments: ["x-queue-type": "stream"])
            for number in 0..<10 { try await channel.publish("\(number)", routingKey: "stream") }
            for (offset, expected) in [("first", 0), (.int64(7), 7), ("first", 0)] as [(AMQPFieldValue, Int)] {
                var bodies: [String] = []
                var offsets: [AMQPFieldValue?] = []
                let consumer = channel.consume("stream", prefetchCount: 20, arguments: ["x-stream-offset": offset])
                for try await delivery in consumer {
                    bodies.append(String(decoding: delivery.body, as: UTF8.self))
                    offsets.append(delivery.properties.headers?["x-stream-offset"])
                    try await delivery.ack()
                    if bodies.last == "9" { break }
                }
                #expect(bodies == (expected..<10).map { "\($0)" })
                #expect(offsets == (expected..<10).map { .int64(Int64($0)) })
            }
            try await channel.deleteQueue("stream")
        }
    }

    @Test("an argument of a consumer is its priority: the higher one gets what it can take")
    func priority() async throws {
        try await broker.withChannel { _, channel in
            for type in ["classic", "quorum"] {
                let arguments: AMQPTable = ["x-queue-type": AMQPFieldValue(type)]
                try await channel.declareQueue("ranked", durable: true, arguments: arguments)
                var low = channel.consume("ranked", prefetchCount: 10, arguments: ["x-priority": 1]).makeAsyncIterator()
                var high = channel.consume("ranked", prefetchCount: 2, arguments: ["x-priority": 9]).makeAsyncIterator()
                let reading = Task { [try await low.next(), try await low.next()] }
                let preferred = Task { [try await high.next(), try await high.next()] }
                try await eventually { try await channel.declareQueuePassively("ranked").consumerCount == 2 }
                for number in 0..<4 { try await channel.publish("\(number)", routingKey: "ranked") }
                let bodies = { (deliveries: [AMQPDelivery?]) in deliveries.compactMap { $0?.body.first } }
                #expect(bodies(try await preferred.value) == Array("01".utf8), "\(type)")
                #expect(bodies(try await reading.value) == Array("23".utf8), "\(type)")
                try await channel.deleteQueue("ranked")
            }
        }
    }

    @Test("connections and what they hold outlive the broker's change from Mnesia to Khepri")
    func khepri() async throws {
        let isMnesia = release == RabbitMQRelease(4, 0)
        try await OwnBroker.with("khepri", []) { broker in
            try await broker.withChannel { connection, channel in
                try await channel.declareExchange("before", type: .fanout, durable: true)
                let queue = try await channel.declareQueue(exclusive: true).name
                try await channel.bindQueue(queue, to: "before")
                if isMnesia {
                    try await broker.control("enable_feature_flag", "--opt-in", "khepri_db")
                } else if release < RabbitMQRelease(4, 0) {
                    await #expect(throws: OwnBroker.Failure.self) {
                        try await broker.control("enable_feature_flag", "khepri_db")
                    }
                }
                try await channel.declareExchange("after", type: .fanout, durable: true)
                try await channel.bindQueue(queue, to: "after")
                for exchange in ["before", "after"] {
                    try await channel.publish("x", exchange: exchange, routingKey: "", mandatory: true)
                    #expect(try await channel.get(queue, noAck: true)?.exchange == exchange)
                }
                try await channel.declareExchange("transient", type: .fanout)
            }
            try await broker.restart(kill: false)
            try await broker.withChannel { _, channel in
                try await channel.declareExchangePassively("before")
                try await channel.declareExchangePassively("after")
                // Khepri keeps what Mnesia forgets.
                guard isMnesia || release >= RabbitMQRelease(4, 2) else {
                    let error = await #expect(throws: AMQPError.self) {
                        try await channel.declareExchangePassively("transient")
                    }
                    #expect(error?.replyCode == 404)
                    return
                }
                try await channel.declareExchangePassively("transient")
            }
        }
    }
}
