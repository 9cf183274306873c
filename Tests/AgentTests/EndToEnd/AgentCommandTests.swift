#if Agent
import Foundation
import Testing

@testable import PsistatsAgent

/// The commands that need no daemon.
@Suite("report, declare and sensors")
struct AgentCommandTests {
    @Test("report --once prints one object with everything that is enabled, cpu included")
    func once() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            // What would be due now and then is in it all the same.
            for section in ["cpu", "mem", "uptime"] { sandbox.config[section]?["interval"] = "60" }
            sandbox.config["os"] = ["enabled": "yes"]
            sandbox.config["load"] = ["enabled": "yes"]
            sandbox.config["app"]?["message"] = "separate"
            try sandbox.writeConfig()
            let result = try sandbox.psistats("report", "--once")
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.lines.count == 1)
            let object = try #require(try JSON(result.text).object)
            #expect(Set(object.keys) == ["hostname", "cpu", "mem", "uptime", "os", "load"])
            #expect(object["hostname"] == .text(AgentSandbox.hostname))
            #expect(result.errors == "")
        }
    }

    @Test("report --count prints so many messages, a line each; --pretty spreads them over several")
    func count() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            sandbox.config["cpu"]?["interval"] = "0.05"
            try sandbox.writeConfig()
            let result = try sandbox.psistats("report", "--count", "4")
            #expect(result.status == 0)
            let objects = try result.lines.map { try JSON($0) }
            #expect(objects.count == 4)
            #expect(objects[0]["cpu"] == .null)
            #expect(objects[1...].allSatisfy { $0["cpu"].number != nil })
            let pretty = try sandbox.psistats("report", "--count", "1", "--pretty")
            #expect(pretty.lines.count > 3)
            #expect(try JSON(pretty.text)["hostname"] == .text(AgentSandbox.hostname))
            #expect(try sandbox.psistats("report", "--count", "0").status == 64)
            #expect(try sandbox.psistats("report", "--once", "--count", "2").status == 64)
        }
    }

    @Test("report says what it cannot read on standard error, and prints the rest")
    func partly() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            sandbox.config["system"] = ["proc": sandbox.folder]
            sandbox.config["os"] = ["enabled": "yes"]
            try sandbox.writeConfig()
            let result = try sandbox.psistats("report", "--once")
            #expect(result.status == 0)
            #expect(Set(try JSON(result.text).object?.keys ?? [:].keys) == ["hostname", "os"])
            #expect(result.errors.contains("psistats.mem: "))
            #expect(result.errors.contains("psistats.cpu: "))
        }
    }

    @Test("report with nothing enabled says so")
    func nothing() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            for section in ["cpu", "mem", "uptime"] { sandbox.config[section] = ["enabled": "no"] }
            try sandbox.writeConfig()
            let result = try sandbox.psistats("report", "--once")
            #expect(result.status == 78)
            #expect(
                result.errors
                    == "psistats: \(sandbox.configPath): no reporter is enabled, so there is nothing to report\n"
            )
        }
    }

    @Test(
        "declare makes exchange, queue and binding, and says what is there",
        .enabled(if: Broker.isThere, Broker.absence)
    )
    func declare() async throws {
        try await AgentSandbox.run { sandbox in
            sandbox.config["queue"] = ["prefix": sandbox.name, "exclusive": "no", "autodelete": "no"]
            try sandbox.writeConfig()
            let result = try sandbox.psistats("declare")
            #expect(result.status == 0, "\(result.errors)")
            #expect(
                result.lines == [
                    "exchange '\(sandbox.name)', type topic",
                    "queue '\(sandbox.queue)', 0 messages, 0 consumers",
                    "binding '\(sandbox.name)' to '\(sandbox.queue)', routing key '\(sandbox.queue)'",
                ]
            )
            #expect(try await Broker.holds(exchange: sandbox.name, queue: sandbox.queue))

            sandbox.config["queue"]?["ttl"] = "1"
            try sandbox.writeConfig()
            let other = try sandbox.psistats("declare")
            #expect(other.status == 78)
            #expect(other.text == "")
            #expect(other.errors.contains("inequivalent arg 'x-message-ttl'"))
            #expect(other.errors.contains("set ttl=10000 in [queue]"))
        }
    }

    @Test("declare says where no broker is, and what to do")
    func declareNowhere() async throws {
        try await AgentSandbox.run(url: "amqp://guest:hunter2@127.0.0.1:1") { sandbox in
            try sandbox.writeConfig()
            let result = try sandbox.psistats("declare")
            #expect(result.status == 69)
            #expect(result.errors.contains("127.0.0.1:1"))
            #expect(result.errors.contains("listens on that port; host and port stand in [server] url"))
            #expect(!result.errors.contains("hunter2"))
        }
    }

    @Test("sensors lists what there is in the form that devices[] takes, or says that there is nothing")
    func sensors() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            let result = try Program.run(["sensors"])
            guard result.status == 0 else {
                #expect(result.status == 69)
                #expect(result.errors.contains("libsensors"))
                return
            }
            // Thermal zones stand in the list, too, but are not for devices[].
            guard let line = result.lines.first(where: { !$0.contains("-zone") }),
                let device = line.firstRange(of: "  ").map({ line[..<$0.lowerBound] })
            else {
                #expect(result.errors.contains("this machine has no sensors") || !result.lines.isEmpty)
                return
            }
            sandbox.config["sensors"] = ["enabled": "yes", "devices[]": "(Mine, \(device))"]
            try sandbox.writeConfig()
            let report = try sandbox.psistats("report", "--once")
            #expect(report.status == 0)
            #expect(report.text.contains(#""label":"Mine""#))
        }
    }
}
#endif
