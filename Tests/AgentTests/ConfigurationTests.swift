#if Agent
import AMQPWire
import Glibc
import Testing

@testable import PsistatsAgent

@Suite("Configuration")
struct ConfigurationTests {
    static func read(
        _ text: String,
        surroundings: Surroundings = .plain,
        files: [String: String] = [:]
    ) -> (configuration: Configuration, problems: [String]) {
        var reader = ConfigurationReader(
            path: "dir/psistats.conf",
            file: ConfigFile(Array(text.utf8)),
            surroundings: surroundings,
            readFile: { path in
                files[path].map { .success(Array($0.utf8)) }
                    ?? .failure(FileFailure(path: path, reason: .system(ENOENT)))
            }
        )
        let configuration = reader.configuration()
        return (configuration, reader.problems.map(\.description))
    }

    @Test("the defaults are those psistats documents")
    func defaults() throws {
        let configuration = Configuration()
        #expect(configuration.server.brokers == [try AMQPURI("amqp://guest:guest@localhost:5672")])
        #expect(configuration.server.brokers.map(\.vhost) == ["/"])
        let queue = configuration.queue
        #expect(queue.prefix == "psistats" && queue.isExclusive && !queue.isDurable && queue.deletesItself)
        #expect(queue.timeToLive == 10_000 && queue.type == nil && queue.expires == nil && queue.maxLength == nil)
        #expect(queue.name(hostname: "my-computer") == "psistats.my-computer")
        let exchange = configuration.exchange
        #expect(exchange.name == "psistats" && exchange.type == "topic")
        #expect(!exchange.isDurable && !exchange.deletesItself)
        let app = configuration.app
        #expect(app.retryPause == .seconds(5) && app.pidfileTimeout == .seconds(5))
        #expect(app.pidfile == "/var/run/psistats.pid")
        #expect([app.stdinPath, app.stdoutPath, app.stderrPath] == ["/dev/null", "/dev/null", "/dev/null"])
        #expect(app.messageForm == .combined)
        #expect(configuration.hostname.isEnabled && configuration.hostname.name == nil)
        #expect(configuration.buffer.maxMessages == 1_000)
    }

    @Test("an empty file gives the defaults")
    func emptyFile() {
        let (configuration, problems) = Self.read("")
        #expect(configuration == Configuration())
        #expect(problems.isEmpty)
    }

