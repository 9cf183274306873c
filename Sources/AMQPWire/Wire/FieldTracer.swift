/// A field as it stands in a stream.
public struct AMQPWireField: Hashable, Sendable {
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
        case secret(AMQPSecret)
        /// A field table.
        case table(AMQPTable)
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
    private(set) var fields: [AMQPWireField] = []
    private var bitIndex: UInt8 = 0

    init(_ decoder: FieldDecoder) {
        self.decoder = decoder
    }

    /// Notes a field that was read since the reader stood at `before`.
    private mutating func note(
        _ name: StaticString,
        _ type: String,
        since before: WireReader,
        _ value: AMQPWireField.Value
    ) {
        let size = decoder.reader.position &- before.position
        fields.append(AMQPWireField(name: "\(name)", type: type, offset: before.offset, size: size, value: value))
    }

    mutating func octet(_ name: StaticString, _ value: inout UInt8) throws(AMQPWireError) {
        let before = decoder.reader
        try decoder.octet(name, &value)
        note(name, "octet", since: before, .integer(UInt64(value)))
    }

    mutating func short(_ name: StaticString, _ value: inout UInt16) throws(AMQPWireError) {
        let before = decoder.reader
        try decoder.short(name, &value)
        note(name, "short", since: before, .integer(UInt64(value)))
    }

    mutating func long(_ name: StaticString, _ value: inout UInt32) throws(AMQPWireError) {
        let before = decoder.reader
        try decoder.long(name, &value)
        note(name, "long", since: before, .integer(UInt64(value)))
    }

    mutating func longLong(_ name: StaticString, _ value: inout UInt64) throws(AMQPWireError) {
        let before = decoder.reader
        try decoder.longLong(name, &value)
        note(name, "longlong", since: before, .integer(value))
    }

    mutating func timestamp(_ name: StaticString, _ value: inout UInt64) throws(AMQPWireError) {
        let before = decoder.reader
        try decoder.timestamp(name, &value)
        note(name, "timestamp", since: before, .timestamp(value))
    }

    mutating func bit(_ name: StaticString, _ value: inout Bool) throws(AMQPWireError) {
        let before = decoder.reader.position
        try decoder.bit(name, &value)
        bitIndex = decoder.reader.position == before ? bitIndex &+ 1 : 0
        // The octet of a bit is the last one read, whichever of its bits was asked for.
        fields.append(
            AMQPWireField(
                name: "\(name)",
                type: "bit",
                offset: decoder.reader.offset &- 1,
                size: 1,
                value: .bit(value, index: bitIndex)
            )
        )
    }

    mutating func shortString(_ name: StaticString, _ value: inout AMQPText) throws(AMQPWireError) {
        let before = decoder.reader
        try decoder.shortString(name, &value)
        note(name, "shortstr", since: before, .text(value))
    }

    mutating func longString(_ name: StaticString, _ value: inout AMQPText) throws(AMQPWireError) {
        let before = decoder.reader
        try decoder.longString(name, &value)
        note(name, "longstr", since: before, .text(value))
    }

    mutating func secret(_ name: StaticString, _ value: inout AMQPSecret) throws(AMQPWireError) {
        let before = decoder.reader
        try decoder.secret(name, &value)
        note(name, "longstr", since: before, .secret(value))
    }

    mutating func table(_ name: StaticString, _ value: inout AMQPTable) throws(AMQPWireError) {
        let before = decoder.reader
        try decoder.table(name, &value)
        note(name, "table", since: before, .table(value))
    }

    mutating func propertyFlags(_ flags: inout UInt16) throws(AMQPWireError) {
        let before = decoder.reader
        try decoder.propertyFlags(&flags)
        note("property-flags", "flags", since: before, .flags(flags))
    }

    mutating func property(_ name: StaticString, _ value: inout AMQPText) throws(AMQPWireError) {
        try shortString(name, &value)
    }
}
