#if Agent
import Foundation
import Glibc
import Testing

@testable import PsistatsAgent

/// A buffer on disk: what an agent that was killed or stopped had measured is sent by the next one.
@Suite("the buffer on disk", .enabled(if: AgentMessages.isThere, AgentMessages.absence))
struct AgentBufferTests {
    @Test("killed while the broker is away, again and again: all that had been measured arrives, once and in order")
    func killed() async throws {
        try await AgentSandbox.run { sandbox in
            let messages = try await sandbox.reader()
            let folder = sandbox.folder + "/buffer"
            sandbox.config["buffer"] = ["path": folder, "fsync": "message", "max_messages": "10000"]
            sandbox.config["server"]?["url"] = "amqp://127.0.0.1:1"
            for section in ["cpu", "mem", "uptime"] { sandbox.config[section]?["interval"] = "0.02" }
            var expected: [String] = []
            for round in 1...4 {
                let pid = try sandbox.start()
                try await sandbox.awaitStatus("a buffer") { $0["buffered"].number ?? 0 >= Double(round * 20) }
                kill(pid, SIGKILL)
                try await eventually("the end of round \(round)") { try sandbox.daemonPid() == nil }
                let kept = JournalReading(folder: folder).waiting.map(\.report.id)
                #expect(kept.starts(with: expected))
                #expect(kept.count >= round * 20)
                expected = kept
            }
            #expect(Set(expected).count == expected.count)
            sandbox.config["server"]?["url"] = Broker.url
            try sandbox.start()
            try await messages.wait(for: expected.count + 5)
            let arrived = try messages.all.compactMap { $0.properties["message_id"]?.text }
            #expect(Array(arrived.prefix(expected.count)) == expected)
            #expect(Set(arrived).count == arrived.count)
            #expect(sandbox.logCount("messages of an earlier run wait to be sent") == 4)
        }
    }

    @Test(
        "psistats buffer shows what waits, with and without a daemon; stop keeps it; a second agent is refused the folder"
    )
    func command() async throws {
        try await AgentSandbox.run { sandbox in
            let folder = sandbox.folder + "/buffer"
            sandbox.config["buffer"] = ["path": "buffer"]
            sandbox.config["server"]?["url"] = "amqp://127.0.0.1:1"
            sandbox.config["app"]?["pidfile_timeout"] = "1"
            try sandbox.start()
            try await eventually("messages on disk") {
                try sandbox.psistats("buffer").text.hasPrefix("messages: ")
            }
            try await AgentSandbox.run { second in
                second.config["buffer"] = ["path": folder]
                try second.writeConfig()
                let start = try second.psistats("start")
                #expect(start.status == 73)
                #expect(start.errors.hasPrefix("psistats: \(folder) is used by another agent, process "))
                #expect(!AgentFiles.exists(second.pidfile))
                // For the end of the sandbox.
                try await second.withChannel { try await $0.declareExchange(second.name, type: .topic) }
            }
            try sandbox.psistats("stop")
            #expect(sandbox.log.contains("; the next start finds them in \(folder)"))
            let lines = try sandbox.psistats("buffer", "--json").lines.map { try JSON($0) }
            #expect(lines.count > 1)
            #expect(lines.allSatisfy { $0["body"]["hostname"] == .text(AgentSandbox.hostname) })
            #expect(Set(lines.compactMap { $0["message_id"].text }).count == lines.count)
            let summary = try sandbox.psistats("buffer")
            #expect(summary.lines.count == 3)
            #expect(summary.lines.first?.hasPrefix("messages: \(lines.count), ") == true)
            sandbox.config["buffer"] = nil
            try sandbox.writeConfig()
            #expect(try sandbox.psistats("buffer").status == 78)
            try await sandbox.withChannel { try await $0.declareExchange(sandbox.name, type: .topic) }
        }
    }
}
#endif
