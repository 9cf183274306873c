extension AMQPFrameEncoder {
    /// Writes a table: four octets for its length in octets, then its entries.
    mutating func write(_ table: AMQPTable, depth: Int = 0) throws(AMQPWireError) {
        try writeNested(depth: depth) { (encoder) throws(AMQPWireError) in
            for entry in table.entries {
                try encoder.writeShortString(entry.key)
                try encoder.write(entry.value, depth: depth + 1)
            }
        }
    }

    private mutating func write(_ value: AMQPFieldValue, depth: Int) throws(AMQPWireError) {
        switch value {
        case .boolean(let value): write("t", integer: UInt8(value ? 1 : 0))
        case .int8(let value): write("b", integer: value)
        case .uint8(let value): write("B", integer: value)
        case .int16(let value): write("s", integer: value)
        case .uint16(let value): write("u", integer: value)
        case .int32(let value): write("I", integer: value)
        case .uint32(let value): write("i", integer: value)
        case .int64(let value): write("l", integer: value)
        case .int64L(let value): write("L", integer: value)
        case .float(let value): write("f", integer: value.bitPattern)
        case .double(let value): write("d", integer: value.bitPattern)
        case .decimal(let value):
            write("D", integer: value.scale)
            bytes.append(integer: value.value)
        case .string(let text):
            write("S")
            try writeLongString(text)
        case .array(let elements):
            write("A")
            try writeNested(depth: depth) { (encoder) throws(AMQPWireError) in
                for element in elements {
                    try encoder.write(element, depth: depth + 1)
                }
            }
        case .timestamp(let seconds): write("T", integer: seconds)
        case .table(let table):
            write("F")
            try write(table, depth: depth)
        case .bytes(let octets):
            write("x")
            try writeLongString(octets)
        case .void: write("V")
        }
    }

    private mutating func write(_ type: Unicode.Scalar) {
        bytes.append(integer: UInt8(ascii: type))
    }

    private mutating func write(_ type: Unicode.Scalar, integer: some FixedWidthInteger) {
        write(type)
        bytes.append(integer: integer)
    }

    private mutating func writeNested(
        depth: Int,
        _ contents: (inout AMQPFrameEncoder) throws(AMQPWireError) -> Void
    ) throws(AMQPWireError) {
        guard depth < Self.maxNesting else { throw error(.nestingTooDeep(limit: Self.maxNesting)) }
        let lengthAt = bytes.count
        bytes.append(integer: UInt32(0))
        try contents(&self)
        let size = bytes.count - lengthAt - 4
        guard let length = UInt32(exactly: size) else {
            throw error(.tableTooLarge(size: UInt64(size), limit: Int(clamping: UInt32.max)))
        }
        bytes.overwrite(at: lengthAt, with: length)
    }
}
