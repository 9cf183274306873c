#if Agent
import AMQPWire
import Testing

@testable import PsistatsAgent

@Suite("psistats declare --remove", .enabled(if: Broker.isThere, Broker.absence))
struct TopologyRemovalTests {
    private static func run(_ body: (AgentSandbox) async throws -> Void) async throws {
        try await AgentSandbox.run { sandbox in
            sandbox.config["queue"]?.merge(["exclusive": "no", "durable": "yes", "autodelete": "no"]) { $1 }
            try sandbox.writeConfig()
            try await body(sandbox)
        }
    }

    private static func queue(_ sandbox: AgentSandbox) -> String { "\(sandbox.name).\(AgentSandbox.hostname)" }

    @Test("deletes queue and exchange, and says how many messages went with the queue")
    func deletes() async throws {
        try await Self.run { sandbox in
            #expect(try sandbox.psistats("declare").status == 0)
            try await Broker.withChannel { channel in
                try await channel.publish(Array("one".utf8), exchange: "", routingKey: Self.queue(sandbox))
            }
            let result = try sandbox.psistats("declare", "--remove", "--yes")
            #expect(result.status == 0, "\(result.errors)")
            #expect(
                result.lines == [
                    "queue '\(Self.queue(sandbox))': deleted, with 1 messages", "exchange '\(sandbox.name)': deleted",
                ]
            )
            #expect(try await !Broker.holds(queue: Self.queue(sandbox)))
            #expect(try await !Broker.holds(exchange: sandbox.name))
        }
    }

    @Test("keeps an exchange that other queues are bound to")
    func keeps() async throws {
        try await Self.run { sandbox in
            #expect(try sandbox.psistats("declare").status == 0)
            try await Broker.withChannel { channel in
                let other = try await channel.declareQueue("", exclusive: true)
                try await channel.bindQueue(other.name, to: sandbox.name, routingKey: "#")
                let result = try sandbox.psistats("declare", "--remove", "--yes")
                #expect(result.status == 0, "\(result.errors)")
                #expect(result.lines.last == "exchange '\(sandbox.name)': kept, because other queues are bound to it")
            }
            #expect(try await Broker.holds(exchange: sandbox.name))
        }
    }

    @Test("where there is nothing it says so, and succeeds")
    func nothing() async throws {
        try await Self.run { sandbox in
            let result = try sandbox.psistats("declare", "--remove", "--yes")
            #expect(result.status == 0, "\(result.errors)")
            #expect(
                result.lines == [
                    "queue '\(Self.queue(sandbox))': there is none", "exchange '\(sandbox.name)': there is none",
                ]
            )
        }
    }

    @Test("deletes nothing unasked where nobody can be asked")
    func unasked() async throws {
        try await Self.run { sandbox in
            #expect(try sandbox.psistats("declare").status == 0)
            let result = try sandbox.psistats("declare", "--remove")
            #expect(result.status == 64)
            #expect(result.errors.contains("--yes"))
            #expect(try await Broker.holds(exchange: sandbox.name, queue: Self.queue(sandbox)))
        }
    }
}
#endif
