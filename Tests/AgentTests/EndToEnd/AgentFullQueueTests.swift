#if Agent
import AMQPWire
import Foundation
import Glibc
import Testing

@testable import PsistatsAgent

/// A queue that takes no more (reject-publish), and brokers that refuse, return and hang up as no real one does.
@Suite("a broker that refuses messages, or says too much")
struct AgentFullQueueTests {
    /// Starts a broker that is played, and leads the sandbox's agents to it.
    private func play(_ mode: String, in sandbox: AgentSandbox) async throws -> AgentProcess {
        let peer = try sandbox.launch(["/usr/bin/python3", Repository.root + "/Scripts/play-broker", mode])
        let port = try await eventually("a port") { UInt16(peer.output.split(separator: "\n").first ?? "") }
        sandbox.config["server"]?["url"] = "amqp://127.0.0.1:\(port)"
        return peer
    }

    @Test(
        "what a full queue refuses waits, few publishes are wasted on it, and it arrives in order when there is room",
        .enabled(if: AgentMessages.isThere, AgentMessages.absence)
    )
    func fullQueue() async throws {
        try await AgentSandbox.run { sandbox in
            sandbox.config["queue"] = [
                "prefix": sandbox.name, "exclusive": "no", "durable": "no", "autodelete": "no", "ttl": "600000",
            ]
            for section in ["cpu", "mem", "uptime"] { sandbox.config[section]?["interval"] = "0.02" }
            let policy = #"{"max-length":5,"overflow":"reject-publish"}"#
            _ = try Broker.ctl("set_policy", sandbox.name, "^\(sandbox.name)\\.", policy, "--apply-to", "queues")
            defer { _ = try? Broker.ctl("clear_policy", sandbox.name) }
            try sandbox.start()
            let full = try await sandbox.awaitStatus("a full queue") {
                $0["refused"].number ?? 0 >= 3 && $0["buffered"].number ?? 0 >= 60
            }
            #expect(full["broker"] != .null)
            #expect(
                full["lastError"].text?.contains("look into the broker's log and at the limits of the queues") == true
            )
            // One at a time, with pauses that grow.
            #expect(full["sent"].number ?? 0 < 40, "\(full)")
            let messages = try await sandbox.reader(queue: sandbox.queue)
            try await sandbox.awaitStatus("an empty buffer") { $0["buffered"].number ?? 99 <= 2 }
            let status = try sandbox.status()
            try await messages.wait(throughNumber: Int(status["confirmed"].number ?? 0))
            // In order, and none twice.
            let numbers = try messages.all.compactMap(\.number)
            #expect(gap(in: numbers) == nil)
            let refused = status["refused"].number ?? 0
            #expect(status["sent"].number ?? 0 <= (status["confirmed"].number ?? 0) + refused + 1)
            #expect(refused < 200)
            #expect(status["dropped"].number == 0)
            #expect(sandbox.logCount("until it is taken, messages go one at a time") == 1)
            #expect(sandbox.logCount("connected to") == 1)
        }
    }

    @Test("of messages that go together only those are sent again that were refused, in their order")
    func onlyRefused() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            for section in ["cpu", "mem", "uptime"] { sandbox.config[section]?["interval"] = "0.02" }
            sandbox.config["buffer"] = ["max_messages": "100000"]
            // Some that go together: measured before there is a broker.
            try sandbox.start()
            try await sandbox.awaitStatus("a buffer") { $0["buffered"].number ?? 0 >= 30 }
            let peer = try await play("nack", in: sandbox)
            try sandbox.writeConfig()
            try sandbox.psistats("reload")
            try await sandbox.awaitStatus("refused and confirmed") {
                $0["refused"].number ?? 0 >= 10 && $0["confirmed"].number ?? 0 >= 60
            }
            try sandbox.psistats("stop")
            let lines = peer.output.split(separator: "\n").dropFirst().map { $0.split(separator: " ") }
            let taken = lines.filter { $0[0] == "ack" }.map { $0[1] }
            // Nothing twice, nothing missing.
            #expect(Set(taken).count == taken.count)
            let numbers = taken.compactMap { $0.split(separator: "-").last }.compactMap { Int($0) }
            #expect(gap(in: numbers.sorted()) == nil)
            // What was refused came again in its order.
            let refused = Set(lines.filter { $0[0] == "nack" }.map { $0[1] })
            let again = taken.filter { refused.contains($0) }.compactMap { $0.split(separator: "-").last }
            let againNumbers = again.compactMap { Int($0) }
            #expect(!againNumbers.isEmpty && againNumbers == againNumbers.sorted())
        }
    }

    @Test("a broker cannot fill the log, whatever it says again and again", arguments: ["blocked", "toggle"])
    func flood(_ mode: String) async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            sandbox.logTo("class=logging.FileHandler", "filename=\(sandbox.logPath)", level: "DEBUG")
            _ = try await play(mode, in: sandbox)
            try sandbox.start()
            try await sandbox.awaitStatus("confirmed messages") {
                $0["confirmed"].number ?? 0 >= 10 && $0["blockedReason"] == .null
            }
            let blocked = sandbox.logCount("the broker takes no messages for now (memory)")
            #expect(mode == "blocked" ? blocked == 1 : (1...LogThrottle.limit).contains(blocked))
            #expect(sandbox.logCount("the broker takes messages again") <= LogThrottle.limit)
            #expect(AgentFiles.lines(sandbox.logPath).count < 100)
        }
    }

    @Test(
        "neither does one that returns what it should route, or hangs up after each message",
        arguments: [
            "return", "hang-up",
        ]
    )
    func badManners(_ mode: String) async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            for section in ["cpu", "mem", "uptime"] { sandbox.config[section]?["interval"] = "0.01" }
            sandbox.config["app"]?["retry_timer"] = "0.001"
            let peer = try await play(mode, in: sandbox)
            try sandbox.start()
            try await eventually("many messages") { peer.output.count > 60 * 40 }
            #expect(AgentFiles.lines(sandbox.logPath).count < 100)
        }
    }
}
#endif
