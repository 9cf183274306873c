#if Agent
import Foundation
import Glibc
import Testing

@testable import PsistatsAgent

/// A broker that is stopped, killed, or takes no messages for a while.
@Suite(
    "a broker that is away for a while",
    .enabled(if: OwnBroker.isWanted, OwnBroker.absence),
    .ownBroker
)
struct AgentBrokerAwayTests {
    /// A queue that outlives the broker, with messages that do.
    private func arrange(_ sandbox: AgentSandbox) {
        sandbox.config["queue"] = [
            "prefix": sandbox.name, "exclusive": "no", "durable": "yes", "autodelete": "no", "ttl": "600000",
        ]
        sandbox.config["exchange"]?["durable"] = "yes"
    }

    /// All messages are there, in order, each with the time at which it was measured.
    private func expectAll(_ messages: AgentMessages) throws {
        let numbers = try messages.numbers
        #expect(gap(in: numbers) == nil)
        // What the kernel says of when it started, by each message.
        let starts = try messages.all.compactMap { message -> Double? in
            guard let uptime = message.body["uptime"]?.number, let timestamp = message.timestamp else { return nil }
            return Double(timestamp) - uptime
        }
        #expect(starts.count >= numbers.count)
        let (least, most) = (starts.min() ?? 0, starts.max() ?? 0)
        // Timestamps are whole seconds.
        #expect(most - least < 1.5, "the timestamps are off by up to \(most - least) s")
    }

    @Test("what was measured while the broker was stopped arrives in order, with the time of its measurement")
    func stopped() async throws {
        let broker = try #require(OwnBroker.current)
        try await AgentSandbox.run(url: broker.url) { sandbox in
            arrange(sandbox)
            try sandbox.start()
            let messages = try await sandbox.reader(queue: sandbox.queue)
            try await messages.wait(for: 3)
            try broker.ctl("stop_app")
            let status = try await sandbox.awaitStatus("a buffer that grows") { $0["buffered"].number ?? 0 >= 10 }
            #expect(status["broker"] == .null)
            #expect(status["lastError"].text?.isEmpty == false)
            #expect(status["dropped"].number == 0)
            try broker.ctl("start_app")
            try await sandbox.awaitStatus("all sent", within: .seconds(30)) { status in
                status["broker"] != .null && status["buffered"].number ?? 99 <= 1
            }
            let confirmed = try sandbox.status()["confirmed"].number ?? 0
            try await messages.wait(throughNumber: Int(confirmed))
            try expectAll(messages)
            // Once that it is away, once that it is back.
            #expect(sandbox.logCount("failed attempts") == 1)
            #expect(sandbox.logCount("ERROR") <= 3)
        }
    }

    @Test("of a broker that is killed in the middle of all that, nothing is missing either")
    func killed() async throws {
        let broker = try #require(OwnBroker.current)
        try await AgentSandbox.run(url: broker.url) { sandbox in
            arrange(sandbox)
            for section in ["cpu", "mem", "uptime"] { sandbox.config[section]?["interval"] = "0.02" }
            // A broker may take its time to start.
            sandbox.config["buffer"] = ["max_messages": "100000"]
            try sandbox.start()
            let messages = try await sandbox.reader(queue: sandbox.queue)
            try await messages.wait(for: 100)
            try broker.failAndRestart()
            try await sandbox.awaitStatus("all sent", within: .seconds(30)) { status in
                status["broker"] != .null && status["buffered"].number ?? 99 <= 5
            }
            let confirmed = try sandbox.status()["confirmed"].number ?? 0
            try await messages.wait(throughNumber: Int(confirmed))
            try expectAll(messages)
            #expect(try sandbox.status()["dropped"].number == 0)
        }
    }

    @Test("while the broker is blocked by its alarm the agent goes on measuring; everything is sent when it is over")
    func blocked() async throws {
        let broker = try #require(OwnBroker.current)
        try await AgentSandbox.run(url: broker.url) { sandbox in
            arrange(sandbox)
            sandbox.config["app"]?["pidfile_timeout"] = "1"
            try sandbox.start()
            let messages = try await sandbox.reader(queue: sandbox.queue)
            try await messages.wait(for: 3)
            try broker.ctl("set_vm_memory_high_watermark", "0.000001")
            let status = try await sandbox.awaitStatus("a blocked broker") {
                $0["blockedReason"] != .null && $0["buffered"].number ?? 0 >= 10
            }
            #expect(status["blockedReason"].text?.contains("memory") == true)
            #expect(status["broker"] != .null)
            #expect(try sandbox.psistats("status").text.contains("\nblocked: the broker takes no messages for now ("))
            #expect(sandbox.logCount("the broker takes no messages for now") == 1)
            try broker.ctl("set_vm_memory_high_watermark", "0.4")
            try await sandbox.awaitStatus("all sent") {
                $0["blockedReason"] == .null && $0["buffered"].number ?? 99 <= 1
            }
            let confirmed = try sandbox.status()["confirmed"].number ?? 0
            try await messages.wait(throughNumber: Int(confirmed))
            try expectAll(messages)
            #expect(sandbox.logCount("the broker takes messages again") == 1)
            #expect(sandbox.logCount("connected to") == 1)
            #expect(sandbox.logCount("ERROR") == 0)

            // Blocked again, and told to end: it does not wait for ever.
            try broker.ctl("set_vm_memory_high_watermark", "0.000001")
            try await sandbox.awaitStatus("a buffer that grows") { $0["buffered"].number ?? 0 >= 5 }
            let pid = try #require(try sandbox.daemonPid())
            #expect(try sandbox.psistats("stop").text == "psistats: process \(pid) has ended\n")
            #expect(sandbox.log.contains("messages that no broker confirmed"))
            try broker.ctl("set_vm_memory_high_watermark", "0.4")
        }
    }
}
#endif