    @Test("the commented psistats.conf gives the defaults, and names every key")
    func shippedFile() throws {
        let file = ConfigFile(try Repository.bytes("psistats.conf"))
        var reader = ConfigurationReader(
            path: "psistats.conf",
            file: file,
            surroundings: .plain,
            readFile: { .failure(FileFailure(path: $0, reason: .notAFile)) }
        )
        #expect(reader.configuration() == Configuration())
        #expect(reader.problems.isEmpty)
        let text = String(decoding: try Repository.bytes("psistats.conf"), as: UTF8.self)
        let explainedOnly: Set = [
            "server host", "server port", "server path", "server user", "server pass", "server url_file",
            "server url_credential",
        ]
        for (section, keys) in OldRelease.keys {
            for key in keys { #expect(text.contains(key), "\(key) of [\(section)] is not explained") }
        }
        for (section, keys) in ConfigurationKeys.known {
            for key in keys {
                #expect((file.section(section)?[key] == nil) == explainedOnly.contains("\(section) \(key)"))
                #expect(text.contains(key), "\(key) is not explained")
            }
        }
    }

    @Test("every key is read")
    func everyKey() throws {
        let (configuration, problems) = Self.read(
            """
            [server]
            url = amqps://user:p%40ss@h1,h2:5673/stats?heartbeat=10
            [queue]
            prefix: other
            exclusive: no
            durable: ON
            autodelete: 0
            ttl: 0
            type: classic
            expires: 60000
            max_length: 0
            [exchange]
            name=x
            type=x-delayed-message
            durable=1
            autodelete=TRUE
            [hostname]
            enabled=off
            name=box
            [app]
            retry_timer=0.25
            pidfile=/tmp/p
            pidfile_timeout=0.5
            stdin_path=/a
            stdout_path=/b
            stderr_path=
            timer=1
            retry_max=retry_timer
            message=separate
            [logger_root]
            anything=goes
            level=INFO
            """
        )
        #expect(problems.isEmpty)
        #expect(configuration.server.brokers.map(\.host) == ["h1", "h2"])
        #expect(configuration.server.brokers.map(\.vhost) == ["stats", "stats"])
        #expect(
            configuration.queue
                == Configuration.Queue(
                    prefix: "other",
                    isExclusive: false,
                    isDurable: true,
                    deletesItself: false,
                    timeToLive: 0,
                    type: "classic",
                    expires: 60_000,
                    maxLength: 0
                )
        )
        #expect(
            configuration.exchange
                == Configuration.Exchange(name: "x", type: "x-delayed-message", isDurable: true, deletesItself: true)
        )
        #expect(configuration.hostname == Configuration.Hostname(isEnabled: false, name: "box"))
        #expect(
            configuration.app
                == Configuration.App(
                    retryPause: .milliseconds(250),
                    longestRetryPause: .milliseconds(250),
                    pidfile: "/tmp/p",
                    pidfileTimeout: .milliseconds(500),
                    messageForm: .separate,
                    stdinPath: "/a",
                    stdoutPath: "/b",
                    stderrPath: "/dev/null"
                )
        )
    }

    @Test("ten mistakes give ten problems, each with its line, and the rest is read")
    func tenMistakes() throws {
        let (configuration, problems) = Self.read(
            String(decoding: try Repository.bytes("Fixtures/config/ten-mistakes.conf"), as: UTF8.self)
        )
        #expect(problems == (try Repository.lines("Fixtures/config/ten-mistakes.problems")).map { "dir/" + $0 })
        #expect(problems.count == 10)
        #expect(configuration.queue.prefix == "fine")
        #expect(configuration.reporters.sensors.devices.map(\.chip) == ["coretemp-isa-0000"])
    }

    @Test("files for the Python psistats are read without a problem", arguments: ["python-0.0.4", "python-0.2"])
    func oldFiles(_ name: String) throws {
        let text = String(decoding: try Repository.bytes("Fixtures/config/\(name).conf"), as: UTF8.self)
        let (configuration, problems) = Self.read(text)
        #expect(problems == [])
        #expect(configuration != Configuration())
    }

    @Test(
        "a value at its limit is accepted, one beyond it is not",
        arguments: [
            ("[queue]\nttl=4294967295", true), ("[queue]\nttl=4294967296", false), ("[queue]\nttl=-1", false),
            ("[queue]\nttl=+1", false), ("[queue]\nttl=1.5", false), ("[queue]\nttl=", false),
            ("[queue]\nttl=99999999999999999999999999", false), ("[queue]\nttl=10000 ; ms", true),
            ("[queue]\nttl=10000;ms", false),
            ("[app]\nretry_timer=86400", true), ("[app]\nretry_timer=86400.001", false),
            ("[app]\nretry_timer=5.", false), ("[app]\nretry_timer=.5", false), ("[app]\nretry_timer=1e3", false),
            ("[app]\nretry_timer=nan", false), ("[app]\nretry_timer=0.0000000001", true),
            ("[app]\nretry_timer=1.2.3", false), ("[app]\nretry_timer=9999999999999999999999", false),
            ("[app]\nretry_timer=1.000x", false), ("[app]\npidfile=/a\u{0}b", false),
            ("[exchange]\nname=" + String(repeating: "é", count: 127), true),
            ("[exchange]\nname=" + String(repeating: "é", count: 128), false),
            ("[exchange]\nname=a\u{0}b", false), ("[exchange]\nname=a\n  b", false),
            ("[exchange]\ntype=Topic", false), ("[exchange]\ntype=x-", true),
            ("[queue]\nexpires=", true), ("[queue]\nexpires=0", false), ("[queue]\nexpires=1", true),
            ("[queue]\nexpires=4294967295", true), ("[queue]\nexpires=4294967296", false),
            ("[queue]\nmax_length=0", true), ("[queue]\nmax_length=", true), ("[queue]\nmax_length=-1", false),
            ("[queue]\ntype=", true), ("[queue]\ntype=classic", true), ("[queue]\ntype=quorum", false),
            ("[queue]\ntype=quorum\nexclusive=0\ndurable=1\nautodelete=0", true), ("[queue]\ntype=stream", false),
            ("[buffer]\nmax_messages=1", true), ("[buffer]\nmax_messages=0", false),
            ("[buffer]\nmax_messages=10000000", true), ("[buffer]\nmax_messages=10000001", false),
            ("[app]\nmessage=combined", true), ("[app]\nmessage=", false), ("[app]\nmessage=Separate", false),
            ("[queue]\nprefix=" + String(repeating: "p", count: 250), true),
            ("[queue]\nprefix=" + String(repeating: "p", count: 251), false),
            ("[queue]\nprefix=amq", false), ("[queue]\nprefix=", true),
            ("[hostname]\nname=" + String(repeating: "h", count: 247), false), ("[hostname]\nname=", true),
        ]
    )
    func limits(_ text: String, _ isFine: Bool) {
        #expect(Self.read(text).problems.isEmpty == isFine, "\(Self.read(text).problems)")
    }

    @Test("a URL that ends in a slash means the vhost /")
    func slash() {
        for url in ["amqp://h/", "amqp://h", "amqp://h/%2f"] {
            let (configuration, problems) = Self.read("[server]\nurl=\(url)")
            #expect(problems.isEmpty)
            #expect(configuration.server.brokers.map(\.vhost) == ["/"])
        }
    }

    @Test("a URL over several lines is reported at the line of its fault, an unknown parameter once")
    func urlLines() {
        #expect(
            Self.read("[server]\nurl = amqp://h1,\n  amqp://h2:x").problems == [
                "dir/psistats.conf:3: url: the port is not a number (in a password '/' has to be written as %2F, "
                    + "'?' as %3F and '@' as %40) (at byte 21)"
            ]
        )
        #expect(
            Self.read("[server]\nurl = amqp://h1,h2?hartbeat=5").problems == [
                "dir/psistats.conf:2: url: unknown parameter 'hartbeat' in the URL; did you mean 'heartbeat'?"
            ]
        )
    }

    @Test("url_file gives the URL, beside the configuration if relative")
    func urlFile() {
        let files = [
            "/dir/secret": "amqp://u:hunter2@h/\nignored\n", "/abs": "amqp://a", "/dir/bad": "amqp://u:hunter2 ",
        ]
        #expect(
            Self.read("[server]\nurl_file=secret", files: files).configuration.server.brokers.first?.password
                == "hunter2"
        )
        #expect(Self.read("[server]\nurl_file=/abs", files: files).configuration.server.brokers.first?.host == "a")
        #expect(
            Self.read("[server]\nurl_file=gone", files: files).problems
                == ["dir/psistats.conf:2: url_file: /dir/gone: cannot be read: No such file or directory"]
        )
        #expect(
            Self.read("[server]\nurl=amqp://h\nurl_file=secret", files: files).problems
                == ["dir/psistats.conf:3: url_file: stands beside 'url': keep one of the two"]
        )
        let bad = Self.read("[server]\nurl_file=bad", files: files).problems
        #expect(bad.count == 1 && !bad[0].contains("hunter2"))
    }

    @Test("url_credential gives the URL from the folder of systemd's credentials")
    func urlCredential() {
        let files = ["/run/credentials/url": "amqp://u:hunter2@h/\n"]
        var surroundings = Surroundings.plain
        surroundings.credentials = "/run/credentials"
        func read(_ text: String) -> (configuration: Configuration, problems: [String]) {
            Self.read("[server]\n" + text, surroundings: surroundings, files: files)
        }
        #expect(read("url_credential=url").configuration.server.brokers.first?.password == "hunter2")
        #expect(
            read("url_credential=gone").problems
                == [
                    "dir/psistats.conf:2: url_credential: /run/credentials/gone: cannot be read: No such file or directory"
                ]
        )
        for wrong in ["", "..", "a/b"] {
            #expect(
                read("url_credential=\(wrong)").problems
                    == ["dir/psistats.conf:2: url_credential: has to be a credential's name, without a folder"]
            )
        }
        #expect(
            read("url=amqp://h\nurl_credential=url").problems
                == ["dir/psistats.conf:3: url_credential: stands beside 'url': keep one of the two"]
        )
        let outside = Self.read("[server]\nurl_credential=url", files: files).problems
        #expect(outside.count == 1 && outside[0].contains("LoadCredential=url:PATH"))
    }

    @Test("relative paths count from the directory of the configuration, whatever directory the process is in")
    func relativePaths() throws {
        var surroundings = Surroundings.plain
        surroundings.directory = "/start"
        let (configuration, problems) = Self.read(
            """
            [server]
            url=amqps://h/?cacertfile=ca.pem&certfile=/abs.pem&keyfile=../k.pem
            [app]
            pidfile=x.pid
            stdin_path=./in
            stdout_path=/out
            stderr_path=err
            [loggers]
            keys=root
            [handlers]
            keys=h
            [logger_root]
            handlers=h
            [handler_h]
            class=FileHandler
            filename=psistats.log
            """,
            surroundings: surroundings
        )
        #expect(problems.isEmpty)
        let broker = try #require(configuration.server.brokers.first)
        #expect(broker.caCertificateFile == "/start/dir/ca.pem")
        #expect(broker.certificateFile == "/abs.pem")
        #expect(broker.keyFile == "/start/dir/../k.pem")
        #expect(configuration.app.pidfile == "/start/dir/x.pid")
        #expect(configuration.app.stdinPath == "/start/dir/in")
        #expect(configuration.app.stdoutPath == "/out")
        #expect(configuration.app.stderrPath == "/start/dir/err")
        #expect(configuration.logging.handlers.first?.target.file?.path == "/start/dir/psistats.log")
        let url = "amqps://h/?cacertfile=ca.pem"
        surroundings.url = url
        #expect(
            Self.read("", surroundings: surroundings).configuration.server.brokers.first?.caCertificateFile
                == "/start/dir/ca.pem"
        )
        let files = ["/start/dir/secret": url]
        surroundings.url = nil
        #expect(
            Self.read("[server]\nurl_file=secret", surroundings: surroundings, files: files).configuration.server
                .brokers
                .first?.caCertificateFile == "/start/dir/ca.pem"
        )
    }

    @Test("a path is made absolute from a directory")
    func absolutePaths() {
        for (path, directory, result) in [
            ("a", "/", "/a"), ("a", "/d", "/d/a"), ("./a/b", "/d/", "/d/a/b"), ("/a", "/d", "/a"), ("", "/d", "/d/"),
            ("/\u{301}a", "/d", "/\u{301}a"),
        ] {
            #expect(path.absolute(from: directory) == result)
        }
        #expect("/a/b".parentDirectory == "/a")
        #expect("/a".parentDirectory == "/")
    }

    @Test("a connection_timeout of 0 means none given, since no connection is made in no time")
    func noTimeout() {
        let (configuration, problems) = Self.read("[server]\nurl=amqp://h/?connection_timeout=0")
        #expect(problems.isEmpty)
        #expect(configuration.server.brokers.map(\.connectionTimeout) == [nil])
    }

    @Test("a pidfile_timeout of 0 is refused: nothing starts in no time")
    func pidfileTimeout() {
        #expect(
            Self.read("[app]\npidfile_timeout=0").problems == [
                "dir/psistats.conf:2: pidfile_timeout: has to be a number of seconds from 0.001 to 86400, as 5 or 0.5"
            ]
        )
    }

    @Test(
        "a password with '@' and '/' or '?' in it is not taken for a host, and no part of it is shown",
        arguments: ["/", "?"]
    )
    func splitPassword(_ sign: String) {
        let problems = Self.read("[server]\nurl=amqp://user:hun@ter\(sign)sec@host/").problems
        #expect(problems.count == 1)
        #expect(problems.first?.contains("%40") == true)
        for part in ["hun", "ter\(sign)", "sec@"] { #expect(problems.first?.contains(part) == false) }
    }

    @Test("[DEFAULT] holds for every section, sections of logging too, and its misspelt keys are told")
    func defaultSection() {
        let (configuration, problems) = Self.read(
            """
            [DEFAULT]
            intervall=1
            level=ERROR
            propagate=0
            filename=/all.log
            format=%(name)s
            [loggers]
            keys=root,p
            [handlers]
            keys=h
            [formatters]
            keys=f
            [logger_root]
            handlers=h
            [logger_p]
            qualname=psistats
            [handler_h]
            class=FileHandler
            formatter=f
            [formatter_f]
            """
        )
        #expect(problems == ["dir/psistats.conf:2: intervall: no section has such a key; did you mean 'interval'?"])
        #expect(configuration.logging.loggers.map(\.propagates) == [false, false])
        #expect(configuration.logging.loggers.map(\.level) == [.error, .error])
        #expect(configuration.logging.handlers.map(\.target.file?.path) == ["/all.log"])
        #expect(configuration.logging.handlers.map(\.format) == [try? LogFormat("%(name)s")])
    }

    @Test("PSISTATS_URL overrides the file")
    func environment() {
        var surroundings = Surroundings.plain
        surroundings.url = "amqp://u:hunter2@env/"
        let good = Self.read("[server]\nurl=amqp://file", surroundings: surroundings)
        #expect(good.configuration.server.brokers.map(\.host) == ["env"])
        #expect(good.configuration.server.brokers.map(\.vhost) == ["/"])
        #expect(good.problems.isEmpty)
        surroundings.url = "http://u:hunter2@env/"
        #expect(
            Self.read("", surroundings: surroundings).problems
                == ["environment: PSISTATS_URL: the URL has to start with amqp:// or amqps:// (at byte 0)"]
        )
    }

    @Test("the keys that psistats 0.0.4 had for its server still work")
    func oldKeys() {
        let (configuration, problems) = Self.read(
            "[server]\nhost=old\nport=5673\npath=/\nuser=u\npass=p@ss/\n[app]\nmeta_timer=30\n"
        )
        #expect(problems.isEmpty)
        #expect(
            configuration.server.brokers
                == [AMQPURI(user: "u", password: "p@ss/", host: "old", port: 5673, vhost: "/")]
        )
        #expect(
            Self.read("[server]\nport=0").problems == ["dir/psistats.conf:2: port: has to be a number from 1 to 65535"]
        )
    }

    @Test("a configuration prints without its password")
    func printsNoPassword() {
        var surroundings = Surroundings.plain
        surroundings.url = "amqp://u:hunter2@env/"
        let (configuration, _) = Self.read("", surroundings: surroundings)
        var dumped =
            "\(configuration) \(surroundings)" + String(reflecting: configuration) + String(reflecting: surroundings)
        dump(configuration, to: &dumped)
        dump(surroundings, to: &dumped)
        #expect(!dumped.contains("hunter2"))
        #expect(dumped.contains("env"))
    }

    @Test(
        "misspellings are near enough or not",
        arguments: [
            ("durable", "durible", 1), ("ttl", "tll", 1), ("", "abc", 3), ("abc", "", 3), ("prefix", "perfix", 1),
            ("kitten", "sitting", 3),
        ]
    )
    func distances(_ one: String, _ other: String, _ distance: Int) {
        #expect(ConfigurationKeys.editDistance(one, other) == distance)
    }
}
#endif
