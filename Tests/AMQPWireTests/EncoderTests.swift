import Testing

@testable import AMQPWire

@Suite("What an encoder writes, and what it refuses")
struct EncoderTests {
    /// What cannot be written, and why.
    struct Refusal: Sendable, CustomTestStringConvertible {
        var name: String
        var method: AMQPMethod
        var code: AMQPWireError.Code
        var field: String

        var testDescription: String { name }
    }

    static let long = AMQPText(String(repeating: "k", count: 256))

    static let refusals = [
        Refusal(
            name: "routing key of 256 octets",
            method: .basicPublish(.init(exchange: "e", routingKey: long)),
            code: .shortStringTooLong(octets: 256),
            field: "basic.publish routing-key"
        ),
        Refusal(
            name: "queue of 128 characters and 256 octets",
            method: .queueDeclare(.init(queue: AMQPText(String(repeating: "é", count: 128)))),
            code: .shortStringTooLong(octets: 256),
            field: "queue.declare queue"
        ),
        Refusal(
            name: "queue with the octet 0",
            method: .queueDeclare(.init(queue: "a\0b")),
            code: .nameContainsNUL,
            field: "queue.declare queue"
        ),
        Refusal(
            name: "octets with a 0 that are no text",
            method: .exchangeDelete(.init(exchange: AMQPText(octets: [0xFF, 0]))),
            code: .nameContainsNUL,
            field: "exchange.delete exchange"
        ),
        Refusal(
            name: "key of 256 octets in a table",
            method: .queueDeclare(.init(queue: "q", arguments: [long: 1])),
            code: .shortStringTooLong(octets: 256),
            field: "queue.declare arguments"
        ),
        Refusal(
            name: "key of 256 octets in a table in an array",
            method: .queueDeclare(.init(queue: "q", arguments: ["a": [.table([long: 1])]])),
            code: .shortStringTooLong(octets: 256),
            field: "queue.declare arguments"
        ),
        Refusal(
            name: "tables nested too deep",
            method: .queueDeclare(.init(queue: "q", arguments: nestedTable(levels: 33))),
            code: .nestingTooDeep(limit: 32),
            field: "queue.declare arguments"
        ),
        Refusal(
            name: "table larger than a frame",
            method: .queueDeclare(.init(queue: "q", arguments: ["k": .bytes([UInt8](repeating: 1, count: 5000))])),
            code: .frameTooLarge(size: 5028, limit: 4096),
            field: "queue.declare"
        ),
    ]

    @Test("a refused method leaves what was there before", arguments: refusals)
    func refused(_ refusal: Refusal) {
        var encoder = AMQPFrameEncoder(maxFrameSize: 4096)
        encoder.appendHeartbeat()
        let before = encoder.bytes.copy()
        let error = wireError { () throws(AMQPWireError) in try encoder.append(refusal.method, channel: 1) }
        #expect(error?.code == refusal.code)
        #expect(error?.field == refusal.field)
        #expect(encoder.bytes.copy() == before)
        encoder.appendHeartbeat()
        #expect(encoder.bytes.copy() == before + before)
    }

    @Test("a refused header takes its method with it")
    func refusedHeader() {
        let properties: [(AMQPProperties, AMQPWireError.Code, String)] = [
            (AMQPProperties(replyTo: Self.long), .shortStringTooLong(octets: 256), "content header reply-to"),
            (
                AMQPProperties(headers: ["k": .string(AMQPText(String(repeating: "v", count: 4096)))]),
                .frameTooLarge(size: 4129, limit: 4096), "content header"
            ),
            (
                AMQPProperties(headers: Self.nestedTable(levels: 33)), .nestingTooDeep(limit: 32),
                "content header headers"
            ),
        ]
        for (properties, code, field) in properties {
            var encoder = AMQPFrameEncoder(maxFrameSize: 4096)
            encoder.appendHeartbeat()
            let error = wireError { () throws(AMQPWireError) in
                try encoder.publish("body", properties: properties)
            }
            #expect(error?.code == code)
            #expect(error?.field == field)
            #expect(encoder.bytes.copy() == octets("08 0000 00000000 ce"))
        }
    }

