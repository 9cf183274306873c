/// Readable text for frames, a line each; the same octets give the same text on every machine.
///
/// Secrets print as `********` unless they are asked for. Writes nowhere, and knows nothing of what may follow what.
///
/// ```
///        0        8     0  protocol-header 0-9-1
///      405       62     1  queue.declare reserved-1=0 queue="psistats.pi" … arguments={x-message-ttl: I 10000}
///      467       31     1  header class=60 body-size=12 content-type="application/json" delivery-mode=1
///      498       20     1  body 12 "{\"cpu\": 0.5}"
///      518        8     0  heartbeat
/// ```
///
/// Text stands in quotes and is escaped as in Swift; octets that are not UTF-8 stand as `x"00ff"`. A value in a table has
/// the letter of its type on the wire before it; see ``AMQPFieldValue``.
public struct AMQPFrameListing: Hashable, Sendable {
    /// Whether passwords and other credentials are printed. Default: no.
    public var showSecrets: Bool
    /// How many octets of a body are printed. Default: 64.
    public var bodyPreview: Int

    /// How to print; what is left out has its default.
    public init(showSecrets: Bool = false, bodyPreview: Int = 64) {
        self.showSecrets = showSecrets
        self.bodyPreview = bodyPreview
    }

    /// A frame in one line, without its end: the columns offset, size and channel, then ``summary(_:fields:)``.
    ///
    /// - Parameter fields: what ``AMQPFrameDecoder/fields()`` says of the frame.
    public func line(_ frame: AMQPFrame, fields: [AMQPWireField]) -> String {
        var line = ""
        line.append(number: frame.offset, width: 8)
        line.append(number: UInt64(clamping: frame.size), width: 9)
        line.append(number: UInt64(frame.channel), width: 6)
        line += "  "
        appendSummary(frame, fields, to: &line)
        return line
    }

    /// What a frame is and holds, in one line without its end.
    public func summary(_ frame: AMQPFrame, fields: [AMQPWireField]) -> String {
        var summary = ""
        appendSummary(frame, fields, to: &summary)
        return summary
    }

    /// What a field holds, in one line.
    public func text(_ value: AMQPWireField.Value) -> String {
        var text = ""
        append(value, to: &text)
        return text
    }

    /// The key of a table's entry: as it is where it is made of letters, digits, `-`, `_` and `.`, else in quotes.
    public func name(_ key: AMQPText) -> String {
        key.isBareName ? key.string : key.debugDescription
    }

    private func appendSummary(_ frame: AMQPFrame, _ fields: [AMQPWireField], to line: inout String) {
        switch frame.payload {
        case .protocolHeader(let major, let minor, let revision):
            line += "protocol-header \(major)-\(minor)-\(revision)"
        case .method(let method):
            line += method.id.name
            for field in fields { append(field, to: &line) }
        case .header:
            line += "header class=60"
            let passedOver = frame.notes.contains(.unknownPropertyFlags)
            for field in fields where Self.isShown(field, flags: passedOver) { append(field, to: &line) }
        case .body(let octets):
            line += "body \(octets.count)"
            if !octets.isEmpty {
                line += " "
                appendPreview(octets, to: &line)
            }
        case .heartbeat:
            line += "heartbeat"
        }
        for note in frame.notes { line += "; \(note)" }
    }

    /// The weight is always 0, and the flags say nothing that the properties do not, unless some of them are unknown.
    private static func isShown(_ field: AMQPWireField, flags: Bool) -> Bool {
        switch field.value {
        case .flags: flags
        case .integer(0): field.name != "weight"
        case .bit, .integer, .timestamp, .text, .secret, .table: true
        }
    }

    private func append(_ field: AMQPWireField, to line: inout String) {
        line += " "
        line += field.name
        line += "="
        append(field.value, to: &line)
    }

    private func append(_ value: AMQPWireField.Value, to line: inout String) {
        switch value {
        case .bit(let value, index: _): line += value ? "true" : "false"
        case .integer(let value), .timestamp(let value): line.append(number: value, width: 0)
        case .text(let text): line.append(quoted: text)
        case .secret(let secret):
            if showSecrets {
                line.append(quoted: AMQPText(octets: secret.octets))
            } else {
                line += "\(secret)"
            }
        case .table(let table): line.append(table)
        case .flags(let flags):
            line += "0x"
            for shift in stride(from: 12, through: 0, by: -4) { line += String(flags >> shift & 0xF, radix: 16) }
        }
    }

    private func appendPreview(_ octets: [UInt8], to line: inout String) {
        var shown = octets.prefix(max(0, bodyPreview))
        let isCut = shown.count < octets.count
        if isCut { shown = shown.prefix(shown.count - Self.incompleteCharacterCount(shown)) }
        line.append(quoted: AMQPText(octets: shown))
        if isCut { line += "…" }
    }

