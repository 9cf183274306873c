import Testing

@testable import AMQPWire

/// Integers, strings and literals of Swift's own in tables and properties.
@Suite("Swift's own values in tables")
struct SwiftValuesTests {
    @Test("variables stand in the literal of a table as they are")
    func literal() {
        let (count, name, share, isQuorum, text): (Int, String, Double, Bool, Substring) = (
            5, "dead", 0.5, true, "a-b".prefix(1)
        )
        let small: UInt16 = 7
        let table: AMQPTable = [
            "x-max-length": count, "x-dead-letter-exchange": name, "share": share, "quorum": isQuorum, "text": text,
            "small": small, "computed": count * 1_000, "interpolated": "\(name)-\(count)",
        ]
        let expected: [(AMQPText, AMQPFieldValue)] = [
            ("x-max-length", .int32(5)), ("x-dead-letter-exchange", .string("dead")), ("share", .double(0.5)),
            ("quorum", .boolean(true)), ("text", .string("a")), ("small", .int32(7)), ("computed", .int32(5_000)),
            ("interpolated", .string("dead-5")),
        ]
        #expect(table == AMQPTable(expected.map { AMQPTable.Entry($0, $1) }))
    }

    @Test("keys can be strings that are made at run time")
    func keys() {
        let key = "x-" + "expires"
        var table: AMQPTable = [key: 1, key.dropFirst(2): 2]
        #expect(table["x-expires"] == .int32(1))
        #expect(table[key] == .int32(1))
        #expect(table[key.dropFirst(2)] == .int32(2))
        table[key] = nil
        #expect(table.count == 1)
    }

    @Test("values are set by a subscript as they are")
    func subscripts() {
        var headers = AMQPTable()
        let attempt = 4
        let missing: Int? = nil
        headers["attempt"] = attempt + 1
        headers["name"] = String(attempt)
        headers["literal"] = 5
        headers["text"] = "x"
        headers["case"] = .int8(3)
        headers["gone"] = 1
        headers["gone"] = missing
        headers["list"] = ["a", 1, true]
        #expect(headers["attempt"] == .int32(5))
        #expect(headers["name"]?.string == "4")
        #expect(headers["literal"]?.integer == 5)
        #expect(headers["text"] == "x")
        #expect(headers["case"] == .int8(3))
        #expect(headers["gone"] == nil)
        #expect(headers["list"] == .array([.string("a"), .int32(1), .boolean(true)]))
        #expect(headers.entries.map(\.key) == ["attempt", "name", "literal", "text", "case", "list"])
    }

    @Test("literals nest, whatever they mix")
    func nested() {
        let depth = 2
        let table: AMQPTable = [
            "list": [1, "two", .void, true, ["n": depth, "c": "x"], []],
            "table": ["b": ["z": 1, "a": .int16(-2)]],
            "inOrder": .table(["z": 1, "a": depth]),
        ]
        #expect(
            table["list"]
                == .array([
                    .int32(1), .string("two"), .void, .boolean(true),
                    .table(.init([.init("c", .string("x")), .init("n", .int32(2))])), .array([]),
                ])
        )
        let inner = AMQPTable([.init("a", .int16(-2)), .init("z", .int32(1))])
        #expect(table["table"] == .table(.init([.init("b", .table(inner))])))
        #expect(table["inOrder"]?.table?.entries.map(\.key) == ["z", "a"])
    }

    @Test(
        "an integer takes the type that other clients choose",
        arguments: [
            (Int.min as any AMQPFieldValueConvertible, AMQPFieldValue.int64(.min)), (Int32.min, .int32(.min)),
            (Int64(Int32.max), .int32(.max)), (Int64(Int32.max) + 1, .int64(1 << 31)), (UInt8.max, .int32(255)),
            (Int8.min, .int32(-128)), (Int16.max, .int32(32_767)), (UInt32.max, .int64(Int64(UInt32.max))),
            (UInt64(Int64.max), .int64(.max)), (UInt64.max, .double(0x1p64)),
            (UInt.max, .double(0x1p64)), (Float(1.5), .float(1.5)),
            (AMQPDecimal(scale: 2, value: 314), .decimal(.init(scale: 2, value: 314))),
        ]
    )
    func integers(value: any AMQPFieldValueConvertible, expected: AMQPFieldValue) {
        #expect(value.amqpFieldValue == expected)
    }

    @Test("properties take strings as they are")
    func properties() {
        let (id, reply): (String, Substring) = ("id-1", "queue".prefix(3))
        let kind: String? = nil
        let properties = AMQPProperties(
            contentType: "text/plain",
            headers: ["n": id.count],
            correlationID: id,
            replyTo: reply,
            messageID: AMQPText(octets: [0xFF]),
            type: kind,
            appID: "\(id)!"
        )
        #expect(properties.contentType == "text/plain")
        #expect(properties.headers?["n"] == .int32(4))
        #expect(properties.correlationID == "id-1")
        #expect(properties.replyTo == "que")
        #expect(properties.messageID?.octets == [0xFF])
        #expect(properties.type == nil)
        #expect(properties.appID == "id-1!")
        #expect(AMQPProperties() == AMQPProperties(contentType: nil))
    }
}
