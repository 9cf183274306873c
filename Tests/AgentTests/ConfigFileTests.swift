#if Agent
import Testing

@testable import PsistatsAgent

@Suite("Configuration files")
struct ConfigFileTests {
    static let cases = [
        "basic", "crlf-bom", "default", "duplicate-key", "duplicate-section", "indentation", "lists", "no-header",
        "not-a-key", "not-utf8", "odd-characters",
    ]

    @Test("a file reads as Python's RawConfigParser reads it", arguments: cases)
    func asPython(_ name: String) throws {
        let file = ConfigFile(try Repository.bytes("Fixtures/config/cases/\(name).conf"))
        let expected = try Repository.lines("Fixtures/config/cases/\(name).expected")
        #expect(Self.listing(file, expecting: expected) == expected)
    }

    @Test("generated texts read as Python's RawConfigParser reads them")
    func generatedAsPython() throws {
        var texts = 0
        let blocks = try Repository.lines("Fixtures/config/generated.txt").reduce(into: [[String]]()) { blocks, line in
            if line.hasPrefix("text ") { blocks.append([]) }
            blocks[blocks.count - 1].append(line)
        }
        for block in blocks {
            let text = try #require(Self.unquoted(block[0].dropFirst(5)))
            let expected = Array(block.dropFirst())
            #expect(Self.listing(ConfigFile(Array(text.utf8)), expecting: expected) == expected, "\(block[0])")
            texts += 1
        }
        #expect(texts == 400)
    }

    /// What the fixtures' script lists. Python stops at the first error of most kinds, and so the kind it names decides
    /// which faults are compared.
    static func listing(_ file: ConfigFile, expecting expected: [String]) -> [String] {
        if file.faults.isEmpty {
            return file.sections.flatMap { section in
                let keys = Set(section.entries.map(\.key) + file.defaults.entries.map(\.key))
                let sorted = keys.sorted { $0.unicodeScalars.lexicographicallyPrecedes($1.unicodeScalars) }
                return ["[\(quoted(section.name))]"]
                    + sorted.map { key in
                        "\(quoted(key)) = \(quoted(file.entry(key, in: section.name)?.value ?? "?"))"
                    }
            }
        }
        let fatal = file.faults.first { $0.kind != .notAKey }
        switch fatal?.kind {
        case .notUTF8: return ["not-utf8"]
        case .missingSectionHeader: return ["missing-header \(fatal?.line ?? 0)"]
        case .duplicateSection: return ["duplicate-section \(fatal?.line ?? 0)"]
        case .duplicateKey: return ["duplicate-key \(fatal?.line ?? 0)"]
        case .notAKey, nil: return ["not-a-key " + file.faults.map { "\($0.line)" }.joined(separator: " ")]
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
        let file = ConfigFile(try Repository.bytes("Fixtures/config/cases/lists.conf"))
        let devices = try #require(file.entry("devices[]", in: "sensors"))
        #expect(devices.line == 3)
        #expect(devices.items.map(\.line) == [3, 4, 8])
        #expect(devices.items.last?.text == "thinkpad-isa-0000.fan1")
        #expect(file.entry("last", in: "sensors")?.line == 10)
        #expect(file.entry("devices[]", in: "ipaddr")?.items.map(\.line) == [15, 16])
        #expect(file.section("next")?.line == 17)
    }

    @Test("reading goes on behind a fault, and the first of two values stays")
    func goesOn() {
        let file = ConfigFile(Array("[a]\nk=1\nK=2\n  more\nnonsense\n[b]\nj=3\n[a]\nl=4\n".utf8))
        #expect(
            file.faults == [
                ConfigFile.Fault(kind: .duplicateKey(first: 2), line: 3, section: "a", key: "k"),
                ConfigFile.Fault(kind: .notAKey, line: 5, section: "a", key: nil),
                ConfigFile.Fault(kind: .duplicateSection(first: 1), line: 8, section: "a", key: nil),
            ]
        )
        #expect(file.entry("k", in: "a")?.value == "1")
        #expect(file.entry("j", in: "b")?.value == "3")
        #expect(file.entry("l", in: "a")?.value == "4")
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
