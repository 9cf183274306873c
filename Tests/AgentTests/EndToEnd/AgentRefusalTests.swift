#if Agent
import AMQPWire
import Foundation
import Glibc
import Testing

@testable import PsistatsAgent

/// Brokers that cannot be reached or do not want the agent: it goes on, says what to do, and works when that is done.
@Suite("a broker that cannot be worked with", .enabled(if: AgentMessages.isThere, AgentMessages.absence))
struct AgentRefusalTests {
    /// What is wrong with a URL.
    struct Mistake: CustomTestStringConvertible {
        var testDescription: String
        var url: String
        /// What the log has to say.
        var words: [String]
    }

    static let mistakes = [
        Mistake(
            testDescription: "the password",
            url: "amqp://guest:hunter2@127.0.0.1:\(Broker.port)/",
            words: ["(403)", "correct user and password in [server] url"]
        ),
        Mistake(
            testDescription: "the vhost",
            url: "amqp://guest:guest@127.0.0.1:\(Broker.port)/nowhere",
            words: ["(530)", "rabbitmqctl add_vhost 'nowhere'"]
        ),
        Mistake(
            testDescription: "the permissions",
            url: "amqp://limited:limited@127.0.0.1:\(Broker.port)/",
            words: ["(403)", "rabbitmqctl set_permissions -p '/' 'limited'"]
        ),
        Mistake(
            testDescription: "the port",
            url: "amqp://guest:hunter2@127.0.0.1:1/",
            words: ["127.0.0.1:1", "listens on that port; host and port stand in [server] url"]
        ),
        Mistake(
            testDescription: "the host",
            // Labels have at most 63 octets, so nobody has to be asked.
            url: "amqp://guest:hunter2@\(String(repeating: "x", count: 64))/",
            words: ["xxx", "the host stands in [server] url"]
        ),
    ]

    @Test(
        "the agent runs, says once what to do, keeps what it measures, and sends it when put right",
        arguments: mistakes
    )
    func mistake(_ mistake: Mistake) async throws {
        try await AgentSandbox.run { sandbox in
            let messages = try await sandbox.reader()
            sandbox.config["server"]?["url"] = mistake.url
            try sandbox.start()
            try await sandbox.awaitLog("will go on trying")
            let status = try await sandbox.awaitStatus("buffered messages") { $0["buffered"].number ?? 0 >= 5 }
            #expect(status["broker"] == .null)
            #expect(status["sent"].number == 0)
            for word in mistake.words {
                #expect(status["lastError"].text?.contains(word) == true, "\(status)")
                #expect(sandbox.logCount(word) == 1)
            }
            #expect(sandbox.logCount("ERROR") == 1)
            let text = try sandbox.psistats("status").text
            #expect(text.contains("\nbroker: not connected\n"))
            #expect(text.contains("\nlast error: "))

            sandbox.config["server"]?["url"] = Broker.url
            try sandbox.writeConfig()
            #expect(try sandbox.psistats("reload").status == 0)
            try await sandbox.awaitLog("connected to 127.0.0.1:\(Broker.port)")
            try await messages.wait(for: 10)
            let numbers = try messages.numbers
            #expect(gap(in: numbers) == nil)
            // Nothing about it is secret, but the password.
            let shown = sandbox.log + text
            #expect(!shown.contains("hunter2"))
            #expect(sandbox.logCount("failed attempts") == 1)
        }
    }

    @Test("of ten failures for one reason two stand in the log")
    func seldom() async throws {
        try await AgentSandbox.run { sandbox in
            sandbox.config["server"]?["url"] = "amqp://127.0.0.1:1"
            // Doubled each time, ten pauses are half a second.
            sandbox.config["app"]?["retry_timer"] = "0.001"
            try sandbox.start()
            try await sandbox.awaitLog("still failing after 10 attempts: ")
            #expect(sandbox.logCount("ERROR") == 2)
        }
    }

