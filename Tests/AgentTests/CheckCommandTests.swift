#if Agent
import AMQPWire
import Testing

@testable import PsistatsAgent

@Suite("psistats check, without a broker")
struct CheckOfflineTests {
    private func check(_ config: String, _ options: String...) throws -> Program.Result {
        let directory = try TemporaryDirectory()
        _ = try directory.write("psistats.conf", config)
        return try Program.run(["check", "--config", "psistats.conf"] + options, directory: directory.path)
    }

    @Test("ten mistakes give ten lines on standard error and the status 78")
    func tenMistakes() throws {
        let config = String(decoding: try Repository.bytes("Fixtures/config/ten-mistakes.conf"), as: UTF8.self)
        let expected = String(decoding: try Repository.bytes("Fixtures/config/ten-mistakes.problems"), as: UTF8.self)
        for options in [[], ["--offline"]] {
            let directory = try TemporaryDirectory()
            _ = try directory.write("psistats.conf", config)
            let result = try Program.run(
                ["check", "--config", "psistats.conf"] + options,
                directory: directory.path
            )
            #expect(result.status == 78)
            #expect(result.errors == expected)
            #expect(result.text == "")
        }
    }

    @Test("no configuration at all is the status 78")
    func noFile() throws {
        let result = try Program.run(["check", "--config", "/nonexistent/psistats.conf"])
        #expect(result.status == 78)
        #expect(result.errors == "/nonexistent/psistats.conf: cannot be read: No such file or directory\n")
    }

    @Test("offline, the configuration alone is checked")
    func offline() throws {
        let result = try check("[server]\nurl=amqp://127.0.0.1:1", "--offline")
        #expect(result.status == 0)
        #expect(
            result.lines == [
                "ok    configuration psistats.conf",
                "note  reporters     on: cpu, mem, cpu_temp, uptime, ipaddr; off: load, hddspace, hddio, net, hddtemp, sensors, os, "
                    + "processes",
            ]
        )
        #expect(result.errors == "")
    }

    @Test("a log file that cannot be opened is told of, and the directory is not made for it")
    func logFile() throws {
        let result = try check(
            """
            [loggers]
            keys=root
            [handlers]
            keys=h
            [logger_root]
            handlers=h
            [handler_h]
            class=FileHandler
            filename=missing/x.log
            """,
            "--offline"
        )
        #expect(result.status == 78)
        #expect(result.text == "")
        #expect(result.errors.hasPrefix("psistats.conf:7: filename: /tmp/"))
        #expect(
            result.errors.hasSuffix(
                "/missing/x.log cannot be opened: No such file or directory: make the directory, or name another file with "
                    + "filename\n"
            )
        )
    }

    @Test("a host without an address fails at the resolver")
    func resolver() throws {
        // Labels have at most 63 octets, so nobody has to be asked.
        let host = String(repeating: "x", count: 64)
        let result = try check("[server]\nurl=amqp://u:hunter2@\(host)/")
        #expect(result.status == 69)
        #expect(result.lines.count == 2 && result.lines.first == "ok    configuration psistats.conf")
        #expect(result.errors.hasPrefix("fail  resolver      '\(host)': "))
        #expect(result.errors.contains("\n      remedy       correct the host in [server] url"))
        #expect(!(result.text + result.errors).contains("hunter2"))
    }

    @Test("a port where nobody listens fails at TCP")
    func unreachable() throws {
        let result = try check("[server]\nurl=amqp://127.0.0.1:1")
        #expect(result.status == 69)
        #expect(
            result.lines.filter { $0.hasPrefix("ok") } == [
                "ok    configuration psistats.conf", "ok    resolver      127.0.0.1 → 127.0.0.1",
            ]
        )
        #expect(result.errors.hasPrefix("fail  tcp           127.0.0.1 port 1: connection refused\n      remedy "))
    }

    @Test("a file of certificates that is missing is told as that file, and is the configuration's fault")
    func missingCertificates() throws {
        let listener = try SilentListener()
        for key in ["cacertfile", "certfile"] {
            let result = try check("[server]\nurl=amqps://127.0.0.1:\(listener.port)?\(key)=/nonexistent/x.pem")
            #expect(result.status == 78)
            let fault = "psistats.conf:2: url: \(key)=/nonexistent/x.pem: No such file or directory: "
            #expect(result.errors.hasPrefix(fault))
        }
    }

    @Test("TLS that never answers fails at TLS, and AMQP that never does at AMQP")
    func silence() throws {
        let listener = try SilentListener()
        let tls = try check("[server]\nurl=amqps://127.0.0.1:\(listener.port)?connection_timeout=500")
        #expect(tls.status == 69)
        #expect(tls.errors.hasPrefix("fail  tls           "))
        #expect(tls.errors.contains("5671"))
        let plain = try check("[server]\nurl=amqp://127.0.0.1:\(listener.port)?connection_timeout=500")
        #expect(plain.status == 69)
        #expect(plain.text.contains("ok    tcp "))
        #expect(plain.errors.hasPrefix("fail  amqp          "))
        #expect(plain.errors.contains("rabbitmqctl status"))
    }

    @Test("each of several brokers is checked, and the passwords stay hidden")
    func severalBrokers() throws {
        let result = try check("[server]\nurl=amqp://u:hunter2@127.0.0.1:1,[::1]:1/stats")
        #expect(result.status == 69)
        #expect(result.text.contains("broker 1 of 2: amqp://u:***@127.0.0.1:1/stats"))
        #expect(result.text.contains("broker 2 of 2: amqp://u:***@[::1]:1/stats"))
        #expect(result.errors.split(separator: "\n").count { $0.hasPrefix("fail  tcp") } == 2)
        #expect(!(result.text + result.errors).contains("hunter2"))
    }
}