    @Test("an error's offset counts from the frame's first octet")
    func errorOffset() {
        var encoder = AMQPFrameEncoder()
        encoder.appendHeartbeat()
        let error = wireError { () throws(AMQPWireError) in
            try encoder.append(.basicPublish(.init(exchange: "e", routingKey: Self.long)), channel: 1)
        }
        // Frame header 7, ids 4, reserved 2, exchange 2.
        #expect(error?.offset == 15)
    }

    @Test("a short string may have 255 octets, counted after encoding")
    func longestShortString() throws {
        for text in [String(repeating: "k", count: 255), String(repeating: "é", count: 127) + "k"] {
            var encoder = AMQPFrameEncoder()
            try encoder.append(.connectionBlocked(.init(reason: AMQPText(text))), channel: 0)
            #expect(encoder.bytes.copy() == frame(1, channel: 0, octets("000a 003c 1'\(text)'")))
        }
    }

    @Test("as many levels of tables are written as are read")
    func deepestTable() throws {
        var encoder = AMQPFrameEncoder()
        try encoder.append(.queueDeclare(.init(queue: "q", arguments: Self.nestedTable(levels: 32))), channel: 1)
        #expect(verify(encoder.bytes.copy()).error == nil)
    }

    @Test("a message is method, header and body, one after the other")
    func message() throws {
        var encoder = AMQPFrameEncoder()
        try encoder.publish("hello", properties: AMQPProperties(contentType: "text/plain", deliveryMode: 2))
        let expected =
            frame(1, channel: 1, "003c 0028 0000 1'metrics' 1'host' 00")
            + frame(2, channel: 1, "003c 0000 0000000000000005 9000 1'text/plain' 02")
            + frame(3, channel: 1, "'hello'")
        #expect(encoder.bytes.copy() == expected)
    }

    @Test("an empty body has no body frame")
    func emptyBody() throws {
        var encoder = AMQPFrameEncoder()
        try encoder.publish("", properties: AMQPProperties())
        let expected =
            frame(1, channel: 1, "003c 0028 0000 1'metrics' 1'host' 00")
            + frame(2, channel: 1, "003c 0000 0000000000000000 0000")
        #expect(encoder.bytes.copy() == expected)
    }

