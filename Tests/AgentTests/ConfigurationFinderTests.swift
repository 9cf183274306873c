#if Agent
import Glibc
import Testing

@testable import PsistatsAgent

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

    @Test("the first place that holds a file wins, and without any the defaults and PSISTATS_URL hold")
    func search() throws {
        let directory = try TemporaryDirectory()
        let first = try directory.write("first.conf", "[queue]\nttl=1\n")
        let second = try directory.write("second.conf", "[queue]\nttl=2\n")
        let gone = directory.path + "/gone.conf"
        let places = [gone, first + "/below", directory.path, first, second]
        #expect(try ConfigurationFinder.load(nil, surroundings: .plain, candidates: places).path == first)
        var surroundings = Surroundings.plain
        surroundings.url = "amqp://elsewhere"
        let (path, configuration) = try ConfigurationFinder.load(
            nil,
            surroundings: surroundings,
            candidates: [gone, directory.path]
        )
        #expect(path == ConfigurationFinder.defaults)
        #expect(configuration.server.brokers.map(\.host) == ["elsewhere"])
        #expect(configuration.queue == Configuration.Queue())
        surroundings.url = "nonsense"
        #expect(throws: ConfigurationError.self) {
            _ = try ConfigurationFinder.load(nil, surroundings: surroundings, candidates: [gone])
        }
    }

    @Test("a relative place counts from the directory of the start")
    func relativePlace() throws {
        let directory = try TemporaryDirectory()
        _ = try directory.write("psistats.conf", "[app]\npidfile=x.pid\n")
        var surroundings = Surroundings.plain
        surroundings.directory = directory.path
        let (path, configuration) = try ConfigurationFinder.load(nil, surroundings: surroundings)
        #expect(path == "./psistats.conf")
        #expect(configuration.app.pidfile == directory.path + "/x.pid")
    }

    // MARK: The program

    @Test("without a configuration file reports can be had, and standard error says what is used")
    func program() throws {
        let directory = try TemporaryDirectory()
        let result = try Program.run(["report", "--once"], directory: directory.path)
        #expect(result.status == 0)
        #expect(result.errors.hasPrefix("psistats: no psistats.conf found, using the defaults\n"))
        #expect(result.lines.count == 1)
    }

    @Test("a daemon that was started elsewhere keeps its files beside its configuration, and takes them away")
    func daemon() throws {
        let (home, elsewhere) = (try LogDirectory(), try LogDirectory())
        try home.write(
            "p.conf",
            """
            [server]
            url=amqp://127.0.0.1:1
            [app]
            pidfile=x.pid
            [loggers]
            keys=root
            [handlers]
            keys=h
            [logger_root]
            level=INFO
            handlers=h
            [handler_h]
            class=FileHandler
            filename=x.log
            """
        )
        func run(_ command: String) throws -> Program.Result {
            try Program.run([command, "--config", home["p.conf"]], directory: elsewhere.path)
        }
        #expect(try run("start").status == 0)
        #expect(home.names == ["p.conf", "x.lock", "x.log", "x.pid", "x.sock"])
        #expect(try run("stop").status == 0)
        #expect(home.names == ["p.conf", "x.log"])
        #expect(elsewhere.names.isEmpty)
        #expect(home.text("x.log")?.contains(", pidfile \(home["x.pid"])\n") == true)
    }

    @Test("a report that nobody reads any more ends quietly")
    func unreadReport() throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("psistats.conf", "[cpu]\ninterval=0.05\n[cpu_temp]\nenabled=no\n")
        let result = try Program.run(["report", "--config", file], outputLimit: 1) { $0 > 0 ? nil : [] }
        #expect(result.status == ExitStatus.outputClosed.rawValue)
        #expect(result.errors == "")
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
            #expect(error.description == "\(path.printable): \(reason)")
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
#endif
