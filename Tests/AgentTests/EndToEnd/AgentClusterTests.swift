import Foundation
import Testing

@testable import PsistatsAgent

/// The agent and a cluster of two nodes of RabbitMQ. That of two releases does not come about: see docs/brokers.md.
@Suite("a cluster of two nodes", .enabled(if: OwnBroker.isWanted, OwnBroker.absence))
struct AgentClusterTests {
    @Test("is restarted node by node under the agent, and nothing is missing", arguments: ["classic", "quorum"])
    func rollingRestart(queueType: String) async throws {
        let first = try OwnBroker()
        defer { #expect(throws: Never.self) { try first.stop() } }
        let second = try OwnBroker("--join '\(first.directory)'")
        defer { #expect(throws: Never.self) { try second.stop() } }
        try await AgentSandbox.run(url: "\(first.url),127.0.0.1:\(second.port)") { sandbox in
            sandbox.config["queue"] = [
                "prefix": sandbox.name, "exclusive": "no", "durable": "yes", "autodelete": "no", "ttl": "600000",
                "type": queueType,
            ]
            sandbox.config["exchange"]?["durable"] = "yes"
            for section in ["cpu", "mem", "uptime"] { sandbox.config[section]?["interval"] = "0.05" }
            sandbox.config["buffer"] = ["max_messages": "100000"]
            try sandbox.start()
            try await sandbox.awaitStatus("messages") { $0["confirmed"].number ?? 0 >= 20 }
            for node in [first, second] {
                try node.restart()
                let before = try sandbox.status()["confirmed"].number ?? 0
                // A node is back for its clients before all queues of the cluster are.
                try await sandbox.awaitStatus("all sent", within: .seconds(60)) { status in
                    status["broker"] != .null && status["buffered"].number ?? 99 <= 5
                        && status["confirmed"].number ?? 0 >= before + 20
                }
            }
            #expect(try sandbox.status()["dropped"].number == 0)
            // A classic queue is away with its node: the second one may not take the agent before the first is back.
            if queueType == "quorum" { #expect(sandbox.log.contains("connected to 127.0.0.1:\(second.port)")) }
            let confirmed = Int(try sandbox.status()["confirmed"].number ?? 0)
            let messages = try await AgentMessages(
                url: first.url + "/%2F",
                queue: sandbox.queue,
                files: sandbox.folder + "/messages"
            )
            try await messages.wait(throughNumber: confirmed)
            #expect(gap(in: try messages.numbers) == nil)
        }
    }
}
