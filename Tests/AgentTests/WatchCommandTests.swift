#if Agent
import AMQPWire
import Glibc
import Testing

@testable import PsistatsAgent

@Suite("psistats watch", .serialized, .enabled(if: Broker.isThere, Broker.absence), .timeLimit(.minutes(3)))
struct WatchCommandTests {
    private let exchange = Broker.uniqueName()
    private let directory: TemporaryDirectory
    private let configuration: String
    private static let environment = ["TERM=xterm", "LANG=C.UTF-8", "PATH=/usr/bin:/bin"]

    init() throws {
        directory = try TemporaryDirectory()
        configuration = try directory.write(
            "psistats.conf",
            "[server]\nurl = \(Broker.url)\n[exchange]\nname = \(exchange)\nautodelete = yes\n"
        )
    }

    private func watch(
        _ arguments: String...,
        environment: [String] = [],
        rows: Int = 12,
        columns: Int = 120
    ) throws -> PseudoTerminal {
        try PseudoTerminal(
            Program.path,
            ["watch", "--config", configuration] + arguments,
            environment: Self.environment + environment,
            rows: rows,
            columns: columns
        )
    }

    /// Starts it through a shell, of which `$@` is the command.
    private func shell(_ script: String, _ arguments: [String] = []) throws -> PseudoTerminal {
        try PseudoTerminal(
            "/bin/sh",
            ["-c", script, "sh", Program.path, "watch", "--config", configuration] + arguments,
            environment: Self.environment,
            rows: 12,
            columns: 200
        )
    }

    private func declare(_ channel: AMQPChannel, type: AMQPExchangeType = .topic) async throws {
        try await channel.declareExchange(exchange, type: type, autoDelete: true)
    }

    private func publish(_ channel: AMQPChannel, _ body: String, key: String = "psistats.test") async throws {
        try await channel.publish(body, exchange: exchange, routingKey: key)
    }

    private static let everything = """
        {"hostname": "alpha", "uptime": 130583.1, "cpu": 24.1, "mem": 88.5, "ipaddr": ["192.168.1.101", "192.168.1.102"], \
        "cpu_temp": 72.4}
        """

    /// Whether it ended with status 0, and the terminal is as it was.
    private func expectRestored(_ terminal: PseudoTerminal, status: Int32) throws {
        #expect(status == 0)
        #expect(!terminal.screen.isAlternate)
        #expect(terminal.screen.isCursorVisible)
        #expect(terminal.screen.wraps)
        #expect(terminal.screen.faults.isEmpty)
        #expect(try terminal.modes() == terminal.usualModes)
    }

