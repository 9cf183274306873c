import Testing

@testable import AMQPWire

@Suite("Methods, headers and bodies on the wire")
struct MethodVectorTests {
    @Test("every method has a golden frame")
    func completeness() {
        #expect(
            goldenMethods.map(\.method.id).sorted { $0.rawValue < $1.rawValue }
                == AMQPMethodID.allCases.sorted { $0.rawValue < $1.rawValue }
        )
    }

    @Test("a golden frame decodes to its value and is written as it came", arguments: goldenFrames)
    func golden(_ golden: GoldenFrame) throws {
        let decoding = decode(golden.octets)
        #expect(decoding.error == nil)
        let decoded = try #require(decoding.frames.first)
        #expect(decoding.frames.count == 1)
        #expect(decoded.payload == golden.payload)
        #expect(decoded.channel == golden.channel)
        #expect(decoded.size == golden.octets.count)
        #expect(decoded.notes == [])
        let written = try encode(decoded)
        #expect(written == golden.octets, "\(hexadecimal(written))")
    }

    @Test("a method and the arguments it carries name the same id", arguments: goldenMethods)
    func id(_ golden: GoldenMethod) {
        #expect(golden.method.id == type(of: golden.method.payload).id)
    }

    @Test("each bit of a method stands in its own place", arguments: goldenMethods)
    func bits(_ golden: GoldenMethod) throws {
        // The octets of bits are few; setting each bit of each octet of the frame alone finds them all, and a bit that is
        // decoded must be written where it was.
        var decoder = AMQPFrameDecoder()
        decoder.append(golden.frame)
        _ = try decoder.next()
        for field in decoder.fields() {
            guard case .bit(_, let index) = field.value else { continue }
            var changed = golden.frame
            changed[Int(field.offset)] ^= 1 << index
            let decoded = try #require(decode(changed).frames.first)
            #expect(decoded.payload != .method(golden.method))
            #expect(try encode(decoded) == changed, "\(field.name)")
        }
    }

    /// Values from the tests of ruby's amq-protocol.
    @Test(
        "payloads that ruby's client sends are understood and written alike",
        arguments: [
            GoldenMethod(
                .basicQos(.init(prefetchSize: 3, prefetchCount: 5)),
                "003c 000a 00000003 0005 00"
            ),
            GoldenMethod(
                .basicConsume(.init(queue: "foo", consumerTag: "me", exclusive: true)),
                "003c 0014 0000 03 'foo' 02 'me' 04 00000000"
            ),
            GoldenMethod(.basicConsumeOk(.init(consumerTag: "foo")), "003c 0015 03 'foo'"),
            GoldenMethod(.basicCancel(.init(consumerTag: "foo", noWait: true)), "003c 001e 03 'foo' 01"),
            GoldenMethod(
                .basicPublish(.init(exchange: "foo", routingKey: "xyz", immediate: true)),
                "003c 0028 0000 03 'foo' 03 'xyz' 02"
            ),
            GoldenMethod(
                .basicReturn(.init(replyCode: 313, replyText: "NO_CONSUMERS", exchange: "amq.fanout")),
                "003c 0032 0139 0c 'NO_CONSUMERS' 0a 'amq.fanout' 00"
            ),
            GoldenMethod(
                .basicDeliver(
                    .init(consumerTag: "-1300560114000-445586772970", deliveryTag: 99, exchange: "amq.fanout")
                ),
                "003c 003c 1b '-1300560114000-445586772970' 0000000000000063 00 0a 'amq.fanout' 00"
            ),
            GoldenMethod(.basicGet(.init(queue: "foo", noAck: true)), "003c 0046 0000 03 'foo' 01"),
            GoldenMethod(
                .basicGetOk(.init(deliveryTag: 6, exchange: "amq.fanout", messageCount: 94)),
                "003c 0047 0000000000000006 00 0a 'amq.fanout' 00 0000005e"
            ),
            GoldenMethod(.basicAck(.init(deliveryTag: 6)), "003c 0050 0000000000000006 00"),
            GoldenMethod(.basicReject(.init(deliveryTag: 8, requeue: true)), "003c 005a 0000000000000008 01"),
            GoldenMethod(.basicRecover(.init(requeue: true)), "003c 006e 01"),
            GoldenMethod(
                .basicNack(.init(deliveryTag: 9, multiple: true, requeue: true)),
                "003c 0078 0000000000000009 03"
            ),
            GoldenMethod(
                .exchangeDeclare(.init(exchange: "exchange2", type: "fanout")),
                "0028 000a 0000 09 'exchange2' 06 'fanout' 00 00000000"
            ),
            GoldenMethod(
                .exchangeUnbind(.init(destination: "foo", source: "bar", routingKey: "xyz")),
                "0028 0028 0000 03 'foo' 03 'bar' 03 'xyz' 00 00000000"
            ),
            GoldenMethod(
                .queueDeclare(.init(queue: "hello.world", durable: true, exclusive: true, autoDelete: true)),
                "0032 000a 0000 0b 'hello.world' 0e 00000000"
            ),
            GoldenMethod(
                .queueDeclareOk(.init(queue: "amq.gen-KduGSqQrpeUo1otnU0TWSA==")),
                "0032 000b 20 'amq.gen-KduGSqQrpeUo1otnU0TWSA==' 00000000 00000000"
            ),
            GoldenMethod(.queueDelete(.init(queue: "hello.world")), "0032 0028 0000 0b 'hello.world' 00"),
            GoldenMethod(.connectionTuneOk(.init(frameMax: 65_536, heartbeat: 1)), "000a 001f 0000 00010000 0001"),
            GoldenMethod(.connectionOpen(.init(virtualHost: "/test")), "000a 0028 05 '/test' 00 00"),
            GoldenMethod(
                .connectionStartOk(
                    .init(
                        clientProperties: [
                            "platform": "Ruby 1.9.2", "product": "AMQ Client",
                            "information": "http://github.com/ruby-amqp/amq-client", "version": "0.2.0",
                        ],
                        response: AMQPSecret("\0guest\0guest"),
                        locale: "en_GB"
                    )
                ),
                """
                000a 000b 00000078
                08 'platform' 'S' 0000000a 'Ruby 1.9.2'
                07 'product' 'S' 0000000a 'AMQ Client'
                0b 'information' 'S' 00000026 'http://github.com/ruby-amqp/amq-client'
                07 'version' 'S' 00000005 '0.2.0'
                05 'PLAIN' 0000000c 00 'guest' 00 'guest' 05 'en_GB'
                """
            ),
        ]
    )
    func ruby(_ vector: GoldenMethod) throws {
        let decoded = try #require(decode(vector.frame).frames.first)
        #expect(decoded.payload == .method(vector.method))
        #expect(try encode(decoded) == vector.frame)
    }

    /// Values from the tests of ruby's amq-protocol.
    @Test("headers that ruby's client sends are understood and written alike")
    func rubyHeaders() throws {
        let words = """
            003c 0000 000000000000000a b840 18 'application/octet-stream'
            00000010 05 'hello' 'S' 00000005 'world' 02 00 000000000000007b
            """
        let properties = AMQPProperties(
            contentType: "application/octet-stream",
            headers: ["hello": "world"],
            deliveryMode: 2,
            priority: 0,
            timestamp: 123
        )
        let decoded = try #require(decode(frame(2, channel: 1, words)).frames.first)
        #expect(decoded.payload == .header(AMQPContentHeader(bodySize: 10, properties: properties)))
        #expect(try encode(decoded) == frame(2, channel: 1, words))
    }

    @Test("a listing gives each field's place, bits of one octet the same")
    func places() throws {
        let stream = octets("08 0000 00000000 ce") + frame(1, channel: 1, "0032 000a 0000 1'qq' 1a 4{ 1'k' 'V' }")
        var decoder = AMQPFrameDecoder()
        decoder.append(stream)
        _ = try decoder.next()
        #expect(decoder.fields() == [])
        _ = try decoder.next()
        let fields = decoder.fields()
        // Heartbeat 8, frame header 7, ids 4.
        #expect(fields.map(\.offset) == [19, 21, 24, 24, 24, 24, 24, 25])
        #expect(fields.map(\.size) == [2, 3, 1, 1, 1, 1, 1, 7])
        let bits: [AMQPWireField.Value] = [
            .bit(false, index: 0), .bit(true, index: 1), .bit(false, index: 2), .bit(true, index: 3),
            .bit(true, index: 4),
        ]
        #expect(fields[2...6].map(\.value) == bits)
        #expect(decoder.position == UInt64(stream.count))
    }
}
