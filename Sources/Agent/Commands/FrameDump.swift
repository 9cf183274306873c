#if Agent
import AMQPWire

/// A frame in full: a heading, then a line for each field with its offset, its octets and what they mean.
///
/// ```
/// queue.bind, channel 1, octets 437 to 513
///   000001b5  01                       frame-type = method
///   000001c2  08 70 73 69 73 74 61 74  exchange = "psistats"
///   000001ca  73
/// ```
///
/// Offsets are hexadecimal, as in a hex dump. Octets that are longer than a line go on below. Bits share an octet, which is
/// printed for each of them. The entries of a table are indented. Knows nothing of where the octets come from.
struct FrameDump {
    /// How values are printed, and whether secrets are.
    var listing = AMQPFrameListing()

    private static let octetsPerLine = 8

    /// What some octets of the frame mean.
    private struct Part {
        var offset: Int
        var size: Int
        var depth = 0
        var text: String
    }

    /// The lines for a frame of the stream `stream`, whose fields the decoder gave.
    func text(_ frame: AMQPFrame, fields: [AMQPWireField], stream: [UInt8]) -> String {
        let start = Int(clamping: frame.offset)
        let end = start + frame.size
        var text = "\(Self.name(frame)), channel \(frame.channel), octets \(start) to \(end - 1)\n"
        for part in parts(frame, fields, start: start, end: end) { append(part, stream, to: &text) }
        return text
    }

    private static func name(_ frame: AMQPFrame) -> String {
        switch frame.payload {
        case .protocolHeader: "protocol-header"
        case .method(let method): method.id.name
        case .header: "header"
        case .body: "body"
        case .heartbeat: "heartbeat"
        }
    }

    private func append(_ part: Part, _ stream: [UInt8], to text: inout String) {
        let indent = String(repeating: "  ", count: part.depth)
        var meaning = "  " + indent + part.text
        let end = min(part.offset + part.size, stream.count)
        for start in stride(from: part.offset, to: end, by: Self.octetsPerLine) {
            let row = stream[start..<min(start + Self.octetsPerLine, end)].map(HexDump.hexadecimal)
            let octets = row.joined(separator: " ")
            text += "  \(HexDump.offset(start))  "
            text += meaning.isEmpty ? octets : octets.padded(to: Self.octetsPerLine * 3 - 1) + meaning
            text += "\n"
            meaning = ""
        }
    }

    private func parts(_ frame: AMQPFrame, _ fields: [AMQPWireField], start: Int, end: Int) -> [Part] {
        var parts: [Part] = []
        var position = start
        func add(_ size: Int, _ text: String) {
            parts.append(Part(offset: position, size: size, text: text))
            position += size
        }
        if case .protocolHeader(let major, let minor, let revision) = frame.payload {
            add(4, "protocol = \"AMQP\"")
            add(1, "protocol-id = 0")
            add(3, "version = \(major)-\(minor)-\(revision)")
            return parts
        }
        let payloadSize = frame.size - 8
        switch frame.payload {
        case .protocolHeader: break
        case .method: add(1, "frame-type = method")
        case .header: add(1, "frame-type = header")
        case .body: add(1, "frame-type = body")
        case .heartbeat: add(1, "frame-type = heartbeat")
        }
        add(2, "channel = \(frame.channel)")
        add(4, "payload-size = \(payloadSize)")
        switch frame.payload {
        case .protocolHeader, .heartbeat: break
        case .method(let method):
            add(2, "class-id = \(method.id.classID)")
            add(2, "method-id = \(method.id.methodID)")
        case .header: add(2, "class-id = 60")
        case .body: add(payloadSize, listing.summary(frame, fields: fields))
        }
        for field in fields {
            parts += self.parts(field)
            position = Int(clamping: field.offset) + field.size
        }
        let passedOver = end - 1 - position
        if passedOver > 0 { add(passedOver, "passed over") }
        add(1, "frame-end")
        return parts
    }

    private func parts(_ field: AMQPWireField) -> [Part] {
        let offset = Int(clamping: field.offset)
        switch field.value {
        case .bit(let value, let index):
            return [Part(offset: offset, size: 1, text: "\(field.name) = \(value) (bit \(index))")]
        case .table(let table):
            var parts = [Part(offset: offset, size: 4, text: "\(field.name) = table of \(field.size - 4) octets")]
            var position = offset + 4
            append(table, depth: 1, at: &position, to: &parts)
            return parts
        case .integer, .timestamp, .text, .secret, .flags:
            return [Part(offset: offset, size: field.size, text: "\(field.name) = \(listing.text(field.value))")]
        }
    }

    private func append(_ table: AMQPTable, depth: Int, at position: inout Int, to parts: inout [Part]) {
        for entry in table.entries {
            append(
                entry.value,
                named: listing.name(entry.key),
                keySize: 1 + entry.key.octetCount,
                depth,
                &position,
                &parts
            )
        }
    }

    private func append(
        _ value: AMQPFieldValue,
        named name: String,
        keySize: Int,
        _ depth: Int,
        _ position: inout Int,
        _ parts: inout [Part]
    ) {
        let size = value.octetCount
        let outside: Int
        let text: String
        switch value {
        case .table:
            outside = keySize + 5
            text = "F table of \(size - 5) octets"
        case .array:
            outside = keySize + 5
            text = "A array of \(size - 5) octets"
        case .boolean, .int8, .uint8, .int16, .uint16, .int32, .uint32, .int64, .int64L, .float, .double, .decimal,
            .string, .timestamp, .bytes, .void:
            outside = keySize + size
            text = "\(value)"
        }
        parts.append(Part(offset: position, size: outside, depth: depth, text: "\(name) = \(text)"))
        position += outside
        if case .table(let table) = value { append(table, depth: depth + 1, at: &position, to: &parts) }
        if case .array(let elements) = value {
            for (index, element) in elements.enumerated() {
                append(element, named: "[\(index)]", keySize: 0, depth + 1, &position, &parts)
            }
        }
    }
}

extension AMQPFieldValue {
    /// Octets on the wire, that of the type included.
    fileprivate var octetCount: Int {
        switch self {
        case .void: 1
        case .boolean, .int8, .uint8: 2
        case .int16, .uint16: 3
        case .int32, .uint32, .float: 5
        case .decimal: 6
        case .int64, .int64L, .double, .timestamp: 9
        case .string(let text): 5 + text.octetCount
        case .bytes(let octets): 5 + octets.count
        case .array(let elements): elements.reduce(5) { $0 + $1.octetCount }
        case .table(let table):
            table.entries.reduce(5) { $0 + 1 + $1.key.octetCount + $1.value.octetCount }
        }
    }
}
#endif
