@testable import AMQPWire

/// Notes which fields it is led over, by name and elementary type, in their order.
struct FieldRecorder: FieldCoder {
    private(set) var fields: [Specification.Field] = []
    /// The property flags, where there were any.
    private(set) var flags: UInt16?

    private mutating func note(_ name: StaticString, _ type: String) {
        fields.append(Specification.Field(name: "\(name)", type: type))
    }

    mutating func octet(_ name: StaticString, _ value: inout UInt8) { note(name, "octet") }
    mutating func short(_ name: StaticString, _ value: inout UInt16) { note(name, "short") }
    mutating func long(_ name: StaticString, _ value: inout UInt32) { note(name, "long") }
    mutating func longLong(_ name: StaticString, _ value: inout UInt64) { note(name, "longlong") }
    mutating func timestamp(_ name: StaticString, _ value: inout UInt64) { note(name, "timestamp") }
    mutating func bit(_ name: StaticString, _ value: inout Bool) { note(name, "bit") }
    mutating func shortString(_ name: StaticString, _ value: inout AMQPText) { note(name, "shortstr") }
    mutating func longString(_ name: StaticString, _ value: inout AMQPText) { note(name, "longstr") }
    mutating func secret(_ name: StaticString, _ value: inout AMQPSecret) { note(name, "longstr") }
    mutating func table(_ name: StaticString, _ value: inout AMQPTable) { note(name, "table") }
    mutating func property(_ name: StaticString, _ value: inout AMQPText) { note(name, "shortstr") }
    mutating func propertyFlags(_ flags: inout UInt16) { self.flags = flags }
}