    @Test("hosts show up in a table, and q gives the terminal back as it was")
    func table() async throws {
        let channel = try await Broker.channel()
        try await declare(channel)
        let terminal = try watch()
        try terminal.wait(for: "no message yet")
        #expect(terminal.screen.isAlternate)
        #expect(!terminal.screen.isCursorVisible)
        #expect(try terminal.modes() != terminal.usualModes)
        #expect(terminal.screen.lines[0].contains("127.0.0.1:\(Broker.port) exchange test-"))

        try await publish(channel, Self.everything)
        try await publish(channel, #"{"cpu": [0, 100], "mem": 1}"#, key: "psistats.beta")
        try terminal.wait { $0.text.contains("alpha") && $0.text.contains("beta") }
        let alpha = try #require(terminal.screen.line(with: "alpha"))
        for value in ["24.1%", "88.5%", "72.4°C", "1d 12:16", "▂", "192.168.1.101 192.168.1.102"] {
            #expect(alpha.contains(value))
        }
        #expect(terminal.screen.line(with: "beta")?.contains("50.0%") == true)
        #expect(terminal.screen.attributes(of: "24.1%") == "0;32")
        #expect(terminal.screen.attributes(of: "72.4°C") == "0;33")
        #expect(terminal.screen.attributes(of: "88.5%") == "0;1;31")
        #expect(terminal.screen.lines[2].hasPrefix("alpha"))

        // By memory, and then the other way round.
        try terminal.type("mm")
        try terminal.wait(for: "beta", atLine: 2)
        try terminal.type("q")
        try expectRestored(terminal, status: terminal.waitForEnd())
        #expect(!terminal.screen.text.contains("alpha"))
    }

    @Test("the table follows the window's size")
    func resizing() async throws {
        let channel = try await Broker.channel()
        try await declare(channel)
        let terminal = try watch(rows: 24, columns: 120)
        try terminal.wait(for: "no message yet")
        for number in 0..<30 { try await publish(channel, #"{"hostname": "host\#(number + 10)", "cpu": 50}"#) }
        try terminal.wait { $0.text.contains("1-21 of 30") && $0.text.contains("ADDRESSES") }
        try terminal.resize(rows: 10, columns: 60)
        try terminal.wait(for: "host16", atLine: 8)
        try terminal.wait(for: "q quit", atLine: 9)
        #expect(!terminal.screen.text.contains("ADDRESSES"))
        try terminal.type("\u{1B}[6~")
        try terminal.wait(for: "host17", atLine: 2)
        try terminal.resize(rows: 40, columns: 100)
        try terminal.wait(for: "host39", atLine: 31)
        try terminal.wait(for: "q quit", atLine: 39)
        for (rows, columns) in [(1, 1), (2, 5), (60, 250)] {
            try terminal.resize(rows: rows, columns: columns)
            try terminal.wait { !$0.line(0).isEmpty }
        }
        try terminal.type("q")
        #expect(try terminal.waitForEnd() == 0)
    }

    @Test("signals and their keys end it and give the terminal back", arguments: [SIGINT, SIGQUIT, SIGTERM, SIGHUP])
    func endings(signal: Int32) async throws {
        let terminal = try watch()
        try terminal.wait { $0.isAlternate && $0.text.contains("q quit") }
        switch signal {
        case SIGINT: try terminal.type("\u{3}")
        case SIGQUIT: try terminal.type("\u{1C}")
        default: terminal.signal(signal)
        }
        try expectRestored(terminal, status: terminal.waitForEnd())
    }

    @Test("Ctrl-Z gives the terminal back until the program is continued")
    func jobControl() async throws {
        let channel = try await Broker.channel()
        try await declare(channel)
        let terminal = try shell(#"set -m; "$@"; echo stopped; read line; fg; echo over"#)
        try terminal.wait(for: "no message yet")
        try await publish(channel, Self.everything)
        try terminal.wait(for: "alpha")
        try terminal.type("\u{1A}")
        try terminal.wait { $0.text.contains("stopped") && !$0.isAlternate }
        #expect(terminal.screen.isCursorVisible)
        #expect(!terminal.screen.text.contains("alpha"))
        #expect(try terminal.modes() == terminal.usualModes)
        try terminal.type("\n")
        try terminal.wait { $0.text.contains("alpha") && $0.isAlternate && !$0.isCursorVisible }
        try terminal.type("q")
        try terminal.wait { $0.text.contains("over") }
        try expectRestored(terminal, status: terminal.waitForEnd())
    }

    @Test("its queue is its own, small, and gone when it ends")
    func queue() async throws {
        let channel = try await Broker.channel()
        try await declare(channel)
        let terminal = try watch()
        try terminal.wait(for: "no message yet")
        let bindings = try Broker.ctl("list_bindings", "source_name", "destination_name", "routing_key")
        let binding = try #require(bindings.split(separator: "\n").first { $0.hasPrefix(exchange) })
        let fields = binding.split(separator: "\t").map(String.init)
        #expect(fields.last == "#")
        let name = try #require(fields.dropFirst().first)
        #expect(name.hasPrefix("amq.gen-"))
        let queues = try Broker.ctl("list_queues", "name", "exclusive", "auto_delete", "durable", "arguments")
        let queue = try #require(queues.split(separator: "\n").first { $0.hasPrefix(name) })
        #expect(queue.contains("\ttrue\ttrue\tfalse\t"))
        #expect(queue.contains(#"{"x-message-ttl",5000}"#) && queue.contains(#"{"x-max-length",1000}"#))
        try terminal.type("q")
        #expect(try terminal.waitForEnd() == 0)
        while try Broker.ctl("list_queues", "name").contains(name) { try Task.checkCancellation() }
    }

    @Test("it waits for an exchange that is not there, and finds one that was deleted and declared again")
    func exchangeComesAndGoes() async throws {
        let channel = try await Broker.channel()
        let terminal = try watch()
        try terminal.wait(for: "waiting for the exchange '\(exchange)'")
        try await declare(channel)
        try terminal.wait(for: "no message yet")
        try await publish(channel, Self.everything)
        try terminal.wait(for: "alpha")
        try await channel.deleteExchange(exchange)
        try terminal.wait(for: "waiting for the exchange '\(exchange)'")
        #expect(terminal.screen.text.contains("alpha"))
        try await declare(channel)
        try terminal.wait { !$0.text.contains("waiting for") }
        try await publish(channel, #"{"hostname": "beta"}"#)
        try terminal.wait(for: "beta")
        try terminal.type("q")
        #expect(try terminal.waitForEnd() == 0)
    }

    @Test("nothing that is published can write to the terminal, or end the program")
    func hostility() async throws {
        let channel = try await Broker.channel()
        try await declare(channel)
        let terminal = try watch()
        try terminal.wait(for: "no message yet")
        try await publish(
            channel,
            #"{"hostname": "a\u001b[2J\u001b]0;owned\u0007b\u009b31mc\u202e", "ipaddr": ["\u001bc"]}"#
        )
        try await publish(
            channel,
            #"{"hostname": "日本語", "cpu": 1e300, "mem": -1e300, "uptime": -5, "cpu_temp": [1e308, 2]}"#
        )
        try await publish(channel, "{", key: "\u{1B}[31m")
        try await publish(channel, String(repeating: "[", count: 100_000))
        try await channel.publish([UInt8](repeating: 0x20, count: 10 << 20), exchange: exchange, routingKey: "x")
        try await publish(channel, Self.everything)
        try terminal.wait { $0.text.contains("alpha") && $0.text.contains("3 unreadable") }
        #expect(terminal.screen.line(with: "a\u{FFFD}[2J\u{FFFD}]0;owned\u{FFFD}b\u{FFFD}31mc\u{FFFD}") != nil)
        #expect(terminal.screen.line(with: "日本語") != nil)
        #expect(terminal.screen.faults.isEmpty)
        try terminal.type("q")
        try expectRestored(terminal, status: terminal.waitForEnd())
    }

    @Test("colours are left out where they are not wanted", arguments: [["--no-color"], []])
    func colours(arguments: [String]) async throws {
        let channel = try await Broker.channel()
        try await declare(channel)
        let terminal =
            arguments.isEmpty ? try watch(environment: ["NO_COLOR=1"]) : try watch("--no-color")
        try terminal.wait(for: "no message yet")
        try await publish(channel, Self.everything)
        try terminal.wait(for: "alpha")
        #expect(terminal.screen.attributes(of: "24.1%") == "0")
        #expect(terminal.screen.attributes(of: "88.5%") == "0;1")
        try terminal.type("q")
        #expect(try terminal.waitForEnd() == 0)
    }

    @Test("a direct exchange needs keys, and is watched with them")
    func direct() async throws {
        let configuration = try directory.write(
            "direct.conf",
            "[server]\nurl = \(Broker.url)\n[exchange]\nname = \(exchange)\ntype = direct\n"
        )
        let refused = try Program.run(["watch", "--config", configuration])
        #expect(refused.status == 64)
        #expect(refused.errors.contains("--key psistats.HOSTNAME"))
        let channel = try await Broker.channel()
        try await declare(channel, type: .direct)
        let terminal = try watch("--key", "psistats.a", "--key", "psistats.b")
        try terminal.wait(for: "no message yet")
        for name in ["a", "b", "c", "a"] { try await publish(channel, #"{"mem": 1}"#, key: "psistats.\(name)") }
        try terminal.wait(for: "a ", atLine: 2)
        try terminal.wait(for: "b ", atLine: 3)
        #expect(terminal.screen.lines[4].isEmpty)
        try terminal.type("q")
        #expect(try terminal.waitForEnd() == 0)
    }

    @Test("a broker that is restarted is found again, and the rows stay meanwhile")
    func restart() async throws {
        let broker = try OwnBroker()
        defer { #expect(throws: Never.self) { try broker.stop() } }
        let configuration = try directory.write(
            "own.conf",
            "[server]\nurl = \(broker.url)\n[exchange]\nname = \(exchange)\n"
        )
        let terminal = try PseudoTerminal(
            Program.path,
            ["watch", "--config", configuration],
            environment: Self.environment,
            rows: 12,
            columns: 120
        )
        let connection = try await AMQPConnection.connect(broker.url)
        let channel = try await connection.openChannel()
        try await channel.declareExchange(exchange, type: .topic)
        try terminal.wait(for: "no message yet")
        try await publish(channel, Self.everything)
        try terminal.wait(for: "alpha")
        // Or it would declare the exchange again.
        await connection.close()

        try broker.restart()
        // Not waited for on the screen: it may be connected again by now.
        try terminal.wait(forOutput: "connection lost")
        #expect(terminal.screen.text.contains("alpha"))
        let again = try await AMQPConnection.connect(broker.url).openChannel()
        if Broker.isRelease(4, 2) {
            // With Khepri the exchange outlives the restart, transient or not.
            try await again.declareExchangePassively(exchange)
        } else {
            try terminal.wait(for: "waiting for the exchange")
            try await again.declareExchange(exchange, type: .topic)
        }
        try terminal.wait { !$0.text.contains("waiting") && !$0.text.contains("lost") }
        try await publish(again, #"{"hostname": "beta"}"#)
        try terminal.wait { $0.text.contains("alpha") && $0.text.contains("beta") }
        try terminal.type("q")
        try expectRestored(terminal, status: terminal.waitForEnd())
    }

    // MARK: Without a terminal

    @Test("without a terminal it prints a line for each message, and SIGTERM ends it cleanly")
    func lines() async throws {
        let channel = try await Broker.channel()
        try await declare(channel)
        let file = try directory.write("lines", "")
        let terminal = try shell("exec \"$@\" > '\(file)'")
        try terminal.wait(forOutput: "psistats: watching")
        try await publish(channel, "nonsense", key: "psistats.odd")
        try await publish(channel, Self.everything)
        try terminal.wait(forOutput: "passed over a message with the routing key 'psistats.odd': not a JSON object")
        while try FileReading.bytes(of: file, asRoot: false).get().isEmpty { try Task.checkCancellation() }
        terminal.signal(SIGTERM)
        #expect(try terminal.waitForEnd() == 0)
        let text = String(decoding: try FileReading.bytes(of: file, asRoot: false).get(), as: UTF8.self)
        let line = " alpha cpu 24.1% mem 88.5% temp 72.4°C uptime 1d 12:16 ip 192.168.1.101 192.168.1.102\n"
        #expect(text.dropFirst(8) == line)
        #expect(!terminal.output.contains(0x1B))
    }

    @Test("with --json it prints the messages as they are, and ends when nobody reads any more")
    func json() async throws {
        let channel = try await Broker.channel()
        try await declare(channel)
        let terminal = try shell(#""$@" | head -n 2; echo over"#, ["--json"])
        try terminal.wait(forOutput: "psistats: watching")
        try await publish(channel, "{\"a\":\n 1}")
        try await publish(channel, Self.everything)
        // The second is the last that head wants: the pipe is closed, and that is enough.
        try terminal.wait(forOutput: "over")
        #expect(try terminal.waitForEnd() == 0)
        let text = String(decoding: terminal.output, as: UTF8.self)
        #expect(text == "psistats: watching\r\n{\"a\":  1}\r\n\(Self.everything)\r\nover\r\n")
    }

    @Test("a signal ends it even while nobody reads what it prints")
    func stuckReader() async throws {
        let pipe = directory.path + "/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        defer { unlink(pipe) }
        let reader = open(pipe, O_RDWR | O_CLOEXEC)
        defer { close(reader) }
        let channel = try await Broker.channel()
        try await declare(channel)
        let terminal = try shell("exec \"$@\" > '\(pipe)'", ["--json"])
        try terminal.wait(forOutput: "psistats: watching")
        let body = "{\"text\": \"" + String(repeating: "x", count: 10_000) + "\"}"
        // Until the pipe is full.
        var polled = pollfd(fd: reader, events: Int16(POLLOUT), revents: 0)
        while poll(&polled, 1, 0) > 0 { try await publish(channel, body) }
        terminal.signal(SIGTERM)
        #expect(try terminal.waitForEnd() == 0)
    }

    // MARK: Failures

    @Test("a broker that cannot be reached is told of, and the terminal is given back")
    func unreachable() async throws {
        let result = try Program.run(["watch", "--url", "amqp://127.0.0.1:1"])
        #expect(result.status == 69)
        #expect(result.errors.contains("127.0.0.1:1"))
        #expect(result.output.isEmpty)
        let terminal = try watch("--url", "amqp://127.0.0.1:1")
        let status = try terminal.waitForEnd()
        #expect(status == 69 << 8)
        #expect(terminal.screen.text.contains("127.0.0.1:1"))
        try expectRestored(terminal, status: 0)
    }

    @Test("with a broker on the command line a configuration that nobody named is not needed")
    func needlessConfiguration() throws {
        let other = try TemporaryDirectory()
        _ = try other.write("psistats.conf", "[server]\nurl = nonsense\n")
        let result = try Program.run(["watch", "--url", "amqp://127.0.0.1:1"], directory: other.path)
        #expect(result.status == 69)
        #expect(result.errors.contains("psistats: using the defaults instead, with the broker of --url\n"))
    }

    @Test("a URL on the command line that ends in '/' means the vhost '/'")
    func virtualHost() async throws {
        let channel = try await Broker.channel()
        try await declare(channel)
        let terminal = try watch("--url", "amqp://guest:guest@127.0.0.1:\(Broker.port)/")
        try terminal.wait(for: "no message yet")
        try terminal.type("q")
        #expect(try terminal.waitForEnd() == 0)
    }

    @Test("a broker that refuses the login or the binding is told of")
    func refusals() async throws {
        let login = try Program.run(["watch", "--url", "amqp://guest:wrong@127.0.0.1:\(Broker.port)"])
        #expect(login.status == 77)
        #expect(login.errors.contains("403"))
        #expect(!login.errors.contains("wrong"))
        let rights = try Program.run(["watch", "--url", "amqp://limited:limited@127.0.0.1:\(Broker.port)"])
        #expect(rights.status == 77)
        #expect(rights.errors.contains("403"))
    }

    @Test("what is wrong on the command line or in the configuration is told of")
    func mistakes() throws {
        let url = try Program.run(["watch", "--url", "http://host"])
        #expect(url.status == 64)
        #expect(url.errors.hasPrefix("psistats: --url: "))
        let parameter = try Program.run(["watch", "--url", "amqp://host/?hearbeat=1"])
        #expect(parameter.status == 64)
        #expect(
            parameter.errors == "psistats: --url: unknown parameter 'hearbeat' in the URL; did you mean 'heartbeat'?\n"
        )
        let wrong = try directory.write("wrong.conf", "[server]\nurl = nonsense\n")
        let file = try Program.run(["watch", "--config", wrong])
        #expect(file.status == 78)
        #expect(file.errors.hasPrefix("\(wrong):2: url: "))
        #expect(try Program.run(["watch", "--config", "/nonexistent"]).status == 78)
        let key = try Program.run(["watch", "--url", "amqp://h", "--key", String(repeating: "k", count: 256)])
        #expect(key.status == 64)
    }
}
#endif
