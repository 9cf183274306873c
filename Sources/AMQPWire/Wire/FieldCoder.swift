/// What walks over the fields of a method or of the properties, in their order on the wire.
///
/// Each method lists its fields once, in `fields(_:)`; an encoder reads the values, a decoder sets them, and a tracer notes
/// where each one stands. So the two directions and the listings cannot disagree. Names are those of the specification.
protocol FieldCoder: ~Copyable {
    mutating func octet(_ name: StaticString, _ value: inout UInt8) throws(AMQPWireError)
    mutating func short(_ name: StaticString, _ value: inout UInt16) throws(AMQPWireError)
    mutating func long(_ name: StaticString, _ value: inout UInt32) throws(AMQPWireError)
    mutating func longLong(_ name: StaticString, _ value: inout UInt64) throws(AMQPWireError)
    mutating func timestamp(_ name: StaticString, _ value: inout UInt64) throws(AMQPWireError)
    /// Bits that follow one another share octets, the first in the least significant place.
    mutating func bit(_ name: StaticString, _ value: inout Bool) throws(AMQPWireError)
    /// A name or a short text, without the octet 0 when it is written.
    mutating func shortString(_ name: StaticString, _ value: inout AMQPText) throws(AMQPWireError)
    mutating func longString(_ name: StaticString, _ value: inout AMQPText) throws(AMQPWireError)
    /// A long string that no listing may show.
    mutating func secret(_ name: StaticString, _ value: inout AMQPSecret) throws(AMQPWireError)
    mutating func table(_ name: StaticString, _ value: inout AMQPTable) throws(AMQPWireError)
    /// Which properties follow: bit 15 stands for the first.
    mutating func propertyFlags(_ flags: inout UInt16) throws(AMQPWireError)
    /// A property's text; unlike a name it may hold any octets.
    mutating func property(_ name: StaticString, _ value: inout AMQPText) throws(AMQPWireError)
}

/// The arguments of one method.
protocol MethodPayload: Hashable, Sendable {
    /// Which method.
    static var id: AMQPMethodID { get }

    /// Leads `coder` over the arguments.
    mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError)
}
