#if Agent
import Testing

@testable import PsistatsAgent

@Suite("Reading how to log")
struct LoggingReaderTests {
    static func read(_ text: String) -> (LoggingConfiguration, [String]) {
        let reader = LoggingReader(file: ConfigFile(Array(text.utf8)), path: "f", directory: "/here")
        let (configuration, problems) = reader.read()
        return (configuration, problems.map(\.description))
    }

    static func fixture(_ name: String) throws -> (LoggingConfiguration, [String]) {
        read(String(decoding: try Repository.bytes("Fixtures/logging/\(name).conf"), as: UTF8.self))
    }

    /// The handler that the root has, as one section describes it.
    static func handler(_ section: String) -> (LoggingConfiguration.Target?, [String]) {
        let (configuration, problems) = read(
            "[loggers]\nkeys=root\n[logger_root]\nhandlers=h\n[handlers]\nkeys=h\n[handler_h]\n" + section
        )
        return (configuration.handlers.first?.target, problems)
    }

    @Test("a file of the Python psistats is read without a problem")
    func pythonPsistats() throws {
        let (configuration, problems) = try Self.fixture("python-psistats")
        #expect(problems.isEmpty)
        var schedule = LoggingConfiguration.Schedule()
        schedule.unit = .midnight
        #expect(
            configuration.loggers == [
                LoggingConfiguration.Logger(name: "", level: .info, handlers: ["fileout"], propagates: false),
                LoggingConfiguration.Logger(name: "pika", level: .error, handlers: ["fileout"], propagates: false),
            ]
        )
        #expect(configuration.handlers.map(\.name) == ["fileout"])
        let handler = try #require(configuration.handlers.first)
        #expect(handler.level == .debug)
        #expect(handler.format == (try LogFormat("%(asctime)s %(name)s %(levelname)s %(message)s")))
        #expect(
            handler.target == .timedRotatingFile(LoggingConfiguration.File(path: "/var/log/psistats.log"), schedule)
        )
        #expect(handler.origin?.line == 33)
    }

    @Test("every class is read, with its parameters as keys of their own or as args")
    func everyClass() throws {
        let (configuration, problems) = try Self.fixture("every-class")
        #expect(problems.isEmpty)
        var schedule = LoggingConfiguration.Schedule()
        schedule.unit = .weekday(6)
        schedule.interval = 2
        schedule.backups = 8
        schedule.isUTC = true
        schedule.secondOfDay = 12_600
        typealias File = LoggingConfiguration.File
        typealias Syslog = LoggingConfiguration.Syslog
        #expect(
            configuration.handlers.map(\.target) == [
                .stream(.standardOutput), .stream(.standardError),
                .file(File(path: "/here/plain.log", mode: .truncate, isDelayed: true)),
                .watchedFile(File(path: "/var/log/watched.log")),
                .rotatingFile(
                    File(path: "/here/size.log"),
                    LoggingConfiguration.Size(limit: 1_048_576, backups: 5)
                ),
                .timedRotatingFile(File(path: "/here/time.log"), schedule),
                .syslog(Syslog(address: .socket(path: "/dev/log"), facility: 3)),
                .syslog(Syslog(address: .host("localhost", port: 514), facility: 19)),
                .journal(identifier: "agent"), .nothing,
            ]
        )
        #expect(configuration.loggers.first?.handlers.count == 10)
    }

    @Test("every mistake is told with its line and what to write instead")
    func mistakes() throws {
        let (_, problems) = try Self.fixture("mistakes")
        #expect(
            problems == [
                "f:2: keys: names 'cpuu', and there is no section [logger_cpuu]; did you mean 'cpu'?",
                "f:8: level: has to be DEBUG, INFO, WARNING, ERROR or CRITICAL; did you mean INFO?",
                "f:9: handlers: names 'sise', which is not among the keys of [handlers]; did you mean 'size'?",
                "f:10: propogate: unknown key in [logger_root]; did you mean 'propagate'?",
                "f:14: class: there is no handler class 'logging.FileHandlr'; did you mean logging.FileHandler?",
                "f:18: maxbyte: unknown key for RotatingFileHandler; did you mean 'maxbytes'?",
                "f:19: backupcount: has to be a number of files from 0 to 10000",
                "f:20: formatter: names 'lang', which is not among the keys of [formatters]; did you mean 'long'?",
                "f:24: when: has to be S, M, H, D, midnight, or W0 (Monday) to W6 (Sunday)",
                "f:25: interval: has to be a number of units from 1 to 10000",
                "f:26: attime: has to be a time of day, as 03:30 or 03:30:00",
                "f:27: mode: unknown key for TimedRotatingFileHandler",
                "f:30: address: has to be the path of a socket, as /dev/log, or ('HOST', PORT)",
                "f:31: facility: has to be a name such as user, daemon or local0, or a number from 0 to 23; "
                    + "did you mean 'daemon'?",
                "f:34: stream: has to be ext://sys.stdout or ext://sys.stderr",
                "f:35: [handler_none]: lacks the key 'class', as class=logging.FileHandler",
                "f:38: format: there is no field 'mesage'; did you mean %(message)s?",
            ]
        )
    }

    @Test("a file that says nothing of logging is unspecified, and half of it is a problem")
    func nothing() {
        let (configuration, problems) = Self.read("[server]\nurl=amqp://h\n")
        #expect(configuration == .unspecified)
        #expect(problems.isEmpty)
        let half = Self.read("[handlers]\nkeys=\n").1
        #expect(
            half == ["f:1: [handlers]: without [loggers] nothing is logged: add it, with keys=root, and [logger_root]"]
        )
        let rootless = Self.read("[loggers]\nkeys=a\n[logger_a]\nlevel=INFO\n").1
        #expect(rootless == ["f:2: keys: has to name root, with a section [logger_root]: the loggers hang on it"])
        let both = Self.read("[loggers]\nkeys=root\n[logging]\nkeys=root\n[logger_root]\n").1
        #expect(both == ["f:3: [logging]: [loggers] in line 1 says the same: remove one of the two"])
    }

    @Test("sections that no keys name are not looked at")
    func unnamed() {
        let text = "[loggers]\nkeys=root\n[logger_root]\n[handler_x]\nclass=Nonsense\n[logger_y]\nlevel=odd\n"
        #expect(Self.read(text).1.isEmpty)
    }

    @Test("levels are names in letters of any case, or numbers")
    func levels() {
        for (text, number) in [("DEBUG", 10), ("warn", 30), ("Fatal", 50), ("15", 15), ("NOTSET", 0), ("1000", 1_000)] {
            #expect(LogLevel(text)?.number == number)
        }
        for text in ["", "1001", "-1", "INFORMATION", "99999999999999999999"] { #expect(LogLevel(text) == nil) }
    }

    @Test(
        "addresses of syslog are read as Python and people write them",
        arguments: [
            ("address=/dev/log", LoggingConfiguration.Syslog.Address.socket(path: "/dev/log")),
            ("address=('logs.example', 1514)", .host("logs.example", port: 1_514)),
            ("address=(logs, 514)", .host("logs", port: 514)),
            ("address=logs.example:99", .host("logs.example", port: 99)),
            ("address=[::1]:514", .host("::1", port: 514)), ("args=('/dev/log',)", .socket(path: "/dev/log")),
            ("args=('/dev/log')", .socket(path: "/dev/log")),
            ("args=(('h', logging.handlers.SYSLOG_UDP_PORT),)", .host("h", port: 514)),
            ("kwargs={'address': ['h', 5]}", .host("h", port: 5)), ("facility=user", .host("localhost", port: 514)),
        ]
    )
    func addresses(_ line: String, _ address: LoggingConfiguration.Syslog.Address) {
        let (target, problems) = Self.handler("class=handlers.SysLogHandler\n\(line)\n")
        #expect(problems.isEmpty)
        #expect(target == .syslog(LoggingConfiguration.Syslog(address: address)))
    }

    @Test(
        "what no class takes is refused",
        arguments: [
            "class=FileHandler", "class=FileHandler\nargs=('a', 'q')", "class=FileHandler\nargs=(open('a'))",
            "class=FileHandler\nargs=('a'", "class=FileHandler\nargs=('a', 'a', None, 0, None, 1)",
            "class=FileHandler\nkwargs={'filename': 'a', 'colour': 1}", "class=FileHandler\nkwargs=('a',)",
            "class=FileHandler\nfilename=a\nencoding=latin-99", "class=FileHandler\nfilename=a\ndelay=maybe",
            "class=FileHandler\nfilename=a\n b", "class=socket.FileHandler\nfilename=a",
            "class=SysLogHandler\naddress=h:0",
            "class=SysLogHandler\naddress=h:70000", "class=SysLogHandler\nsocktype=socket.SOCK_STREAM",
            "class=SysLogHandler\nfacility=24", "class=StreamHandler\nargs=(sys.stdin,)",
            "class=StreamHandler\nlevel=LOUD",
            "class=RotatingFileHandler\nfilename=a\nmaxBytes=-1",
            "class=RotatingFileHandler\nargs=('a', 'a', 99999999999 * 99999999999)",
        ]
    )
    func refused(_ section: String) {
        let (target, problems) = Self.handler(section + "\n")
        #expect(target == nil)
        #expect(problems.count == 1, "\(problems)")
    }

    @Test("values of Python are read, and nothing is called")
    func literals() {
        #expect(
            PythonLiteral("('a', \"b\\n\", 3, None, True, (1,), sys.stdout)")
                == .tuple([
                    .text("a"), .text("b\n"), .integer(3), .none, .bool(true), .tuple([.integer(1)]),
                    .name("sys.stdout"),
                ])
        )
        #expect(PythonLiteral("(r'\\n', 2 * -3, )") == .tuple([.text("\\n"), .integer(-6)]))
        #expect(PythonLiteral("{'a': [], }") == .dictionary(["a": .tuple([])]))
        #expect(PythonLiteral("datetime.time(3, 30)") == .call("datetime.time", [.integer(3), .integer(30)]))
        for text in ["", "(", "(1 2)", "'a", "1 +", "(,)", "{1: 2}", "a b", "9" + String(repeating: "9", count: 30)] {
            #expect(PythonLiteral(text) == nil, "\(text)")
        }
        #expect(PythonLiteral(String(repeating: "(", count: 100_000)) == nil)
    }

    @Test("no bytes trap, and every problem has a line of the file")
    func mutations() throws {
        var generator = SplitMix64(seed: 0x5EED_0102)
        let seeds = try ["python-psistats", "fileconfig", "every-class", "mistakes"].map {
            try Repository.bytes("Fixtures/logging/\($0).conf")
        }
        let splices = ["(", ")", "'", "%", "%(", ",", "=", "\n", "root", "args=", "*9", "0", "\u{20ac}", "W", ":"]
        for _ in 0..<800 {
            var bytes = generator.element(of: seeds)
            for _ in 0...Int.random(in: 0..<8, using: &generator) {
                let at = Int.random(in: 0...bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: at)
                case 1: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 0..<12, using: &generator)))
                default: bytes.insert(contentsOf: generator.element(of: splices).utf8, at: at)
                }
            }
            let lines = bytes.count { $0 == 0x0A || $0 == 0x0D } + 1
            let (configuration, problems) = LoggingReader(file: ConfigFile(bytes), path: "f", directory: "/").read()
            #expect(problems.allSatisfy { (1...lines).contains($0.line ?? 0) })
            if problems.isEmpty {
                let names = Set(configuration.handlers.map(\.name))
                #expect(configuration.loggers.allSatisfy { names.isSuperset(of: $0.handlers) })
            }
        }
    }
}
#endif
