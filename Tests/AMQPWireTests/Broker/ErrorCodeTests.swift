import Testing

@testable import AMQPWire

/// The reply codes of the specification that the calls never provoke: sent past them where a broker gives the code, played by
/// a peer where none does.
///
/// No way was found to have RabbitMQ or GarageMQ answer 311, 313, 402 or 506. RabbitMQ knows 502 only during the login,
/// where it writes it to its log and resets the connection.
@Suite("Reply codes", .timeLimit(.minutes(1)))
struct ErrorCodeTests {
    /// What becomes of a connection and its channel once `step` is sent past the calls.
    private func provoked(
        by configuration: AMQPConfiguration,
        _ step: @Sendable (inout ConnectionCore, _ queue: AMQPText) throws -> Void
    ) async throws -> (error: AMQPError?, channelIsOpen: Bool, connectionIsOpen: Bool) {
        let connection = try await AMQPConnection.connect(configuration)
        let channel = try await connection.openChannel()
        let queue = AMQPText(try await channel.makeQueue())
        try connection.driver.state.withLock { state in try step(&state.core, queue) }
        channel.flush()
        let error = await #expect(throws: AMQPError.self) {
            for _ in 0..<1_000_000 { try await channel.setFlow(active: true) }
        }
        let (channelIsOpen, connectionIsOpen) = (channel.isOpen, connection.isOpen)
        await connection.close()
        return (error, channelIsOpen, connectionIsOpen)
    }

    private static func appendImmediate(_ core: inout ConnectionCore) throws {
        try core.encoder.append(AMQPMethod.BasicPublish(routingKey: "nobody", immediate: true), channel: 1)
        try core.encoder.append(AMQPContentHeader(bodySize: 0, properties: AMQPProperties()), channel: 1)
    }

    @Test(
        "540: an immediate publish, which RabbitMQ does not know, ends the connection and names the publish",
        .enabled(if: TestBroker.isThere, TestBroker.absence)
    )
    func immediate() async throws {
        let outcome = try await provoked(by: TestBroker.rabbitmq.configuration) { core, _ in
            try Self.appendImmediate(&core)
        }
        #expect(outcome.error?.code == .connectionClosed)
        #expect(outcome.error?.scope == .connection)
        #expect(outcome.error?.replyCode == 540)
        #expect(outcome.error?.method == .basicPublish)
        #expect(outcome.error?.message.contains("immediate") == true)
        #expect(!outcome.connectionIsOpen)
    }

    @Test(
        "540: an immediate publish to GarageMQ closes the channel, though the code is one of connections",
        .enabled(if: TestBroker.present.contains(.garagemq), "no GarageMQ: run the tests with 'make test'")
    )
    func immediateToGarageMQ() async throws {
        let outcome = try await provoked(by: TestBroker.garagemq.configuration) { core, _ in
            try Self.appendImmediate(&core)
        }
        #expect(outcome.error?.code == .channelClosed)
        #expect(outcome.error?.scope == .channel)
        #expect(outcome.error?.replyCode == 540)
        #expect(outcome.error?.method == .basicPublish)
        #expect(!outcome.channelIsOpen)
    }

    @Test(
        "541: what breaks RabbitMQ's channel ends the connection, and the error points to its log",
        .enabled(if: TestBroker.isThere, TestBroker.absence)
    )
    func internalError() async throws {
        let outcome = try await provoked(by: TestBroker.rabbitmq.configuration) { core, queue in
            guard RabbitMQRelease.current < RabbitMQRelease(4, 3) else {
                // A method that only brokers send.
                return try core.encoder.append(AMQPMethod.BasicCancelOk(consumerTag: "c"), channel: 1)
            }
            // A cancel before its consumer has started.
            _ = try core.call(.basicConsume(.init(queue: queue, consumerTag: "c")), channel: 1, deadline: nil)
            try core.encoder.append(AMQPMethod.BasicCancel(consumerTag: "c", noWait: true), channel: 1)
        }
        #expect(outcome.error?.code == .connectionClosed)
        #expect(outcome.error?.replyCode == 541)
        #expect(outcome.error?.remedy?.contains("the broker's log says more") == true)
        #expect(!outcome.connectionIsOpen)
    }

    @Test(
        "502: what RabbitMQ could not parse in a login is refused here, before it resets the connection without a word"
    )
    func unreadableLogin() async throws {
        // PLAIN puts a zero octet between user and password, so it can stand in neither.
        for login in ["guest%00x:guest", "guest:guest%00x"] {
            let error = await #expect(throws: AMQPError.self) {
                await (try AMQPConnection.connect("amqp://\(login)@127.0.0.1:1")).close()
            }
            #expect(error?.code == .invalidArgument)
        }
    }

    @Test(
        "played by a peer, since no broker gives it: closes the channel and no other",
        arguments: [311, 313] as [UInt16]
    )
    func ofChannels(_ code: UInt16) async throws {
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands()
            for _ in 0..<2 { try peer.openChannel() }
            try peer.await(.basicPublish)
            try peer.write(
                .channelClose(.init(replyCode: code, replyText: "WHY - because", classID: 60, methodID: 40)),
                channel: 1
            )
            try peer.await(.channelCloseOk)
            try peer.await(.channelFlow)
            try peer.write(.channelFlowOk(.init(active: true)), channel: 2)
            peer.waitForEnd()
        }
        let connection = try await AMQPConnection.connect(peer.configuration)
        let channel = try await connection.openChannel()
        let other = try await connection.openChannel()
        let error = await #expect(throws: AMQPError.self) { try await channel.publish("x", routingKey: "k") }
        #expect(error?.code == .channelClosed)
        #expect(error?.scope == .channel)
        #expect(error?.replyCode == code)
        #expect(error?.replyText == "WHY - because")
        #expect(error?.method == .basicPublish)
        // Where a channel's publishes are when it closes is not known, whatever the code says of one of them.
        #expect(error?.delivery == .unknown)
        #expect(!channel.isOpen)
        try await other.setFlow(active: true)
        connection.driver.abandon()
    }

    @Test("played by a peer, since no broker gives it: ends the connection", arguments: [402, 502, 506] as [UInt16])
    func ofConnections(_ code: UInt16) async throws {
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands()
            try peer.openChannel()
            try peer.await(.queueDeclare)
            try peer.write(
                .connectionClose(.init(replyCode: code, replyText: "WHY - because", classID: 50, methodID: 10)),
                channel: 0
            )
            try peer.await(.connectionCloseOk)
        }
        let connection = try await AMQPConnection.connect(peer.configuration)
        let channel = try await connection.openChannel()
        let error = await #expect(throws: AMQPError.self) { try await channel.declareQueue("q") }
        #expect(error?.code == .connectionClosed)
        #expect(error?.scope == .connection)
        #expect(error?.replyCode == code)
        #expect(error?.replyText == "WHY - because")
        #expect(error?.method == .queueDeclare)
        #expect(!connection.isOpen)
        #expect(connection.leftovers == 0)
    }
}
