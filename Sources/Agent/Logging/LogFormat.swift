#if Agent
/// A format such as `%(asctime)s %(levelname)-8s %(message)s`, taken apart once. Python's `%` style of formatting.
///
/// Renders nothing itself: see `LogFormat+Rendering.swift`. A format that Python would fail at, with the first record or
/// before, is refused here.
struct LogFormat: Hashable, Sendable {
    /// The format's parts in their order.
    let pieces: [Piece]
    /// What `strftime` makes `asctime` of; nil for `2026-11-22 16:54:58,123`.
    let dateFormat: String?

    /// The message and nothing else: what a handler without a formatter writes.
    static let message = LogFormat(pieces: [.field(.message, Conversion())])

    enum Piece: Hashable, Sendable {
        case text(String)
        case field(Field, Conversion)
    }

    /// What a record has, by Python's names.
    enum Field: String, CaseIterable, Sendable {
        case name, levelno, levelname, pathname, filename, module, lineno, funcName, created, asctime, msecs
        case relativeCreated, thread, threadName, process, processName, taskName, message, msg, args
        case excInfo = "exc_info"
        case excText = "exc_text"
        case stackInfo = "stack_info"

        /// A constant is no text to Python: `None`, the empty tuple.
        enum Kind { case text, integer, real, constant }

        var kind: Kind {
            switch self {
            case .name, .levelname, .pathname, .filename, .module, .funcName, .asctime, .threadName, .processName,
                .message, .msg:
                .text
            case .args, .excInfo, .excText, .stackInfo, .taskName: .constant
            case .levelno, .lineno, .thread, .process: .integer
            case .created, .msecs, .relativeCreated: .real
            }
        }
    }

    /// How a field is written: flags, width, precision and the letter at the end.
    struct Conversion: Hashable, Sendable {
        enum Form: Hashable, Sendable {
            /// `s`; `r` and `a`, which put quotes around text.
            case text, quoted, ascii
            /// `d`, `i`, `u`.
            case decimal
            case octal
            case hexadecimal(upper: Bool)
            /// `e`, `f`, `g` and their capitals.
            case real(UInt8)
        }

        var form = Form.text
        var isLeft = false
        var hasZeros = false
        var hasPlus = false
        var hasSpace = false
        var isAlternate = false
        var width = 0
        var precision: Int?

        /// The greatest width and precision.
        static let limit = 1_000
    }

    private init(pieces: [Piece]) {
        self.pieces = pieces
        dateFormat = nil
    }
}

/// Why a format cannot be used.
struct LogFormatError: Error, Hashable {
    var message: String
}

extension LogFormat {
    /// Takes a format apart.
    ///
    /// - Parameters:
    ///   - format: text with fields; empty for the message alone.
    ///   - dateFormat: for `strftime`; nil or empty for Python's default.
    init(_ format: String, dateFormat: String? = nil) throws(LogFormatError) {
        if let dateFormat, dateFormat.utf8.contains(0) { throw LogFormatError(message: "must not contain NUL") }
        self.dateFormat = dateFormat == "" ? nil : dateFormat
        guard !format.isEmpty else {
            pieces = Self.message.pieces
            return
        }
        var scanner = Scanner(rest: Array(format.utf8)[...])
        pieces = try scanner.pieces()
    }

    private struct Scanner {
        var rest: ArraySlice<UInt8>

        mutating func pieces() throws(LogFormatError) -> [Piece] {
            var pieces: [Piece] = []
            var text: [UInt8] = []
            var hasField = false
            while let octet = rest.popFirst() {
                guard octet == UInt8(ascii: "%") else {
                    text.append(octet)
                    continue
                }
                if rest.first == UInt8(ascii: "%") {
                    rest.removeFirst()
                    text.append(octet)
                    continue
                }
                let (field, conversion) = try self.field()
                hasField = true
                if !text.isEmpty { pieces.append(.text(String(decoding: text, as: UTF8.self))) }
                text = []
                pieces.append(.field(field, conversion))
            }
            if !text.isEmpty { pieces.append(.text(String(decoding: text, as: UTF8.self))) }
            guard hasField else {
                throw LogFormatError(message: "names no field; the least that makes sense is %(message)s")
            }
            return pieces
        }

