import Testing

@testable import AMQPWire

/// What meets a channel between its close and the broker's answer, with a played broker.
@Suite("A channel that is being closed", .timeLimit(.minutes(1)))
struct ClosingChannelTests {
    let events = EventLog()

    private static let closeOk = PlayedMethod(id: (20, 41))

    /// A channel with a publish, confirmed or not, whose close the broker has not answered.
    private func closing(
        _ broker: PlayedBroker,
        isUnconfirmed: Bool = true,
        _ body: (AMQPChannel, AMQPPublishReceipt) async throws -> Void
    ) async throws {
        let configuration = try AMQPConfiguration.quick(broker.uri, events) {
            $0.recovery?.resendsUnconfirmed = true
        }
        let connection = try await AMQPConnection.connect(configuration)
        let channel = try await connection.openChannel()
        let receipt = try await channel.submit([1], routingKey: "q")
        if !isUnconfirmed { try await eventually { connection.statistics.publishesConfirmed == 1 } }
        let closing = Task { try await channel.close() }
        try await eventually { broker.calls(0).contains("channel.close") }
        try await body(channel, receipt)
        broker.say(Self.closeOk, channel: 1)
        try await closing.value
        await connection.close()
    }

    private func silentBroker() throws -> PlayedBroker {
        try PlayedBroker { _, request in
            ["basic.publish", "channel.close"].contains(request.name) ? .silence : .answer
        }
    }

    @Test("lets nobody wait for a receipt: nothing is known of the message")
    func receipt() async throws {
        try await closing(silentBroker()) { _, receipt in
            let error = await #expect(throws: AMQPError.self) { try await receipt.confirmed() }
            #expect(error?.code == .closed && error?.delivery == .unknown)
        }
    }

    @Test("still knows the publishes that were confirmed before")
    func confirmedBefore() async throws {
        let broker = try PlayedBroker { _, request in request.name == "channel.close" ? .silence : .answer }
        try await closing(broker, isUnconfirmed: false) { _, receipt in try await receipt.confirmed() }
    }

    @Test("lets nobody wait for its confirms")
    func confirms() async throws {
        try await closing(silentBroker()) { channel, _ in
            let error = await #expect(throws: AMQPError.self) { try await channel.waitForConfirms() }
            #expect(error?.code == .closed && error?.delivery == .unknown)
        }
    }

    @Test("while recovery restores it is not opened again")
    func whileRestored() async throws {
        let broker = try PlayedBroker { connection, request in
            guard connection == 1, request.channel == 1 else { return .answer }
            return request.description == "basic.consume q c1" || request.name == "channel.close" ? .silence : .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        var readers: [Task<Void, any Error>] = []
        for tag in ["c1", "c2"] {
            readers.append(Task { for try await _ in channel.consume("q", consumerTag: tag) {} })
            try await channel.awaitConsumer(AMQPText(tag))
        }
        broker.cut()
        try await eventually { broker.calls(1).contains("basic.consume q c1") }
        let closing = Task { try await channel.close() }
        try await eventually { channel.driver.state.withLock { _ in channel.record.number == nil } }
        broker.say(PlayedMethod(id: (60, 21), arguments: PlayedMethod.string("c1")), channel: 1)
        await events.wait(for: "recovered")
        try await eventually { broker.calls(1).contains("channel.close") }
        broker.say(Self.closeOk, channel: 1)
        try await closing.value
        #expect(broker.calls(1).count { $0 == "channel.open" } == 1)
        #expect(!events.lines.contains { $0.hasPrefix("failed") })
        #expect(connection.driver.state.withLock { state in state.core.channels.allSatisfy { $0 == nil } })
        await connection.close()
        for reader in readers { try await reader.value0() }
    }

    @Test("when its connection is lost does not come back with the next")
    func lost() async throws {
        let broker = try PlayedBroker { connection, request in
            connection == 0 && request.name == "channel.close" ? .silence : .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        let closing = Task { try await channel.close() }
        try await eventually { broker.calls(0).contains("channel.close") }
        broker.cut()
        try await closing.value
        await events.wait(for: "recovered")
        #expect(connection.driver.state.withLock { state in state.core.channels.allSatisfy { $0 == nil } })
        await connection.close()
    }
}
