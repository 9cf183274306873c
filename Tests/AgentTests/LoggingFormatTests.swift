#if Agent
import Glibc
import Testing

@testable import PsistatsAgent

@Suite("Log formats", .serialized)
struct LoggingFormatTests {
    static let records = [
        LogRecord.sample("plain", 1_795_000_123, 7_000_000, name: "psistats.cpu"),
        LogRecord.sample(
            "tw\u{f6} lines\n\tit's \u{20ac} \"5\" \u{1f600}",
            1_782_000_000,
            987_654_321,
            name: "amqpwire",
            level: .error
        ),
        LogRecord.sample("", 1_795_000_001, name: "", level: LogLevel(number: 15)),
    ]

    static func text(_ format: LogFormat, _ record: LogRecord) -> String {
        var text: [UInt8] = []
        var dates = LogFormat.DateCache()
        format.render(record, into: &text, dates: &dates)
        return String(decoding: text, as: UTF8.self)
    }

    @Test("records are written as Python's Formatter writes them, and the formats that it refuses are refused")
    func asPython() throws {
        LogDirectory.zone
        let blocks = try loggingBlocks("formats", head: "format")
        #expect(blocks.count > 350)
        for (head, lines) in blocks {
            let texts = loggingTexts(head)
            try #require(texts.count == 2)
            let format = try? LogFormat(texts[0], dateFormat: texts[1])
            let made = format.map { format in
                Self.records.map { "= " + ConfigFileTests.quoted(Self.text(format, $0)) }
            }
            #expect((made ?? ["refused"]) == lines, "\(head)")
        }
    }

    @Test("a second's text is taken from the record before, and not beyond that second")
    func dateCache() throws {
        LogDirectory.zone
        let format = try LogFormat("%(asctime)s")
        var dates = LogFormat.DateCache()
        var lines: [String] = []
        for (second, nanosecond) in [(0, 999_999_999), (1, 0), (1, 5_000_000), (0, 1_000_000)] {
            var text: [UInt8] = []
            format.render(.sample("", 1_795_000_000 + second, nanosecond), into: &text, dates: &dates)
            lines.append(String(decoding: text.suffix(6), as: UTF8.self))
        }
        #expect(lines == ["40,999", "41,000", "41,005", "40,001"])
    }

    @Test(
        "a format that cannot be used is refused with what to write instead",
        arguments: [
            ("%(mesage)s", "there is no field 'mesage'; did you mean %(message)s?"),
            ("%(levelName)s", "there is no field 'levelName'; did you mean %(levelname)s?"),
            ("%(message)d", "%(message)d: the field is text; write %(message)s"),
            ("%(created)x", "%(created)x: the field is no whole number; write %(created)d"),
            (
                "5% %(message)s",
                "a % has to be followed by a field's name in parentheses, as %(message)s; write %% for %"
            ),
            ("%(message)1001s", "%(message): a width or precision over 1000 is not supported"),
            ("hello", "names no field; the least that makes sense is %(message)s"),
        ]
    )
    func refusals(_ format: String, _ message: String) {
        #expect(throws: LogFormatError(message: message)) { try LogFormat(format) }
    }

    @Test("the thread's name is that of the thread that logs")
    func threadName() throws {
        #expect(Self.text(try LogFormat("%(taskName)s %(taskName)r"), .sample("")) == "None None")
        let name = Self.text(try LogFormat("%(threadName)s"), .sample(""))
        #expect(!name.isEmpty && !name.contains("\n"))
        let isFirst = getpid() == Int32(truncatingIfNeeded: Self.threadNumber())
        #expect((name == "MainThread") == isFirst)
    }

    static func threadNumber() -> Int {
        var link = [CChar](repeating: 0, count: 64)
        let count = readlink("/proc/thread-self", &link, link.count)
        let text = String(decoding: link.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return text.split(separator: "/").last.flatMap { Int($0) } ?? 0
    }

    @Test("the module is the file's name without its extension")
    func module() {
        var record = LogRecord.sample("")
        for (path, filename, module) in [
            ("A/B.swift", "B.swift", "B"), ("C", "C", "C"), ("A/.x", ".x", ".x"), ("", "", ""),
            ("a/b.c.d", "b.c.d", "b.c"),
        ] {
            record.path = path
            #expect(record.filename == filename)
            #expect(record.module == module)
        }
    }
}
#endif
