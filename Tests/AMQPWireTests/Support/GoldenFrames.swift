import Testing

@testable import AMQPWire

/// A well-formed frame: its octets and what they mean.
struct GoldenFrame: Sendable, CustomTestStringConvertible {
    let name: String
    let octets: [UInt8]
    let channel: UInt16
    let payload: AMQPFrame.Payload

    var testDescription: String { name }
}

/// Every method, headers, bodies and a heartbeat.
let goldenFrames: [GoldenFrame] =
    goldenMethods.map {
        GoldenFrame(
            name: $0.method.id.name,
            octets: $0.frame,
            channel: GoldenMethod.channel,
            payload: .method($0.method)
        )
    } + [
        GoldenFrame(
            name: "queue.declare with every type of value",
            octets: frame(1, channel: 3, "0032 000a 0000 1'q' 00 4{ \(everyValueWords) }"),
            channel: 3,
            payload: .method(.queueDeclare(.init(queue: "q", arguments: everyValue)))
        ),
        GoldenFrame(
            name: "header with all properties",
            octets: frame(2, channel: 4, allPropertiesWords),
            channel: 4,
            payload: .header(
                AMQPContentHeader(bodySize: 0x0102_0304_0506_0708, weight: 0x090a, properties: allProperties)
            )
        ),
        GoldenFrame(
            name: "header without properties",
            octets: frame(2, channel: 5, "003c 0000 0000000000000000 0000"),
            channel: 5,
            payload: .header(AMQPContentHeader(bodySize: 0))
        ),
        GoldenFrame(
            name: "body",
            octets: frame(3, channel: 6, "'payload' 00 ce ff"),
            channel: 6,
            payload: .body(Array("payload".utf8) + [0, 0xCE, 0xFF])
        ),
        GoldenFrame(name: "heartbeat", octets: octets("08 0000 00000000 ce"), channel: 0, payload: .heartbeat),
    ]

/// A table that has a value of each type, a nested table and array, a repeated key, and text that is not UTF-8.
let everyValue: AMQPTable = [
    "yes": .boolean(true), "no": .boolean(false), "int8": .int8(-2), "uint8": .uint8(0xFE), "int16": .int16(-300),
    "uint16": .uint16(0xFEDC), "int32": .int32(-70_000), "uint32": .uint32(0xFEDC_BA98),
    "int64": .int64(-5_000_000_000), "int64L": .int64L(-6_000_000_000), "float": .float(0.1), "double": .double(-0.5),
    "decimal": .decimal(AMQPDecimal(scale: 2, value: 2345)), "text": "hé",
    "array": [.int8(6), .boolean(true), "foo", ["nested": [:]], []],
    "time": .timestamp(0x0000_013c_0027_db17), "table": .table(["foo": "bar", "foo": .void]),
    "bytes": .bytes([0, 1, 0xFE, 0xFF]), "void": .void,
    AMQPText(octets: [0xC3, 0x28]): .string(AMQPText(octets: [0xFF, 0x00])),
]

let everyValueWords = """
    1'yes' 't' 01
    1'no' 't' 00
    1'int8' 'b' fe
    1'uint8' 'B' fe
    1'int16' 's' fed4
    1'uint16' 'u' fedc
    1'int32' 'I' fffeee90
    1'uint32' 'i' fedcba98
    1'int64' 'l' fffffffed5fa0e00
    1'int64L' 'L' fffffffe9a5f4400
    1'float' 'f' 3dcccccd
    1'double' 'd' bfe0000000000000
    1'decimal' 'D' 02 00000929
    1'text' 'S' 4{ 'h' c3a9 }
    1'array' 'A' 4{ 'b' 06  't' 01  'S' 4'foo'  'F' 4{ 1'nested' 'F' 4{ } }  'A' 4{ } }
    1'time' 'T' 0000013c0027db17
    1'table' 'F' 4{ 1'foo' 'S' 4'bar' 1'foo' 'V' }
    1'bytes' 'x' 4{ 00 01 fe ff }
    1'void' 'V'
    1{ c328 } 'S' 4{ ff 00 }
    """

/// All fourteen properties, none with its default.
let allProperties = AMQPProperties(
    contentType: "text/plain",
    contentEncoding: "gzip",
    headers: ["key": "value"],
    deliveryMode: 2,
    priority: 9,
    correlationID: "corr",
    replyTo: "reply",
    expiration: "60000",
    messageID: "id-1",
    timestamp: 0x1112_1314_1516_1718,
    type: "kind",
    userID: "guest",
    appID: "psistats",
    reserved: "cluster"
)

let allPropertiesWords = """
    003c 090a 0102030405060708 fffc
    1'text/plain' 1'gzip' 4{ 1'key' 'S' 4'value' } 02 09 1'corr' 1'reply' 1'60000' 1'id-1' 1112131415161718
    1'kind' 1'guest' 1'psistats' 1'cluster'
    """
