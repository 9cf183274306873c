import Testing

@testable import AMQPWire

/// A table and its entries' octets as words.
struct TableVector: Sendable, CustomTestStringConvertible {
    let table: AMQPTable
    let words: String

    init(_ table: AMQPTable, _ words: String) {
        self.table = table
        self.words = words
    }

    var testDescription: String { words }
}

@Suite("Field tables on the wire")
struct TableVectorTests {
    /// Values from the tests of RabbitMQ's server (unit_amqp091_content_framing), amqplib (codec), rabbitmq-c
    /// (test_tables) and ruby's amq-protocol, whose vectors for `f`, `b` and `I` are left out: they take `b` and `s` as
    /// unsigned, which RabbitMQ does not.
    static let vectors: [TableVector] = [
        TableVector(
            [
                "longstr": "Here is a long string", "signedint": .int32(12345),
                "decimal": .decimal(AMQPDecimal(scale: 3, value: 123_456)),
                "timestamp": .timestamp(109_876_543_209_876), "table": ["one": 54321, "two": "A long string"],
                "byte": .int8(-128), "long": .int64(1_234_567_890), "short": .int16(655), "bool": true,
                "binary": .bytes(Array("a binary string".utf8)), "unsignedbyte": .uint8(250),
                "unsignedshort": .uint16(65530), "unsignedint": .uint32(4_294_967_290), "void": .void,
                "array": [54321, "A long string"],
            ],
            """
            07 'longstr' 'S' 00000015 'Here is a long string'
            09 'signedint' 'I' 00003039
            07 'decimal' 'D' 03 0001e240
            09 'timestamp' 'T' 000063eea053c194
            05 'table' 'F' 0000001f 03 'one' 'I' 0000d431 03 'two' 'S' 0000000d 'A long string'
            04 'byte' 'b' 80
            04 'long' 'l' 00000000499602d2
            05 'short' 's' 028f
            04 'bool' 't' 01
            06 'binary' 'x' 0000000f 'a binary string'
            0c 'unsignedbyte' 'B' fa
            0d 'unsignedshort' 'u' fffa
            0b 'unsignedint' 'i' fffffffa
            04 'void' 'V'
            05 'array' 'A' 00000017 'I' 0000d431 'S' 0000000d 'A long string'
            """
        ),
        TableVector(["byte": .int8(112)], "04 'byte' 'b' 70"),
        TableVector(["byte": .int8(127)], "04 'byte' 'b' 7f"),
        TableVector(["byte": .int8(-1)], "04 'byte' 'b' ff"),
        TableVector(["short": .int16(-129)], "05 'short' 's' ff7f"),
        TableVector(["short": .int16(128)], "05 'short' 's' 0080"),
        TableVector(["short": .int16(0x7FFF)], "05 'short' 's' 7fff"),
        TableVector(["short": .int16(-0x8000)], "05 'short' 's' 8000"),
        TableVector(["int": .int32(0x8000)], "03 'int' 'I' 00008000"),
        TableVector(["int": .int32(-0x8001)], "03 'int' 'I' ffff7fff"),
        TableVector(["int": .int32(.max)], "03 'int' 'I' 7fffffff"),
        TableVector(["int": .int32(.min)], "03 'int' 'I' 80000000"),
        TableVector(["long": .int64(0x8000_0000)], "04 'long' 'l' 0000000080000000"),
        TableVector(["long": .int64(-0x8000_0001)], "04 'long' 'l' ffffffff7fffffff"),
        TableVector(["long": .int64L(1_234_567_890)], "04 'long' 'L' 00000000499602d2"),
        TableVector(["long": .int64L(-1)], "04 'long' 'L' ffffffffffffffff"),
        TableVector(["double": 0.5], "06 'double' 'd' 3fe0000000000000"),
        TableVector(["double": -0.5], "06 'double' 'd' bfe0000000000000"),
        TableVector(["double": .double(.pi)], "06 'double' 'd' 400921fb54442d18"),
        TableVector(["float": .float(0.1)], "05 'float' 'f' 3dcccccd"),
        TableVector(["float": .float(.pi.nextUp)], "05 'float' 'f' 40490fdb"),
        TableVector(["string": "boop"], "06 'string' 'S' 00000004 'boop'"),
        TableVector(["bytes": .bytes([1, 2, 3, 4])], "05 'bytes' 'x' 00000004 01 02 03 04"),
        TableVector(["bool": false], "04 'bool' 't' 00"),
        TableVector(
            ["array": [.int8(6), true, "foo"]],
            "05 'array' 'A' 0000000c 'b' 06 't' 01 'S' 00000003 'foo'"
        ),
        TableVector(
            ["object": .table(["foo": "bar", "baz": .int8(12)])],
            "06 'object' 'F' 00000012 03 'foo' 'S' 00000003 'bar' 03 'baz' 'b' 0c"
        ),
        TableVector(["timestamp": .timestamp(1_357_212_277_527)], "09 'timestamp' 'T' 0000013c0027db17"),
        TableVector(["decimal": .decimal(AMQPDecimal(scale: 2, value: 2345))], "07 'decimal' 'D' 02 00000929"),
        TableVector(["decimal": .decimal(AMQPDecimal(scale: 255, value: .max))], "07 'decimal' 'D' ff ffffffff"),
        TableVector(["unsignedbyte": .uint8(255)], "0c 'unsignedbyte' 'B' ff"),
        TableVector(["unsignedshort": .uint16(65535)], "0d 'unsignedshort' 'u' ffff"),
        TableVector(["unsignedint": .uint32(.max)], "0b 'unsignedint' 'i' ffffffff"),
        TableVector([:], ""),
        TableVector(["test": .int64(1)], "04 'test' 'l' 0000000000000001"),
        TableVector(["float": .double(1.92)], "05 'float' 'd' 3ffeb851eb851eb8"),
        TableVector(["test": .array([])], "04 'test' 'A' 00000000"),
        TableVector(["test": .table([:])], "04 'test' 'F' 00000000"),
        TableVector(["test": .decimal(AMQPDecimal(scale: 3, value: 5))], "04 'test' 'D' 03 00000005"),
        TableVector(["test": .timestamp(1_293_839_939)], "04 'test' 'T' 000000004d1e6e43"),
        TableVector(
            ["coordinates": ["latitude": 59.35]],
            "0b 'coordinates' 'F' 00000012 08 'latitude' 'd' 404daccccccccccd"
        ),
        TableVector(["строка": "значение"], "0c 'строка' 'S' 00000010 'значение'"),
        TableVector(everyValue, everyValueWords),
    ]

