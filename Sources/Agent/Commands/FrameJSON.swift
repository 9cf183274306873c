#if Agent
import AMQPWire
import FoundationEssentials

/// A frame as a JSON object, for `--format json`.
///
/// | key | of | holds |
/// |---|---|---|
/// | `offset` | all | octets before the frame in its stream |
/// | `size` | all | octets of the whole frame |
/// | `channel` | all | the channel |
/// | `frame` | all | `protocol-header`, `method`, `header`, `body` or `heartbeat` |
/// | `version` | protocol header | `0-9-1` |
/// | `method` | method | `queue.declare-ok` |
/// | `arguments` | method | object, names as in the specification |
/// | `class`, `bodySize` | header | 60; octets of the body |
/// | `weight` | header | only where it is not 0 |
/// | `properties` | header | object, names as in the specification |
/// | `bytes` | body | number of octets |
/// | `text` or `base64` | body | the octets, as text where they are UTF-8 |
/// | `notes` | some | what was passed over, in words |
///
/// A table is an object, and its values are JSON's own where JSON has them. Else a value is an object with the keys `type`
/// (`timestamp`, `decimal`, `bytes`, `string`, `float`, `double`, `table`) and `value`: seconds, a decimal number as text,
/// base64 for octets and for text that is not UTF-8 (which `"encoding": "base64"` says, too), `nan`, `inf` or `-inf`, and an
/// array of pairs for a table that has a key twice or one that is not UTF-8.
struct FrameJSON {
    /// Whether passwords and other credentials are given. Otherwise they are `********`.
    var showSecrets = false

    /// The object of a frame, whose fields the decoder gave.
    func object(_ frame: AMQPFrame, fields: [AMQPWireField]) -> JSONValue {
        var object: [String: JSONValue] = [
            "offset": .unsigned(frame.offset),
            "size": .integer(Int64(frame.size)),
            "channel": .unsigned(UInt64(frame.channel)),
        ]
        switch frame.payload {
        case .protocolHeader(let major, let minor, let revision):
            object["frame"] = .string("protocol-header")
            object["version"] = .string("\(major)-\(minor)-\(revision)")
        case .method(let method):
            object["frame"] = .string("method")
            object["method"] = .string(method.id.name)
            object["arguments"] = named(fields)
        case .header(let header):
            object["frame"] = .string("header")
            object["class"] = .integer(60)
            object["bodySize"] = .unsigned(header.bodySize)
            if header.weight != 0 { object["weight"] = .unsigned(UInt64(header.weight)) }
            let others = ["weight", "body-size", "property-flags"]
            object["properties"] = named(fields.filter { !others.contains($0.name) })
        case .body(let octets):
            object["frame"] = .string("body")
            object["bytes"] = .integer(Int64(octets.count))
            if let text = String(validating: octets, as: UTF8.self) {
                object["text"] = .string(text)
            } else {
                object["base64"] = .string(Data(octets).base64EncodedString())
            }
        case .heartbeat:
            object["frame"] = .string("heartbeat")
        }
        if !frame.notes.isEmpty { object["notes"] = .array(frame.notes.map { .string("\($0)") }) }
        return .object(object)
    }

    private func named(_ fields: [AMQPWireField]) -> JSONValue {
        .object(Dictionary(fields.map { ($0.name, value($0.value)) }, uniquingKeysWith: { first, _ in first }))
    }

    private func value(_ value: AMQPWireField.Value) -> JSONValue {
        switch value {
        case .bit(let value, index: _): .boolean(value)
        case .integer(let value), .timestamp(let value): .unsigned(value)
        case .text(let text): string(text)
        case .secret(let secret): showSecrets ? string(AMQPText(octets: secret.octets)) : .string("\(secret)")
        case .table(let entries): table(entries)
        case .flags(let flags): .unsigned(UInt64(flags))
        }
    }

    private func table(_ table: AMQPTable) -> JSONValue {
        var object: [String: JSONValue] = [:]
        for entry in table.entries {
            let value = value(entry.value)
            guard entry.key.isValidUTF8, object.updateValue(value, forKey: entry.key.string) == nil else {
                return typed("table", .array(table.entries.map { .array([string($0.key), self.value($0.value)]) }))
            }
        }
        return .object(object)
    }

    private func value(_ value: AMQPFieldValue) -> JSONValue {
        switch value {
        case .boolean(let value): .boolean(value)
        case .int8(let value): .integer(Int64(value))
        case .uint8(let value): .integer(Int64(value))
        case .int16(let value): .integer(Int64(value))
        case .uint16(let value): .integer(Int64(value))
        case .int32(let value): .integer(Int64(value))
        case .uint32(let value): .integer(Int64(value))
        case .int64(let value), .int64L(let value): .integer(value)
        case .float(let value): value.isFinite ? .float(value) : typed("float", .string("\(value)"))
        case .double(let value): value.isFinite ? .double(value) : typed("double", .string("\(value)"))
        case .decimal(let value): typed("decimal", .string("\(value)"))
        case .string(let text): string(text)
        case .array(let elements): .array(elements.map { self.value($0) })
        case .timestamp(let seconds): typed("timestamp", .unsigned(seconds))
        case .table(let entries): table(entries)
        case .bytes(let octets): encoded("bytes", octets)
        case .void: .null
        }
    }

    private func string(_ text: AMQPText) -> JSONValue {
        text.isValidUTF8 ? .string(text.string) : encoded("string", text.octets)
    }

    private func encoded(_ type: String, _ octets: [UInt8]) -> JSONValue {
        .object([
            "type": .string(type),
            "encoding": .string("base64"),
            "value": .string(Data(octets).base64EncodedString()),
        ])
    }

    private func typed(_ type: String, _ value: JSONValue) -> JSONValue {
        .object(["type": .string(type), "value": value])
    }
}
#endif
