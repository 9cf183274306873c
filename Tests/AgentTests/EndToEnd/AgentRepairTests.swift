#if Agent
import AMQPWire
import Foundation
import Glibc
import Testing

@testable import PsistatsAgent

/// What goes away on the broker while the agent is connected.
@Suite("what is removed while the agent runs", .enabled(if: AgentMessages.isThere, AgentMessages.absence))
struct AgentRepairTests {
    /// A queue that others may read and that loses nothing by time.
    private func arrange(_ sandbox: AgentSandbox) {
        sandbox.config["queue"] = [
            "prefix": sandbox.name, "exclusive": "no", "durable": "no", "autodelete": "no", "ttl": "600000",
        ]
        for section in ["cpu", "mem", "uptime"] { sandbox.config[section]?["interval"] = "0.05" }
    }

    @Test("a queue that is deleted is declared again, and what came back is sent again: nothing is missing")
    func queueDeleted() async throws {
        try await AgentSandbox.run { sandbox in
            arrange(sandbox)
            let agent = try sandbox.start()
            try await sandbox.awaitStatus("confirmed messages") { $0["confirmed"].number ?? 0 >= 5 }
            // Emptied first, and nothing published meanwhile, so that no message goes with the queue: RabbitMQ confirms what it
            // routes to a queue that is just being deleted, and with Khepri that takes its time.
            kill(agent, SIGSTOP)
            defer { kill(agent, SIGCONT) }
            var taken: [Int] = []
            try await eventually("an empty queue, deleted") {
                try await sandbox.withChannel { channel in
                    while let delivery = try await channel.get(sandbox.queue, noAck: true) {
                        let id = try #require(delivery.message.properties.messageID?.string)
                        taken.append(try #require(id.split(separator: "-").last.flatMap { Int($0) }))
                    }
                    do {
                        _ = try await channel.deleteQueue(sandbox.queue, ifEmpty: true)
                        return true
                    } catch let error as AMQPError where error.replyCode == 406 {
                        return false
                    }
                }
            }
            kill(agent, SIGCONT)
            let messages = try await sandbox.reader(queue: sandbox.queue)
            try await messages.wait(for: 10)
            let numbers = try taken + messages.numbers
            #expect(gap(in: numbers) == nil)
            #expect(sandbox.logCount("declaring exchange, queue and binding again") == 1)
            #expect(sandbox.logCount("connected to") == 1)
            let status = try sandbox.status()
            #expect(status["returned"].number ?? 0 >= 1)
            #expect(status["dropped"].number == 0)
        }
    }

    @Test("an exchange that is deleted is declared again with its binding: nothing is missing")
    func exchangeDeleted() async throws {
        try await AgentSandbox.run { sandbox in
            arrange(sandbox)
            try sandbox.start()
            let messages = try await sandbox.reader(queue: sandbox.queue)
            try await messages.wait(for: 5)
            try await sandbox.withChannel { try await $0.deleteExchange(sandbox.name) }
            try await sandbox.awaitLog("declaring exchange, queue and binding again")
            try await messages.wait(for: try messages.all.count + 10)
            let numbers = try messages.numbers
            #expect(gap(in: numbers) == nil)
            #expect(sandbox.logCount("declaring exchange, queue and binding again") == 1)
            #expect(try sandbox.status()["dropped"].number == 0)
        }
    }

    @Test("a queue that is unbound is bound again: nothing is missing")
    func unbound() async throws {
        try await AgentSandbox.run { sandbox in
            arrange(sandbox)
            try sandbox.start()
            let messages = try await sandbox.reader(queue: sandbox.queue)
            try await messages.wait(for: 5)
            try await sandbox.withChannel {
                try await $0.unbindQueue(sandbox.queue, from: sandbox.name, routingKey: sandbox.queue)
            }
            try await sandbox.awaitLog("declaring exchange, queue and binding again")
            try await messages.wait(for: try messages.all.count + 10)
            let numbers = try messages.numbers
            #expect(gap(in: numbers) == nil)
        }
    }
}
#endif
