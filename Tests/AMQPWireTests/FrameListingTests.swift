import AMQPWire
import Testing

@Suite("The listing of frames")
struct FrameListingTests {
    /// The lines of what `fill` puts into a stream.
    private func lines(
        _ listing: AMQPFrameListing = AMQPFrameListing(),
        _ fill: (inout AMQPFrameEncoder) throws -> Void
    ) throws -> [String] {
        var encoder = AMQPFrameEncoder()
        try fill(&encoder)
        return try lines(encoder.bytes.copy(), listing)
    }

    private func lines(_ octets: [UInt8], _ listing: AMQPFrameListing = AMQPFrameListing()) throws -> [String] {
        var decoder = AMQPFrameDecoder()
        decoder.append(octets)
        var lines: [String] = []
        while let frame = try decoder.next() {
            lines.append(listing.line(frame, fields: decoder.fields()))
        }
        #expect(decoder.pendingCount == 0)
        return lines
    }

    private func body(_ octets: [UInt8], preview: Int = 64) throws -> Substring {
        let line = try #require(
            try lines(AMQPFrameListing(bodyPreview: preview)) { encoder in
                octets.withUnsafeBytes { encoder.append(body: $0, channel: 1) }
            }.first
        )
        return line.dropFirst(25)
    }

    @Test("a method has its fields in their order")
    func method() throws {
        let lines = try lines { encoder in
            encoder.appendProtocolHeader()
            try encoder.append(
                .queueDeclare(
                    .init(
                        queue: "psistats.pi",
                        exclusive: true,
                        arguments: ["x-message-ttl": 10_000, "x-queue-type": "quorum"]
                    )
                ),
                channel: 1
            )
            encoder.appendHeartbeat()
        }
        #expect(
            lines == [
                "       0        8     0  protocol-header 0-9-1",
                #"       8       74     1  queue.declare reserved-1=0 queue="psistats.pi" passive=false durable=false exclusive=true "#
                    + #"auto-delete=false no-wait=false arguments={x-message-ttl: I 10000, x-queue-type: S "quorum"}"#,
                "      82        8     0  heartbeat",
            ]
        )
    }

    @Test("a header has its size and the properties that are there")
    func header() throws {
        let line = try lines { encoder in
            try encoder.append(
                AMQPContentHeader(
                    bodySize: 12,
                    properties: AMQPProperties(
                        contentType: "application/json",
                        headers: ["k": true],
                        deliveryMode: 2,
                        timestamp: 1_600_000_000
                    )
                ),
                channel: 65_535
            )
        }
        #expect(
            line == [
                #"       0       56 65535  header class=60 body-size=12 content-type="application/json" headers={k: t true} "#
                    + "delivery-mode=2 timestamp=1600000000"
            ]
        )
    }

    @Test("a value in a table has the letter of its type")
    func values() {
        let table: AMQPTable = [
            "t": .boolean(false), "b": .int8(-1), "B": .uint8(255), "s": .int16(-2), "u": .uint16(65_535),
            "I": .int32(-3), "i": .uint32(.max), "l": .int64(.min), "L": .int64L(.max), "f": .float(1.5),
            "d": .double(-0.1), "D": .decimal(.init(scale: 3, value: 1_250)), "S": .string("é"),
            "A": .array([1, "x", nil]), "T": .timestamp(.max), "F": .table(["inner": [:]]), "x": .bytes([0, 255]),
            "V": .void,
        ]
        #expect(
            table.description == "{t: t false, b: b -1, B: B 255, s: s -2, u: u 65535, I: I -3, i: i 4294967295, "
                + "l: l -9223372036854775808, L: L 9223372036854775807, f: f 1.5, d: d -0.1, D: D 1.250, S: S \"é\", "
                + "A: A [I 1, S \"x\", V], T: T 18446744073709551615, F: F {inner: F {}}, x: x x\"00ff\", V: V}"
        )
    }

    @Test(
        "a decimal number has as many digits as its scale says",
        arguments: [
            (0, 7, "7"), (1, 7, "0.7"), (2, 7, "0.07"), (2, 700, "7.00"), (3, 0, "0.000"),
            (10, 4_294_967_295, "0.4294967295"),
        ] as [(UInt8, UInt32, String)]
    )
    func decimals(scale: UInt8, value: UInt32, text: String) {
        #expect(AMQPDecimal(scale: scale, value: value).description == text)
    }

    @Test("keys that could be misread stand in quotes")
    func keys() {
        let table = AMQPTable([
            .init("a-b_c.9", 1), .init("", 2), .init("a b", 3), .init("{", 4), .init("é", 5), .init("é", 6),
            .init(AMQPText(octets: [0xFF]), 7),
        ])
        #expect(table.description == #"{a-b_c.9: I 1, "": I 2, "a b": I 3, "{": I 4, "é": I 5, "é": I 6, x"ff": I 7}"#)
    }

    @Test(
        "text cannot end its line, its quotes or reach the terminal as a command",
        arguments: [
            ("a\"b\\c", #""a\"b\\c""#), ("\0\t\n\r", #""\0\t\n\r""#), ("\u{1B}[2J", #""\u{1b}[2J""#),
            ("\u{7F}", #""\u{7f}""#),
            ("\u{9B}", #""\u{9b}""#), ("\u{202E}x", #""\u{202e}x""#), ("\u{2028}", #""\u{2028}""#),
            ("日本 ✓", #""日本 ✓""#),
        ]
    )
    func escapes(text: String, listed: String) {
        #expect(AMQPText(text).debugDescription == listed)
    }

    @Test("text that is not UTF-8 stands as octets")
    func notUTF8() throws {
        #expect(AMQPText(octets: [0xC3, 0x28]).debugDescription == #"x"c328""#)
        #expect(try body([0, 1, 0xFE]) == #"body 3 x"0001fe""#)
    }

    @Test("a long body is cut, never inside a character")
    func preview() throws {
        #expect(try body(Array("abcdef".utf8), preview: 6) == #"body 6 "abcdef""#)
        #expect(try body(Array("abcdef".utf8), preview: 5) == #"body 6 "abcde"…"#)
        for (text, kept) in [("aé", "a"), ("a€", "a"), ("a😀", "a"), ("aéé", "aé")] {
            let octets = Array(text.utf8)
            #expect(try body(octets, preview: octets.count - 1) == "body \(octets.count) \"\(kept)\"…")
        }
        #expect(try body([0x61, 0x80, 0x80, 0x80, 0x80], preview: 4) == #"body 5 x"61808080"…"#)
        #expect(try body(Array("abc".utf8), preview: 0) == #"body 3 ""…"#)
    }

    @Test("secrets are masked unless asked for")
    func secrets() throws {
        let fill: (inout AMQPFrameEncoder) throws -> Void = { encoder in
            try encoder.append(.connectionStartOk(.init(response: AMQPSecret("\0guest\0hunter2"))), channel: 0)
            try encoder.append(.connectionSecure(.init(challenge: AMQPSecret("hunter2"))), channel: 0)
            try encoder.append(.connectionSecureOk(.init(response: AMQPSecret("hunter2"))), channel: 0)
            try encoder.append(.connectionUpdateSecret(.init(newSecret: AMQPSecret("hunter2"))), channel: 0)
        }
        for line in try lines(AMQPFrameListing(), fill) {
            #expect(line.contains("=********"))
            #expect(!line.contains("hunter2"))
        }
        for line in try lines(AMQPFrameListing(showSecrets: true), fill) {
            #expect(line.contains("hunter2\""))
        }
    }

    @Test("what was passed over is said at the end")
    func notes() throws {
        // tx.select with three octets too many, and a header whose flags say one more property than there is.
        let method: [UInt8] = [1, 0, 1, 0, 0, 0, 7, 0, 90, 0, 10, 1, 2, 3, 0xCE]
        #expect(try lines(method) == ["       0       15     1  tx.select; 3 trailing octets passed over"])
        let header: [UInt8] = [2, 0, 1, 0, 0, 0, 15, 0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 2, 9, 0xCE]
        #expect(
            try lines(header) == [
                "       0       23     1  header class=60 body-size=5 property-flags=0x0002; "
                    + "unknown property flags passed over; 1 trailing octet passed over"
            ]
        )
    }

    @Test("a decoder says how large the frame is that has begun")
    func announcedSize() throws {
        var encoder = AMQPFrameEncoder()
        encoder.appendProtocolHeader()
        try encoder.append(.txSelect(.init()), channel: 1)
        let octets = encoder.bytes.copy()
        var decoder = AMQPFrameDecoder()
        #expect(decoder.announcedSize == nil)
        var announced: [UInt64?] = []
        for octet in octets {
            decoder.append([octet])
            announced.append(decoder.announcedSize)
            _ = try decoder.next()
        }
        #expect(
            announced == Array(repeating: 8, count: 8) + Array(repeating: nil, count: 6)
                + Array(repeating: 12, count: 6)
        )
        #expect(decoder.announcedSize == nil)
    }
}