@Suite("What psistats check makes of a broker's own words")
struct CheckedBrokerTests {
    @Test("only the refusal that comes after the permission shows that it is there")
    func permitted() {
        func error(_ code: UInt16, _ text: String) -> AMQPError {
            AMQPError(.channelClosed, scope: .channel, text, reply: AMQPError.Reply(code: code, text: text))
        }
        let probes: [(PermissionProbe, AMQPError)] = [
            (
                .declaringExchange(.init()),
                error(
                    406,
                    "PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in exchange 'e'"
                )
            ),
            (
                .declaringQueue(.init()),
                error(
                    406,
                    "PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'q'"
                )
            ),
            (.binding(.init()), error(404, "NOT_FOUND - no queue 'q' in vhost '/'")),
            (.publishing(.init()), error(406, "PRECONDITION_FAILED - invalid expiration 'x': no_integer")),
        ]
        for (probe, refusal) in probes {
            #expect(probe.isPermitted(refusal))
            #expect(!probe.isPermitted(error(403, "ACCESS_REFUSED - " + (refusal.replyText ?? ""))))
            #expect(!probe.isPermitted(error(406, "PRECONDITION_FAILED - something else")))
            #expect(!probe.isPermitted(AMQPError(.connectionLost, "gone")))
        }
    }
}

@Suite(
    "psistats check, with a broker",
    .enabled(if: Broker.isThere, Broker.absence),
    .timeLimit(.minutes(1))
)
struct CheckCommandTests {
    /// The names of a test's own exchange and queue.
    private let exchange = Broker.uniqueName()
    private let prefix = Broker.uniqueName()
    private var queue: String { "\(prefix).box" }

    private func check(
        url: String = Broker.url,
        queue: String = "",
        exchange: String = ""
    ) throws -> Program.Result {
        let directory = try TemporaryDirectory()
        let config = """
            [server]
            url=\(url)
            [queue]
            prefix=\(prefix)
            \(queue)
            [exchange]
            name=\(self.exchange)
            \(exchange)
            [hostname]
            name=box
            """
        return try Program.run(["check", "--config", try directory.write("psistats.conf", config)])
    }

    /// The stages that were well, and the one that failed.
    private func stages(_ result: Program.Result) -> (passed: [String], failed: [String]) {
        func stages(_ lines: [String], _ word: String) -> [String] {
            lines.map { $0.split(separator: " ") }.filter { $0.first == word[...] }.compactMap { $0.dropFirst().first }
                .map(String.init)
        }
        let errors = result.errors.split(separator: "\n").map(String.init)
        return (stages(result.lines, "ok"), stages(errors, "fail"))
    }

    /// What psistats itself declares.
    private func expectNothingMade() async throws {
        #expect(try await !Broker.holds(exchange: exchange))
        #expect(try await !Broker.holds(queue: queue))
    }

    private static let all = [
        "configuration", "resolver", "tcp", "amqp", "login", "vhost", "exchange", "queue", "permissions", "flow",
    ]

    @Test("where all is well every stage says so, and nothing is left behind")
    func well() async throws {
        for settings in ["", "exclusive=no\ndurable=yes", "type=quorum\nexclusive=no\ndurable=yes\nautodelete=no"] {
            let result = try check(queue: settings)
            #expect(result.status == 0, "\(result.errors)")
            #expect(stages(result).passed == Self.all)
            #expect(result.text.contains("queue         '\(queue)' does not exist yet; psistats makes it"))
            #expect(result.errors == "")
            try await expectNothingMade()
        }
    }

