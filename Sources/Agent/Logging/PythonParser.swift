#if Agent
/// Reads an expression of Python's, as far as `PythonLiteral` has values for it. Source: Python's reference, "Expressions".
struct PythonParser {
    /// Operators between two values.
    enum Sign: Hashable {
        case plus, minus, times, divided, floored, remainder, power, shiftedLeft, shiftedRight, and, or, exclusiveOr
    }

    private var rest: ArraySlice<Unicode.Scalar>
    private var depth = 0
    /// Deeper ones are refused, so that no text can exhaust the stack.
    private static let deepest = 32

    init(_ text: String) {
        rest = Array(text.unicodeScalars)[...]
    }

    /// The value that the text holds and nothing else; several with commas between them are a tuple.
    mutating func whole() -> PythonLiteral? {
        guard let first = value() else { return nil }
        guard take(",") else {
            skipBlanks()
            return rest.isEmpty ? first : nil
        }
        var items = [first]
        while true {
            skipBlanks()
            if rest.isEmpty { return .tuple(items) }
            guard let item = value() else { return nil }
            items.append(item)
            skipBlanks()
            guard rest.isEmpty || take(",") else { return nil }
        }
    }

    private mutating func skipBlanks() {
        while let first = rest.first {
            if first == "#" {
                rest = rest.drop { $0 != "\n" }
            } else if first.properties.isWhitespace {
                rest.removeFirst()
            } else if first == "\\", rest.dropFirst().first == "\n" {
                rest.removeFirst(2)
            } else {
                return
            }
        }
    }

    private mutating func take(_ text: String) -> Bool {
        skipBlanks()
        guard rest.starts(with: text.unicodeScalars) else { return false }
        rest.removeFirst(text.unicodeScalars.count)
        return true
    }

    // MARK: Operators

    /// The operators by how weakly they bind, weakest first.
    private static let levels: [[(text: String, sign: Sign)]] = [
        [("|", .or)], [("^", .exclusiveOr)], [("&", .and)], [("<<", .shiftedLeft), (">>", .shiftedRight)],
        [("+", .plus), ("-", .minus)], [("//", .floored), ("*", .times), ("/", .divided), ("%", .remainder)],
    ]

    private mutating func value() -> PythonLiteral? {
        guard depth < Self.deepest else { return nil }
        depth += 1
        defer { depth -= 1 }
        return operation(level: 0)
    }

    private mutating func operation(level: Int) -> PythonLiteral? {
        guard level < Self.levels.count else { return signed() }
        guard var result = operation(level: level + 1) else { return nil }
        while let sign = takeSign(of: level) {
            guard let other = operation(level: level + 1), let next = result.applying(sign, to: other) else {
                return nil
            }
            result = next
        }
        return result
    }

    private mutating func takeSign(of level: Int) -> Sign? {
        skipBlanks()
        // Those bind more tightly and are taken elsewhere.
        if rest.starts(with: "**".unicodeScalars) { return nil }
        for (text, sign) in Self.levels[level] where take(text) { return sign }
        return nil
    }

    /// A sign before a value, which binds less than a power behind it.
    private mutating func signed() -> PythonLiteral? {
        // Minus takes a value from 0, and ~ from -1.
        var minuends: [Int] = []
        while true {
            if take("-") {
                minuends.append(0)
            } else if take("~") {
                minuends.append(-1)
            } else if !take("+") {
                break
            }
            guard minuends.count <= Self.deepest else { return nil }
        }
        guard var result = power() else { return nil }
        for minuend in minuends.reversed() {
            guard let next = PythonLiteral.integer(minuend).applying(.minus, to: result) else { return nil }
            result = next
        }
        return result
    }

    private mutating func power() -> PythonLiteral? {
        guard let base = atom() else { return nil }
        guard take("**") else { return base }
        guard depth < Self.deepest else { return nil }
        depth += 1
        defer { depth -= 1 }
        return signed().flatMap { base.applying(.power, to: $0) }
    }

    // MARK: Values