    @Test("a table decodes to its values and is written as it came", arguments: vectors)
    func vector(_ vector: TableVector) throws {
        let stream = tableFrame(octets(vector.words))
        let decoded = try #require(decode(stream).frames.first)
        #expect(decoded.payload == .method(declare(vector.table)))
        #expect(decoded.notes == [])
        let written = try encode(decoded)
        #expect(written == stream, "\(hexadecimal(written))")
    }

    @Test("any octet but 0 reads as true")
    func truth() throws {
        for octet in UInt8.min...UInt8.max {
            #expect(try table(octets("1'k' 't'") + [octet])["k"] == .boolean(octet != 0))
        }
    }

    @Test("each octet that is no type is refused at its place")
    func unknownTypes() throws {
        let known = Set("tbBsuIilLfdDSATFxV".utf8)
        #expect(known.count == 18)
        for type in UInt8.min...UInt8.max where !known.contains(type) {
            let decoding = decode(tableFrame(octets("1'k'") + [type] + octets("00000000 00000000")))
            #expect(decoding.error?.code == .unknownValueType(type))
            // Frame header 7, ids 4, reserved 2, queue 2, bits 1, length 4, key 2.
            #expect(decoding.error?.offset == 22)
            #expect(decoding.error?.field == "queue.declare arguments")
        }
    }

    @Test("keys keep their order, and one that comes twice is kept twice")
    func duplicates() throws {
        let words = "1'b' 'b' 01 1'a' 'b' 02 1'b' 'b' 03"
        let table = try table(octets(words))
        #expect(table.entries.map(\.key) == ["b", "a", "b"])
        #expect(table["b"] == .int8(1))
        #expect(try encode(declare(table)) == tableFrame(octets(words)))
    }

