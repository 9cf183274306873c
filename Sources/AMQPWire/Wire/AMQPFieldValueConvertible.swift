/// What can be a value in a field table: integers, strings and the like of Swift's own, nested literals, and
/// ``AMQPFieldValue`` itself.
///
/// ```swift
/// var arguments: AMQPTable = ["x-max-length": limit, "x-dead-letter-exchange": name, "x-single-active-consumer": true]
/// arguments["x-expires"] = seconds * 1_000
/// ```
///
/// | in Swift | on the wire |
/// |---|---|
/// | `Bool` | `t` |
/// | any integer | `I` where it fits into 32 bits with a sign, else `l`; a `UInt64` or `UInt` beyond `Int64.max`: `d` |
/// | `Float`, `Double` | `f`, `d` |
/// | `String`, `Substring`, ``AMQPText`` | `S` |
/// | ``AMQPTable``, a dictionary literal | `F`; the literal's keys are sorted, so use `.table([…])` where their order matters |
/// | an array literal | `A` |
///
/// For any other type write the case of ``AMQPFieldValue``: `["x-small": .int8(3), "x-since": .timestamp(now)]`.
public protocol AMQPFieldValueConvertible: Sendable {
    /// The value as it stands in a table.
    var amqpFieldValue: AMQPFieldValue { get }
}

extension AMQPFieldValue: AMQPFieldValueConvertible {
    /// The value itself.
    public var amqpFieldValue: AMQPFieldValue { self }
}

extension AMQPTable: AMQPFieldValueConvertible {
    /// A table in a table.
    public var amqpFieldValue: AMQPFieldValue { .table(self) }
}

extension AMQPText: AMQPFieldValueConvertible {
    /// Text, `S`.
    public var amqpFieldValue: AMQPFieldValue { .string(self) }
}

extension AMQPDecimal: AMQPFieldValueConvertible {
    /// A decimal number, `D`.
    public var amqpFieldValue: AMQPFieldValue { .decimal(self) }
}

extension String: AMQPFieldValueConvertible {
    /// Text, `S`.
    public var amqpFieldValue: AMQPFieldValue { .string(AMQPText(self)) }
}

extension Substring: AMQPFieldValueConvertible {
    /// Text, `S`.
    public var amqpFieldValue: AMQPFieldValue { .string(AMQPText(self)) }
}

extension Bool: AMQPFieldValueConvertible {
    /// A truth value, `t`.
    public var amqpFieldValue: AMQPFieldValue { .boolean(self) }
}

extension Float: AMQPFieldValueConvertible {
    /// A number of 32 bits, `f`.
    public var amqpFieldValue: AMQPFieldValue { .float(self) }
}

extension Double: AMQPFieldValueConvertible {
    /// A number of 64 bits, `d`.
    public var amqpFieldValue: AMQPFieldValue { .double(self) }
}

extension AMQPFieldValueConvertible where Self: FixedWidthInteger {
    /// `I` where the integer fits, else `l`, else `d`.
    public var amqpFieldValue: AMQPFieldValue { AMQPFieldValue(self) }
}

extension Int: AMQPFieldValueConvertible {}
extension Int8: AMQPFieldValueConvertible {}
extension Int16: AMQPFieldValueConvertible {}
extension Int32: AMQPFieldValueConvertible {}
extension Int64: AMQPFieldValueConvertible {}
extension UInt: AMQPFieldValueConvertible {}
extension UInt8: AMQPFieldValueConvertible {}
extension UInt16: AMQPFieldValueConvertible {}
extension UInt32: AMQPFieldValueConvertible {}
extension UInt64: AMQPFieldValueConvertible {}

extension Array: AMQPFieldValueConvertible where Element == any AMQPFieldValueConvertible {
    /// An array, `A`.
    public var amqpFieldValue: AMQPFieldValue { .array(map(\.amqpFieldValue)) }
}

extension Dictionary: AMQPFieldValueConvertible where Key == String, Value == any AMQPFieldValueConvertible {
    /// A table, `F`, in the order of its keys.
    public var amqpFieldValue: AMQPFieldValue {
        .table(AMQPTable(sorted { $0.key < $1.key }.map { AMQPTable.Entry(AMQPText($0.key), $0.value.amqpFieldValue) }))
    }
}

