import Testing

@testable import AMQPWire

/// Questions that close no channel of the asker's.
@Suite("What exists", .enabled(if: TestBroker.isThere, TestBroker.absence), .timeLimit(.minutes(1)))
struct ExistenceTests {
    let events = EventLog()

    @Test("queues and exchanges can be asked for; channels and events stay as they were", arguments: TestBroker.present)
    func exist(broker: TestBroker) async throws {
        var configuration = try AMQPConfiguration(broker.uri)
        configuration.onEvent = { [events] in events($0) }
        try await AMQPConnection.withConnection(configuration) { connection in
            let channel = try await connection.openChannel()
            let queue = try await channel.makeQueue()
            #expect(try await connection.queueExists(queue))
            #expect(try await !connection.queueExists(queue + "-not"))
            #expect(try await connection.exchangeExists("amq.direct"))
            #expect(try await !connection.exchangeExists(queue + "-not"))
            #expect(channel.isOpen)
            try await channel.deleteQueue(queue)
            #expect(try await !connection.queueExists(queue))
        }
        await events.wait(for: "closed")
        #expect(events.lines == ["connected", "closed"])
    }

    @Test("a queue that is another connection's alone exists")
    func exclusive() async throws {
        try await AMQPConnection.withConnection(TestBroker.uri) { owner in
            let queue = try await owner.openChannel().declareQueue(exclusive: true).name
            try await AMQPConnection.withConnection(TestBroker.uri) { other in
                let exists = try await other.queueExists(queue)
                #expect(exists)
            }
        }
    }

    @Test("asking leaves no channel open")
    func leavesNothing() async throws {
        try await AMQPConnection.withConnection(TestBroker.uri + "?channel_max=2") { connection in
            for _ in 0..<20 {
                try await eventually {
                    do throws(AMQPError) {
                        return try await !connection.queueExists("there is no such queue")
                    } catch {
                        guard error.code == .tooManyChannels else { throw error }
                        return false
                    }
                }
            }
        }
    }

    @Test("a broker that does not let the user ask is an error")
    func mayNot() async throws {
        let broker = try PlayedBroker { _, request in
            request.name == "queue.declare" ? .closeChannel(403, "ACCESS_REFUSED") : .answer
        }
        try await AMQPConnection.withConnection(broker.uri) { connection in
            let error = await #expect(throws: AMQPError.self) { _ = try await connection.queueExists("q") }
            #expect(error?.code == .channelClosed)
            #expect(error?.replyCode == 403)
        }
    }
}
