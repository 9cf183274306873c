#if Agent
import Testing

@testable import PsistatsAgent

@Suite("Configuration files")
struct ConfigFileTests {
    static let cases = [
        "basic", "crlf-bom", "default", "duplicate-key", "duplicate-section", "indentation", "lists", "no-header",
        "not-a-key", "not-utf8", "odd-characters", "comments-behind-values", "crlf-comments", "repeated", "remarks",
        "iso-8859-1",
    ]

    /// A text, and what a Python lists of it.
    struct Listed {
        var text: [UInt8]
        var lines: [String]

        /// Whether that is an error.
        var isRefused: Bool {
            ["missing-header", "not-a-key", "refused"].contains { lines.first?.hasPrefix($0) == true }
        }
    }

    /// What `Fixtures/config/list-with-configparser` prints.
    static func listed(_ lines: [String]) throws -> [Listed] {
        try lines.reduce(into: []) { blocks, line in
            if line.hasPrefix("text ") {
                let text = try #require(unquoted(line.dropFirst(5)))
                let bytes = try text.unicodeScalars.map { try #require(UInt8(exactly: $0.value)) }
                blocks.append(Listed(text: bytes, lines: []))
            } else {
                blocks[blocks.count - 1].lines.append(line)
            }
        }
    }

    static func python27() throws -> [Listed] {
        try listed(try Repository.lines("Fixtures/config/python-2.7.txt"))
    }

    static func python3() throws -> [Listed] {
        let output = try LivePython.run("Fixtures/config/list-with-configparser")
        return try listed(output.split(separator: "\n", omittingEmptySubsequences: true).map(String.init))
    }

    @Test("every text that Python 2.7 reads is read as it reads it")
    func asPython27() throws {
        let texts = try Self.python27()
        #expect(texts.count > 1_500 && texts.count { !$0.isRefused } > 500)
        for case let text in texts where !text.isRefused {
            let file = ConfigFile(text.text)
            // The script does not see which of a line's characters stood beside bytes that are not UTF-8.
            if file.differences.contains(where: { $0.kind == .notUTF8 }), text.text.contains(where: { $0 > 0xBF }),
                text.text.contains(where: { (0x80...0xBF).contains($0) })
            {
                continue
            }
            #expect(Self.listing(file) == text.lines, "\(String(decoding: text.text, as: UTF8.self).debugDescription)")
            #expect(file.faults.isEmpty)
        }
    }

    @Test("where Python 3 reads something else than Python 2.7, or refuses, a difference is noted")
    func differencesFromPython3() throws {
        let (texts, texts3) = (try Self.python27(), try Self.python3())
        try #require(texts.map(\.text) == texts3.map(\.text), "the table is that of another list-with-configparser")
        var equal = 0
        for (text, text3) in zip(texts, texts3) where !text.isRefused {
            let file = ConfigFile(text.text)
            guard text.lines != text3.lines else {
                equal += 1
                continue
            }
            #expect(!file.differences.isEmpty, "\(String(decoding: text.text, as: UTF8.self).debugDescription)")
        }
        #expect(equal > 200)
    }

    @Test("what Python 2.7 refuses and Python 3 takes is read as Python 3 reads it")
    func asPython3() throws {
        var count = 0
        for (text, text3) in zip(try Self.python27(), try Self.python3()) where text.isRefused && !text3.isRefused {
            let file = ConfigFile(text.text)
            guard file.differences.isEmpty else { continue }
            count += 1
            #expect(Self.listing(file) == text3.lines, "\(String(decoding: text.text, as: UTF8.self).debugDescription)")
            #expect(file.faults.isEmpty)
        }
        #expect(count > 30)
    }

    @Test("what both refuse for its form has a fault at a line that Python 2.7 names, and no other text has one")
    func faults() throws {
        for (text, text3) in zip(try Self.python27(), try Self.python3()) {
            let file = ConfigFile(text.text)
            guard text.isRefused, let head = text.lines.first, let head3 = text3.lines.first else {
                #expect(file.faults.isEmpty)
                continue
            }
            let lines = head.split(separator: " ").dropFirst().compactMap { Int($0) }
            // Behind text without a section nothing is listed.
            if !head.hasPrefix("missing-header") { #expect(Set(file.faults.map(\.line)).isSubset(of: lines)) }
            if head.hasPrefix("missing-header"), head == head3 {
                #expect(file.faults.first?.kind == .missingSectionHeader && file.faults.first?.line == lines.first)
            }
        }
    }

    /// The file as the fixtures' script lists it.
    static func listing(_ file: ConfigFile) -> [String] {
        file.sections.flatMap { section in
            let keys = Set(section.entries.map(\.key) + file.defaults.entries.map(\.key))
            let sorted = keys.sorted { $0.unicodeScalars.lexicographicallyPrecedes($1.unicodeScalars) }
            return ["[\(quoted(section.name))]"]
                + sorted.map { key in
                    "\(quoted(key)) = \(quoted(file.entry(key, in: section.name)?.value ?? "?"))"
                }
        }
    }

    static func quoted(_ text: String) -> String {
        text.unicodeScalars.reduce("\"") { result, scalar in
            let isPlain = (0x20...0x7E).contains(scalar.value) && scalar != "\"" && scalar != "\\"
            return result + (isPlain ? String(scalar) : "\\u{" + String(scalar.value, radix: 16) + "}")
        } + "\""
    }

    static func unquoted(_ text: Substring) -> String? {
        var result = ""
        var rest = text.dropFirst().dropLast()
        while let first = rest.first {
            guard first == "\\" else {
                result.append(first)
                rest = rest.dropFirst()
                continue
            }
            guard let close = rest.firstIndex(of: "}"), let value = UInt32(rest[..<close].dropFirst(3), radix: 16),
                let scalar = Unicode.Scalar(value)
            else { return nil }
            result.unicodeScalars.append(scalar)
            rest = rest[close...].dropFirst()
        }
        return result
    }

    @Test("every key and every line of a list keeps its line number")
    func lines() throws {
        let file = ConfigFile(try Repository.bytes("Fixtures/config/cases/lists.conf")).withoutComments(except: [])
        let devices = try #require(file.entry("devices[]", in: "sensors"))
        #expect(devices.line == 3)
        #expect(devices.items.map(\.line) == [3, 4, 8])
        #expect(devices.items.last?.text == "thinkpad-isa-0000.fan1")
        #expect(file.entry("last", in: "sensors")?.line == 10)
        #expect(file.entry("devices[]", in: "ipaddr")?.items.map(\.line) == [15, 16])
        #expect(file.section("next")?.line == 17)
    }

    @Test("reading goes on behind a fault, and the last of two values holds")
    func goesOn() {
        let file = ConfigFile(Array("[a]\nk=1\nK=2\n  more\nnonsense\n[b]\nj=3\n[a]\nl=4\n".utf8))
        #expect(file.faults == [ConfigFile.Fault(kind: .notAKey, line: 5, section: "a")])
        #expect(
            file.differences == [
                ConfigFile.Difference(kind: .repeatedKey(first: 2), line: 3, section: "a", key: "k"),
                ConfigFile.Difference(kind: .repeatedSection(first: 1), line: 8, section: "a"),
            ]
        )
        #expect(file.entry("k", in: "a")?.value == "2\nmore")
        #expect(file.entry("j", in: "b")?.value == "3")
        #expect(file.entry("l", in: "a")?.value == "4")
    }

    @Test("an indented comment within a value is part of it to Python 2.7, and left out where it can be nothing else")
    func indentedComments() {
        let file = ConfigFile(Array("[a]\nk=v\n  # c\n  w\nformat=x\n  ; y\n".utf8))
        #expect(file.entry("k", in: "a")?.value == "v\n# c\nw")
        let stripped = file.withoutComments(except: ["format"])
        #expect(stripped.entry("k", in: "a")?.value == "v\nw")
        #expect(stripped.entry("k", in: "a")?.items.map(\.line) == [2, 4])
        #expect(stripped.entry("format", in: "a")?.value == "x\n; y")
        #expect(file.differences.map(\.line) == [3, 6])
    }

    @Test("a line of 10 MiB is read")
    func longLine() {
        let long = [UInt8](repeating: UInt8(ascii: "x"), count: 10 << 20)
        let file = ConfigFile(Array("[a]\nk=".utf8) + long + Array("\nj=1".utf8))
        #expect(file.entry("k", in: "a")?.value.utf8.count == long.count)
        #expect(file.entry("j", in: "a")?.line == 3)
    }

    @Test("a file prints without its values")
    func printsNoValues() {
        let file = ConfigFile(Array("[server]\nurl=amqp://u:hunter2@h\n".utf8))
        var dumped = "\(file)" + String(reflecting: file)
        dump(file, to: &dumped)
        #expect(!dumped.contains("hunter2"))
    }

    @Test("no bytes trap, neither in the file nor in what is made of it")
    func mutations() throws {
        var generator = SplitMix64(seed: 0x5EED_0002)
        var seeds = try Self.cases.map { try Repository.bytes("Fixtures/config/cases/\($0).conf") }
        seeds.append(Array(try Repository.bytes("psistats.conf").filter { $0 < 0x80 }.suffix(900)))
        let splices =
            ["[", "]", "=", ":", "\n", "\r", " ", "\t", "[DEFAULT]\n", "[queue]\nttl=", "[server]\nurl=amqp://", "%"]
            .map { Array($0.utf8) } + [[0], [0xFF], [0xEF, 0xBB, 0xBF], [0xC2, 0x85]]
        for _ in 0..<4000 {
            var bytes = generator.element(of: seeds)
            for _ in 0...Int.random(in: 0..<6, using: &generator) {
                let at = Int.random(in: 0...bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: at)
                case 1: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 0..<20, using: &generator)))
                case 2: bytes.insert(contentsOf: generator.element(of: seeds).prefix(60), at: at)
                default: bytes.insert(contentsOf: generator.element(of: splices), at: at)
                }
            }
            let lines = bytes.count { $0 == 0x0A || $0 == 0x0D } + 1
            var reader = ConfigurationReader(
                path: "f",
                file: ConfigFile(bytes),
                surroundings: .plain,
                readFile: { _ in .success(bytes) }
            )
            _ = reader.configuration()
            #expect(reader.problems.allSatisfy { (1...lines).contains($0.line ?? 1) })
        }
    }
}

extension Surroundings {
    /// No environment, not root, the machine `here`.
    static let plain = Surroundings(home: nil, url: nil, isRoot: false, hostname: "here")
}
#endif