    @Test("setting a key replaces the first entry and drops the others")
    func setting() {
        var table: AMQPTable = ["b": 1, "a": 2, "b": 3, "b": 4]
        table["b"] = 5
        #expect(table == ["b": 5, "a": 2])
        table["c"] = 6
        #expect(table == ["b": 5, "a": 2, "c": 6])
        table["b"] = nil
        table["none"] = nil
        #expect(table == ["a": 2, "c": 6])
    }

    @Test("not-a-number keeps its octets")
    func notANumber() throws {
        for words in [
            "1'k' 'f' 7fc00001", "1'k' 'f' 7f800001", "1'k' 'd' fff8000000000002", "1'k' 'd' 7ff0000000000001",
        ] {
            let stream = tableFrame(octets(words))
            let decoded = try #require(decode(stream).frames.first)
            #expect(try encode(decoded) == stream, "\(words)")
        }
    }

    @Test("text that is not UTF-8 is kept as it came, in keys and in values")
    func invalidText() throws {
        let words = "1{ ff fe } 'S' 4{ c3 28 } 1{ ed a0 80 } 'A' 4{ 'S' 4{ 80 } }"
        let table = try table(octets(words))
        #expect(table.entries[0].key.octets == [0xFF, 0xFE])
        #expect(!table.entries[0].key.isValidUTF8)
        #expect(table[AMQPText(octets: [0xFF, 0xFE])] == .string(AMQPText(octets: [0xC3, 0x28])))
        #expect(try encode(declare(table)) == tableFrame(octets(words)))
    }

    @Test("an integer is written as I where it fits and as l where not")
    func integers() {
        #expect(AMQPFieldValue(Int(Int32.max)) == .int32(.max))
        #expect(AMQPFieldValue(Int64(Int32.max) + 1) == .int64(0x8000_0000))
        #expect(AMQPFieldValue(Int64(Int32.min) - 1) == .int64(-0x8000_0001))
        #expect(AMQPFieldValue(Int8(-1)) == .int32(-1))
    }

    @Test("a value answers only for its own type")
    func accessors() {
        #expect(AMQPFieldValue.uint32(.max).integer == 4_294_967_295)
        #expect(AMQPFieldValue.int64L(-1).integer == -1)
        #expect(AMQPFieldValue.timestamp(1).integer == nil)
        #expect(AMQPFieldValue.bytes([0x61]).string == nil)
        #expect(AMQPFieldValue.string("a").string == "a")
        #expect(AMQPFieldValue.boolean(true).boolean == true)
        #expect(AMQPFieldValue.int8(1).boolean == nil)
        #expect(AMQPFieldValue.table(["a": 1]).table?["a"] == 1)
        #expect(AMQPFieldValue.array([1]).array == [1])
        #expect(AMQPFieldValue.array([1]).table == nil)
    }

    private func declare(_ table: AMQPTable) -> AMQPMethod {
        .queueDeclare(.init(queue: "q", arguments: table))
    }

    private func encode(_ method: AMQPMethod) throws -> [UInt8] {
        var encoder = AMQPFrameEncoder()
        try encoder.append(method, channel: 1)
        return encoder.bytes.copy()
    }

    private func encode(_ frame: AMQPFrame) throws -> [UInt8] {
        try AMQPWireTests.encode(frame)
    }

    private func table(_ entries: [UInt8]) throws -> AMQPTable {
        let decoded = try #require(decode(tableFrame(entries)).frames.first)
        guard case .method(.queueDeclare(let declare)) = decoded.payload else { throw Unexpected() }
        return declare.arguments
    }

    private struct Unexpected: Error {}
}

/// A queue.declare with a table of these entries.
func tableFrame(_ entries: [UInt8]) -> [UInt8] {
    frame(1, channel: 1, octets("0032 000a 0000 1'q' 00") + bigEndian(UInt32(entries.count)) + entries)
}
