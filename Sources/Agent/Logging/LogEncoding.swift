#if Agent
import Glibc

/// How a log file's text is written as bytes: any of the C library's encodings, under Python's names for them.
///
/// What an encoding has no character for is written as `errors` says, by default as `\u20ac`; Python by default would lose
/// the message.
struct LogEncoding: Hashable, Sendable {
    /// What stands for a character that the encoding lacks. Source: Python's `codecs`, "Error Handlers".
    enum Substitute: String, Hashable, Sendable {
        case backslash = "backslashreplace"
        case nothing = "ignore"
        case questionMark = "replace"
        case reference = "xmlcharrefreplace"
        case name = "namereplace"
    }

    /// The C library's name; empty for UTF-8, which needs no conversion.
    private let name: String
    /// What the file begins with.
    let mark: [UInt8]
    private let substitute: Substitute

    /// - Parameters:
    ///   - python: the name that Python has for it.
    ///   - errors: the name of an error handler; those that lose messages count as the default.
    /// - Returns: nil where the C library does not know it.
    init?(_ python: String, errors: String = "") {
        substitute = Substitute(rawValue: errors.lowercased()) ?? .backslash
        let plain = python.lowercased().map { $0 == "_" || $0 == " " ? "-" : $0 }
        let (name, mark) = Self.libraryName(String(plain))
        guard !python.isEmpty, python.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") }) else {
            return nil
        }
        guard name.isEmpty || Self.isKnown(name) else { return nil }
        self.name = name
        self.mark = mark
    }

    /// Whether it is UTF-8 and nothing else.
    var isPlain: Bool { name.isEmpty && mark.isEmpty }

    private static func libraryName(_ python: String) -> (String, mark: [UInt8]) {
        let compact = python.filter { $0 != "-" }
        switch compact {
        case "utf8", "u8", "utf", "cp65001", "locale": return ("", [])
        case "utf8sig": return ("", [0xEF, 0xBB, 0xBF])
        // With a mark at the file's beginning, in this machine's order.
        case "utf16", "u16": return ("UTF-16LE", [0xFF, 0xFE])
        case "utf32", "u32": return ("UTF-32LE", [0xFF, 0xFE, 0, 0])
        case "utf16le", "utf16be", "utf32le", "utf32be":
            return ("UTF-" + compact.dropFirst(3).prefix(2) + compact.suffix(2).uppercased(), [])
        case "latin", "l1", "8859", "cp819", "iso88591": return ("ISO-8859-1", [])
        case "ascii", "usascii", "646": return ("ASCII", [])
        case "macroman": return ("MACINTOSH", [])
        case "mbcs", "dbcs", "oem", "idna", "punycode": return (python, [])
        default: break
        }
        for prefix in ["latin", "l"] where compact.hasPrefix(prefix) {
            let parts = ["1": 1, "2": 2, "3": 3, "4": 4, "5": 9, "6": 10, "7": 13, "8": 14, "9": 15, "10": 16]
            if let part = parts[String(compact.dropFirst(prefix.count))] { return ("ISO-8859-\(part)", []) }
        }
        if compact.hasPrefix("iso8859") { return ("ISO-8859-" + compact.dropFirst(7), []) }
        if compact.hasPrefix("windows") { return ("CP" + compact.dropFirst(7), []) }
        return (python, [])
    }

    private static func isKnown(_ name: String) -> Bool {
        guard let converter = iconv_open(name, "UTF-8"), converter != Self.none else { return false }
        iconv_close(converter)
        return true
    }

    private static var none: iconv_t? { iconv_t(bitPattern: -1) }

    /// The text in this encoding, without the mark.
    ///
    /// - Parameter text: UTF-8.
    func encode(_ text: [UInt8]) -> [UInt8] {
        guard !name.isEmpty, let converter = iconv_open(name, "UTF-8"), converter != Self.none else { return text }
        defer { iconv_close(converter) }
        var result: [UInt8] = []
        var rest = text[...]
        while !rest.isEmpty {
            let taken = Self.convert(rest, converter, &result)
            rest = rest.dropFirst(taken)
            guard !rest.isEmpty else { break }
            let scalar = Self.scalar(at: rest)
            rest = rest.dropFirst(max(1, scalar.length))
            _ = Self.convert(Array(replacement(for: scalar.value).utf8)[...], converter, &result)
        }
        // Encodings with states end in the first one.
        _ = Self.convert(nil, converter, &result)
        return result
    }

    /// Converts up to the first character that there is none for; returns how many bytes were taken.
    private static func convert(_ input: ArraySlice<UInt8>?, _ converter: iconv_t, _ result: inout [UInt8]) -> Int {
        // No character of one byte or more becomes longer than 8 bytes in any of these encodings.
        let capacity = (input?.count ?? 0) * 8 + 64
        var source = (input ?? []).map { CChar(bitPattern: $0) }
        var taken = 0
        let written = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            source.withUnsafeMutableBufferPointer { source in
                var next = input == nil ? nil : source.baseAddress
                var left = source.count
                buffer.withMemoryRebound(to: CChar.self) { output in
                    var end = output.baseAddress
                    var room = output.count
                    _ = iconv(converter, &next, &left, &end, &room)
                    count = output.count - room
                }
                taken = source.count - left
            }
        }
        result += written
        return taken
    }

    private static func scalar(at bytes: ArraySlice<UInt8>) -> (value: Unicode.Scalar, length: Int) {
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        guard case .scalarValue(let scalar) = decoder.decode(&iterator) else { return ("\u{FFFD}", 1) }
        return (scalar, UTF8.width(scalar))
    }

    private func replacement(for scalar: Unicode.Scalar) -> String {
        func padded(_ width: Int) -> String {
            let digits = String(scalar.value, radix: 16)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        switch substitute {
        case .nothing: return ""
        case .questionMark: return "?"
        case .reference: return "&#\(scalar.value);"
        case .name:
            if let name = scalar.properties.name { return "\\N{\(name)}" }
            fallthrough
        case .backslash:
            if scalar.value < 0x100 { return "\\x" + padded(2) }
            return scalar.value < 0x1_0000 ? "\\u" + padded(4) : "\\U" + padded(8)
        }
    }
}
#endif