    @Test("what exists as configured is well, and stays as it is")
    func existing() async throws {
        try await Broker.withChannel { channel in
            try await channel.declareExchange(exchange, type: .topic)
            try await channel.declareQueue(queue, autoDelete: true, arguments: ["x-message-ttl": 10_000])
            try await channel.bindQueue(queue, to: exchange, routingKey: queue)
            let result = try check(queue: "exclusive=no")
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.text.contains("exchange      '\(exchange)' exists as psistats.conf has it, type topic"))
            #expect(result.text.contains("queue         '\(queue)' exists as psistats.conf has it"))
            // Neither is anything published nor a binding taken away.
            #expect(try await channel.declareQueuePassively(queue).messageCount == 0)
            try await channel.publish("x", exchange: exchange, routingKey: queue, mandatory: true)
            try await channel.deleteQueue(queue)
            try await channel.deleteExchange(exchange)
        }
    }

    @Test("a wrong password is a refused login, and is not printed")
    func wrongPassword() throws {
        let result = try check(url: "amqp://guest:s3cr3t@127.0.0.1:\(Broker.port)")
        #expect(result.status == 77)
        #expect(stages(result).failed == ["login"])
        #expect(stages(result).passed.last == "amqp")
        #expect(result.errors.contains("correct user and password in [server] url"))
        #expect(!(result.text + result.errors).contains("s3cr3t"))
    }

    @Test("an unknown virtual host, and one that the user may not open")
    func virtualHost() throws {
        let unknown = try check(url: Broker.url + "/nowhere")
        #expect(unknown.status == 77)
        #expect(stages(unknown).failed == ["vhost"])
        #expect(stages(unknown).passed.last == "login")
        #expect(unknown.errors.contains("rabbitmqctl add_vhost 'nowhere'"))
        let forbidden = try check(url: "amqp://limited:limited@127.0.0.1:\(Broker.port)/stats")
        #expect(forbidden.status == 77)
        #expect(forbidden.errors.contains("rabbitmqctl set_permissions -p 'stats' 'limited' '.*' '.*' '.*'"))
    }

    @Test("permissions that are missing, and the command that grants them")
    func permissions() async throws {
        let result = try check(url: "amqp://limited:limited@127.0.0.1:\(Broker.port)")
        #expect(result.status == 77)
        #expect(stages(result).failed == ["exchange"])
        #expect(result.errors.contains("rabbitmqctl set_permissions -p '/' 'limited' '^(\(exchange)|\(prefix)\\..*)$'"))
        try await expectNothingMade()
    }

    @Test("each permission that is missing alone is found")
    func onePermission() async throws {
        let user = Broker.uniqueName()
        _ = try Broker.ctl("add_user", user, "secret")
        for (configure, write, read, stage) in [
            ("^\(exchange)$", ".*", ".*", ["queue"]), (".*", "^\(exchange)$", ".*", ["permissions"]),
            (".*", "^\(queue)$", ".*", ["permissions"]), (".*", ".*", "^$", ["permissions"]), (".*", ".*", ".*", []),
        ] {
            _ = try Broker.ctl("set_permissions", "-p", "/", user, configure, write, read)
            let result = try check(url: "amqp://\(user):secret@127.0.0.1:\(Broker.port)")
            #expect(stages(result).failed == stage)
            #expect(result.status == (stage.isEmpty ? 0 : 77))
            try await expectNothingMade()
        }
        _ = try Broker.ctl("delete_user", user)
    }

    @Test("a queue with other arguments: the key, its value, and that the remedy works")
    func otherQueue() async throws {
        try await Broker.withChannel { channel in
            try await channel.declareQueue(queue, autoDelete: true, arguments: ["x-message-ttl": 5_000])
            let result = try check(queue: "exclusive=no")
            #expect(result.status == 78)
            #expect(stages(result).failed == ["queue"])
            #expect(
                result.errors.contains(
                    "the queue '\(queue)' exists with x-message-ttl 5000, psistats.conf asks for 10000\n"
                )
            )
            #expect(result.errors.contains("remedy       set ttl=5000 in [queue], or delete the queue"))
            #expect(result.errors.contains("rabbitmqctl delete_queue -p '/' '\(queue)'"))
            #expect(try check(queue: "exclusive=no\nttl=5000").status == 0)
            #expect(try check(queue: "exclusive=no\nttl=5000\nmax_length=5").errors.contains("leave max_length out"))
            _ = try Broker.ctl("delete_queue", "-p", "/", queue)
            #expect(try check(queue: "exclusive=no").status == 0)
        }
    }

    @Test("a queue that is not exclusive, where an exclusive one is wanted")
    func notExclusive() async throws {
        try await Broker.withChannel { channel in
            try await channel.declareQueue(queue, autoDelete: true, arguments: ["x-message-ttl": 10_000])
            let result = try check()
            #expect(result.status == 78)
            #expect(result.errors.contains("exists and is not exclusive"))
            #expect(result.errors.contains("set exclusive=False in [queue]"))
            try await channel.deleteQueue(queue)
        }
    }

    @Test("an exclusive queue that is in use is as it has to be while psistats runs")
    func inUse() async throws {
        try await Broker.withChannel { channel in
            try await channel.declareQueue(queue, exclusive: true, arguments: ["x-message-ttl": 10_000])
            let result = try check()
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.text.contains("note  queue         '\(queue)' is in use by another connection"))
            #expect(stages(result).passed.last == "flow")
            let shared = try check(queue: "exclusive=no")
            #expect(shared.status == 78)
            #expect(shared.errors.contains("another connection holds '\(queue)' exclusively"))
        }
    }

    @Test("an exchange of another type, and the remedy")
    func otherExchange() async throws {
        try await Broker.withChannel { channel in
            try await channel.declareExchange(exchange, type: .fanout)
            let result = try check()
            #expect(result.status == 78)
            #expect(stages(result).failed == ["exchange"])
            #expect(
                result.errors.contains(
                    "the exchange '\(exchange)' exists with type fanout, psistats.conf asks for topic"
                )
            )
            #expect(result.errors.contains("set type=fanout in [exchange]"))
            #expect(try check(exchange: "type=fanout").status == 0)
            try await channel.deleteExchange(exchange)
        }
    }

    @Test("an exchange type that the broker does not know")
    func unknownType() async throws {
        let result = try check(exchange: "type=x-unknown")
        #expect(result.status == 78)
        #expect(stages(result).failed == ["exchange"])
        #expect(result.errors.contains("plugin for 'x-unknown'"))
        try await expectNothingMade()
    }

    @Test("no login mechanism in common")
    func mechanism() throws {
        let result = try check(url: Broker.url + "?auth_mechanism=external")
        #expect(result.status == 77)
        #expect(stages(result).failed == ["login"])
        #expect(result.errors.contains("auth_mechanism="))
    }

    @Test(
        "TLS: with the authority's certificate it is well; without, or with the wrong scheme, it says what to change",
        .enabled(if: Broker.hasTLS, "no TLS listener: start the broker with --tls")
    )
    func tls() throws {
        let url = "amqps://guest:guest@localhost:\(Broker.tlsPort)"
        let certificates = Broker.certificates.split(separator: " ", omittingEmptySubsequences: false)
            .joined(separator: "%20")
        let good = try check(url: url + "?cacertfile=\(certificates)/ca.pem")
        #expect(good.status == 0, "\(good.errors)")
        #expect(good.text.contains("ok    tls           agreed on, and the certificate is verified"))
        let unknown = try check(url: url)
        #expect(unknown.status == 69)
        #expect(stages(unknown).failed == ["tls"])
        #expect(stages(unknown).passed.last == "tcp")
        #expect(unknown.errors.contains("cacertfile="))
        let unverified = try check(url: url + "?verify=verify_none")
        #expect(unverified.status == 0)
        #expect(unverified.text.contains("not verified"))
        let toPlain = try check(url: "amqps://guest:guest@localhost:\(Broker.port)")
        #expect(stages(toPlain).failed == ["tls"])
        let toEncrypted = try check(url: "amqp://guest:guest@localhost:\(Broker.tlsPort)")
        #expect(toEncrypted.status == 69)
        #expect(stages(toEncrypted).failed == ["amqp"])
    }
}

