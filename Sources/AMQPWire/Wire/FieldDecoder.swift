/// Sets fields to what a payload says.
struct FieldDecoder: FieldCoder {
    var reader: WireReader
    let limits: AMQPWireLimits
    /// The octet whose bits are being read, and how many of them are used up.
    private var bits: (octet: UInt8, used: UInt8) = (0, 8)
    /// Words of property flags beyond the first, and flags of properties that class basic does not have.
    private(set) var unknownProperties = false

    init(_ reader: WireReader, limits: AMQPWireLimits) {
        self.reader = reader
        self.limits = limits
    }

    private mutating func begin(_ name: StaticString) {
        reader.field = name
        bits.used = 8
    }

    mutating func octet(_ name: StaticString, _ value: inout UInt8) throws(AMQPWireError) {
        begin(name)
        value = try reader.integer()
    }

    mutating func short(_ name: StaticString, _ value: inout UInt16) throws(AMQPWireError) {
        begin(name)
        value = try reader.integer()
    }

    mutating func long(_ name: StaticString, _ value: inout UInt32) throws(AMQPWireError) {
        begin(name)
        value = try reader.integer()
    }

    mutating func longLong(_ name: StaticString, _ value: inout UInt64) throws(AMQPWireError) {
        begin(name)
        value = try reader.integer()
    }

    mutating func timestamp(_ name: StaticString, _ value: inout UInt64) throws(AMQPWireError) {
        try longLong(name, &value)
    }

    mutating func bit(_ name: StaticString, _ value: inout Bool) throws(AMQPWireError) {
        if bits.used == 8 {
            reader.field = name
            bits = (try reader.integer(), 0)
        }
        value = bits.octet & (1 &<< bits.used) != 0
        bits.used &+= 1
    }

    mutating func shortString(_ name: StaticString, _ value: inout AMQPText) throws(AMQPWireError) {
        begin(name)
        value = try reader.shortString()
    }

    mutating func longString(_ name: StaticString, _ value: inout AMQPText) throws(AMQPWireError) {
        begin(name)
        value = AMQPText(octets: try reader.longString())
    }

    mutating func secret(_ name: StaticString, _ value: inout AMQPSecret) throws(AMQPWireError) {
        begin(name)
        value = AMQPSecret(octets: Array(try reader.longString()))
    }

    mutating func table(_ name: StaticString, _ value: inout AMQPTable) throws(AMQPWireError) {
        begin(name)
        value = try reader.table(limits)
    }

    mutating func propertyFlags(_ flags: inout UInt16) throws(AMQPWireError) {
        begin("property-flags")
        flags = try reader.integer()
        unknownProperties = flags & ~AMQPProperties.assignedFlags != 0
        // Each word's lowest bit says that another follows. No class has more than one word; fifteen are plenty.
        var word = flags
        var words = 1
        while word & 1 != 0 {
            guard words < 15 else { throw reader.error(.tooManyPropertyFlags) }
            word = try reader.integer()
            words &+= 1
        }
    }

    mutating func property(_ name: StaticString, _ value: inout AMQPText) throws(AMQPWireError) {
        try shortString(name, &value)
    }
}
