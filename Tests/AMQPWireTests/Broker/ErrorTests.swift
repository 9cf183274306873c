import Testing

@testable import AMQPWire

/// Each error that a broker gives, provoked.
@Suite("Errors of the broker", .enabled(if: TestBroker.isThere, TestBroker.absence), .timeLimit(.minutes(1)))
struct ErrorTests {
    private func connecting(_ uri: String) async -> AMQPError? {
        await #expect(throws: AMQPError.self) {
            await (try AMQPConnection.connect(uri)).close()
        }
    }

    private func onChannel(
        _ user: String = "guest",
        _ body: (AMQPChannel) async throws -> Void
    ) async throws -> (AMQPError?, connectionIsOpen: Bool) {
        let connection = try await AMQPConnection.connect("amqp://\(user):\(user)@127.0.0.1:\(TestBroker.port ?? 1)")
        let channel = try await connection.openChannel()
        let error = await #expect(throws: AMQPError.self) { try await body(channel) }
        let isOpen = connection.isOpen
        if isOpen {
            // An error of one channel leaves the others alone.
            try await connection.withChannel { _ = try await $0.setFlow(active: true) }
        }
        await connection.close()
        return (error, isOpen)
    }

    @Test("403: a wrong password is a refused login, by the broker's own close, and is not printed")
    func wrongPassword() async throws {
        let error = await connecting("amqp://guest:s3cr3t-w0rd@127.0.0.1:\(TestBroker.port ?? 1)")
        #expect(error?.code == .loginRefused)
        // From the broker's close: had it to wait for the end of the connection, there would be no code.
        #expect(error?.replyCode == 403)
        #expect(error?.message.contains("'guest'") == true)
        #expect(error?.remedy?.contains("check user and password") == true)
        #expect("\(String(describing: error))".contains("s3cr3t") == false)
        var dumped = ""
        dump(error, to: &dumped)
        #expect(!dumped.contains("s3cr3t"))
    }

    @Test("530: an unknown virtual host, and one that the user may not open")
    func virtualHost() async throws {
        let unknown = await connecting(TestBroker.uri + "/nowhere")
        #expect(unknown?.code == .virtualHostRefused)
        #expect(unknown?.replyCode == 530)
        #expect(unknown?.message.contains("'nowhere'") == true)
        let forbidden = await connecting("amqp://limited:limited@127.0.0.1:\(TestBroker.port ?? 1)/stats")
        #expect(forbidden?.code == .virtualHostRefused)
        #expect(forbidden?.remedy?.contains("grant user 'limited' access") == true)
    }

    @Test("no mechanism in common is said with the names of both sides")
    func mechanisms() async throws {
        let error = await connecting(TestBroker.uri + "?auth_mechanism=external")
        #expect(error?.code == .loginRefused)
        #expect(error?.message.contains("EXTERNAL") == true)
        #expect(error?.message.contains("PLAIN") == true)
    }

    @Test("AMQPLAIN logs in")
    func amqplain() async throws {
        try await AMQPConnection.withConnection(TestBroker.uri + "?auth_mechanism=amqplain") { connection in
            #expect(connection.isOpen)
            let mechanism = connection.driver.state.withLock { $0.core.outcome?.mechanism }
            #expect(mechanism == .amqplain)
        }
    }

    @Test("403: a missing permission closes the channel and says what to grant")
    func permission() async throws {
        let (error, isOpen) = try await onChannel("limited") { try await $0.declareQueue("forbidden") }
        #expect(error?.code == .channelClosed)
        #expect(error?.scope == .channel)
        #expect(error?.replyCode == 403)
        #expect(error?.method == .queueDeclare)
        #expect(error?.remedy?.contains("rabbitmqctl set_permissions") == true)
        #expect(isOpen)
        let (publish, _) = try await onChannel("limited") {
            try await $0.publish("", exchange: "amq.topic", routingKey: "")
        }
        #expect(publish?.replyCode == 403)
        #expect(publish?.delivery == .unknown)
    }

    @Test("404: a queue or exchange that is not there closes the channel")
    func missing() async throws {
        let calls: [@Sendable (AMQPChannel) async throws -> Void] = [
            { _ = try await $0.declareQueuePassively("nowhere") },
            { try await $0.declareExchangePassively("nowhere") },
            { try await $0.bindQueue("nowhere", to: "amq.topic") },
            { _ = try await $0.get("nowhere") },
            { _ = try await $0.purgeQueue("nowhere") },
            { for try await _ in $0.consume("nowhere") {} },
            { try await $0.publish("", exchange: "nowhere", routingKey: "") },
            { try await $0.submit([], exchange: "nowhere", routingKey: "").confirmed() },
        ]
        for call in calls {
            let (error, isOpen) = try await onChannel { try await call($0) }
            #expect(error?.code == .channelClosed)
            #expect(error?.replyCode == 404)
            #expect(isOpen)
        }
    }

    @Test("405: a queue that another connection holds exclusively")
    func locked() async throws {
        try await TestBroker.rabbitmq.withChannel { _, holder in
            let queue = try await holder.makeQueue()
            let (error, isOpen) = try await onChannel { _ = try await $0.declareQueuePassively(queue) }
            #expect(error?.replyCode == 405)
            #expect(error?.remedy?.contains("another connection holds it exclusively") == true)
            #expect(isOpen)
        }
    }

    @Test("406: other settings than the queue has, and an unknown delivery tag")
    func precondition() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, holder in
            let queue = try await holder.declareQueue(uniqueName(), exclusive: true).name
            let other = try await connection.openChannel()
            let error = await #expect(throws: AMQPError.self) {
                try await other.declareQueue(queue, exclusive: true, arguments: ["x-max-length": 5])
            }
            #expect(error?.replyCode == 406)
            #expect(error?.remedy?.contains("it exists with other settings") == true)

            try await holder.publish("x", routingKey: queue)
            let third = try await connection.openChannel()
            let delivery = try #require(try await third.get(queue))
            try await delivery.ack()
            // Nothing is sent for what is settled already.
            try await delivery.ack()
            try await delivery.nack(multiple: true)
            try await third.ackAll()
            try await third.recover()
            try await third.driver.send(.basicAck(.init(deliveryTag: delivery.deliveryTag)), third.record)
            let unknown = await #expect(throws: AMQPError.self) { try await third.recover() }
            #expect(unknown?.replyCode == 406)
            #expect(unknown?.message.contains("unknown delivery tag") == true)
        }
    }

    @Test("312: a mandatory publish that no queue takes says exchange, key and reason")
    func noRoute() async throws {
        try await TestBroker.rabbitmq.withChannel { _, channel in
            let error = await #expect(throws: AMQPError.self) {
                try await channel.publish("x", exchange: "amq.direct", routingKey: "nobody", mandatory: true)
            }
            #expect(error?.code == .publishReturned)
            #expect(error?.scope == .message)
            #expect(error?.replyCode == 312)
            #expect(error?.delivery == .refused)
            #expect(error?.message.contains("amq.direct") == true)
            #expect(error?.message.contains("nobody") == true)
            #expect(channel.isOpen)
        }
    }

    @Test("501, 503, 504, 505: what the broker calls a violation ends the connection with its code")
    func violations() async throws {
        // Sent past the calls, which would not do so.
        func violating(_ step: @escaping @Sendable (inout ConnectionCore) throws -> Void) async throws -> AMQPError? {
            let connection = try await AMQPConnection.connect(TestBroker.rabbitmq.configuration)
            let channel = try await connection.openChannel()
            connection.driver.state.withLock { state in try? step(&state.core) }
            channel.flush()
            let error = await #expect(throws: AMQPError.self) {
                while true { try await channel.setFlow(active: true) }
            }
            #expect(error?.code == .connectionClosed)
            #expect(!connection.isOpen)
            await connection.close()
            return error
        }
        // A frame that does not end where it says.
        let octets: [UInt8] = [8, 0, 0, 0, 0, 0, 0, 0]
        #expect(try await violating { core in core.encoder.bytes.append(octets) }?.replyCode == 501)
        // A method where a header is due.
        let noHeader = try await violating { core in
            try core.encoder.append(AMQPMethod.BasicPublish(routingKey: "x"), channel: 1)
            try core.encoder.append(AMQPMethod.BasicQos(), channel: 1)
        }
        #expect(noHeader?.replyCode == 505)
        // A channel that is not open.
        #expect(try await violating { try $0.encoder.append(AMQPMethod.BasicQos(), channel: 9) }?.replyCode == 504)
        // A channel opened twice.
        #expect(try await violating { try $0.encoder.append(AMQPMethod.ChannelOpen(), channel: 1) }?.replyCode == 504)
        // What only brokers send.
        let broken = try await violating { try $0.encoder.append(AMQPMethod.BasicCancelOk(), channel: 1) }
        #expect(broken?.replyCode == (RabbitMQRelease.current < RabbitMQRelease(4, 3) ? 503 : 541))
    }

    @Test("540: flow that is off ends the connection, and the error says so")
    func notImplemented() async throws {
        let (error, isOpen) = try await onChannel { try await $0.setFlow(active: false) }
        #expect(error?.code == .connectionClosed)
        #expect(error?.scope == .connection)
        #expect(error?.replyCode == 540)
        #expect(!isOpen)
    }

    @Test("530: the same consumer tag twice is refused here, before the broker ends the connection")
    func consumerTagTwice() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let queue = try await channel.makeQueue()
            try await channel.publish("x", routingKey: queue)
            var first = channel.consume(queue, consumerTag: "same").makeAsyncIterator()
            _ = try await first.next()
            var second = channel.consume(queue, consumerTag: "same").makeAsyncIterator()
            let error = await #expect(throws: AMQPError.self) { try await second.next() }
            #expect(error?.code == .invalidArgument)
            #expect(connection.isOpen && channel.isOpen)
            try await channel.publish("y", routingKey: queue)
            #expect(try await first.next()?.body == Array("y".utf8))
        }
    }

    @Test("320: a connection that an operator closes says so to everyone who waits")
    func closedByOperator() async throws {
        let connection = try await AMQPConnection.connect(TestBroker.rabbitmq.configuration)
        let channel = try await connection.openChannel()
        let queue = try await channel.makeQueue()
        let consumer = channel.consume(queue)
        let reader = Task { for try await _ in consumer {} }
        try await eventually { try await channel.declareQueuePassively(queue).consumerCount == 1 }
        let process = try await TestBroker.processOf(connection)
        _ = try await TestBroker.ctl("close_connection", process, "maintenance at noon")
        let error = await #expect(throws: AMQPError.self) { try await reader.value }
        #expect(error?.code == .connectionClosed)
        #expect(error?.replyCode == 320)
        #expect(error?.message.contains("maintenance at noon") == true)
        #expect(connection.leftovers == 0)
        let later = await #expect(throws: AMQPError.self) { try await connection.openChannel() }
        #expect(later?.replyCode == 320)
    }

    @Test("a port where nobody listens is named, with what to check")
    func refused() async throws {
        let error = await connecting("amqp://127.0.0.1:1")
        #expect(error?.code == .unreachable)
        #expect(error?.message.contains("127.0.0.1:1") == true)
        #expect(error?.message.contains("refused") == true)
        #expect(error?.errno != nil)
    }

    @Test("a host that cannot be resolved is named")
    func unresolvable() async throws {
        let error = await connecting("amqp://no-such-host.invalid")
        #expect(error?.code == .unreachable)
        #expect(error?.message.contains("no-such-host.invalid") == true)
    }

    @Test("of several brokers the first that answers is taken, and all failures are told")
    func several() async throws {
        let port = TestBroker.port ?? 1
        try await AMQPConnection.withConnection("amqp://127.0.0.1:1,amqp://127.0.0.1:\(port)") { connection in
            #expect(connection.isOpen)
        }
        let error = await connecting("amqp://127.0.0.1:1,amqp://guest:wrong@127.0.0.1:\(port)")
        #expect(error?.code == .loginRefused)
        #expect(error?.message.contains("127.0.0.1:1") == true)
    }

    @Test("more channels than agreed on are refused here")
    func tooManyChannels() async throws {
        try await AMQPConnection.withConnection(TestBroker.uri + "?channel_max=3") { connection in
            var channels: [AMQPChannel] = []
            for _ in 0..<3 { channels.append(try await connection.openChannel()) }
            let error = await #expect(throws: AMQPError.self) { try await connection.openChannel() }
            #expect(error?.code == .tooManyChannels)
            try await channels.removeLast().close()
            channels.append(try await connection.openChannel())
            #expect(channels.count == 3 && !channels.contains { !$0.isOpen })
        }
    }

    @Test("an address that cannot be read is refused without its password")
    func unreadable() async throws {
        let error = await connecting("amqp://user:s3cr3t@host:99999")
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("s3cr3t") == false)
    }
}
