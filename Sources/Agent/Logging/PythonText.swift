#if Agent
/// Texts in quotation marks, with Python's prefixes and escapes. Source: Python's reference, "String and Bytes literals".
enum PythonText {
    /// Reads a text from its quotation mark on; nil where Python would not take it.
    ///
    /// - Parameter prefix: the letters before, in any case: `r` takes backslashes as they are, `u` and `b` change nothing here,
    ///   and `f` must not have expressions in it.
    static func read(_ rest: inout ArraySlice<Unicode.Scalar>, prefix: String) -> String? {
        let prefix = prefix.lowercased()
        guard ["", "r", "u", "b", "f", "ur", "br", "rb", "fr", "rf"].contains(prefix), let quote = rest.first else {
            return nil
        }
        let triple = Array(repeating: quote, count: 3)
        let end = rest.starts(with: triple) ? triple : [quote]
        rest.removeFirst(end.count)
        var text = String.UnicodeScalarView()
        while let next = rest.first {
            if rest.starts(with: end) {
                rest.removeFirst(end.count)
                return prefix.contains("f") ? withoutExpressions(String(text)) : String(text)
            }
            rest.removeFirst()
            if next == "\n", end.count == 1 { return nil }
            guard next == "\\" else {
                text.append(next)
                continue
            }
            guard let escaped = rest.popFirst() else { return nil }
            if prefix.contains("r") {
                text.append(next)
                text.append(escaped)
            } else if !append(escaped, &rest, to: &text) {
                return nil
            }
        }
        return nil
    }

    /// Appends what an escape stands for. Returns false where it is incomplete, or stands for no character.
    private static func append(
        _ escaped: Unicode.Scalar,
        _ rest: inout ArraySlice<Unicode.Scalar>,
        to text: inout String.UnicodeScalarView
    ) -> Bool {
        switch escaped {
        case "\n": return true
        case "\\", "'", "\"": text.append(escaped)
        case "a": text.append("\u{7}")
        case "b": text.append("\u{8}")
        case "f": text.append("\u{C}")
        case "n": text.append("\n")
        case "r": text.append("\r")
        case "t": text.append("\t")
        case "v": text.append("\u{B}")
        case "x": return append(code: digits(&rest, 2, radix: 16), to: &text)
        case "u": return append(code: digits(&rest, 4, radix: 16), to: &text)
        case "U": return append(code: digits(&rest, 8, radix: 16), to: &text)
        case "N": return append(code: named(&rest), to: &text)
        case "0"..."7":
            var code = escaped.value - 0x30
            for _ in 0..<2 {
                guard let digit = rest.first, ("0"..."7").contains(digit) else { break }
                code = code << 3 | (digit.value - 0x30)
                rest.removeFirst()
            }
            return append(code: code, to: &text)
        default:
            // As Python: an escape that it does not know stands for itself.
            text.append("\\")
            text.append(escaped)
        }
        return true
    }

    private static func append(code: UInt32?, to text: inout String.UnicodeScalarView) -> Bool {
        guard let code, let scalar = Unicode.Scalar(code) else { return false }
        text.append(scalar)
        return true
    }

    private static func digits(_ rest: inout ArraySlice<Unicode.Scalar>, _ count: Int, radix: Int) -> UInt32? {
        var text = ""
        for scalar in rest.prefix(count) where scalar.properties.isASCIIHexDigit { text.unicodeScalars.append(scalar) }
        guard text.utf8.count == count else { return nil }
        rest.removeFirst(count)
        return UInt32(text, radix: radix)
    }

    /// `{LATIN SMALL LETTER E WITH ACUTE}`.
    private static func named(_ rest: inout ArraySlice<Unicode.Scalar>) -> UInt32? {
        guard rest.popFirst() == "{", let close = rest.firstIndex(of: "}") else { return nil }
        var name = String.UnicodeScalarView()
        for scalar in rest[..<close] { name.append(scalar) }
        rest = rest[(close + 1)...]
        let sought = String(name).uppercased()
        return (UInt32(0x20)...0x1_FFFF).first { Unicode.Scalar($0)?.properties.name == sought }
    }

    private static func withoutExpressions(_ text: String) -> String? {
        let plain = text.replacing("{{", with: "").replacing("}}", with: "")
        guard !plain.contains("{"), !plain.contains("}") else { return nil }
        return text.replacing("{{", with: "{").replacing("}}", with: "}")
    }
}
#endif
