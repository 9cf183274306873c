#if Agent
/// A value as Python writes it, of the kinds that stand in `args=` and `kwargs=` of a handler.
///
/// Evaluates nothing but products of whole numbers. Names such as `sys.stdout` are kept as names.
indirect enum PythonLiteral: Hashable, Sendable {
    case none
    case bool(Bool)
    case integer(Int)
    case text(String)
    /// A dotted name.
    case name(String)
    case tuple([PythonLiteral])
    case dictionary([String: PythonLiteral])
    /// A dotted name and its arguments.
    case call(String, [PythonLiteral])

    /// The value that a text holds; nil where it is not one of these.
    init?(_ text: String) {
        var parser = Parser(rest: Array(text.unicodeScalars)[...])
        guard let value = parser.value(depth: 0) else { return nil }
        parser.skipBlanks()
        guard parser.rest.isEmpty else { return nil }
        self = value
    }

    private struct Parser {
        var rest: ArraySlice<Unicode.Scalar>
        /// Deeper ones are refused, so that no text can exhaust the stack.
        private static let deepest = 16

        mutating func skipBlanks() {
            while let first = rest.first, first.properties.isWhitespace { rest.removeFirst() }
        }

        private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
            skipBlanks()
            guard rest.first == scalar else { return false }
            rest.removeFirst()
            return true
        }

        /// A value, or a product of numbers.
        mutating func value(depth: Int) -> PythonLiteral? {
            guard var result = atom(depth: depth) else { return nil }
            while take("*") {
                guard case .integer(let first) = result, case .integer(let second)? = atom(depth: depth) else {
                    return nil
                }
                let (product, overflows) = first.multipliedReportingOverflow(by: second)
                guard !overflows else { return nil }
                result = .integer(product)
            }
            return result
        }

        private mutating func atom(depth: Int) -> PythonLiteral? {
            guard depth < Self.deepest else { return nil }
            skipBlanks()
            guard let first = rest.first else { return nil }
            switch first {
            case "(", "[":
                rest.removeFirst()
                guard let (items, hasComma) = list(until: first == "(" ? ")" : "]", depth: depth) else { return nil }
                // Parentheses around one value are no tuple in Python.
                return items.count == 1 && !hasComma && first == "(" ? items[0] : .tuple(items)
            case "{":
                rest.removeFirst()
                return dictionary(depth: depth)
            case "'", "\"": return string(isRaw: false)
            case "-", "0"..."9": return number()
            case _ where first == "_" || first.properties.isAlphabetic: return word(depth: depth)
            default: return nil
            }
        }

        private mutating func list(until end: Unicode.Scalar, depth: Int) -> ([PythonLiteral], hasComma: Bool)? {
            var items: [PythonLiteral] = []
            var hasComma = false
            while !take(end) {
                guard items.isEmpty || hasComma, let item = value(depth: depth + 1) else { return nil }
                items.append(item)
                skipBlanks()
                if take(",") {
                    hasComma = true
                } else if rest.first != end {
                    return nil
                }
            }
            return (items, hasComma)
        }

        private mutating func dictionary(depth: Int) -> PythonLiteral? {
            var items: [String: PythonLiteral] = [:]
            while !take("}") {
                guard case .text(let key)? = value(depth: depth + 1), take(":"), let item = value(depth: depth + 1)
                else {
                    return nil
                }
                items[key] = item
                skipBlanks()
                guard take(",") || rest.first == "}" else { return nil }
            }
            return .dictionary(items)
        }

        private mutating func number() -> PythonLiteral? {
            var text = String.UnicodeScalarView()
            while let first = rest.first, first == "-" || ("0"..."9").contains(first) || first == "_" {
                if first != "_" { text.append(first) }
                rest.removeFirst()
            }
            return Int(String(text)).map { .integer($0) }
        }

        private mutating func word(depth: Int) -> PythonLiteral? {
            var text = String.UnicodeScalarView()
            while let first = rest.first,
                first == "_" || first == "." || first.properties.isAlphabetic || ("0"..."9").contains(first)
            {
                text.append(first)
                rest.removeFirst()
            }
            let name = String(text)
            if let quote = rest.first, quote == "'" || quote == "\"", ["r", "R", "u", "U"].contains(name) {
                return string(isRaw: name.lowercased() == "r")
            }
            switch name {
            case "None": return PythonLiteral.none
            case "True": return .bool(true)
            case "False": return .bool(false)
            default: break
            }
            guard take("(") else { return .name(name) }
            return list(until: ")", depth: depth).map { .call(name, $0.0) }
        }

        private mutating func string(isRaw: Bool) -> PythonLiteral? {
            guard let quote = rest.popFirst() else { return nil }
            var text = String.UnicodeScalarView()
            while let next = rest.popFirst() {
                if next == quote { return .text(String(text)) }
                guard next == "\\", !isRaw else {
                    text.append(next)
                    continue
                }
                guard let escaped = rest.popFirst() else { return nil }
                switch escaped {
                case "n": text.append("\n")
                case "t": text.append("\t")
                case "\\", "'", "\"": text.append(escaped)
                default:
                    // As Python: an escape that it does not know stands for itself.
                    text.append("\\")
                    text.append(escaped)
                }
            }
            return nil
        }
    }
}
#endif
