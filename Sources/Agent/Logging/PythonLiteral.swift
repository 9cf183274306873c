#if Agent
/// A value as Python writes it, of the kinds that stand in `args=` and `kwargs=` of a handler.
///
/// Computes with numbers and joins texts; calls nothing but `os.path.join`, `str`, `int` and `dict`. Names such as
/// `sys.stdout` are kept as names.
indirect enum PythonLiteral: Hashable, Sendable {
    case none
    case bool(Bool)
    case integer(Int)
    case real(Double)
    case text(String)
    /// A dotted name.
    case name(String)
    case tuple([PythonLiteral])
    case dictionary([String: PythonLiteral])
    /// A dotted name and its arguments.
    case call(String, [PythonLiteral])

    /// The value that a text holds; nil where it is not one of these.
    init?(_ text: String) {
        var parser = PythonParser(text)
        guard let value = parser.whole() else { return nil }
        self = value
    }

    /// The value as a whole number, as Python takes `True` and `1e6` for one.
    var wholeNumber: Int? {
        switch self {
        case .integer(let number): number
        case .bool(let flag): flag ? 1 : 0
        case .real(let number): Int(exactly: number)
        case .none, .text, .name, .tuple, .dictionary, .call: nil
        }
    }
}

/// What Python's operators do to values; nil where Python raises an error, or the result is none that is needed here.
extension PythonLiteral {
    /// How long a text may become, in bytes.
    private static let longest = 65_536

    func applying(_ sign: PythonParser.Sign, to other: PythonLiteral) -> PythonLiteral? {
        if case .text(let first) = self {
            switch (sign, other) {
            case (.plus, .text(let second)):
                return first.utf8.count + second.utf8.count <= Self.longest ? .text(first + second) : nil
            case (.times, .integer(let count)): return Self.repeated(first, count)
            default: return nil
            }
        }
        if case .integer(let count) = self, case .text(let text) = other, sign == .times {
            return Self.repeated(text, count)
        }
        if case .tuple(let first) = self, case .tuple(let second) = other, sign == .plus {
            return .tuple(first + second)
        }
        if case .real = self { return real(sign, other) }
        if case .real = other { return real(sign, other) }
        guard let first = wholeNumber, let second = other.wholeNumber else { return nil }
        return Self.integer(first, sign, second)
    }

    private static func repeated(_ text: String, _ count: Int) -> PythonLiteral? {
        guard count > 0 else { return .text("") }
        let (length, overflows) = text.utf8.count.multipliedReportingOverflow(by: count)
        return overflows || length > longest ? nil : .text(String(repeating: text, count: count))
    }

    private var number: Double? {
        if case .real(let number) = self { return number }
        return wholeNumber.map(Double.init)
    }

    private func real(_ sign: PythonParser.Sign, _ other: PythonLiteral) -> PythonLiteral? {
        guard let first = number, let second = other.number else { return nil }
        let result: Double
        switch sign {
        case .plus: result = first + second
        case .minus: result = first - second
        case .times: result = first * second
        case .divided: result = first / second
        case .floored: result = (first / second).rounded(.down)
        case .power, .remainder, .shiftedLeft, .shiftedRight, .and, .or, .exclusiveOr: return nil
        }
        return result.isFinite ? .real(result) : nil
    }

    private static func integer(_ first: Int, _ sign: PythonParser.Sign, _ second: Int) -> PythonLiteral? {
        let (result, overflows): (Int, Bool)
        switch sign {
        case .plus: (result, overflows) = first.addingReportingOverflow(second)
        case .minus: (result, overflows) = first.subtractingReportingOverflow(second)
        case .times: (result, overflows) = first.multipliedReportingOverflow(by: second)
        case .power: return power(first, second).map { .integer($0) }
        case .divided:
            guard second != 0 else { return nil }
            let quotient = Double(first) / Double(second)
            return Int(exactly: quotient).map { .integer($0) } ?? .real(quotient)
        case .floored, .remainder:
            let (quotient, isTooLarge) = first.dividedReportingOverflow(by: second)
            guard !isTooLarge else { return nil }
            // Python rounds down; what is left has the divisor's sign.
            let rest = first - quotient * second
            let isBelow = rest != 0 && (rest < 0) != (second < 0)
            return .integer(sign == .floored ? quotient - (isBelow ? 1 : 0) : rest + (isBelow ? second : 0))
        case .shiftedLeft:
            guard (0..<63).contains(second) else { return nil }
            (result, overflows) = first.multipliedReportingOverflow(by: 1 << second)
        case .shiftedRight: return second >= 0 ? .integer(first >> min(second, 63)) : nil
        case .and: return .integer(first & second)
        case .or: return .integer(first | second)
        case .exclusiveOr: return .integer(first ^ second)
        }
        return overflows ? nil : .integer(result)
    }

    private static func power(_ base: Int, _ exponent: Int) -> Int? {
        // Longer ones are 0, 1 or -1, or do not fit.
        guard (0...64).contains(exponent) else { return nil }
        var result = 1
        for _ in 0..<exponent {
            let (product, overflows) = result.multipliedReportingOverflow(by: base)
            guard !overflows else { return nil }
            result = product
        }
        return result
    }

    /// What a call comes to: that of a function that is known, or itself.
    static func called(_ name: String, _ arguments: [PythonLiteral]) -> PythonLiteral? {
        switch (name, arguments.first) {
        case ("os.path.join", _):
            var path = ""
            for argument in arguments {
                guard case .text(let part) = argument else { return .call(name, arguments) }
                if part.hasPrefix("/") || path.isEmpty {
                    path = part
                } else {
                    path += (path.hasSuffix("/") ? "" : "/") + part
                }
            }
            return .text(path)
        case ("str", .text(let text)?) where arguments.count == 1: return .text(text)
        case ("int", let value?) where arguments.count == 1 && value.wholeNumber != nil:
            return .integer(value.wholeNumber ?? 0)
        default: return .call(name, arguments)
        }
    }
}
#endif
