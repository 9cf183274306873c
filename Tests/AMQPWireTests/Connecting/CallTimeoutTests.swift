import Testing

@testable import AMQPWire

/// Deadlines that a caller sets for its calls.
@Suite("Deadlines of calls", .timeLimit(.minutes(1)))
struct CallTimeoutTests {
    let events = EventLog()

    @Test("a call that is given less time than usual ends when that is up, and the channel goes on")
    func shorter() async throws {
        let broker = try PlayedBroker { _, request in request.names.first == "slow" ? .silence : .answer }
        var configuration = try AMQPConfiguration(broker.uri)
        configuration.callTimeout = .seconds(3_600)
        try await AMQPConnection.withConnection(configuration) { connection in
            let channel = try await connection.openChannel()
            let error = await #expect(throws: AMQPError.self) {
                try await AMQPConnection.withTimeout(.milliseconds(10)) { try await channel.declareQueue("slow") }
            }
            #expect(error?.code == .timedOut)
            let other = try await connection.openChannel()
            #expect(
                try await AMQPConnection.withTimeout(.seconds(60)) { try await other.declareQueue("q").name } == "q"
            )
        }
    }

    @Test("a call that is given more time than usual has it")
    func longer() async throws {
        let broker = try PlayedBroker { _, request in request.names.first == "slow" ? .silence : .answer }
        var configuration = try AMQPConfiguration(broker.uri)
        configuration.callTimeout = .milliseconds(1)
        configuration.recovery = nil
        let connection = try await AMQPConnection.withTimeout(.seconds(60)) {
            try await AMQPConnection.connect(configuration)
        }
        let channel = try await AMQPConnection.withTimeout(.seconds(60)) { try await connection.openChannel() }
        let waiting = Task {
            try await AMQPConnection.withTimeout(.seconds(60)) { try await channel.declareQueue("slow") }
        }
        try await isGone { broker.calls(0).contains("queue.declare slow") }
        // By its own deadline it would be over before this one.
        let other = await #expect(throws: AMQPError.self) {
            try await AMQPConnection.withTimeout(.milliseconds(20)) { try await channel.declareQueue("slow") }
        }
        #expect(other?.code == .timedOut)
        broker.say(.queueDeclareOk("slow"), channel: 1)
        #expect(try await waiting.value.name == "slow")
        await connection.close()
    }

    @Test("connecting, publishing and waiting for confirms keep it, too")
    func others() async throws {
        let broker = try PlayedBroker { connection, request in
            switch request.name {
            case "basic.publish": .silence
            case "connection.start-ok" where connection == 1: .silence
            default: .answer
            }
        }
        func timesOut(_ body: () async throws -> Void) async {
            let error = await #expect(throws: AMQPError.self) {
                try await AMQPConnection.withTimeout(.milliseconds(10)) { try await body() }
            }
            #expect(error?.code == .timedOut)
        }
        try await AMQPConnection.withConnection(broker.uri) { connection in
            let channel = try await connection.openChannel()
            await timesOut { try await channel.publish("x", routingKey: "q") }
            let receipt = try await channel.submit([1], routingKey: "q")
            await timesOut { try await receipt.confirmed() }
            await timesOut { try await channel.waitForConfirms() }
            await timesOut { _ = try await AMQPConnection.connect(broker.uri) }
        }
    }

    @Test("it is not the deadline of a recovery that begins meanwhile")
    func recovery() async throws {
        let broker = try PlayedBroker()
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        broker.stopListening()
        let error = await #expect(throws: AMQPError.self) {
            try await AMQPConnection.withTimeout(.milliseconds(50)) {
                broker.cut()
                await events.wait(for: "disconnected")
                try await channel.publish("x", routingKey: "q")
            }
        }
        #expect(error?.code == .timedOut)
        try broker.listenAgain()
        await events.wait(for: "recovered")
        try await channel.publish("y", routingKey: "q")
        await connection.close()
    }
}
