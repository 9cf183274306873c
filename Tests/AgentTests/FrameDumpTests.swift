#if Agent
import AMQPWire
import Testing

@testable import PsistatsAgent

@Suite("A frame in full")
struct FrameDumpTests {
    @Test(
        "shows each octet of a recording at its offset",
        arguments: [
            "handmade/publish-every-table-type.client", "handmade/every-table-type-rewritten.server",
            "handmade/reserved-flag-words.server", "handmade/amqplain-login.client", "pika/bodies.client",
            "pika/dead-lettered.server", "pika/heartbeats.server", "pika/publish-all-properties.client",
        ]
    )
    func everyOctet(_ recording: String) throws {
        let stream = try Repository.bytes("Fixtures/amqp/\(recording)")
        var shown = [UInt8?](repeating: nil, count: stream.count)
        try dump(stream) { text in
            for line in text.split(separator: "\n") where line.hasPrefix("  ") {
                let offset = try #require(Int(line.dropFirst(2).prefix(8), radix: 16))
                let octets = line.dropFirst(12).prefix(23).split(separator: " ").compactMap { UInt8($0, radix: 16) }
                for (index, octet) in octets.enumerated() { shown[offset + index] = octet }
            }
        }
        #expect(shown == stream.map(Optional.some))
    }

    @Test("the entries of tables and the elements of arrays have lines of their own")
    func nesting() throws {
        var encoder = AMQPFrameEncoder()
        let arguments: AMQPTable = [
            "a": ["x", 1], "f": ["k": .void], "two words": .decimal(.init(scale: 1, value: 5)),
        ]
        try encoder.append(.queueUnbind(.init(arguments: arguments)), channel: 258)
        var text = ""
        try dump(encoder.bytes.copy()) { text += $0 }
        #expect(
            text == """
                queue.unbind, channel 258, octets 0 to 64
                  00000000  01                       frame-type = method
                  00000001  01 02                    channel = 258
                  00000003  00 00 00 39              payload-size = 57
                  00000007  00 32                    class-id = 50
                  00000009  00 32                    method-id = 50
                  0000000b  00 00                    reserved-1 = 0
                  0000000d  00                       queue = ""
                  0000000e  00                       exchange = ""
                  0000000f  00                       routing-key = ""
                  00000010  00 00 00 2c              arguments = table of 44 octets
                  00000014  01 61 41 00 00 00 0b       a = A array of 11 octets
                  0000001b  53 00 00 00 01 78            [0] = S "x"
                  00000021  49 00 00 00 01               [1] = I 1
                  00000026  01 66 46 00 00 00 03       f = F table of 3 octets
                  0000002d  01 6b 56                     k = V
                  00000030  09 74 77 6f 20 77 6f 72    "two words" = D 0.5
                  00000038  64 73 44 01 00 00 00 05
                  00000040  ce                       frame-end

                """
        )
    }

    private func dump(_ stream: [UInt8], _ body: (String) throws -> Void) throws {
        var decoder = AMQPFrameDecoder()
        decoder.append(stream)
        while let frame = try decoder.next() {
            try body(FrameDump().text(frame, fields: decoder.fields(), stream: stream))
        }
        #expect(decoder.pendingCount == 0)
    }
}
#endif
