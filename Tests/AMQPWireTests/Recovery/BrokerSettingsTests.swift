import Testing

@testable import AMQPWire

/// Recovery with a RabbitMQ that is short of memory, that allows less than before, and that speaks TLS.
@Suite(
    "With a broker whose circumstances change",
    .ownBroker,
    .serialized,
    .enabled(if: OwnBroker.isWanted, OwnBroker.absence),
    .timeLimit(.minutes(2))
)
struct BrokerSettingsTests {
    let events = EventLog()
    let broker: OwnBroker

    init() throws {
        broker = try #require(OwnBroker.current)
    }

    private func configuration(_ uri: String? = nil) throws -> AMQPConfiguration {
        try .quick(uri ?? broker.uri, events, pause: .milliseconds(100)) { configuration in
            configuration.recovery?.longestPause = .milliseconds(500)
            configuration.recovery?.resendsUnconfirmed = true
            configuration.callTimeout = .seconds(60)
            configuration.confirmTimeout = .seconds(90)
        }
    }

    @Test("under a memory alarm publishes wait, those to be sent again too, and all leave when it is over")
    func memoryAlarm() async throws {
        let connection = try await AMQPConnection.connect(configuration())
        let channel = try await connection.openChannel()
        try await channel.declareQueue("alarm", durable: true)
        try await broker.control("set_vm_memory_high_watermark", "0.0001")
        // The alarm reaches the connection some time after, and shows with the next publish.
        var receipts: [AMQPPublishReceipt] = []
        while !events.lines.contains("blocked") {
            receipts.append(try await channel.submit(Array("\(receipts.count)".utf8), routingKey: "alarm"))
            try await Task.sleep(for: .milliseconds(10))
        }
        let early = receipts.count
        let waiting = Task { try await channel.publish("\(early)", routingKey: "alarm") }
        try await connection.driver.untilWaiting(1) { if case .room = $0 { true } else { false } }
        #expect(connection.blockedReason?.contains("memory") == true)

        try await broker.control("close_all_connections", "bye")
        await events.wait(for: "recovered")
        // What is sent again makes the broker say so again.
        await events.wait(for: "blocked", 2)
        let another = Task { try await channel.publish("\(early + 1)", routingKey: "alarm") }
        try await connection.driver.untilWaiting(1) { if case .room = $0 { true } else { false } }
        #expect(!events.lines.contains("unblocked"))

        try await broker.control("set_vm_memory_high_watermark", "0.9")
        await events.wait(for: "unblocked")
        for receipt in receipts { try await receipt.confirmed() }
        try await waiting.value
        try await another.value
        #expect(connection.blockedReason == nil)
        #expect(connection.leftovers == 0)
        var found: Set<String> = []
        while let delivery = try await channel.get("alarm", noAck: true) {
            found.insert(String(decoding: delivery.body, as: UTF8.self))
        }
        #expect(found == Set((0..<early + 2).map { "\($0)" }))
        try await channel.deleteQueue("alarm")
        await connection.close()
    }

    @Test("a broker that came back with fewer channels gets as many as it allows; the others end with the reason")
    func fewerChannels() async throws {
        let connection = try await AMQPConnection.connect(configuration())
        var channels: [AMQPChannel] = []
        for number in 0..<5 {
            let channel = try await connection.openChannel()
            try await channel.declareQueue("few-\(number)", durable: true)
            channels.append(channel)
        }
        let last = channels[4]
        let reader = Task { for try await _ in last.consume("few-4", consumerTag: "c") {} }
        try await eventually { try await last.declareQueuePassively("few-4").consumerCount == 1 }
        let file = broker.directory + "/rabbitmq.conf"
        _ = try await Shell.run(["sh", "-c", "echo channel_max = 3 >>\(file)"])
        try await broker.restart(kill: false)
        await events.wait(for: "recovered")
        _ = try await Shell.run(["sed", "-i", "/channel_max/d", file])

        #expect(connection.limits?.channelMax == 3)
        #expect(channels.map(\.isOpen) == [true, true, true, false, false])
        #expect(events.lines.count { $0 == "failed: a channel 0" } == 2)
        let ending = await #expect(throws: AMQPError.self) { try await reader.value }
        #expect(ending?.code == .tooManyChannels)
        let error = await #expect(throws: AMQPError.self) { try await last.publish("x", routingKey: "few-4") }
        #expect(error?.code == .tooManyChannels)
        // What was declared on them is a matter of the connection.
        for number in 0..<5 {
            try await channels[number % 3].publish("x", routingKey: "few-\(number)", mandatory: true)
            try await channels[0].deleteQueue("few-\(number)")
        }
        await connection.close()
    }

    @Test("an encrypted connection comes back, verified as before, after the broker was killed")
    func encrypted() async throws {
        let address = "amqps://guest:guest@localhost:\(broker.tlsPort)"
        let authority = "cacertfile=\(broker.directory)/certs/ca.pem"
        let connection = try await AMQPConnection.connect(configuration("\(address)?\(authority)"))
        let channel = try await connection.openChannel()
        try await channel.declareQueue("encrypted", durable: true)
        let bodies = Shared<Set<String>>([])
        let reader = Task {
            for try await delivery in channel.consume("encrypted", consumerTag: "c") {
                bodies.withLock { _ = $0.insert(String(decoding: delivery.body, as: UTF8.self)) }
                try await delivery.ack()
            }
        }
        let persistent = AMQPProperties(deliveryMode: 2)
        try await channel.publish("before", routingKey: "encrypted", properties: persistent)
        try await broker.restart(kill: true)
        await events.wait(for: "recovered")
        try await channel.publish("after", routingKey: "encrypted", properties: persistent)
        try await eventually { bodies.withLock { $0 } == ["before", "after"] }
        #expect(connection.statistics.reconnects == 1)
        #expect(!events.lines.contains { $0.hasPrefix("failed") })

        reader.cancel()
        try await reader.value0()
        try await channel.deleteQueue("encrypted")
        await connection.close()
    }
}
