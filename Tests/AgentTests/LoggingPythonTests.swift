#if Agent
import Glibc
import Testing

@testable import PsistatsAgent

@Suite("Values of logging as Python evaluates them")
struct LoggingPythonTests {
    @Test(
        "texts, numbers and operators come to what Python's eval makes of them",
        arguments: [
            (#"'a\x41\101\u00e9\n\t\q'"#, PythonLiteral.text("aAA\u{e9}\n\t\\q")),
            (#"u'\N{EURO SIGN}' "\U0001f600""#, .text("\u{20ac}\u{1f600}")), (#"r'\x41' b'b'"#, .text(#"\x41b"#)),
            ("'W/' 'a.log'", .text("W/a.log")), ("'W/'+'a'*3", .text("W/aaa")), ("'''a'b'''", .text("a'b")),
            (#""""a"b""" 'c'"#, .text(#"a"bc"#)), ("f'a{{b}}'", .text("a{b}")), (#"'\0\7\12'"#, .text("\0\u{7}\n")),
            ("1024*1024", .integer(1_048_576)), ("10**6", .integer(1_000_000)), ("1<<20", .integer(1_048_576)),
            ("0x100000", .integer(1_048_576)), ("0o17 + 0b11", .integer(18)), ("017", .integer(15)),
            ("1_000", .integer(1_000)),
            ("10L", .integer(10)), ("5*1000+24", .integer(5_024)), ("2+3*4**2-1", .integer(49)),
            ("(2+3)*4", .integer(20)),
            ("-2**2", .integer(-4)), ("2**-1", .integer(-999)), ("7//2", .integer(3)), ("-7//2", .integer(-4)),
            ("-7%3", .integer(2)), ("7/2", .real(3.5)), ("8/2", .integer(4)), ("1e6", .real(1_000_000)),
            ("~5", .integer(-6)),
            ("6&3|8^1", .integer(11)), ("-(1 + 2)", .integer(-3)), ("1 +1", .integer(2)), ("True+1", .integer(2)),
            ("os.path.join('a','b.log')", .text("a/b.log")), ("str('a')", .text("a")),
            ("'a', 'b'", .tuple([.text("a"), .text("b")])),
            ("('a', # first\n 'b', # second\n)", .tuple([.text("a"), .text("b")])),
            ("dict(filename='a', delay=1)", .dictionary(["filename": .text("a"), "delay": .integer(1)])),
        ]
    )
    func values(_ text: String, _ value: PythonLiteral) {
        // -999 stands for what is refused.
        let expected = value == .integer(-999) ? nil : value
        #expect(PythonLiteral(text) == expected)
    }

    @Test(
        "what Python refuses, or would call, is refused",
        arguments: [
            #"'\x4'"#, #"'\u12'"#, "'a\nb'", "'a' 'b", "1 +", "* 2", "'a' - 'b'", "1 << 100", "10 ** 100", "9**9**9",
            "1 // 0",
            "f'{x}'", "q'a'", "1 'a'", "f(", "{'a' 1}", "'a' * 100000000", #"'\N{NO SUCH THING}'"#, #"'\ud800'"#,
        ]
    )
    func refused(_ text: String) {
        #expect(PythonLiteral(text) == nil)
    }

    @Test("no expression exhausts the stack")
    func depth() {
        for piece in ["(", "-", "2**", "[", "{'a':", "f(", "~-", "'a'*("] {
            #expect(PythonLiteral(String(repeating: piece, count: 50_000) + "1") == nil)
        }
    }

    @Test("%(name)s stands for another key of the section or of [DEFAULT], in args and in every other value")
    func interpolation() {
        let (configuration, problems) = LoggingReaderTests.read(
            """
            [DEFAULT]
            prefix=agent
            dir=/var/%(prefix)s
            [loggers]
            keys=%(which)s
            which=root
            [logger_root]
            level=%(lv)s
            lv=ERROR
            handlers=a,b,c
            [handlers]
            keys=a,b,c
            [handler_a]
            class=FileHandler
            args=('%(prefix)s-100%%.log','w')
            [handler_b]
            class=FileHandler
            filename=%(DIR)s/b.log
            level=%(lv)s
            lv=WARN
            [handler_c]
            class=FileHandler
            args=('50%.log',)
            formatter=f
            [formatters]
            keys=f
            [formatter_f]
            format=%(message)s
            """
        )
        #expect(problems == [])
        #expect(configuration.loggers.map(\.level) == [.error])
        #expect(configuration.handlers.map(\.level) == [.notSet, .warning, .notSet])
        #expect(
            configuration.handlers.map(\.target.file?.path) == [
                "/here/agent-100%.log", "/var/agent/b.log", "/here/50%.log",
            ]
        )
        #expect(configuration.handlers.last?.format == .message)
    }

    @Test("percent signs stand for themselves where no name is, as in Python 2.7, and that is noted")
    func percentSigns() {
        func read(_ value: String) -> (path: String?, warnings: Int, problems: Int) {
            let text =
                "[DEFAULT]\nx=1\nloop=%(loop)s\n[loggers]\nkeys=root\n[logger_root]\nhandlers=h\n[handlers]\nkeys=h\n"
                + "[handler_h]\nclass=FileHandler\n\(value)\n"
            let (configuration, problems, warnings) =
                LoggingReader(file: ConfigFile(Array(text.utf8)), path: "f", directory: "/d").findings()
            return (configuration.handlers.first?.target.file?.path, warnings.count, problems.count)
        }
        for (value, path, warnings) in [
            ("args=('a%%b',)", "/d/a%%b", 1), ("args=('a%b',)", "/d/a%b", 1), ("args=('%(x)s%%',)", "/d/1%", 0),
            ("kwargs={'filename': 'a%%b'}", "/d/a%b", 0), ("filename=a%b", "/d/a%b", 0), ("filename=%(x)s", "/d/1", 0),
            ("args=('%(__name__)s',)", "/d/handler_h", 1),
        ] {
            let result = read(value)
            #expect(result.path == path && result.warnings == warnings && result.problems == 0, "\(value): \(result)")
        }
        for value in ["args=('%(y)s',)", "args=('%(loop)s',)", "args=('%(x)d',)", "args=('%(x',)"] {
            #expect(read(value).path == nil && read(value).problems >= 1, "\(value)")
        }
    }

    @Test("a handler, a formatter or a logger that is named twice is there once")
    func namedTwice() {
        let text =
            "[loggers]\nkeys=root,root\n[logger_root]\nhandlers=h, h,h\n[handlers]\nkeys=h,h\n[formatters]\nkeys=f,f\n"
            + "[formatter_f]\n[handler_h]\nclass=NullHandler\nformatter=f\n"
        let (configuration, problems, warnings) =
            LoggingReader(file: ConfigFile(Array(text.utf8)), path: "f", directory: "/").findings()
        #expect(problems == [])
        #expect(configuration.loggers.map(\.handlers) == [["h"]])
        #expect(configuration.handlers.map(\.name) == ["h"])
        #expect(warnings.map(\.line) == [2, 6, 8])
    }

    @Test(
        "text is written in the encodings of the C library, under Python's names",
        arguments: [
            ("latin-1", "", [0xFC, 0x0A]), ("ISO-8859-15", "", [0xFC, 0x0A]), ("cp437", "", [0x81, 0x0A]),
            ("windows-1252", "", [0xFC, 0x0A]), ("ascii", "", Array("\\xfc\n".utf8)),
            ("ascii", "replace", Array("?\n".utf8)),
            ("ascii", "ignore", [0x0A]), ("ascii", "xmlcharrefreplace", Array("&#252;\n".utf8)),
            ("us_ascii", "namereplace", Array("\\N{LATIN SMALL LETTER U WITH DIAERESIS}\n".utf8)),
            ("utf-16", "", [0xFF, 0xFE, 0xFC, 0, 0x0A, 0]), ("utf-16-be", "", [0, 0xFC, 0, 0x0A]),
            ("utf-8-sig", "", [0xEF, 0xBB, 0xBF, 0xC3, 0xBC, 0x0A]), ("koi8-r", "", Array("\\xfc\n".utf8)),
            ("utf_8", "strict", [0xC3, 0xBC, 0x0A]), ("latin2", "", [0xFC, 0x0A]), ("mac-roman", "", [0x9F, 0x0A]),
        ] as [(String, String, [UInt8])]
    )
    func encodings(_ name: String, _ errors: String, _ bytes: [UInt8]) throws {
        let directory = try LogDirectory()
        let router = LoggingRouterTests.router()
        let text = "class=FileHandler\nargs=('\(directory["a"])', 'a', '\(name)', False, '\(errors)')\n"
        let (target, problems) = LoggingReaderTests.handler(text)
        #expect(problems == [])
        let configuration = LoggingConfiguration.single(try #require(target))
        try router.apply(configuration)
        router.logger("x").info("ü")
        let written = try FileReading.bytes(of: directory["a"], asRoot: false).get()
        #expect(written == bytes)
        router.logger("x").info("ü")
        let mark = try #require(LogEncoding(name)).mark
        let again = try FileReading.bytes(of: directory["a"], asRoot: false).get()
        #expect(again == bytes + bytes.dropFirst(mark.count))
    }

    @Test(
        "an encoding that does not exist is refused",
        arguments: ["latin-99", "nosuch", "rot13", "utf-8//TRANSLIT", "a b"]
    )
    func noEncoding(_ name: String) {
        #expect(LogEncoding(name) == nil)
    }
}

@Suite("Logging over a reload", .serialized)
struct LoggingReloadTests {
    typealias Configuration = LoggingConfiguration

    private func timed(_ path: String, level: LogLevel = .debug, handler: String = "h") -> Configuration {
        var schedule = Configuration.Schedule()
        schedule.unit = .seconds
        schedule.interval = 4
        schedule.isUTC = true
        return Configuration(
            loggers: [Configuration.Logger(name: "", level: .debug, handlers: [handler])],
            handlers: [
                Configuration.Handler(
                    name: handler,
                    level: level,
                    target: .timedRotatingFile(Configuration.File(path: path), schedule)
                )
            ]
        )
    }

    @Test("a timed rotation keeps its schedule, however often the configuration is applied again")
    func schedule() throws {
        let directory = try LogDirectory()
        let start = 1_795_000_000
        let clock = LogClock(start)
        let router = LoggingRouterTests.router(clock)
        try directory.write("a", "", modified: start)
        try router.apply(timed(directory["a"]))
        let logger = router.logger("x")
        for second in 1...10 {
            clock.set(start + second)
            router.reopen()
            // Neither another level nor another name begins the schedule again.
            try router.apply(timed(directory["a"], level: second % 2 == 0 ? .debug : .info, handler: "h\(second / 3)"))
            logger.info("\(second)")
        }
        #expect(directory.names.count == 3)
        #expect(directory.text("a") == "8\n9\n10\n")
    }

    @Test("what does not change of a handler stays, and the rest is taken over")
    func adoption() throws {
        let directory = try LogDirectory()
        let router = LoggingRouterTests.router()
        var configuration = Configuration.single(LoggingRouterTests.file(directory["a"], .truncate))
        try router.apply(configuration)
        router.logger("x").info("one")
        configuration.handlers[0].level = .error
        configuration.handlers[0].format = try LogFormat("%(levelname)s %(message)s")
        try router.apply(configuration)
        router.logger("x").info("two")
        router.logger("x").error("three")
        #expect(directory.text("a") == "one\nERROR three\n")
    }

    @Test("in the foreground, a handler that leaves records out has them shown by the stand-in, and no other twice")
    func standIn() throws {
        let directory = try LogDirectory()
        // What standard error leads to is what this handler writes to.
        let console = Configuration.Handler(name: "console", level: .error, target: .stream(.standardError))
        let written = Configuration(
            loggers: [Configuration.Logger(name: "", level: .info, handlers: ["console"])],
            handlers: [console]
        )
        var shown = written.resolved(foreground: true)
        #expect(shown.loggers.map(\.handlers) == [["console", "terminal"]])
        let tree = LoggerTree(shown)
        #expect(tree.route(for: "x").handlers == ["console", "terminal"])
        #expect(tree.shown == ["console"] && tree.standIn == "terminal")
        // The same with files in the places of both.
        shown.handlers[1].target = LoggingRouterTests.file(directory["terminal"])
        shown.handlers[1].format = .message
        let router = LoggingRouterTests.router()
        try router.apply(shown)
        router.logger("x").info("shown by the stand-in")
        #expect(directory.text("terminal") == "shown by the stand-in\n")
        router.logger("x").error("(this line belongs to a test) shown by the handler itself")
        #expect(directory.text("terminal") == "shown by the stand-in\n")
    }

    @Test("a handler reaches a terminal or a file by whatever name")
    func reaching() throws {
        let directory = try LogDirectory()
        let path = directory["a"]
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        #expect(LoggingRouterTests.file(path).reaches(descriptor))
        #expect(!LoggingRouterTests.file(directory["b"]).reaches(descriptor))
        try directory.write("b", "")
        #expect(!LoggingRouterTests.file(directory["b"]).reaches(descriptor))
        #expect(Configuration.Target.stream(.standardError).reaches(STDERR_FILENO))
        let null = open("/dev/null", O_WRONLY | O_CLOEXEC)
        defer { close(null) }
        #expect(!LoggingRouterTests.file("/dev/null").reaches(null))
        let terminal = try PseudoTerminalPair()
        #expect(LoggingRouterTests.file(terminal.name).reaches(terminal.descriptor))
        #expect(!Configuration.Target.nothing.reaches(terminal.descriptor))
    }
}

/// A terminal that nobody looks at.
private final class PseudoTerminalPair {
    let name: String
    let descriptor: Int32
    private let main: Int32

    init() throws {
        var (main, side): (Int32, Int32) = (-1, -1)
        var text = [CChar](repeating: 0, count: 256)
        try #require(openpty(&main, &side, &text, nil, nil) == 0)
        (self.main, descriptor) = (main, side)
        name = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        close(descriptor)
        close(main)
    }
}
#endif
