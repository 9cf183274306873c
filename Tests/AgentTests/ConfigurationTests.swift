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
        #expect(queue.timeToLive == 10_000)
        #expect(queue.name(hostname: "my-computer") == "psistats.my-computer")
        let exchange = configuration.exchange
        #expect(exchange.name == "psistats" && exchange.type == "topic")
        #expect(!exchange.isDurable && !exchange.deletesItself)
        let app = configuration.app
        #expect(app.retryPause == .seconds(5) && app.pidfileTimeout == .seconds(5))
        #expect(app.pidfile == "/var/run/psistats.pid")
        #expect([app.stdinPath, app.stdoutPath, app.stderrPath] == ["/dev/null", "/dev/null", "/dev/null"])
        #expect(configuration.hostname.isEnabled && configuration.hostname.name == nil)
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
        let readFromOldFilesOnly: Set = ["host", "port", "path", "user", "pass", "timer", "meta_timer", "url_file"]
        for (section, keys) in ConfigurationKeys.known {
            for key in keys {
                if !readFromOldFilesOnly.contains(key) {
                    #expect(file.section(section)?[key] != nil, "\(section) \(key)")
                }
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
            pidfile_timeout=0
            stdin_path=/a
            stdout_path=/b
            stderr_path=
            timer=1
            [cpu]
            anything=goes
            [logger_root]
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
                    timeToLive: 0
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
                    pidfile: "/tmp/p",
                    pidfileTimeout: .zero,
                    stdinPath: "/a",
                    stdoutPath: "/b",
                    stderrPath: "/dev/null"
                )
        )
    }

    @Test("ten mistakes give ten problems, each with its line, and the rest is read")
    func tenMistakes() {
        let (configuration, problems) = Self.read(
            """
            [server]
            url=amqp://u:hunter2@host:99999/
            [queue]
            prefix=fine
            exclusive=maybe
            ttl=4294967296
            durible=yes
            [exchange]
            type=topics
            name=
            [sever]
            url=amqp://h
            [app]
            retry_timer=-1
            pidfile_timeout=soon
            nonsense
            """
        )
        #expect(
            problems == [
                "dir/psistats.conf:2: url: the port has to be from 1 to 65535 (at byte 22)",
                "dir/psistats.conf:5: exclusive: has to be yes or no",
                "dir/psistats.conf:6: ttl: has to be a number of milliseconds from 0 to 4294967295",
                "dir/psistats.conf:7: durible: unknown key in [queue]; did you mean 'durable'?",
                "dir/psistats.conf:9: type: has to be direct, fanout, topic, headers or a plugin's type that starts with"
                    + " 'x-'; did you mean 'topic'?",
                "dir/psistats.conf:10: name: must not be empty",
                "dir/psistats.conf:11: [sever]: unknown section; did you mean [server]?",
                "dir/psistats.conf:14: retry_timer: has to be a number of seconds from 0 to 86400, as 5 or 0.5",
                "dir/psistats.conf:15: pidfile_timeout: has to be a number of seconds from 0 to 86400, as 5 or 0.5",
                "dir/psistats.conf:16: [app]: neither [section] nor key=value",
            ]
        )
        #expect(configuration.queue.prefix == "fine")
    }

    @Test(
        "a value at its limit is accepted, one beyond it is not",
        arguments: [
            ("[queue]\nttl=4294967295", true), ("[queue]\nttl=4294967296", false), ("[queue]\nttl=-1", false),
            ("[queue]\nttl=+1", false), ("[queue]\nttl=1.5", false), ("[queue]\nttl=", false),
            ("[queue]\nttl=99999999999999999999999999", false), ("[queue]\nttl=10000 ; ms", false),
            ("[app]\nretry_timer=86400", true), ("[app]\nretry_timer=86400.001", false),
            ("[app]\nretry_timer=5.", false), ("[app]\nretry_timer=.5", false), ("[app]\nretry_timer=1e3", false),
            ("[app]\nretry_timer=nan", false), ("[app]\nretry_timer=0.0000000001", true),
            ("[app]\nretry_timer=1.2.3", false), ("[app]\nretry_timer=9999999999999999999999", false),
            ("[app]\nretry_timer=1.000x", false), ("[app]\npidfile=/a\u{0}b", false),
            ("[exchange]\nname=" + String(repeating: "é", count: 127), true),
            ("[exchange]\nname=" + String(repeating: "é", count: 128), false),
            ("[exchange]\nname=a\u{0}b", false), ("[exchange]\nname=a\n  b", false),
            ("[exchange]\ntype=Topic", false), ("[exchange]\ntype=x-", true),
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
            "dir/secret": "amqp://u:hunter2@h/\nignored\n", "/abs": "amqp://a", "dir/bad": "amqp://u:hunter2 ",
        ]
        #expect(
            Self.read("[server]\nurl_file=secret", files: files).configuration.server.brokers.first?.password
                == "hunter2"
        )
        #expect(Self.read("[server]\nurl_file=/abs", files: files).configuration.server.brokers.first?.host == "a")
        #expect(
            Self.read("[server]\nurl_file=gone", files: files).problems
                == ["dir/psistats.conf:2: url_file: dir/gone: cannot be read: No such file or directory"]
        )
        #expect(
            Self.read("[server]\nurl=amqp://h\nurl_file=secret", files: files).problems
                == ["dir/psistats.conf:3: url_file: stands beside 'url': keep one of the two"]
        )
        let bad = Self.read("[server]\nurl_file=bad", files: files).problems
        #expect(bad.count == 1 && !bad[0].contains("hunter2"))
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

