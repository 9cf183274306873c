#if Agent
import AMQPWire
import Foundation
import Glibc
import Testing

@testable import PsistatsAgent

/// What arrives at the broker, read with pika, and what the broker says of the queue.
@Suite("what is published", .enabled(if: AgentMessages.isThere, AgentMessages.absence))
struct AgentMessageTests {
    /// A copy of `/proc`, `/sys` and `/etc` of some machine.
    static func host(_ name: String) -> [String: String] {
        let folder = Repository.root + "/Fixtures/hosts/" + name
        return ["proc": folder + "/proc", "sys": folder + "/sys", "etc": folder + "/etc"]
    }

    @Test("a message holds what is due, in numbers, lists and texts; its properties say what, when and whose it is")
    func shape() async throws {
        try await AgentSandbox.run { sandbox in
            let messages = try await sandbox.reader()
            sandbox.config["system"] = Self.host("raspberry-pi")
            sandbox.config["cpu_temp"] = ["interval": "0.2"]
            sandbox.config["ipaddr"] = ["interval": "0.2", "loopback": "yes"]
            let before = Int(time(nil))
            try sandbox.start()
            let read = try await messages.wait(for: 5)
            try sandbox.psistats("stop")
            let after = Int(time(nil))

            // The first has no cpu: that takes two readings.
            #expect(Set(read[0].body.keys) == ["hostname", "mem", "uptime", "ipaddr", "cpu_temp"])
            for message in read {
                #expect(message.exchange == sandbox.name)
                #expect(message.routingKey == "\(sandbox.name).\(AgentSandbox.hostname)")
                #expect(message.body["hostname"] == .text(AgentSandbox.hostname))
                let properties = message.properties
                #expect(properties["content_type"] == .text("application/json"))
                #expect(properties["content_encoding"] == .text("utf-8"))
                #expect(properties["app_id"] == .text("psistats"))
                #expect(properties["type"] == .text("report"))
                #expect(properties["delivery_mode"] == .number(1))
                #expect((before...after).contains(message.timestamp ?? 0))
                #expect(
                    Set(properties.keys) == [
                        "content_type", "content_encoding", "app_id", "type", "delivery_mode", "timestamp",
                        "message_id",
                    ]
                )
            }
            #expect(Set(read.map { $0.properties["message_id"] }).count == read.count)
            #expect(gap(in: read.compactMap(\.number)) == nil)
            let body = read[0].body
            #expect(body["uptime"]?.number.map { $0 > 0 } == true)
            #expect(body["mem"]?.number.map { (0...100).contains($0) } == true)
            #expect(body["cpu_temp"]?.number.map { (1...120).contains($0) } == true)
            #expect(body["ipaddr"]?.array?.contains(.text("127.0.0.1")) == true)
        }
    }

    @Test("of the running machine: cpu and mem are percentages, or a list of them with percpu")
    func runningMachine() async throws {
        try await AgentSandbox.run { sandbox in
            let messages = try await sandbox.reader()
            try sandbox.start()
            let cpu = try await messages.wait { $0.body["cpu"] != nil }.first?.body["cpu"]
            #expect(cpu?.number.map { (0...100).contains($0) } == true)
            sandbox.config["cpu"] = ["interval": "0.2", "percpu": "yes"]
            try sandbox.writeConfig()
            try sandbox.psistats("reload")
            let cores = try await messages.wait { $0.body["cpu"]?.array != nil }.first?.body["cpu"]?.array
            #expect(cores?.count == sysconf(Int32(_SC_NPROCESSORS_ONLN)))
            #expect(cores?.allSatisfy { $0.number.map { (0...100).contains($0) } == true } == true)
            #expect(try messages.all.last?.body["uptime"]?.number.map { $0 > 0 } == true)
        }
    }

    @Test("with message=separate each reporter has messages of its own, whose type is its name")
    func separate() async throws {
        try await AgentSandbox.run { sandbox in
            let messages = try await sandbox.reader()
            sandbox.config["app"]?["message"] = "separate"
            sandbox.config["queue"]?["durable"] = "yes"
            try sandbox.start()
            try await messages.wait(for: 2) { $0.body["cpu"] != nil }
            for message in try messages.all {
                let type = try #require(message.properties["type"]?.text)
                #expect(Set(message.body.keys) == ["hostname", type])
                #expect(["cpu", "mem", "uptime"].contains(type))
                // After durable.
                #expect(message.properties["delivery_mode"] == .number(2))
            }
        }
    }

    @Test("hostname can be left out")
    func anonymous() async throws {
        try await AgentSandbox.run { sandbox in
            let messages = try await sandbox.reader()
            sandbox.config["hostname"]?["enabled"] = "no"
            try sandbox.start()
            let message = try await messages.wait()[0]
            #expect(Set(message.body.keys) == ["mem", "uptime"])
            #expect(message.routingKey == sandbox.queue)
        }
    }

    @Test("every other reporter has its key, in its form")
    func otherReporters() async throws {
        try await AgentSandbox.run { sandbox in
            let drives = try SilentListener()
            let messages = try await sandbox.reader()
            sandbox.config["system"] = Self.host("raspberry-pi")
            sandbox.config["system"]?["etc"] = Self.host("server")["etc"]
            for section in ["load", "hddio", "net", "os", "processes", "hddtemp"] {
                sandbox.config[section] = ["enabled": "yes", "interval": "0.2"]
            }
            sandbox.config["hddtemp"]?["hostname"] = "127.0.0.1"
            sandbox.config["hddtemp"]?["port"] = "\(drives.port)"
            sandbox.config["mem"]?["details"] = "yes"
            drives.answer("|/dev/sda|WDC WD10|38|C||/dev/sdb|Other|SLP|*|")
            try sandbox.start()
            let wanted = ["load", "hddio", "net", "os", "processes", "hddtemp"]
            let seen = try await eventually("\(wanted)") { () -> [String: JSON]? in
                let seen = try messages.all.reduce(into: [:]) { $0.merge($1.body) { $1 } }
                return wanted.allSatisfy { seen[$0] != nil } ? seen : nil
            }
            #expect(Set(seen["load"]?.object?.keys ?? [:].keys) == ["1min", "5min", "15min"])
            #expect(
                seen["hddio"]?["mmcblk0"].object?.keys.sorted() == ["read_bytes", "reads", "writes", "written_bytes"]
            )
            let interfaces = try #require(seen["net"]?.object)
            for (_, interface) in interfaces {
                #expect(interface["received"].object?.keys.sorted() == ["bytes", "drops", "errors", "packets"])
                #expect(interface["sent"]["bytes"].number == 0)
            }
            #expect(!interfaces.isEmpty)
            #expect(seen["os"]?.text?.isEmpty == false)
            #expect(seen["processes"]?["total"].number.map { $0 > 0 } == true)
            #expect(
                seen["hddtemp"]?["/dev/sda"]
                    == .object([
                        "model": .text("WDC WD10"), "value": .number(38), "unit": .text("C"), "state": .text("ok"),
                    ])
            )
            #expect(seen["hddtemp"]?["/dev/sdb"] == .object(["model": .text("Other"), "state": .text("sleeping")]))
            #expect(seen["mem_details"]?["total"].number.map { $0 > 0 } == true)
            // What could not be read is left out.
            #expect(seen.values.allSatisfy { $0 != .null && $0 != .object([:]) && $0 != .array([]) })
        }
    }

    @Test("hddspace is a list of objects with one entry each, and what cannot be asked is left out of it")
    func diskSpace() async throws {
        try await AgentSandbox.run { sandbox in
            let messages = try await sandbox.reader()
            // Of its mount points, this machine has "/" for certain.
            sandbox.config["hddspace"] = ["enabled": "yes", "interval": "0.2", "include[]": "/\n/nowhere"]
            try sandbox.start()
            let message = try await messages.wait { $0.body["hddspace"] != nil }[0]
            let spaces = try #require(message.body["hddspace"]?.array)
            #expect(spaces.contains { $0["/"].number != nil })
            for space in spaces {
                let entry = try #require(space.object)
                #expect(entry.count == 1)
                #expect(entry.keys.first?.hasPrefix("/") == true)
                #expect(entry.values.first?.number.map { (0...100).contains($0) } == true)
            }
            #expect(sandbox.logCount("/nowhere") > 0)
            // Each once, however often it is asked.
            let errors = AgentFiles.lines(sandbox.logPath).filter { $0.contains("hddspace") }.map { $0.dropFirst(24) }
            try await messages.wait(for: 5) { $0.body["hddspace"] != nil }
            #expect(Set(errors).count == errors.count)
            #expect(sandbox.logCount("hddspace") == errors.count)
        }
    }

    @Test("the broker itself says what the queue is like")
    func queue() async throws {
        try await AgentSandbox.run { first in
            try await AgentSandbox.run { second in
                second.config["queue"] = [
                    "prefix": second.name, "exclusive": "no", "durable": "yes", "autodelete": "no", "ttl": "5000",
                    "type": "classic", "expires": "60000", "max_length": "100",
                ]
                second.config["exchange"] = ["name": second.name, "durable": "yes", "type": "direct"]
                try first.start()
                try second.start()
                for sandbox in [first, second] { try await sandbox.awaitLog("connected to") }
                let columns = ["name", "durable", "auto_delete", "exclusive", "arguments"]
                let queues = try rows(["list_queues"] + columns)
                #expect(queues[first.queue]?["durable"] == .boolean(false))
                #expect(queues[first.queue]?["auto_delete"] == .boolean(true))
                #expect(queues[first.queue]?["exclusive"] == .boolean(true))
                // RabbitMQ 4 lists the type of a queue that names none.
                let type = Broker.isRelease(4, 0) ? [Self.argument("x-queue-type", .text("classic"))] : []
                #expect(
                    Set(queues[first.queue]?["arguments"]?.array ?? [])
                        == Set([Self.argument("x-message-ttl", .number(10_000))] + type)
                )
                #expect(queues[second.queue]?["durable"] == .boolean(true))
                #expect(queues[second.queue]?["auto_delete"] == .boolean(false))
                #expect(queues[second.queue]?["exclusive"] == .boolean(false))
                #expect(
                    Set(queues[second.queue]?["arguments"]?.array ?? []) == [
                        Self.argument("x-message-ttl", .number(5_000)), Self.argument("x-queue-type", .text("classic")),
                        Self.argument("x-expires", .number(60_000)), Self.argument("x-max-length", .number(100)),
                    ]
                )
                let exchanges = try rows(["list_exchanges", "name", "type", "durable", "auto_delete"])
                #expect(exchanges[first.name]?["type"] == .text("topic"))
                #expect(exchanges[first.name]?["durable"] == .boolean(false))
                #expect(exchanges[first.name]?["auto_delete"] == .boolean(false))
                #expect(exchanges[second.name]?["type"] == .text("direct"))
                #expect(exchanges[second.name]?["durable"] == .boolean(true))
            }
        }
    }

    /// As RabbitMQ keeps it, with its type.
    private static func argument(_ name: String, _ value: JSON) -> JSON {
        .array([.text(name), .text(value.text == nil ? "signedint" : "longstr"), value])
    }

    /// What `rabbitmqctl` lists, by name.
    private func rows(_ arguments: [String]) throws -> [String: [String: JSON]] {
        let rows = try JSON(try Broker.ctl(["--formatter=json"] + arguments)).array ?? []
        return Dictionary(rows.map { ($0["name"].text ?? "", $0.object ?? [:]) }) { first, _ in first }
    }
}
#endif
