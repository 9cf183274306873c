import Testing

@testable import AMQPWire

/// Messages over which the broker closes the connection, with a played broker.
@Suite("A message over which the broker closes the connection", .timeLimit(.minutes(1)))
struct ResendLimitTests {
    let events = EventLog()

    private func connect(_ broker: PlayedBroker, limit: Int = 3) async throws -> AMQPConnection {
        try await AMQPConnection.connect(
            .quick(broker.uri, events) {
                $0.recovery?.resendsUnconfirmed = true
                $0.recovery?.resendLimit = limit
            }
        )
    }

    /// Closes the connection at each publish of "poison".
    private func poisoned(_ code: @escaping @Sendable (Int) -> UInt16 = { _ in 501 }) throws -> PlayedBroker {
        try PlayedBroker { connection, request in
            request.description == "basic.publish poison"
                ? .closeConnection(code(connection), "FRAME_ERROR - cannot take this") : .answer
        }
    }

    @Test("fails after three connections, with the broker's code, and the next one is published")
    func published() async throws {
        let broker = try poisoned()
        let connection = try await connect(broker)
        let channel = try await connection.openChannel()
        let error = await #expect(throws: AMQPError.self) { try await channel.publish("poison", routingKey: "q") }
        #expect(error?.replyCode == 501 && error?.delivery == .unknown && error?.scope == .message)
        #expect(error?.message.contains("3 connections in a row were closed with 501") == true)
        try await channel.publish("good", routingKey: "q")
        #expect(broker.connectionCount == 4)
        await connection.close()
    }

    @Test("fails as a receipt, and as the first failure that nobody waited for", arguments: [true, false])
    func submitted(receipt: Bool) async throws {
        let broker = try poisoned()
        let connection = try await connect(broker, limit: 2)
        let channel = try await connection.openChannel()
        let poison = try await channel.submit(Array("poison".utf8), routingKey: "q")
        let error = await #expect(throws: AMQPError.self) {
            if receipt { try await poison.confirmed() } else { try await channel.waitForConfirms() }
        }
        #expect(error?.replyCode == 501 && error?.delivery == .unknown)
        #expect(broker.connectionCount >= 2)
        try await channel.publish("good", routingKey: "q")
        #expect(connection.driver.state.withLock { _ in channel.record.kept.isEmpty })
        await connection.close()
    }

    @Test("is sent again after other ends of the connection, however many")
    func others() async throws {
        let broker = try PlayedBroker { connection, request in
            guard request.name == "basic.publish", connection < 8 else { return .answer }
            return switch connection % 4 {
            case 0: .cut
            case 1: .closeConnection(320, "CONNECTION_FORCED - shutdown")
            case 2: .closeConnection(501, "FRAME_ERROR")
            default: .closeConnection(541, "INTERNAL_ERROR")
            }
        }
        let connection = try await connect(broker, limit: 2)
        let channel = try await connection.openChannel()
        try await channel.publish("in the end", routingKey: "q")
        #expect(broker.connectionCount == 9)
        await connection.close()
    }
}