@Suite("Finding the configuration")
struct ConfigurationFinderTests {
    @Test("the places are those of the Python psistats, in its order")
    func places() {
        #expect(
            ConfigurationFinder.candidates(home: "/home/me") == [
                "./psistats.conf", "./etc/psistats.conf", "/home/me/.psistats/psistats.conf", "/etc/psistats.conf",
                "/usr/etc/psistats.conf", "/usr/local/share/psistats/psistats.conf",
                "/usr/share/psistats/psistats.conf",
            ]
        )
        #expect(ConfigurationFinder.candidates(home: nil).count == 6)
    }

    @Test("the first place that holds a file wins, and no file at all is an error that lists the places")
    func search() throws {
        let directory = try TemporaryDirectory()
        let first = try directory.write("first.conf", "[queue]\nttl=1\n")
        let second = try directory.write("second.conf", "[queue]\nttl=2\n")
        let gone = directory.path + "/gone.conf"
        let places = [gone, first + "/below", directory.path, first, second]
        #expect(try ConfigurationFinder.load(nil, surroundings: .plain, candidates: places).path == first)
        let error = try #require(throws: ConfigurationError.self) {
            _ = try ConfigurationFinder.load(nil, surroundings: .plain, candidates: [gone, directory.path])
        }
        #expect(
            error.description
                == "psistats.conf: not found; looked for \(gone), \(directory.path). Name a file with --config"
        )
    }

    @Test("a named file is read, and its problems carry its name")
    func named() throws {
        let directory = try TemporaryDirectory()
        let good = try directory.write("good.conf", "[queue]\nttl=1\n")
        let (path, configuration) = try ConfigurationFinder.load(good, surroundings: .plain)
        #expect(path == good)
        #expect(configuration.queue.timeToLive == 1)
        let bad = try directory.write("bad.conf", "[queue]\nttl=x\n")
        let error = try #require(throws: ConfigurationError.self) {
            _ = try ConfigurationFinder.load(bad, surroundings: .plain)
        }
        #expect(error.description == "\(bad):2: ttl: has to be a number of milliseconds from 0 to 4294967295")
    }

    @Test("a named file that is missing or no file is an error with path and reason")
    func unreadable() throws {
        let directory = try TemporaryDirectory()
        for (path, reason) in [
            (directory.path + "/none", "cannot be read: No such file or directory"),
            (directory.path, "cannot be read: not a regular file"),
            ("/dev/zero", "cannot be read: not a regular file"),
            ("a\u{0}b", "cannot be read: Invalid argument"),
        ] {
            let error = try #require(throws: ConfigurationError.self) {
                _ = try ConfigurationFinder.load(path, surroundings: .plain)
            }
            #expect(error.description == "\(path): \(reason)")
        }
    }

    @Test("root refuses a file that others can write")
    func writableByOthers() throws {
        #expect(FileReading.writer(mode: 0o644, owner: 0, group: 0) == nil)
        #expect(FileReading.writer(mode: 0o664, owner: 0, group: 0) == nil)
        #expect(FileReading.writer(mode: 0o664, owner: 0, group: 5) == .group(5))
        #expect(FileReading.writer(mode: 0o646, owner: 0, group: 0) == .everyone)
        #expect(FileReading.writer(mode: 0o600, owner: 1000, group: 0) == .owner(1000))
        let directory = try TemporaryDirectory()
        let file = try directory.write("open.conf", "", mode: 0o666)
        var surroundings = Surroundings.plain
        _ = try ConfigurationFinder.load(file, surroundings: surroundings)
        surroundings.isRoot = true
        let error = try #require(throws: ConfigurationError.self) {
            _ = try ConfigurationFinder.load(file, surroundings: surroundings)
        }
        #expect(error.description.hasPrefix("\(file): refused: psistats runs as root, and "))
    }

    @Test("the machine has a name")
    func machineName() {
        #expect(!Surroundings.current().hostname.isEmpty)
    }
}
