import Testing

@testable import AMQPWire

/// Each public call, and what the broker says of it on another channel.
@Suite("Calls", .enabled(if: TestBroker.isThere, TestBroker.absence), .timeLimit(.minutes(1)))
struct CallTests {
    // GarageMQ gives queues no names, answers no exchange.delete, confirms no empty body, answers a cancel that wants no
    // answer, and knows no exchange-to-exchange bindings, transactions or update-secret.

    @Test("a connection says what the broker is and what was agreed", arguments: TestBroker.present)
    func connection(broker: TestBroker) async throws {
        let connection = try await AMQPConnection.connect(broker.configuration)
        #expect(connection.isOpen)
        #expect(connection.blockedReason == nil)
        #expect(connection.serverProperties["product"]?.string == (broker == .rabbitmq ? "RabbitMQ" : "garagemq"))
        let limits = try #require(connection.limits)
        #expect(limits.channelMax > 0)
        #expect(limits.frameMax == (broker == .rabbitmq ? 131_072 : 65_536))
        await connection.close()
        #expect(!connection.isOpen)
        #expect(connection.leftovers == 0)
        await connection.close()
    }

    @Test("the scoped form closes the connection after a value and after an error")
    func scoped() async throws {
        struct Mine: Error {}
        var kept: AMQPConnection?
        let value = try await AMQPConnection.withConnection(TestBroker.uri) { connection in
            kept = connection
            return 7
        }
        #expect(value == 7)
        #expect(kept?.isOpen == false)
        await #expect(throws: Mine.self) {
            try await AMQPConnection.withConnection(TestBroker.uri) { connection in
                kept = connection
                try await connection.withChannel { _ in throw Mine() }
            }
        }
        #expect(kept?.isOpen == false)
    }

    @Test("a channel opens, closes twice without harm, and its number is used again", arguments: TestBroker.present)
    func channels(broker: TestBroker) async throws {
        try await AMQPConnection.withConnection(broker.configuration) { connection in
            let first = try await connection.openChannel()
            #expect(first.isOpen)
            try await first.close()
            try await first.close()
            #expect(!first.isOpen)
            let second = try await connection.openChannel()
            let rows = connection.driver.state.withLock { $0.core.channels.count }
            #expect(rows == 2)
            let error = await #expect(throws: AMQPError.self) { try await first.makeQueue() }
            #expect(error?.code == .closed)
            try await second.makeQueue()
        }
    }

    @Test("declares and deletes exchanges of each type", arguments: TestBroker.present)
    func exchanges(broker: TestBroker) async throws {
        try await broker.withChannel { connection, channel in
            for type in [AMQPExchangeType.direct, .fanout, .topic, .headers] {
                let name = uniqueName()
                try await channel.declareExchange(name, type: type)
                // The same settings once more are fine; so is asking for it elsewhere.
                try await channel.declareExchange(name, type: type)
                try await connection.withChannel { try await $0.declareExchangePassively(name) }
                if broker == .garagemq { continue }
                try await channel.deleteExchange(name)
                let error = await #expect(throws: AMQPError.self) {
                    try await connection.withChannel { try await $0.declareExchangePassively(name) }
                }
                #expect(error?.replyCode == 404)
            }
        }
    }

    @Test("the forms without an answer do the same", arguments: TestBroker.present)
    func withoutAnswers(broker: TestBroker) async throws {
        try await broker.withChannel { connection, channel in
            let exchange = uniqueName()
            let queue = try await channel.makeQueue()
            try await channel.declareExchange(exchange, type: .fanout, autoDelete: false, noWait: true)
            try await channel.bindQueue(queue, to: exchange, noWait: true)
            try await channel.publish("x", exchange: exchange, routingKey: "")
            try await channel.expectMessages(1, in: queue)
            if broker == .rabbitmq {
                let other = uniqueName()
                try await channel.declareExchange(other, type: .fanout, noWait: true)
                try await channel.bindExchange(exchange, to: other, noWait: true)
                try await channel.publish("y", exchange: other, routingKey: "")
                try await channel.expectMessages(2, in: queue)
                try await channel.unbindExchange(exchange, from: other, noWait: true)
                try await channel.publish("z", exchange: other, routingKey: "")
                try await channel.deleteExchange(other, noWait: true)
                try await channel.expectMessages(2, in: queue)
            }
            if broker == .garagemq { return }
            try await channel.deleteExchange(exchange, noWait: true)
            let error = await #expect(throws: AMQPError.self) { try await channel.declareExchangePassively(exchange) }
            #expect(error?.replyCode == 404)
        }
    }

    @Test("declares queues: named by us or by the broker, with counts", arguments: TestBroker.present)
    func queues(broker: TestBroker) async throws {
        try await broker.withChannel { connection, channel in
            if broker == .rabbitmq {
                let served = try await channel.declareQueue(exclusive: true)
                #expect(served.name.hasPrefix("amq.gen-"))
                #expect(served.messageCount == 0 && served.consumerCount == 0)
            }
            let name = uniqueName()
            #expect(try await channel.declareQueue(name, exclusive: true).name == name)
            for text in ["a", "b", "c"] { try await channel.publish(text, routingKey: name) }
            let state = try await connection.withChannel { try await $0.declareQueuePassively(name) }
            #expect(state.messageCount == 3)
            #expect(try await channel.purgeQueue(name) == 3)
            try await channel.publish("d", routingKey: name)
            #expect(try await channel.deleteQueue(name) == 1)
            let error = await #expect(throws: AMQPError.self) { try await channel.declareQueuePassively(name) }
            #expect(error?.replyCode == 404)
        }
    }

    @Test("bindings by routing key and by arguments are made and removed", arguments: TestBroker.present)
    func bindings(broker: TestBroker) async throws {
        try await broker.withChannel { _, channel in
            let queue = try await channel.makeQueue()
            let topic = uniqueName()
            try await channel.declareExchange(topic, type: .topic)
            try await channel.bindQueue(queue, to: topic, routingKey: "stats.*.cpu")
            try await channel.publish("in", exchange: topic, routingKey: "stats.pi.cpu")
            try await channel.publish("out", exchange: topic, routingKey: "stats.pi.memory")
            try await channel.expectMessages(1, in: queue)
            try await channel.unbindQueue(queue, from: topic, routingKey: "stats.*.cpu")
            try await channel.publish("out", exchange: topic, routingKey: "stats.pi.cpu")
            try await channel.expectMessages(1, in: queue)
            if broker == .rabbitmq { try await channel.deleteExchange(topic) }
        }
    }

    @Test("a headers exchange routes by the arguments of the binding")
    func headersExchange() async throws {
        try await TestBroker.rabbitmq.withChannel { _, channel in
            let queue = try await channel.makeQueue()
            let match: AMQPTable = ["x-match": "all", "kind": "cpu", "core": 1]
            try await channel.bindQueue(queue, to: "amq.headers", arguments: match)
            var properties = AMQPProperties()
            properties.headers = ["kind": "cpu", "core": 1, "more": true]
            try await channel.publish(
                "in",
                exchange: "amq.headers",
                routingKey: "",
                properties: properties,
                mandatory: true
            )
            try await channel.unbindQueue(queue, from: "amq.headers", arguments: match)
            let error = await #expect(throws: AMQPError.self) {
                try await channel.publish(
                    "out",
                    exchange: "amq.headers",
                    routingKey: "",
                    properties: properties,
                    mandatory: true
                )
            }
            #expect(error?.code == .publishReturned)
        }
    }

    @Test("an exchange bound to another takes its messages")
    func exchangeBindings() async throws {
        try await TestBroker.rabbitmq.withChannel { _, channel in
            let (source, destination) = (uniqueName("source"), uniqueName("destination"))
            try await channel.declareExchange(source, type: .direct, autoDelete: true)
            try await channel.declareExchange(destination, type: .fanout, internal: true)
            let queue = try await channel.makeQueue()
            try await channel.bindQueue(queue, to: destination)
            try await channel.bindExchange(destination, to: source, routingKey: "key")
            try await channel.publish("1", exchange: source, routingKey: "key", mandatory: true)
            try await channel.unbindExchange(destination, from: source, routingKey: "key")
            try await channel.deleteExchange(destination)
            // With its last binding the exchange that deletes itself went, too.
            let error = await #expect(throws: AMQPError.self) { try await channel.declareExchangePassively(source) }
            #expect(error?.replyCode == 404)
        }
    }

    @Test("get takes one message, then says that there is none", arguments: TestBroker.present)
    func get(broker: TestBroker) async throws {
        try await broker.withChannel { _, channel in
            let queue = try await channel.makeQueue()
            #expect(try await channel.get(queue) == nil)
            var properties = AMQPProperties()
            properties.messageID = "m"
            try await channel.publish("one", routingKey: queue, properties: properties)
            try await channel.publish("two", routingKey: queue)
            let one = try #require(try await channel.get(queue))
            #expect(one.body == Array("one".utf8))
            #expect(one.properties.messageID == "m")
            #expect(one.routingKey == queue && one.exchange.isEmpty && one.consumerTag.isEmpty)
            #expect(!one.isRedelivered)
            if broker == .garagemq { return try await one.ack() }
            try await one.nack()
            try await eventually {
                guard let again = try await channel.get(queue, noAck: true) else { return false }
                return again.body == Array("one".utf8) && again.isRedelivered
            }
            let two = try #require(try await channel.get(queue))
            try await two.ack()
            #expect(try await channel.declareQueuePassively(queue).messageCount == 0)
        }
    }

    @Test("ack, nack and reject of one and of several; recover", arguments: TestBroker.present)
    func settling(broker: TestBroker) async throws {
        try await AMQPConnection.withConnection(broker.configuration) { connection in
            let watcher = try await connection.openChannel()
            let queue = try await watcher.makeQueue()
            for number in 0..<6 { try await watcher.publish("\(number)", routingKey: queue) }
            let channel = try await connection.openChannel()
            func take() async throws -> AMQPDelivery { try #require(try await channel.get(queue)) }
            try await take().reject(requeue: false)
            try await take().ack()
            _ = try await take()
            try await take().ack(multiple: true)
            try await take().nack(multiple: true, requeue: false)
            #expect(try await take().body == Array("5".utf8))
            #expect(try await watcher.declareQueuePassively(queue).messageCount == 0)
            if broker == .rabbitmq {
                try await channel.recover()
                try await watcher.expectMessages(1, in: queue)
                _ = try await take()
                try await channel.nackAll()
                try await watcher.expectMessages(1, in: queue)
                _ = try await take()
                try await channel.ackAll()
            }
            // What is acknowledged does not come back with the end of its channel.
            try await channel.close()
            #expect(
                try await watcher.declareQueuePassively(queue).messageCount == (broker == .rabbitmq ? 0 : 1)
            )
        }
    }

    @Test("a transaction's publishes arrive with its commit, and not after a rollback")
    func transactions() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let queue = try await channel.makeQueue()
            try await channel.selectTransactions()
            try await channel.publish("1", routingKey: queue)
            try await channel.publish("2", routingKey: queue)
            #expect(try await channel.declareQueuePassively(queue).messageCount == 0)
            try await channel.commit()
            #expect(try await channel.declareQueuePassively(queue).messageCount == 2)
            try await channel.publish("3", routingKey: queue)
            try await channel.rollback()
            try await channel.commit()
            #expect(try await channel.declareQueuePassively(queue).messageCount == 2)
        }
    }

    @Test("flow that is on stays on", arguments: TestBroker.present)
    func flow(broker: TestBroker) async throws {
        try await broker.withChannel { _, channel in
            try await channel.setFlow(active: true)
            #expect(channel.isOpen)
        }
    }

    @Test("a fresh secret is taken while the connection goes on")
    func updateSecret() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            try await connection.updateSecret("guest", reason: "test")
            try await channel.makeQueue()
        }
    }

    @Test("statistics count what went and came", arguments: TestBroker.present)
    func statistics(broker: TestBroker) async throws {
        try await broker.withChannel { connection, channel in
            let queue = try await channel.makeQueue()
            for _ in 0..<3 { try await channel.publish("x", routingKey: queue) }
            _ = try? await channel.publish("x", routingKey: uniqueName(), mandatory: true)
            for try await delivery in channel.consume(queue) {
                try await delivery.ack()
                if delivery.deliveryTag == 3 { break }
            }
            let statistics = connection.statistics
            #expect(statistics.publishes == 4)
            #expect(statistics.publishesConfirmed == 4)
            #expect(statistics.publishesReturned == 1)
            #expect(statistics.messagesReceived == 3)
            #expect(statistics.octetsSent > 200 && statistics.octetsReceived > 200 && statistics.framesReceived > 10)
            #expect(statistics.reconnects == 0)
        }
    }

    @Test("names and tables that do not fit are refused before anything is sent", arguments: TestBroker.present)
    func invalidArguments(broker: TestBroker) async throws {
        try await broker.withChannel { connection, channel in
            let long = String(repeating: "ü", count: 128)
            let sent = connection.statistics.octetsSent
            let error = await #expect(throws: AMQPError.self) { try await channel.declareQueue(long) }
            #expect(error?.code == .invalidArgument)
            #expect(error?.delivery == .notSent)
            let publish = await #expect(throws: AMQPError.self) { try await channel.publish("", routingKey: long) }
            #expect(publish?.code == .invalidArgument)
            var properties = AMQPProperties()
            properties.headers = ["big": .bytes(pattern(140_000))]
            let header = await #expect(throws: AMQPError.self) {
                try await channel.publish("", routingKey: "q", properties: properties)
            }
            #expect(header?.code == .invalidArgument)
            #expect(throws: AMQPError.self) { try channel.publisher(routingKey: long) }
            // Confirm mode may have been turned on; no frame of a publish went.
            #expect(connection.statistics.octetsSent - sent < 64)
            #expect(connection.statistics.publishes == 0)
            try await channel.makeQueue()
        }
    }
}