    @Test("where somebody listens who says nothing, a reload with the right address is not kept waiting")
    func silence() async throws {
        try await AgentSandbox.run { sandbox in
            let silence = try SilentListener()
            let messages = try await sandbox.reader()
            sandbox.config["server"]?["url"] = "amqp://127.0.0.1:\(silence.port)/"
            try sandbox.start()
            try await eventually("a connection") { silence.silencedCount == 1 }
            sandbox.config["server"]?["url"] = Broker.url
            try sandbox.writeConfig()
            try sandbox.psistats("reload")
            // Long before the time for connecting is up.
            try await sandbox.awaitLog("connected to 127.0.0.1:\(Broker.port)", within: .seconds(10))
            try await messages.wait(for: 3)
            #expect(try messages.numbers.first == 1)
            #expect(sandbox.logCount("ERROR") == 0)
        }
    }

    @Test("where somebody listens who says nothing, that is said when the time for connecting is up")
    func timeout() async throws {
        try await AgentSandbox.run { sandbox in
            let silence = try SilentListener()
            sandbox.config["server"]?["url"] = "amqp://127.0.0.1:\(silence.port)/?connection_timeout=300"
            try sandbox.start()
            try await sandbox.awaitLog("will go on trying")
            #expect(sandbox.log.contains("check that the broker answers (rabbitmqctl status)"))
            try await eventually("more attempts") { silence.silencedCount >= 3 }
            #expect(sandbox.logCount("ERROR") == 1)
        }
    }

    @Test("PSISTATS_URL is what counts, after a reload too; its password stands nowhere")
    func environment() async throws {
        try await AgentSandbox.run { sandbox in
            sandbox.logTo("class=logging.FileHandler", "filename=\(sandbox.logPath)", level: "DEBUG")
            sandbox.config["server"]?["url"] = "amqp://127.0.0.1:1"
            try sandbox.writeConfig()
            let url = "PSISTATS_URL=amqp://guest:hunter2@127.0.0.1:\(Broker.port)"
            let start = try sandbox.psistats("start", environment: [url])
            let pid = try #require(try sandbox.daemonPid())
            try await sandbox.awaitLog("correct user and password in [server] url, url_file or PSISTATS_URL")
            sandbox.config["cpu"]?["interval"] = "1"
            try sandbox.writeConfig()
            try sandbox.psistats("reload")
            try await sandbox.awaitLog("the configuration was read again")
            kill(pid, SIGUSR1)
            try await sandbox.awaitLog("running: process \(pid)")
            #expect(!sandbox.log.contains("127.0.0.1:1 "))
            let status = try sandbox.psistats("status")
            let command = AgentFiles.text("/proc/\(pid)/cmdline")
            #expect(!command.isEmpty)
            #expect(!(sandbox.log + start.text + start.errors + status.text + command).contains("hunter2"))
        }
    }

    @Test("the next broker of the list is taken where the first is down")
    func failover() async throws {
        try await AgentSandbox.run { sandbox in
            sandbox.config["server"]?["url"] = "amqp://guest:guest@127.0.0.1:1,127.0.0.1:\(Broker.port)/"
            try sandbox.start()
            let status = try await sandbox.awaitStatus("confirmed messages") { $0["confirmed"].number ?? 0 >= 1 }
            #expect(status["broker"].text?.hasPrefix("127.0.0.1:\(Broker.port) ") == true)
        }
    }

    @Test("a queue with other arguments: the log has the broker's words, the key and a remedy, which helps")
    func otherArguments() async throws {
        try await AgentSandbox.run { sandbox in
            sandbox.config["queue"] = ["prefix": sandbox.name, "exclusive": "no", "autodelete": "no", "ttl": "5000"]
            try await sandbox.withChannel { channel in
                _ = try await channel.declareQueue(
                    sandbox.queue,
                    durable: false,
                    exclusive: false,
                    autoDelete: false,
                    arguments: ["x-message-ttl": AMQPFieldValue(Int64(7_000))]
                )
            }
            try sandbox.start()
            try await sandbox.awaitLog("inequivalent arg 'x-message-ttl' for queue '\(sandbox.queue)'")
            let status = try await sandbox.awaitStatus("the error") { $0["lastError"] != .null }
            let words = try #require(status["lastError"].text)
            #expect(words.contains("(406)"))
            #expect(words.contains("set ttl=7000 in [queue]"))
            #expect(words.contains("rabbitmqctl delete_queue -p '/' '\(sandbox.queue)'"))
            #expect(sandbox.logCount("ERROR") == 1)

            try await sandbox.withChannel { _ = try await $0.deleteQueue(sandbox.queue) }
            try await sandbox.awaitStatus("confirmed messages") { $0["confirmed"].number ?? 0 >= 1 }
            #expect(sandbox.logCount("failed attempts") == 1)
        }
    }