    @Test(
        "a body is split so that no frame exceeds the limit",
        arguments: [
            (91, [91]), (92, [92]), (93, [92, 1]), (184, [92, 92]), (185, [92, 92, 1]), (0, []), (1, [1]),
        ]
    )
    func splitting(size: Int, expected: [Int]) {
        let body = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
        var encoder = AMQPFrameEncoder(maxFrameSize: 100)
        body.withUnsafeBytes { encoder.append(body: $0, channel: 0x0203) }
        var rest = body[...]
        var frames: [UInt8] = []
        for count in expected {
            frames += frame(3, channel: 0x0203, Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        #expect(encoder.bytes.copy() == frames)
        #expect(decode(frames, limits: AMQPWireLimits(frameSize: 100)).error == nil)
    }

    /// As RabbitMQ's own test of content framing has it.
    @Test("a limit of 11 octets leaves 3 for a body in each frame")
    func smallFrames() {
        let decoding = decode(bodyFrames("More than one frame", maxFrameSize: 11))
        #expect(decoding.frames.map(\.size) == [11, 11, 11, 11, 11, 11, 9])
        #expect(bodyFrames("One", maxFrameSize: 11) == frame(3, channel: 1, "'One'"))
    }

    @Test("a limit of 0 is none, and a limit below a frame's own octets does not loop")
    func oddLimits() throws {
        let text = String(repeating: "x", count: 200_000)
        #expect(bodyFrames(text, maxFrameSize: 0).count == 200_008)
        #expect(bodyFrames("abc", maxFrameSize: 1).count == 27)
        #expect(bodyFrames("abc", maxFrameSize: 8).count == 27)
        #expect(bodyFrames("abc", maxFrameSize: .max).count == 11)
        var encoder = AMQPFrameEncoder(maxFrameSize: 0)
        let arguments: AMQPTable = ["k": .string(AMQPText(text))]
        try encoder.append(.queueDeclare(.init(queue: "q", arguments: arguments)), channel: 1)
        #expect(encoder.bytes.count == 200_028)
    }

    @Test("a method may fill a frame to the limit and no further")
    func methodSize() throws {
        let secret = AMQPSecret(octets: [UInt8](repeating: 1, count: 84))
        var encoder = AMQPFrameEncoder(maxFrameSize: 100)
        try encoder.append(.connectionSecure(.init(challenge: secret)), channel: 0)
        #expect(encoder.bytes.count == 100)
        encoder.maxFrameSize = 99
        let error = wireError { () throws(AMQPWireError) in
            try encoder.append(.connectionSecure(.init(challenge: secret)), channel: 0)
        }
        #expect(error?.code == .frameTooLarge(size: 100, limit: 99))
        #expect(encoder.bytes.count == 100)
    }

    @Test("properties may hold the octet 0, names may not")
    func zeroInProperties() throws {
        var encoder = AMQPFrameEncoder()
        try encoder.append(AMQPContentHeader(bodySize: 0, properties: AMQPProperties(messageID: "a\0b")), channel: 1)
        #expect(encoder.bytes.copy() == frame(2, channel: 1, "003c 0000 0000000000000000 0080 03 61 00 62"))
    }

    @Test(
        "text that is not UTF-8 goes out as it came in",
        arguments: [
            frame(1, channel: 1, "003c 003c 1{ ff } 0000000000000001 00 1{ c3 28 } 1{ ed a0 80 }"),
            frame(1, channel: 1, "0014 000b 4{ 80 81 }"),
            frame(2, channel: 1, "003c 0000 0000000000000001 8084 1{ fe } 1{ c0 80 } 1{ f5 }"),
        ]
    )
    func invalidText(stream: [UInt8]) throws {
        let decoded = try #require(decode(stream).frames.first)
        #expect(try encode(decoded) == stream)
    }

    @Test("frames sent while others are drained stand one behind the other")
    func draining() throws {
        var encoder = AMQPFrameEncoder()
        var stream: [UInt8] = []
        var expected: [UInt8] = []
        for golden in goldenMethods {
            try encoder.append(golden.method, channel: GoldenMethod.channel)
            expected += golden.frame
            let sent = encoder.bytes.count / 2
            stream += encoder.bytes.copy().prefix(sent)
            encoder.bytes.removeFirst(sent)
        }
        #expect(stream + encoder.bytes.copy() == expected)
    }

    private func bodyFrames(_ text: String, maxFrameSize: UInt32) -> [UInt8] {
        var encoder = AMQPFrameEncoder(maxFrameSize: maxFrameSize)
        Array(text.utf8).withUnsafeBytes { encoder.append(body: $0, channel: 1) }
        return encoder.bytes.copy()
    }

    private static func nestedTable(levels: Int) -> AMQPTable {
        (1..<levels).reduce([:]) { table, _ in ["k": .table(table)] }
    }
}

extension AMQPFrameEncoder {
    /// Publishes a text on channel 1.
    fileprivate mutating func publish(_ text: String, properties: AMQPProperties) throws(AMQPWireError) {
        let method = AMQPMethod.basicPublish(.init(exchange: "metrics", routingKey: "host"))
        try Array(text.utf8).withUnsafeBufferPointer { (body) throws(AMQPWireError) in
            try append(method, properties: properties, body: UnsafeRawBufferPointer(body), channel: 1)
        }
    }
}