    private mutating func atom() -> PythonLiteral? {
        skipBlanks()
        guard let first = rest.first else { return nil }
        switch first {
        case "(", "[":
            rest.removeFirst()
            guard let (items, hasComma) = list(until: first == "(" ? ")" : "]") else { return nil }
            // Parentheses around one value are no tuple in Python.
            return items.count == 1 && !hasComma && first == "(" ? items[0] : .tuple(items)
        case "{":
            rest.removeFirst()
            return dictionary(until: "}", separator: ":")
        case "'", "\"": return texts()
        case "0"..."9", ".": return number()
        case _ where first == "_" || first.properties.isAlphabetic: return word()
        default: return nil
        }
    }

    private mutating func list(until end: String) -> ([PythonLiteral], hasComma: Bool)? {
        var items: [PythonLiteral] = []
        var hasComma = false
        while !take(end) {
            guard items.isEmpty || hasComma, let item = value() else { return nil }
            items.append(item)
            hasComma = take(",")
        }
        return (items, hasComma)
    }

    private mutating func dictionary(until end: String, separator: String) -> PythonLiteral? {
        var items: [String: PythonLiteral] = [:]
        var hasComma = true
        while !take(end) {
            guard hasComma, let key = value(), take(separator), let item = value() else { return nil }
            switch (key, separator) {
            case (.text(let key), ":"), (.name(let key), "="): items[key] = item
            default: return nil
            }
            hasComma = take(",")
        }
        return .dictionary(items)
    }

    private mutating func number() -> PythonLiteral? {
        var text = String.UnicodeScalarView()
        var previous: Unicode.Scalar = "0"
        while let first = rest.first {
            let isPart =
                first.isASCII
                && (first.properties.isAlphabetic || ("0"..."9").contains(first) || first == "_" || first == ".")
            let isHexadecimal = text.count > 1 && (text.dropFirst().first == "x" || text.dropFirst().first == "X")
            let isExponentSign =
                (first == "-" || first == "+") && (previous == "e" || previous == "E") && !isHexadecimal
            guard isPart || isExponentSign else { break }
            if first != "_" { text.append(first) }
            previous = first
            rest.removeFirst()
        }
        // Python 2 marks long numbers, and writes octal ones with a 0 in front.
        if text.last == "L" || text.last == "l" { text.removeLast() }
        let digits = String(text).lowercased()
        for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] where digits.hasPrefix(prefix) {
            return Int(digits.dropFirst(2), radix: radix).map { .integer($0) }
        }
        if digits.hasPrefix("0"), digits.count > 1, digits.allSatisfy({ ("0"..."7").contains($0) }) {
            return Int(digits, radix: 8).map { .integer($0) }
        }
        if digits.allSatisfy({ ("0"..."9").contains($0) }) { return Int(digits).map { .integer($0) } }
        guard digits.allSatisfy({ "0123456789.e+-".contains($0) }), let real = Double(digits), real.isFinite else {
            return nil
        }
        return .real(real)
    }

    private mutating func word() -> PythonLiteral? {
        var text = String.UnicodeScalarView()
        while let first = rest.first,
            first == "_" || first == "." || first.properties.isAlphabetic || ("0"..."9").contains(first)
        {
            text.append(first)
            rest.removeFirst()
        }
        let name = String(text)
        if let quote = rest.first, quote == "'" || quote == "\"" {
            guard let first = PythonText.read(&rest, prefix: name) else { return nil }
            return texts(behind: first)
        }
        switch name {
        case "None": return PythonLiteral.none
        case "True": return .bool(true)
        case "False": return .bool(false)
        default: break
        }
        guard take("(") else { return .name(name) }
        if name == "dict" { return dictionary(until: ")", separator: "=") }
        return list(until: ")").flatMap { PythonLiteral.called(name, $0.0) }
    }

    /// Texts beside each other, which are one.
    private mutating func texts(behind first: String? = nil) -> PythonLiteral? {
        var result = first ?? ""
        while true {
            skipBlanks()
            var prefix = ""
            for scalar in rest.prefix(2).prefix(while: \.properties.isAlphabetic) {
                prefix.unicodeScalars.append(scalar)
            }
            let quote = rest.dropFirst(prefix.unicodeScalars.count).first
            guard quote == "'" || quote == "\"" else { return .text(result) }
            rest.removeFirst(prefix.unicodeScalars.count)
            guard let next = PythonText.read(&rest, prefix: prefix) else { return nil }
            result += next
        }
    }
}
#endif