// The cases of `AMQPFieldValue` where a literal of a table or an array wants anything that can be a value. Disfavored, so
// that `.int8(3)` means the case itself wherever both could be meant.
extension AMQPFieldValueConvertible where Self == AMQPFieldValue {
    /// ``AMQPFieldValue/boolean`` in a literal.
    @_disfavoredOverload public static func boolean(_ value: Bool) -> AMQPFieldValue { AMQPFieldValue.boolean(value) }
    /// ``AMQPFieldValue/int8`` in a literal.
    @_disfavoredOverload public static func int8(_ value: Int8) -> AMQPFieldValue { AMQPFieldValue.int8(value) }
    /// ``AMQPFieldValue/uint8`` in a literal.
    @_disfavoredOverload public static func uint8(_ value: UInt8) -> AMQPFieldValue { AMQPFieldValue.uint8(value) }
    /// ``AMQPFieldValue/int16`` in a literal.
    @_disfavoredOverload public static func int16(_ value: Int16) -> AMQPFieldValue { AMQPFieldValue.int16(value) }
    /// ``AMQPFieldValue/uint16`` in a literal.
    @_disfavoredOverload public static func uint16(_ value: UInt16) -> AMQPFieldValue { AMQPFieldValue.uint16(value) }
    /// ``AMQPFieldValue/int32`` in a literal.
    @_disfavoredOverload public static func int32(_ value: Int32) -> AMQPFieldValue { AMQPFieldValue.int32(value) }
    /// ``AMQPFieldValue/uint32`` in a literal.
    @_disfavoredOverload public static func uint32(_ value: UInt32) -> AMQPFieldValue { AMQPFieldValue.uint32(value) }
    /// ``AMQPFieldValue/int64`` in a literal.
    @_disfavoredOverload public static func int64(_ value: Int64) -> AMQPFieldValue { AMQPFieldValue.int64(value) }
    /// ``AMQPFieldValue/int64L`` in a literal.
    @_disfavoredOverload public static func int64L(_ value: Int64) -> AMQPFieldValue { AMQPFieldValue.int64L(value) }
    /// ``AMQPFieldValue/float`` in a literal.
    @_disfavoredOverload public static func float(_ value: Float) -> AMQPFieldValue { AMQPFieldValue.float(value) }
    /// ``AMQPFieldValue/double`` in a literal.
    @_disfavoredOverload public static func double(_ value: Double) -> AMQPFieldValue { AMQPFieldValue.double(value) }
    /// ``AMQPFieldValue/decimal`` in a literal.
    @_disfavoredOverload
    public static func decimal(_ value: AMQPDecimal) -> AMQPFieldValue { AMQPFieldValue.decimal(value) }
    /// ``AMQPFieldValue/string`` in a literal.
    @_disfavoredOverload public static func string(_ value: AMQPText) -> AMQPFieldValue { AMQPFieldValue.string(value) }
    /// ``AMQPFieldValue/array`` in a literal.
    @_disfavoredOverload
    public static func array(_ value: [AMQPFieldValue]) -> AMQPFieldValue { AMQPFieldValue.array(value) }
    /// ``AMQPFieldValue/timestamp`` in a literal.
    @_disfavoredOverload
    public static func timestamp(_ value: UInt64) -> AMQPFieldValue { AMQPFieldValue.timestamp(value) }
    /// ``AMQPFieldValue/table`` in a literal.
    @_disfavoredOverload public static func table(_ value: AMQPTable) -> AMQPFieldValue { AMQPFieldValue.table(value) }
    /// ``AMQPFieldValue/bytes`` in a literal.
    @_disfavoredOverload public static func bytes(_ value: [UInt8]) -> AMQPFieldValue { AMQPFieldValue.bytes(value) }
    /// ``AMQPFieldValue/void`` in a literal.
    @_disfavoredOverload public static var void: AMQPFieldValue { AMQPFieldValue.void }
}
