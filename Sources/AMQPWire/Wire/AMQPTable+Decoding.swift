extension WireReader {
    /// A table: four octets for its length in octets, then entries until that is used up.
    mutating func table(_ limits: AMQPWireLimits, depth: Int = 0) throws(AMQPWireError) -> AMQPTable {
        var entries: [AMQPTable.Entry] = []
        try nested(limits, depth: depth) { (reader) throws(AMQPWireError) in
            let key = try reader.shortString()
            entries.append(AMQPTable.Entry(key, try reader.value(limits, depth: depth &+ 1)))
        }
        return AMQPTable(entries)
    }

    /// A value: an octet for its type, then its octets.
    mutating func value(_ limits: AMQPWireLimits, depth: Int) throws(AMQPWireError) -> AMQPFieldValue {
        let start = self
        let type: UInt8 = try integer()
        switch type {
        case UInt8(ascii: "t"): return .boolean(try integer(UInt8.self) != 0)
        case UInt8(ascii: "b"): return .int8(try integer())
        case UInt8(ascii: "B"): return .uint8(try integer())
        case UInt8(ascii: "s"): return .int16(try integer())
        case UInt8(ascii: "u"): return .uint16(try integer())
        case UInt8(ascii: "I"): return .int32(try integer())
        case UInt8(ascii: "i"): return .uint32(try integer())
        case UInt8(ascii: "l"): return .int64(try integer())
        case UInt8(ascii: "L"): return .int64L(try integer())
        case UInt8(ascii: "f"): return .float(Float(bitPattern: try integer()))
        case UInt8(ascii: "d"): return .double(Double(bitPattern: try integer()))
        case UInt8(ascii: "D"): return .decimal(AMQPDecimal(scale: try integer(), value: try integer()))
        case UInt8(ascii: "S"): return .string(AMQPText(octets: try longString()))
        case UInt8(ascii: "A"):
            var elements: [AMQPFieldValue] = []
            try nested(limits, depth: depth) { (reader) throws(AMQPWireError) in
                elements.append(try reader.value(limits, depth: depth &+ 1))
            }
            return .array(elements)
        case UInt8(ascii: "T"): return .timestamp(try integer())
        case UInt8(ascii: "F"): return .table(try table(limits, depth: depth))
        case UInt8(ascii: "x"): return .bytes(Array(try longString()))
        case UInt8(ascii: "V"): return .void
        default: throw start.error(.unknownValueType(type))
        }
    }

    /// Reads the length of a table or array, then calls `element` until that many octets are read.
    mutating func nested(
        _ limits: AMQPWireLimits,
        depth: Int,
        element: (inout WireReader) throws(AMQPWireError) -> Void
    ) throws(AMQPWireError) {
        let deepest = min(limits.nesting, AMQPWireLimits.deepestNesting)
        guard depth < deepest else { throw error(.nestingTooDeep(limit: deepest)) }
        let start = self
        let size: UInt32 = try integer()
        guard UInt64(size) <= UInt64(clamping: limits.tableSize) else {
            throw start.error(.tableTooLarge(size: UInt64(size), limit: limits.tableSize))
        }
        let outer = try enter(size)
        defer { leave(outer) }
        while remaining > 0 {
            try element(&self)
        }
    }
}
