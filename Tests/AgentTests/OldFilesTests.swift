#if Agent
import AMQPWire
import Testing

@testable import PsistatsAgent

@Suite("Files of the Python psistats")
struct OldFilesTests {
    private func read(_ text: String) -> (Configuration, problems: [String], warnings: [String]) {
        var reader = ConfigurationReader(
            path: "f",
            file: ConfigFile(Array(text.utf8)),
            surroundings: .plain,
            readFile: { .failure(FileFailure(path: $0, reason: .notAFile)) }
        )
        let configuration = reader.configuration()
        return (configuration, reader.problems.map(\.description), reader.warnings.map(\.description))
    }

    @Test("a comment behind a value is none of the value, wherever it stands, and is noted")
    func commentsBehindValues() {
        let (configuration, problems, warnings) = read(
            """
            [server]
            host=127.0.0.1 ; here
            user=agent ; the account
            [queue]
            prefix=lab ; in front
            ttl=5000 ; five seconds
            [exchange]
            name=lab.stats ; the same everywhere
            [app]
            pidfile=/run/p.pid ; kept here
            stdout_path=""
            [logging]
            keys=root ; only that
            [handlers]
            keys=file ; one
            [formatters]
            keys=
            [logger_root]
            handlers=file ; this
            [handler_file]
            class=logging.handlers.TimedRotatingFileHandler ; daily
            filename=/var/log/agent.log ; one a day
            when=midnight
            """
        )
        #expect(problems == [])
        #expect(configuration.server.brokers.map(\.user) == ["agent"])
        #expect(configuration.queue.prefix == "lab" && configuration.queue.timeToLive == 5_000)
        #expect(configuration.exchange.name == "lab.stats")
        #expect(configuration.app.pidfile == "/run/p.pid" && configuration.app.stdoutPath == "/dev/null")
        #expect(configuration.logging.handlers.map(\.target.file?.path) == ["/var/log/agent.log"])
        #expect(warnings.count == 12)
        #expect(
            warnings.first
                == "f:2: host: what follows ' ;' is a comment, as in Python 2.7; to Python 3 it is part of the value"
        )
    }

    @Test("repeated keys and sections, rem lines and bytes that are not UTF-8 are read and noted")
    func mildness() {
        let text = "[queue]\nprefix=a\nrem a remark\n[app]\n[queue]\nprefix=b\nttl=1\n"
        let (configuration, problems, warnings) = read(text)
        #expect(problems == [])
        #expect(configuration.queue.prefix == "b" && configuration.queue.timeToLive == 1)
        #expect(warnings.map { $0.prefix(4) } == ["f:3:", "f:5:", "f:6:"])
        var reader = ConfigurationReader(
            path: "f",
            file: ConfigFile(Array("# f".utf8) + [0xFC] + Array("r\n[queue]\nprefix=caf".utf8) + [0xE9]),
            surroundings: .plain,
            readFile: { .failure(FileFailure(path: $0, reason: .notAFile)) }
        )
        #expect(reader.configuration().queue.prefix == "café")
        #expect(reader.problems == [])
        #expect(reader.warnings.map(\.line) == [1, 3])
    }

    @Test("an indented comment between the items of a list is no item")
    func commentInList() {
        let (configuration, problems, warnings) = read("[net]\ndevices[] = eth0\n   # wlan0\n\n   ; x\n   eth1\n")
        #expect(problems == [])
        #expect(configuration.reporters.net.devices == ["eth0", "eth1"])
        #expect(warnings.count == 2)
    }

    @Test("keys of every release are known: what has an effect has it, the others are noted")
    func oldKeys() {
        let (configuration, problems, warnings) = read(
            """
            [app]
            timer=1
            meta_timer=30
            ping_timer=10
            primary_timer=1
            secondary_timer=30
            [hddsize]
            enabled=yes
            interval=7
            [hddtemp]
            devices[] = /dev/sda
                        /dev/sdb
            """
        )
        #expect(problems == [])
        #expect(warnings.count == 7)
        #expect(configuration.reporters.hddspace.timing.isEnabled)
        #expect(configuration.reporters.hddspace.timing.interval == .seconds(7))
        #expect(warnings.contains("f:7: [hddsize]: is called [hddspace] today, and read as that"))
        #expect(read("[hddsize]\nintervall=1").problems == ["f:2: intervall: unknown key in [hddsize]"])
        #expect(read("[hddsize]\ninterval=0").problems.first?.hasPrefix("f:2: interval: has to be") == true)
    }

    @Test("a file of 0.2 has those reporters on that it turns on, and no other")
    func version02() throws {
        let sections = """
            [server]
            url=amqp://localhost
            [queue]
            prefix=psistats
            [exchange]
            name=psistats
            [app]
            pidfile=/var/run/psistats.pid
            [mem]
            enabled=yes
            interval=2
            [cpu]
            interval=2

            """
        let (old, problems, warnings) = read(sections)
        #expect(problems == [])
        #expect(old.reporters.sections(enabled: true) == ["mem"])
        #expect(
            warnings == [
                "f: was written for psistats 0.2: reporters that it does not turn on are off, as they were then"
            ]
        )
        #expect(
            read("[logging]\nkeys=root\n[logger_root]\n[os]\nenabled=yes").0.reporters.sections(enabled: true) == ["os"]
        )
        let usual = Configuration.Reporters().sections(enabled: true)
        for later in [
            "[net]\ninterval=1", "[buffer]\nmax_messages=5", "[hostname]\nname=x",
            "[loggers]\nkeys=root\n[logger_root]",
        ] {
            #expect(read(sections + later).0.reporters.sections(enabled: true) == usual, "\(later)")
        }
        #expect(read("[cpu]\ninterval=1").0.reporters.sections(enabled: true) == usual)
        let fixture = String(decoding: try Repository.bytes("Fixtures/config/python-0.2.conf"), as: UTF8.self)
        #expect(
            read(fixture).0.reporters.sections(enabled: true) == [
                "cpu", "uptime", "ipaddr", "hddspace", "hddtemp", "sensors", "os",
            ]
        )
        let older = String(decoding: try Repository.bytes("Fixtures/config/python-0.0.4.conf"), as: UTF8.self)
        #expect(read(older).0.reporters.sections(enabled: true) == usual)
    }

    @Test("the parameters that pika took in a URL are taken over, or noted once")
    func pika() throws {
        let (configuration, problems, warnings) = read(
            """
            [server]
            url=amqps://h1,h2/%2f?heartbeat_interval=30&connection_attempts=3&retry_delay=0.5&socket_timeout=2.5&\
            blocked_connection_timeout=300&locale=en_US&backpressure_detection=t&stack_timeout=9&\
            ssl_options=%7B%27ca_certs%27%3A+%27/ca.pem%27%2C%27cert_reqs%27%3A2%2C%27keyfile%27%3A%27k.pem%27%2C%27ciphers%27%3A%27x%27%7D
            """.replacing("+", with: "%20")
        )
        #expect(problems == [])
        #expect(configuration.server.brokers.count == 2)
        let broker = try #require(configuration.server.brokers.first)
        #expect(broker.heartbeat == 30 && broker.connectionTimeout == .milliseconds(2_500))
        #expect(
            broker.caCertificateFile == "/ca.pem" && broker.keyFile == "/k.pem" && broker.verification == .verifyPeer
        )
        #expect(broker.unknownParameters.isEmpty)
        #expect(warnings.count == 7)
        #expect(warnings.allSatisfy { $0.hasPrefix("f:2: url: ") && $0.contains("has no effect") })
    }

    @Test(
        "parameters with values that make no sense are refused",
        arguments: [
            "heartbeat_interval=x", "heartbeat_interval=70000", "socket_timeout=0", "socket_timeout=soon",
            "ssl_options=x(",
            "ssl_options=%7B'cert_reqs':9%7D", "retry_dely=5", "auth_mechanism=NOSUCH",
            "auth_mechanism=PLAIN&auth_mechanism=PLIAN",
        ]
    )
    func pikaMistakes(_ query: String) {
        let problems = read("[server]\nurl=amqp://localhost?\(query)").problems
        #expect(problems.count == 1 && problems[0].hasPrefix("f:2: url: "), "\(problems)")
    }

    @Test("the key host takes a host and nothing else, and does not repeat what it refuses")
    func host() {
        for good in ["localhost", "127.0.0.1", "a-b.example", "::1", "[fe80::1%eth0]", "büro.example"] {
            #expect(read("[server]\nhost=\(good)").problems == [])
        }
        for bad in ["amqp://agent:hunter2@h/", "agent:hunter2@h", "h:5672", "a b", "h/hunter2", "h,i", "h?hunter2"] {
            let problems = read("[server]\nhost=\(bad)").problems
            #expect(problems.count == 1 && problems[0].hasPrefix("f:2: host: has to be"), "\(bad)")
            #expect(!problems.joined().contains("hunter2"))
        }
    }

    @Test("retry_max is what the pauses grow to, or with retry_timer all of them")
    func longestPause() {
        #expect(read("[app]\nretry_max=90").0.app.longestRetryPause == .seconds(90))
        #expect(read("[app]\nretry_timer=7\nretry_max=retry_timer").0.app.longestRetryPause == .seconds(7))
        #expect(read("[app]\nretry_max=").0.app.longestRetryPause == nil)
        for bad in ["0", "-1", "86401", "timer"] { #expect(read("[app]\nretry_max=\(bad)").problems.count == 1) }
    }
}
#endif
