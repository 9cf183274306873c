/// A field as it stands in a stream.
public struct WireField: Hashable, Sendable {
    /// What the field holds.
    public enum Value: Hashable, Sendable {
        /// A bit, with its place in the octet: 0 is the least significant.
        case bit(Bool, index: UInt8)
        /// An octet, short, long or longlong.
        case integer(UInt64)
        /// Seconds since 1970-01-01 00:00:00 UTC.
        case timestamp(UInt64)
        /// A short or long string.
        case text(AMQPText)
        /// A long string that holds a credential.
        case secret(Secret)
        case table(FieldTable)
        /// Which properties follow.
        case flags(UInt16)
    }

    /// Name in the specification, `routing-key`.
    public var name: String
    /// Type in the specification: bit, octet, short, long, longlong, shortstr, longstr, timestamp, table, flags.
    public var type: String
    /// Octets before the field in the stream.
    public var offset: UInt64
    /// Octets of the field, its length included; 1 for a bit, which shares its octet.
    public var size: Int
    /// What the field holds.
    public var value: Value
}

/// What decodes fields, by itself or through another.
protocol DecodingCoder: FieldCoder {
    var decoder: FieldDecoder { get set }
}

extension FieldDecoder: DecodingCoder {
    var decoder: FieldDecoder {
        @inline(__always) _read { yield self }
        @inline(__always) _modify { yield &self }
    }
}

/// Notes where each field stands, while a decoder reads it.
struct FieldTracer: DecodingCoder {
    var decoder: FieldDecoder
    private(set) var fields: [WireField] = []
    private var bitIndex: UInt8 = 0

    init(_ decoder: FieldDecoder) {
        self.decoder = decoder
    }

    private mutating func note<Value>(
        _ name: StaticString,
        _ type: String,
        _ value: inout Value,
        as describe: (Value) -> WireField.Value,
        _ read: (inout FieldDecoder, inout Value) throws(WireError) -> Void
    ) throws(WireError) {
        let offset = decoder.reader.offset
        let position = decoder.reader.position
        try read(&decoder, &value)
        let size = decoder.reader.position &- position
        fields.append(WireField(name: "\(name)", type: type, offset: offset, size: size, value: describe(value)))
    }

    mutating func octet(_ name: StaticString, _ value: inout UInt8) throws(WireError) {
        try note(name, "octet", &value, as: { .integer(UInt64($0)) }) { (decoder, value) throws(WireError) in
            try decoder.octet(name, &value)
        }
    }

    mutating func short(_ name: StaticString, _ value: inout UInt16) throws(WireError) {
        try note(name, "short", &value, as: { .integer(UInt64($0)) }) { (decoder, value) throws(WireError) in
            try decoder.short(name, &value)
        }
    }

    mutating func long(_ name: StaticString, _ value: inout UInt32) throws(WireError) {
        try note(name, "long", &value, as: { .integer(UInt64($0)) }) { (decoder, value) throws(WireError) in
            try decoder.long(name, &value)
        }
    }

    mutating func longLong(_ name: StaticString, _ value: inout UInt64) throws(WireError) {
        try note(name, "longlong", &value, as: { .integer($0) }) { (decoder, value) throws(WireError) in
            try decoder.longLong(name, &value)
        }
    }

    mutating func timestamp(_ name: StaticString, _ value: inout UInt64) throws(WireError) {
        try note(name, "timestamp", &value, as: { .timestamp($0) }) { (decoder, value) throws(WireError) in
            try decoder.timestamp(name, &value)
        }
    }

    mutating func bit(_ name: StaticString, _ value: inout Bool) throws(WireError) {
        let before = decoder.reader.position
        try decoder.bit(name, &value)
        bitIndex = decoder.reader.position == before ? bitIndex &+ 1 : 0
        // The octet of a bit is the last one read, whichever of its bits was asked for.
        fields.append(
            WireField(
                name: "\(name)",
                type: "bit",
                offset: decoder.reader.offset &- 1,
                size: 1,
                value: .bit(value, index: bitIndex)
            )
        )
    }

    mutating func shortString(_ name: StaticString, _ value: inout AMQPText) throws(WireError) {
        try note(name, "shortstr", &value, as: { .text($0) }) { (decoder, value) throws(WireError) in
            try decoder.shortString(name, &value)
        }
    }

    mutating func longString(_ name: StaticString, _ value: inout AMQPText) throws(WireError) {
        try note(name, "longstr", &value, as: { .text($0) }) { (decoder, value) throws(WireError) in
            try decoder.longString(name, &value)
        }
    }

    mutating func secret(_ name: StaticString, _ value: inout Secret) throws(WireError) {
        try note(name, "longstr", &value, as: { .secret($0) }) { (decoder, value) throws(WireError) in
            try decoder.secret(name, &value)
        }
    }

    mutating func table(_ name: StaticString, _ value: inout FieldTable) throws(WireError) {
        try note(name, "table", &value, as: { .table($0) }) { (decoder, value) throws(WireError) in
            try decoder.table(name, &value)
        }
    }

    mutating func propertyFlags(_ flags: inout UInt16) throws(WireError) {
        try note("property-flags", "flags", &flags, as: { .flags($0) }) { (decoder, flags) throws(WireError) in
            try decoder.propertyFlags(&flags)
        }
    }

    mutating func property(_ name: StaticString, _ value: inout AMQPText) throws(WireError) {
        try shortString(name, &value)
    }
}