    @Test("an exchange of another type: the log says which key is at fault")
    func otherExchange() async throws {
        try await AgentSandbox.run { sandbox in
            try await sandbox.withChannel { try await $0.declareExchange(sandbox.name, type: .fanout) }
            try sandbox.start()
            try await sandbox.awaitLog("will go on trying")
            #expect(sandbox.log.contains("inequivalent arg 'type' for exchange '\(sandbox.name)'"))
            #expect(sandbox.log.contains("set type=fanout in [exchange]"))
        }
    }

    @Test("two agents of one name: the second says so after two heartbeats, and goes on when the first has ended")
    func twoOfOneName() async throws {
        try await AgentSandbox.run { first in
            first.config["server"]?["url"] = Broker.url + "?heartbeat=1"
            try first.start()
            try await first.awaitLog("connected to")
            try await AgentSandbox.run(named: first.name) { second in
                second.config["server"] = first.config["server"]
                try second.start()
                try await second.awaitLog("which may be the one just lost; will go on trying")
                #expect(!second.log.contains("another psistats"))
                try await second.awaitLog(
                    "another psistats reports as '\(AgentSandbox.hostname)': stop it, or give this one"
                )
                #expect(second.logCount("ERROR") == 2)
                // The first one takes no notice.
                #expect(first.logCount("ERROR") == 0)
                #expect(first.logCount("connected to") == 1)

                try first.psistats("stop")
                try await second.awaitStatus("confirmed messages") { $0["confirmed"].number ?? 0 >= 1 }
                #expect(second.logCount("failed attempts") == 1)
            }
        }
    }

    @Test("541: a broker that permits no queue that is neither durable nor exclusive, and the log has the remedy")
    func transientQueue() async throws {
        // RabbitMQ 3.10 has no such setting, so there a script plays it.
        guard Broker.isRelease(4, 0) else { return try await transientQueue(permittedBy: Self.playedBroker) }
        let broker = try OwnBroker("--set deprecated_features.permit.transient_nonexcl_queues=false")
        defer { #expect(throws: Never.self) { try broker.stop() } }
        try await transientQueue { _ in broker.url }
    }

    private static func playedBroker(_ sandbox: AgentSandbox) async throws -> String {
        let peer = try sandbox.launch([
            "/usr/bin/python3", Repository.root + "/Scripts/play-broker", "refuse-queues", "541",
            "INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated.",
        ])
        let port = try await eventually("a port") { UInt16(peer.output.split(separator: "\n").first ?? "") }
        return "amqp://127.0.0.1:\(port)"
    }

    private func transientQueue(permittedBy broker: (AgentSandbox) async throws -> String) async throws {
        try await AgentSandbox.run { sandbox in
            sandbox.config["server"]?["url"] = try await broker(sandbox)
            sandbox.config["queue"]?["exclusive"] = "no"
            try sandbox.start()
            try await sandbox.awaitLog("will go on trying")
            #expect(sandbox.log.contains("Feature `transient_nonexcl_queues` is deprecated."))
            #expect(sandbox.log.contains("set exclusive=True in [queue], or durable=True with expires=60000"))
            let declared = try sandbox.psistats("declare")
            #expect(declared.status == 78)
            #expect(declared.errors.contains("set exclusive=True in [queue], or durable=True with expires=60000"))
        }
    }
}
#endif