        /// What follows a `%`.
        private mutating func field() throws(LogFormatError) -> (Field, Conversion) {
            guard rest.popFirst() == UInt8(ascii: "(") else {
                throw LogFormatError(
                    message: "a % has to be followed by a field's name in parentheses, as %(message)s; write %% for %"
                )
            }
            guard let close = rest.firstIndex(of: UInt8(ascii: ")")) else {
                throw LogFormatError(message: "a field's name has no closing parenthesis")
            }
            let name = String(decoding: rest[..<close], as: UTF8.self)
            rest = rest[(close + 1)...]
            guard let field = Field(rawValue: name) else {
                let known = Field.allCases.map(\.rawValue)
                let near = known.first { $0.lowercased() == name.lowercased() }
                let hint = near ?? ConfigurationKeys.suggestion(for: name, among: known)
                throw LogFormatError(
                    message: "there is no field '\(name)'" + (hint.map { "; did you mean %(\($0))s?" } ?? "")
                )
            }
            var conversion = Conversion()
            readFlags(into: &conversion)
            conversion.width = try number(field) ?? 0
            if rest.first == UInt8(ascii: ".") {
                rest.removeFirst()
                conversion.precision = try number(field) ?? 0
            }
            if let modifier = rest.first, "hlL".utf8.contains(modifier) { rest.removeFirst() }
            guard let letter = rest.popFirst() else {
                throw LogFormatError(message: "%(\(name)) needs a letter behind it: %(\(name))s")
            }
            conversion.form = try form(letter, of: field)
            return (field, conversion)
        }

        private mutating func readFlags(into conversion: inout Conversion) {
            while let flag = rest.first {
                switch flag {
                case UInt8(ascii: "-"): conversion.isLeft = true
                case UInt8(ascii: "0"): conversion.hasZeros = true
                case UInt8(ascii: "+"): conversion.hasPlus = true
                case UInt8(ascii: " "): conversion.hasSpace = true
                case UInt8(ascii: "#"): conversion.isAlternate = true
                default: return
                }
                rest.removeFirst()
            }
        }

        private mutating func number(_ field: Field) throws(LogFormatError) -> Int? {
            var result: Int?
            while let digit = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) {
                // The limit keeps the product far from overflowing.
                let value = (result ?? 0) &* 10 &+ Int(digit &- UInt8(ascii: "0"))
                guard value <= Conversion.limit else {
                    throw LogFormatError(
                        message: "%(\(field.rawValue)): a width or precision over \(Conversion.limit) is not supported"
                    )
                }
                result = value
                rest.removeFirst()
            }
            return result
        }

        private func form(_ letter: UInt8, of field: Field) throws(LogFormatError) -> Conversion.Form {
            let shown = "%(\(field.rawValue))\(Unicode.Scalar(letter))"
            let form: Conversion.Form
            switch letter {
            case UInt8(ascii: "s"): return .text
            case UInt8(ascii: "r"): return .quoted
            case UInt8(ascii: "a"): return .ascii
            case UInt8(ascii: "d"), UInt8(ascii: "i"), UInt8(ascii: "u"): form = .decimal
            case UInt8(ascii: "o"): form = .octal
            case UInt8(ascii: "x"): form = .hexadecimal(upper: false)
            case UInt8(ascii: "X"): form = .hexadecimal(upper: true)
            case UInt8(ascii: "e"), UInt8(ascii: "f"), UInt8(ascii: "g"), UInt8(ascii: "E"), UInt8(ascii: "F"),
                UInt8(ascii: "G"):
                form = .real(letter)
            default:
                throw LogFormatError(message: "\(shown): there is no such conversion; s writes every field")
            }
            switch (field.kind, form) {
            case (.text, _), (.constant, _):
                throw LogFormatError(message: "\(shown): the field is text; write %(\(field.rawValue))s")
            case (.real, .octal), (.real, .hexadecimal):
                throw LogFormatError(message: "\(shown): the field is no whole number; write %(\(field.rawValue))d")
            case (.integer, _), (.real, _): return form
            }
        }
    }
}
#endif
