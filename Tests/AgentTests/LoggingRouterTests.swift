#if Agent
import Glibc
import Logging
import Testing

@testable import PsistatsAgent

@Suite("Where records go", .serialized)
struct LoggingRouterTests {
    typealias Configuration = LoggingConfiguration

    /// A router that writes to `a.log` whatever this configuration says.
    static func router(_ clock: LogClock = LogClock(1_795_000_000), _ reports: Reports = Reports()) -> LoggingRouter {
        LoggingRouter(clock: { clock.now }, report: { reports.add($0) })
    }

    static func file(_ path: String, _ mode: Configuration.File.Mode = .append) -> Configuration.Target {
        .file(Configuration.File(path: path, mode: mode))
    }

    @Test("a configuration and its records make the files that Python makes of them")
    func asPython() throws {
        let directory = try LogDirectory()
        let bytes = try Repository.bytes("Fixtures/logging/fileconfig.conf")
        let (configuration, problems) = LoggingReader(file: ConfigFile(bytes), path: "f", directory: directory.path)
            .read()
        try #require(problems.isEmpty)
        let clock = LogClock(0)
        let router = Self.router(clock)
        try router.apply(configuration)
        let lines = try Repository.lines("Fixtures/logging/configured.expected")
        for line in lines where line.hasPrefix("call ") {
            let texts = loggingTexts(line)
            let words = line.split(separator: " ")
            clock.set(try #require(Int(words[words.count - 1])), 125_000_000)
            let levels: [Substring: Logger.Level] = [
                "10": .debug, "20": .info, "30": .warning, "40": .error, "50": .critical,
            ]
            let level = try #require(levels[line.split(separator: "\"")[2].split(separator: " ")[0]])
            router.logger(texts[0]).log(
                level: level,
                "\(texts[1])",
                file: "PsistatsAgent/Scheduler.swift",
                function: "run(_:)",
                line: 42
            )
        }
        // Other than Python's, a record that was logged has one line.
        let expected = lines.filter { $0.hasPrefix("file ") }.map {
            $0.replacing(#"deep\u{a}and"#, with: #"deep\u{5c}u{a}and"#)
        }
        #expect(directory.listing == expected)
    }

    @Test("the files beside this test are what Python's logging makes of their cases")
    func expectedIsPython() throws {
        let python = getenv("PSISTATS_TEST_PYTHON").map { String(cString: $0) } ?? "/usr/bin/env"
        let directory = try LogDirectory()
        let script = Repository.root + "/Fixtures/logging/list-with-python"
        var arguments: [String] = [python]
        if python == "/usr/bin/env" { arguments.append("python3") }
        arguments += [script, directory.path]
        var process: pid_t = 0
        let argv = arguments.map { strdup($0) }
        let environment: [String] = ["PATH=" + (getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin")]
        let envp = environment.map { strdup($0) }
        defer { for text in argv + envp { free(text) } }
        let code = posix_spawn(&process, python, nil, nil, argv + [nil], envp + [nil])
        try #require(code == 0)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 { try #require(errno == EINTR) }
        try #require(status == 0)
        for name in ["configured", "formats", "sizes", "timed", "calendar"] {
            // Python before 3.13 writes no calendar.
            if name == "calendar", directory.text("calendar.expected") == nil { continue }
            let expected = try Repository.bytes("Fixtures/logging/\(name).expected")
            #expect(directory.text(name + ".expected") == String(decoding: expected, as: UTF8.self), "\(name)")
        }
    }

    private static func tree(_ loggers: [Configuration.Logger]) -> LoggerTree {
        LoggerTree(Configuration(loggers: loggers, handlers: []))
    }

    @Test("a logger has the level of the nearest one above, and handlers up to one that does not propagate")
    func tree() {
        let tree = Self.tree([
            Configuration.Logger(name: "", level: .warning, handlers: ["root"]),
            Configuration.Logger(name: "psistats", level: .info, handlers: ["a"]),
            Configuration.Logger(name: "psistats.cpu", level: .notSet, handlers: ["b", "a"]),
            Configuration.Logger(name: "pika", level: .error, handlers: ["c"], propagates: false),
        ])
        for (name, level, handlers) in [
            ("", LogLevel.warning, ["root"]), ("other", .warning, ["root"]), ("psistats", .info, ["a", "root"]),
            ("psistats.mem", .info, ["a", "root"]), ("psistats.cpu.core", .info, ["b", "a", "a", "root"]),
            ("psistatsx", .warning, ["root"]), ("amqpwire", .error, ["c"]), ("amqpwire.tls", .error, ["c"]),
            ("pika.channel", .error, ["c"]), ("pikas", .warning, ["root"]),
        ] {
            let route = tree.route(for: name)
            #expect(route.level == level, "\(name)")
            #expect(route.handlers == handlers, "\(name)")
        }
    }

    @Test("where amqpwire is described itself, its old name has no effect")
    func oldName() {
        let new = Configuration.Logger(name: "amqpwire", level: .debug)
        let old = Configuration.Logger(name: "pika", level: .error)
        #expect(Self.tree([old, new]).route(for: "amqpwire").level == .debug)
        #expect(Self.tree([new, old]).route(for: "pika").level == .debug)
    }

    @Test("a logger that exists goes by the new configuration, and one that fails changes nothing")
    func exchange() throws {
        let directory = try LogDirectory()
        let router = Self.router()
        let logger = router.logger("psistats.cpu")
        logger.critical("dropped: nothing is configured yet")
        try router.apply(.single(Self.file(directory["a"]), level: .info))
        logger.debug("not shown")
        logger.info("one")
        var wrong = Configuration.single(Self.file(directory["b"]))
        wrong.handlers.append(
            Configuration.Handler(
                name: "x",
                target: Self.file(directory["none"] + "/x"),
                origin: Configuration.Origin(file: "f", line: 7, section: "handler_x")
            )
        )
        let message = "f:7: filename: \(directory["none"])/x cannot be opened: No such file or directory: "
        let error = #expect(throws: ConfigurationError.self) { try router.apply(wrong) }
        #expect(error?.description.hasPrefix(message) == true)
        logger.info("two")
        try router.apply(.single(Self.file(directory["c"]), level: .debug))
        logger.debug("three")
        #expect(directory.text("a") == "one\ntwo\n")
        #expect(directory.text("b") == "")
        #expect(directory.text("c") == "three\n")
    }

    @Test("a file is emptied once, and only when the whole configuration can be applied")
    func emptying() throws {
        let directory = try LogDirectory()
        try directory.write("a", "old\n")
        let router = Self.router()
        var configuration = Configuration.single(Self.file(directory["a"], .truncate))
        configuration.handlers.append(Configuration.Handler(name: "x", target: Self.file("/nowhere/x")))
        #expect(throws: ConfigurationError.self) { try router.apply(configuration) }
        #expect(directory.text("a") == "old\n")
        configuration.handlers.removeLast()
        try router.apply(configuration)
        router.logger("a").info("one")
        try router.apply(configuration)
        router.logger("a").info("two")
        #expect(directory.text("a") == "one\ntwo\n")
    }

    @Test("a file that must be new is refused where it exists, and taken when it was made by this process")
    func creating() throws {
        let directory = try LogDirectory()
        try directory.write("a", "")
        let router = Self.router()
        #expect(throws: ConfigurationError.self) { try router.apply(.single(Self.file(directory["a"], .create))) }
        try router.apply(.single(Self.file(directory["b"], .create)))
        try router.apply(.single(Self.file(directory["b"], .create)))
        router.logger("a").info("one")
        #expect(directory.text("b") == "one\n")
    }

    @Test("files are opened anew by their names on demand, and a file that cannot be stays open")
    func reopening() throws {
        let directory = try LogDirectory()
        let reports = Reports()
        let router = Self.router(LogClock(0), reports)
        try router.apply(.single(Self.file(directory["a"])))
        let logger = router.logger("a")
        logger.info("one")
        rename(directory["a"], directory["a.1"])
        logger.info("two")
        router.reopen()
        logger.info("three")
        #expect(directory.text("a.1") == "one\ntwo\n")
        #expect(directory.text("a") == "three\n")
        unlink(directory["a"])
        try #require(mkdir(directory["a"], 0o700) == 0)
        router.reopen()
        logger.info("four")
        #expect(
            reports.lines == [
                "psistats: log handler 'h': \(directory["a"]): cannot be opened anew: Is a directory: the old file is written on"
            ]
        )
    }

    @Test("metadata stands behind the message, sorted by its keys")
    func metadata() throws {
        let directory = try LogDirectory()
        let router = Self.router()
        try router.apply(.single(Self.file(directory["a"])))
        var logger = router.logger("a")
        logger[metadataKey: "z"] = "1"
        logger[metadataKey: "b"] = "hidden"
        logger.info("text", metadata: ["b": "2", "a": ["x", "y"]])
        logger.info("plain")
        #expect(directory.text("a") == "text a=[\"x\", \"y\"] b=2 z=1\nplain b=hidden z=1\n")
    }

    @Test("swift-log's levels go to Python's, and a logger says which of them pass")
    func levels() throws {
        let directory = try LogDirectory()
        let router = Self.router()
        let target = Self.file(directory["a"])
        let format = try LogFormat("%(levelno)s %(message)s")
        try router.apply(.single(target, level: .debug, format: format))
        let logger = router.logger("a")
        for level in Logger.Level.allCases { logger.log(level: level, "\(level)") }
        #expect(
            directory.text("a") == "10 trace\n10 debug\n20 info\n20 notice\n30 warning\n40 error\n50 critical\n"
        )
        for (number, least) in [(0, Logger.Level.trace), (15, .info), (30, .warning), (41, .critical)] {
            try router.apply(.single(target, level: LogLevel(number: number)))
            #expect(logger.logLevel == least)
        }
        try router.apply(.single(target, level: LogLevel(number: 51)))
        logger.critical("above every level")
        #expect(directory.text("a")?.contains("above") == false)
    }

    @Test("lines of many threads are whole, and none is lost")
    func threads() async throws {
        let directory = try LogDirectory()
        let router = Self.router()
        try router.apply(
            .single(
                .rotatingFile(
                    Configuration.File(path: directory["a"]),
                    Configuration.Size(limit: 20_000, backups: 50)
                )
            )
        )
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    let logger = router.logger("t\(task)")
                    for number in 0..<500 { logger.info("task \(task) number \(number) end") }
                }
            }
            group.addTask { for _ in 0..<50 { router.reopen() } }
        }
        let lines = directory.names.flatMap { (directory.text($0) ?? "").split(separator: "\n") }
        #expect(lines.count == 4_000)
        #expect(Set(lines).count == 4_000)
        #expect(lines.allSatisfy { $0.hasPrefix("task ") && $0.hasSuffix(" end") })
    }

    @Test("without a word about logging, INFO goes to standard error or to syslog")
    func standard() {
        let foreground = Configuration.standard(foreground: true, hasSyslog: true)
        #expect(foreground.handlers.map(\.target) == [.stream(.standardError)])
        #expect(foreground.loggers.map(\.level) == [.info])
        let detached = Configuration.standard(foreground: false, hasSyslog: true)
        let daemon = Configuration.Syslog(address: .socket(path: "/dev/log"), facility: 3)
        #expect(detached.handlers.map(\.target) == [.syslog(daemon)])
        #expect(Configuration.standard(foreground: false, hasSyslog: false).handlers.isEmpty)
        #expect(Configuration.unspecified.resolved(foreground: true) == foreground)
    }

    @Test("in the foreground every logger's records reach standard error once")
    func foreground() throws {
        let reader = LoggingReader(
            file: ConfigFile(try Repository.bytes("Fixtures/logging/python-psistats.conf")),
            path: "f",
            directory: "/"
        )
        let written = reader.read().0
        #expect(written.resolved(foreground: false) == written)
        let shown = written.resolved(foreground: true)
        #expect(shown.loggers.map(\.handlers) == [["fileout", "terminal"], ["fileout", "terminal"]])
        #expect(shown.handlers.map(\.target).last == .stream(.standardError))
        let already = Configuration.single(.stream(.standardError))
        #expect(already.resolved(foreground: true) == already)
    }

    @Test("in the foreground a logger that has standard error itself is not shown a second time by the one above")
    func foregroundTwice() {
        let written = Configuration(
            loggers: [
                Configuration.Logger(name: "", level: .info, handlers: ["file"]),
                Configuration.Logger(name: "psistats", handlers: ["console"]),
            ],
            handlers: [
                Configuration.Handler(name: "file", target: .nothing),
                Configuration.Handler(name: "console", target: .stream(.standardError)),
            ]
        )
        let tree = LoggerTree(written.resolved(foreground: true))
        #expect(tree.route(for: "psistats.cpu").handlers == ["console", "file"])
        #expect(tree.route(for: "amqpwire").handlers == ["file", "terminal"])
    }

    @Test("what others have put into a message cannot write lines of its own, nor steer a terminal")
    func forgery() throws {
        let directory = try LogDirectory()
        let router = Self.router()
        try router.apply(.single(Self.file(directory["a"])))
        router.logger("psistats").warning("connected to Evil \u{1B}[31m\nroot: all is well", metadata: ["k": "a\rb"])
        #expect(directory.text("a") == "connected to Evil \\u{1b}[31m\\u{a}root: all is well k=a\\u{d}b\n")
    }
}
#endif
