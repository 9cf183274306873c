/// A pattern for names, as shells have them: `*` stands for any characters or none, `?` for one, `[a-z]` for one of a set and
/// `[!a-z]` for one that is not in it; a backslash takes the meaning from what follows it.
///
/// Both `*` and `?` stand for a slash, too: `/mnt/*` matches `/mnt/a/b`. The whole text has to match, upper and lower case
/// differ, and a character is a Unicode scalar. Every text is a pattern: a `[` without its `]` stands for itself, and so does a
/// backslash at the end. Matching takes at most as many steps as the lengths of pattern and text multiplied, and no memory.
public struct Glob: Hashable, Sendable, CustomStringConvertible {
    /// The pattern as it was written.
    public let pattern: String

    private enum Part: Hashable, Sendable {
        case literal(Unicode.Scalar)
        case any
        case anyNumber
        case oneOf([ClosedRange<Unicode.Scalar>])
        case noneOf([ClosedRange<Unicode.Scalar>])
    }

    private let parts: [Part]

    /// Takes any text: there is no pattern that is wrong.
    public init(_ pattern: String) {
        self.pattern = pattern
        var parts: [Part] = []
        var rest = Substring(pattern).unicodeScalars
        while let scalar = rest.popFirst() {
            switch scalar {
            case "*": if parts.last != .anyNumber { parts.append(.anyNumber) }
            case "?": parts.append(.any)
            case "[": parts.append(Self.set(&rest) ?? .literal(scalar))
            case "\\": parts.append(.literal(rest.popFirst() ?? scalar))
            default: parts.append(.literal(scalar))
            }
        }
        self.parts = parts
    }

    /// The pattern as it was written.
    public var description: String { pattern }

    /// Whether the whole text matches.
    public func matches(_ text: String) -> Bool {
        let text = text.unicodeScalars
        var position = text.startIndex
        var part = 0
        // Where to go on when what follows the last `*` does not match: one character further on. An earlier `*` need not be
        // thought of again, for the last one can stand for all that it could.
        var resumption: (part: Int, position: String.Index)?
        while position < text.endIndex {
            if part < parts.count, parts[part] == .anyNumber {
                part += 1
                resumption = (part, position)
            } else if part < parts.count, Self.matches(parts[part], text[position]) {
                part += 1
                position = text.index(after: position)
            } else if let last = resumption {
                part = last.part
                position = text.index(after: last.position)
                resumption = (part, position)
            } else {
                return false
            }
        }
        return part == parts.count || (part == parts.count - 1 && parts[part] == .anyNumber)
    }

    private static func matches(_ part: Part, _ scalar: Unicode.Scalar) -> Bool {
        switch part {
        case .literal(let literal): literal == scalar
        case .any: true
        case .anyNumber: false
        case .oneOf(let ranges): ranges.contains { $0.contains(scalar) }
        case .noneOf(let ranges): !ranges.contains { $0.contains(scalar) }
        }
    }

    /// The set whose `[` has been read; nil, and nothing read, where no `]` ends it.
    private static func set(_ rest: inout Substring.UnicodeScalarView) -> Part? {
        var ahead = rest
        let isNegated = ahead.first == "!" || ahead.first == "^"
        if isNegated { ahead.removeFirst() }
        var ranges: [ClosedRange<Unicode.Scalar>] = []
        var isFirst = true
        while let scalar = ahead.popFirst() {
            // A `]` at the beginning is one of the set.
            if scalar == "]", !isFirst {
                rest = ahead
                return isNegated ? .noneOf(ranges) : .oneOf(ranges)
            }
            isFirst = false
            guard let first = scalar == "\\" ? ahead.popFirst() : scalar else { return nil }
            var last = first
            var beyond = ahead
            if beyond.popFirst() == "-", let end = beyond.popFirst(), end != "]" {
                guard let escaped = end == "\\" ? beyond.popFirst() : end else { return nil }
                last = escaped
                ahead = beyond
            }
            // A range that runs backwards has nothing in it.
            if first <= last { ranges.append(first...last) }
        }
        return nil
    }
}

extension [Glob] {
    /// Whether any of the patterns matches.
    func matches(_ text: String) -> Bool {
        contains { $0.matches(text) }
    }
}
