#if Agent
import Foundation
import Glibc
import Testing

@testable import PsistatsAgent

/// What the agent has to stand: reporters that hang, being killed, a buffer that is too small. And what it costs.
@Suite("what the agent stands", .enabled(if: AgentMessages.isThere, AgentMessages.absence))
struct AgentEnduranceTests {
    @Test("a reporter that hangs costs only itself; its error is logged once, and once that it works again")
    func hangingReporter() async throws {
        try await AgentSandbox.run { sandbox in
            let drives = try SilentListener()
            let messages = try await sandbox.reader()
            sandbox.config["hddtemp"] = [
                "enabled": "yes", "interval": "0.2", "timeout": "0.5", "hostname": "127.0.0.1",
                "port": "\(drives.port)",
            ]
            try sandbox.start()
            try await eventually("several readings that hang") { drives.silencedCount >= 4 }
            try await sandbox.awaitLog("ERROR psistats.hddtemp: ")
            let status = try sandbox.status()
            #expect(status["skipped"].number ?? 0 >= 4)
            // A tick for each fifth of a second in which all the others are, whatever hangs.
            let others = try messages.all.filter { $0.body["mem"] != nil && $0.body["uptime"] != nil }
            #expect(others.count >= 5)
            let uptimes = others.compactMap { $0.body["uptime"]?.number }
            #expect(uptimes.count == others.count)
            for (before, after) in zip(uptimes, uptimes.dropFirst()) { #expect(after > before) }
            #expect(try messages.all.allSatisfy { $0.body["hddtemp"] == nil })
            #expect(sandbox.logCount("ERROR psistats.hddtemp: ") == 1)

            drives.answer("|/dev/sda|WDC WD10|38|C|")
            try await messages.wait(for: 3) { $0.body["hddtemp"] != nil }
            #expect(sandbox.logCount("ERROR psistats.hddtemp: ") == 1)
            #expect(sandbox.logCount("INFO psistats.hddtemp: can be read again") == 1)
        }
    }

    @Test("a buffer that is full drops the oldest messages and counts them; the rest arrives in order")
    func fullBuffer() async throws {
        try await AgentSandbox.run { sandbox in
            let messages = try await sandbox.reader()
            sandbox.config["server"]?["url"] = "amqp://127.0.0.1:1"
            sandbox.config["buffer"] = ["max_messages": "5"]
            try sandbox.start()
            let status = try await sandbox.awaitStatus("dropped messages") { $0["dropped"].number ?? 0 >= 5 }
            #expect(status["buffered"].number == 5)
            #expect(sandbox.logCount("the buffer is full") == 1)
            sandbox.config["server"]?["url"] = Broker.url
            try sandbox.writeConfig()
            try sandbox.psistats("reload")
            try await messages.wait(for: 10)
            let dropped = try #require(try sandbox.status()["dropped"].number.map { Int($0) })
            let numbers = try messages.numbers
            #expect(gap(in: numbers, from: dropped + 1) == nil)
        }
    }

    @Test("killed in the middle of publishing, it starts again and works")
    func killed() async throws {
        try await AgentSandbox.run { sandbox in
            let messages = try await sandbox.reader()
            for section in ["cpu", "mem", "uptime"] { sandbox.config[section]?["interval"] = "0.002" }
            for round in 1...3 {
                let pid = try sandbox.start()
                let seen = try messages.all.count
                try await messages.wait(for: seen + 50)
                kill(pid, SIGKILL)
                try await eventually("the end of round \(round)") { try sandbox.daemonPid() == nil }
            }
            let ids = try messages.all.compactMap { $0.properties["message_id"]?.text }
            #expect(Set(ids).count == ids.count)
            // Each run has a name of its own.
            #expect(Set(ids.map { $0.prefix { $0 != "-" } }).count == 3)
        }
    }

    @Test("what it costs: printed; the first message arrives soon, and the memory stays small")
    func footprint() async throws {
        try await AgentSandbox.run { sandbox in
            let messages = try await sandbox.reader()
            for section in ["cpu", "mem", "uptime"] { sandbox.config[section]?["interval"] = "0.02" }
            let began = Date().timeIntervalSince1970
            let agent = try sandbox.startInForeground()
            let first = try await messages.wait()[0]
            let seconds = first.arrivedAt - began
            try await messages.wait(for: 50)
            let status = AgentFiles.lines("/proc/\(agent.pid)/status")
            let memory = try #require(status.first { $0.hasPrefix("VmRSS:") }.flatMap { Int($0.filter(\.isNumber)) })
            let threads = try #require(status.first { $0.hasPrefix("Threads:") }.flatMap { Int($0.filter(\.isNumber)) })
            print(
                "first message \(Int(seconds * 1_000)) ms after the program was started; "
                    + "after 50 messages \(memory) KiB resident, \(threads) threads"
            )
            // Bounds that only a mistake could pass.
            #expect(seconds < 10)
            #expect(memory < 200_000)
            #expect(threads < 20)
        }
    }
}
#endif