@Suite(
    "psistats check, with a broker under an alarm",
    .enabled(if: OwnBroker.isWanted, OwnBroker.absence),
    .ownBroker,
    .timeLimit(.minutes(2))
)
struct CheckedAlarmTests {
    @Test("a broker that takes no messages is not called well, and is when it takes them again")
    func blocked() async throws {
        let broker = try #require(OwnBroker.current)
        let directory = try TemporaryDirectory()
        let path = try directory.write("psistats.conf", "[server]\nurl=\(broker.url)\n")
        func check() throws -> Program.Result { try Program.run(["check", "--config", path]) }
        try broker.ctl("set_vm_memory_high_watermark", "0.000001")
        let result = try await eventually("a check that fails") { () -> Program.Result? in
            let result = try check()
            return result.status == 0 ? nil : result
        }
        #expect(result.status == 69)
        #expect(
            result.errors.contains("fail  flow          the broker takes no messages now, it is blocked: low on memory")
        )
        #expect(result.errors.contains("remedy       rabbitmqctl status names the alarm"))
        #expect(result.lines.last?.hasPrefix("ok    permissions") == true)
        try broker.ctl("set_vm_memory_high_watermark", "0.4")
        try await eventually("a check that is well") { try check().status == 0 }
    }
}
#endif