    /// Octets at the end of a cut text that are the start of a character and not all of it.
    private static func incompleteCharacterCount(_ octets: ArraySlice<UInt8>) -> Int {
        for (index, octet) in octets.suffix(4).reversed().enumerated() where octet & 0xC0 != 0x80 {
            let length = (~octet).leadingZeroBitCount
            return length > index + 1 ? index + 1 : 0
        }
        return 0
    }
}

extension AMQPFrame.Note: CustomStringConvertible {
    public var description: String {
        switch self {
        case .trailingOctets(let count): "\(count) trailing \(count == 1 ? "octet" : "octets") passed over"
        case .unknownPropertyFlags: "unknown property flags passed over"
        }
    }
}

extension AMQPText: CustomDebugStringConvertible {
    /// The text in quotes, escaped as in Swift; `x"00ff"` where it is not UTF-8.
    public var debugDescription: String {
        var text = ""
        text.append(quoted: self)
        return text
    }
}

extension AMQPFieldValue: CustomStringConvertible {
    /// The letter of the type on the wire, then the value: `I 10000`, `S "quorum"`.
    public var description: String {
        var text = ""
        text.append(self)
        return text
    }
}

extension AMQPTable: CustomStringConvertible {
    /// The entries in their order, `{x-message-ttl: I 10000, x-queue-type: S "quorum"}`.
    public var description: String {
        var text = ""
        text.append(self)
        return text
    }
}

extension AMQPDecimal: CustomStringConvertible {
    /// The number with all its digits behind the point, `1.250`.
    public var description: String {
        let digits = String(value)
        let scale = Int(scale)
        guard scale > 0 else { return digits }
        let padded = String(repeating: "0", count: max(0, scale + 1 - digits.count)) + digits
        return "\(padded.dropLast(scale)).\(padded.suffix(scale))"
    }
}

extension String {
    /// Appends a number, after as many blanks as make it `width` wide.
    fileprivate mutating func append(number: UInt64, width: Int) {
        let digits = String(number)
        for _ in 0..<max(0, width - digits.utf8.count) { self += " " }
        self += digits
    }

    fileprivate mutating func append(quoted text: AMQPText) {
        guard text.isValidUTF8 else { return append(hexadecimal: text.octets) }
        self += "\""
        append(escaped: text.string)
        self += "\""
    }

    private mutating func append(hexadecimal octets: [UInt8]) {
        self += "x\""
        for octet in octets {
            self += String(octet >> 4, radix: 16)
            self += String(octet & 0xF, radix: 16)
        }
        self += "\""
    }

    private mutating func append(escaped text: String) {
        let isPlain = text.utf8.allSatisfy { octet in
            octet >= 0x20 && octet < 0x7F && octet != UInt8(ascii: "\"") && octet != UInt8(ascii: "\\")
        }
        if isPlain {
            self += text
            return
        }
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": self += "\\\""
            case "\\": self += "\\\\"
            case "\0": self += "\\0"
            case "\t": self += "\\t"
            case "\n": self += "\\n"
            case "\r": self += "\\r"
            case " "..."~": unicodeScalars.append(scalar)
            case _ where scalar.isHarmful: self += "\\u{\(String(scalar.value, radix: 16))}"
            case _: unicodeScalars.append(scalar)
            }
        }
    }

    fileprivate mutating func append(_ table: AMQPTable) {
        self += "{"
        var separator = ""
        for entry in table.entries {
            self += separator
            if entry.key.isBareName { self += entry.key.string } else { append(quoted: entry.key) }
            self += ": "
            append(entry.value)
            separator = ", "
        }
        self += "}"
    }

    fileprivate mutating func append(_ value: AMQPFieldValue) {
        switch value {
        case .boolean(let value): self += value ? "t true" : "t false"
        case .int8(let value): self += "b \(value)"
        case .uint8(let value): self += "B \(value)"
        case .int16(let value): self += "s \(value)"
        case .uint16(let value): self += "u \(value)"
        case .int32(let value): self += "I \(value)"
        case .uint32(let value): self += "i \(value)"
        case .int64(let value): self += "l \(value)"
        case .int64L(let value): self += "L \(value)"
        case .float(let value): self += "f \(value)"
        case .double(let value): self += "d \(value)"
        case .decimal(let value): self += "D \(value)"
        case .string(let text):
            self += "S "
            append(quoted: text)
        case .array(let elements):
            self += "A ["
            var separator = ""
            for element in elements {
                self += separator
                append(element)
                separator = ", "
            }
            self += "]"
        case .timestamp(let seconds): self += "T \(seconds)"
        case .table(let table):
            self += "F "
            append(table)
        case .bytes(let octets):
            self += "x "
            append(hexadecimal: octets)
        case .void: self += "V"
        }
    }
}

extension AMQPText {
    /// Whether this needs no quotes to be read as a name.
    fileprivate var isBareName: Bool {
        guard !isEmpty else { return false }
        return withOctets { octets in
            octets.allSatisfy { octet in
                switch octet {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
        }
    }
}

extension Unicode.Scalar {
    /// Whether a terminal might act on this instead of showing it: controls, and marks that turn the direction of writing.
    fileprivate var isHarmful: Bool {
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
