/// A value in a field table or array, in every type that RabbitMQ sends or takes.
///
/// The letter is the type's octet on the wire. Where the text of AMQP 0-9-1 and RabbitMQ disagree on signs and sizes, this
/// follows RabbitMQ, as all current clients do. Sources: AMQP 0-9-1, section 4.2.5.5; RabbitMQ's errata, section 3.
public enum AMQPFieldValue: Hashable, Sendable {
    /// `t`: any octet but 0 reads as true.
    case boolean(Bool)
    /// `b`.
    case int8(Int8)
    /// `B`.
    case uint8(UInt8)
    /// `s`.
    case int16(Int16)
    /// `u`.
    case uint16(UInt16)
    /// `I`.
    case int32(Int32)
    /// `i`.
    case uint32(UInt32)
    /// `l`.
    case int64(Int64)
    /// `L`: signed as well for RabbitMQ. Read so that it can be passed on; write ``int64(_:)``.
    case int64L(Int64)
    /// `f`.
    case float(Float)
    /// `d`.
    case double(Double)
    /// `D`.
    case decimal(AMQPDecimal)
    /// `S`: text of up to 2^32 - 1 octets.
    case string(AMQPText)
    /// `A`.
    case array([AMQPFieldValue])
    /// `T`: seconds since 1970-01-01 00:00:00 UTC.
    case timestamp(UInt64)
    /// `F`.
    case table(AMQPTable)
    /// `x`: octets that are not text.
    case bytes([UInt8])
    /// `V`: no value.
    case void
}

/// A decimal number: `value` divided by ten to the power of `scale`.
///
/// RabbitMQ reads the value as unsigned, other peers as signed; they agree below 2^31.
public struct AMQPDecimal: Hashable, Sendable {
    /// Digits behind the point.
    public var scale: UInt8
    /// The digits.
    public var value: UInt32

    /// `value` divided by ten to the power of `scale`.
    public init(scale: UInt8, value: UInt32) {
        self.scale = scale
        self.value = value
    }
}

extension AMQPFieldValue {
    /// An integer in the type that other clients choose: `I` where it fits, else `l`. Beyond `Int64`, which no integer type
    /// of a table can hold, it is the nearest `d`.
    public init(_ integer: some FixedWidthInteger) {
        if let small = Int32(exactly: integer) {
            self = .int32(small)
        } else if let large = Int64(exactly: integer) {
            self = .int64(large)
        } else {
            self = .double(Double(integer))
        }
    }

    /// Text.
    public init(_ text: some StringProtocol) {
        self = .string(AMQPText(text))
    }

    /// The text, of a `S`.
    public var string: String? {
        if case .string(let text) = self { text.string } else { nil }
    }

    /// The truth value, of a `t`.
    public var boolean: Bool? {
        if case .boolean(let value) = self { value } else { nil }
    }

    /// The number, of any integer type.
    public var integer: Int64? {
        switch self {
        case .int8(let value): Int64(value)
        case .uint8(let value): Int64(value)
        case .int16(let value): Int64(value)
        case .uint16(let value): Int64(value)
        case .int32(let value): Int64(value)
        case .uint32(let value): Int64(value)
        case .int64(let value), .int64L(let value): value
        case .boolean, .float, .double, .decimal, .string, .array, .timestamp, .table, .bytes, .void: nil
        }
    }

    /// The table, of an `F`.
    public var table: AMQPTable? {
        if case .table(let table) = self { table } else { nil }
    }

    /// The elements, of an `A`.
    public var array: [AMQPFieldValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }
}

extension AMQPFieldValue: ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByStringInterpolation, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    public init(booleanLiteral value: Bool) { self = .boolean(value) }
    public init(integerLiteral value: Int64) { self.init(value) }
    public init(floatLiteral value: Double) { self = .double(value) }
    public init(stringLiteral value: String) { self.init(value) }
    public init(arrayLiteral elements: AMQPFieldValue...) { self = .array(elements) }
    public init(dictionaryLiteral entries: (AMQPText, AMQPFieldValue)...) {
        self = .table(AMQPTable(entries.map { AMQPTable.Entry($0, $1) }))
    }
    public init(nilLiteral: ()) { self = .void }
}
