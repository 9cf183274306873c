import Synchronization
import Testing

@testable import AMQPWire

/// Which declarations come back with a connection.
@Suite("Recovery of a part of the topology", .timeLimit(.minutes(1)))
struct TopologyFilterTests {
    let events = EventLog()

    /// What is asked for on the second connection, where all of this was declared on the first.
    private func restored(_ topology: AMQPTopologyRecovery) async throws -> [String] {
        let broker = try PlayedBroker()
        let configuration = try AMQPConfiguration.quick(broker.uri, events) { $0.recovery?.topology = topology }
        try await AMQPConnection.withConnection(configuration) { connection in
            let channel = try await connection.openChannel()
            try await channel.declareExchange("e", type: .topic, durable: true)
            try await channel.declareExchange("f", autoDelete: true)
            try await channel.declareQueue("q", durable: true, arguments: ["x-max-length": 5])
            try await channel.declareQueue("p", exclusive: true)
            try await channel.bindExchange("e", to: "f", routingKey: "k")
            try await channel.bindQueue("q", to: "e", routingKey: "k")
            try await channel.bindQueue("p", to: "e", routingKey: "l")
            let consumer = channel.consume("q", prefetchCount: 5, consumerTag: "c")
            let reader = Task { for try await _ in consumer {} }
            try await channel.awaitConsumer("c")
            broker.cut()
            await events.wait(for: "recovered")
            await connection.close()
            try await reader.value0()
        }
        return broker.calls(1)
    }

    private static let channel = ["channel.open", "basic.qos 5", "basic.consume q c"]

    @Test("nothing is declared again if that is turned off; channels and consumers are back")
    func off() async throws {
        #expect(try await restored(.none) == Self.channel)
    }

    @Test("what a filter refuses is not declared again")
    func filtered() async throws {
        let calls = try await restored(.only { $0.kind == .queueBinding ? $0.routingKey == "l" : $0.isDurable })
        let declared = ["channel.open", "exchange.declare e", "queue.declare q", "queue.bind p e l", "channel.close"]
        #expect(calls == declared + Self.channel)
    }

    @Test("a filter is told what was declared")
    func told() async throws {
        let heard = Mutex<[AMQPDeclaration]>([])
        _ = try await restored(
            .only { declaration in
                heard.withLock { $0.append(declaration) }
                return false
            }
        )
        let declarations = heard.withLock { $0 }
        #expect(
            declarations.map { "\($0.kind) \($0.name) \($0.source ?? "-") \($0.routingKey ?? "-")" } == [
                "exchange e - -", "exchange f - -", "queue q - -", "queue p - -", "exchange binding e f k",
                "queue binding q e k", "queue binding p e l",
            ]
        )
        #expect(declarations.map(\.isDurable) == [true, false, true, false, false, false, false])
        #expect(declarations.map(\.isAutoDelete) == [false, true, false, false, false, false, false])
        #expect(declarations.map(\.isExclusive) == [false, false, false, true, false, false, false])
        #expect(declarations[2].arguments == ["x-max-length": 5])
    }
}
