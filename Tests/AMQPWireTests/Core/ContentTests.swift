import Testing

@testable import AMQPWire

@Suite("Content")
struct ContentTests {
    static let frameMax = 4_096
    static let sizes = [0, 1, frameMax - 9, frameMax - 8, frameMax - 7, frameMax, 3 * (frameMax - 8), 100_000]

    private func body(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    }

    private func deliveries(_ rig: CoreRig) -> [AMQPMessage] {
        rig.takeEvents().compactMap { event in
            if case .delivered(_, _, let message) = event { message } else { nil }
        }
    }

    @Test("leaves in frames that are as full as they may be, and no body frame for an empty body", arguments: sizes)
    func publish(size: Int) throws {
        let rig = try CoreRig.withChannel(frameMax: UInt32(Self.frameMax))
        try rig.publish(body(size))
        let sent = rig.takeSent()
        #expect(sent[0].method == .basicPublish && sent[1].type == 2)
        #expect(sent[1].payload[4..<12].reduce(0) { $0 << 8 | Int($1) } == size)
        let bodies = sent.dropFirst(2)
        #expect(bodies.allSatisfy { $0.type == 3 && $0.channel == 1 })
        #expect(bodies.dropLast().allSatisfy { $0.payload.count == Self.frameMax - 8 })
        #expect(bodies.flatMap(\.payload) == body(size))
        #expect(bodies.count == (size + Self.frameMax - 9) / (Self.frameMax - 8))
        rig.finish()
    }

    @Test("prepared leaves as content that was not", arguments: sizes)
    func prepared(size: Int) throws {
        let properties = AMQPProperties(contentType: "application/json", deliveryMode: 2)
        let method = AMQPMethod.BasicPublish(exchange: "x", routingKey: "k")
        let plain = try CoreRig.withChannel(frameMax: UInt32(Self.frameMax))
        let prepared = try CoreRig.withChannel(frameMax: UInt32(Self.frameMax))
        try plain.publish(body(size), properties: properties)
        let frames = try PreparedFrames(method, properties: properties)
        _ = try body(size).withUnsafeBytes {
            try prepared.core.publish(frames, body: $0, on: prepared.core.usableChannel(1))
        }
        prepared.settle()
        #expect(prepared.takeSent() == plain.takeSent())
        #expect(prepared.sentOctets == plain.sentOctets)
    }

    @Test("whose properties do not fit a frame is refused whole, prepared or not")
    func properties() throws {
        let rig = try CoreRig.withChannel(confirms: true, frameMax: UInt32(Self.frameMax))
        let headers: AMQPTable = ["long": .string(AMQPText(String(repeating: "h", count: Self.frameMax)))]
        let large = AMQPProperties(headers: headers)
        let error = #expect(throws: AMQPError.self) { try rig.publish([1], properties: large) }
        #expect(error?.code == .invalidArgument && error?.delivery == .notSent)
        let frames = try PreparedFrames(.init(routingKey: "k"), properties: large)
        #expect(throws: AMQPError.self) {
            try [UInt8]().withUnsafeBytes { try rig.core.publish(frames, body: $0, on: rig.core.usableChannel(1)) }
        }
        rig.settle()
        #expect(rig.takeSent().isEmpty)
        #expect(try rig.publish() == 1, "no tag was spent")
        rig.finish()
    }

    @Test("is delivered as it came, in frames of any size", arguments: sizes)
    func delivery(size: Int) throws {
        for piece in [1_000, Self.frameMax - 8] {
            let rig = try CoreRig.withChannel(frameMax: UInt32(Self.frameMax))
            rig.receive(.basicDeliver, 1, ["ctag", 1, 0, "x", "k"])
            rig.receive(PeerCodec.header(1, bodySize: UInt64(size), properties: [0x10, 0, 2]))
            let whole = body(size)
            for start in stride(from: 0, to: size, by: piece) {
                #expect(deliveries(rig).isEmpty)
                rig.receive(PeerCodec.body(1, Array(whole[start..<min(size, start + piece)])))
            }
            let messages = deliveries(rig)
            #expect(messages == [AMQPMessage(properties: AMQPProperties(deliveryMode: 2), body: whole)])
            #expect(rig.statistics.messagesReceived == 1)
            rig.finish()
        }
    }

    @Test("of two channels may be interleaved")
    func interleaved() throws {
        let rig = try CoreRig.withChannel()
        try rig.openChannel()
        _ = rig.takeEvents()
        for channel in [1, 2] as [UInt16] {
            rig.receive(.basicDeliver, channel, ["ctag", 1])
        }
        for channel in [2, 1] as [UInt16] {
            rig.receive(PeerCodec.header(channel, bodySize: 2))
        }
        rig.receive(PeerCodec.body(1, [1]))
        rig.receive(PeerCodec.body(2, [3]))
        rig.receive(PeerCodec.heartbeat)
        rig.receive(.connectionBlocked, 0, ["memory"])
        rig.receive(PeerCodec.body(2, [4]))
        rig.receive(PeerCodec.body(1, []))
        rig.receive(PeerCodec.body(1, [2]))
        #expect(deliveries(rig).map(\.body) == [[3, 4], [1, 2]])
        rig.finish()
    }

    /// What a broker sends on channel 1, and the reply code of our close.
    static let violations: [(String, [UInt8], UInt64)] = [
        ("a header without a method", PeerCodec.header(1, bodySize: 1), 505),
        ("a body without a method", PeerCodec.body(1, [1]), 505),
        ("a body without a header", PeerCodec.method(.basicDeliver, 1) + PeerCodec.body(1, [1]), 505),
        (
            "two headers",
            PeerCodec.method(.basicDeliver, 1) + PeerCodec.header(1, bodySize: 1) + PeerCodec.header(1, bodySize: 1),
            505
        ),
        (
            "a body that is too long",
            PeerCodec.method(.basicDeliver, 1) + PeerCodec.header(1, bodySize: 1) + PeerCodec.body(1, [1, 2]), 501
        ),
        (
            "a body frame behind an empty body",
            PeerCodec.method(.basicDeliver, 1) + PeerCodec.header(1, bodySize: 0) + PeerCodec.body(1, []), 505
        ),
        (
            "more than there are numbers for",
            PeerCodec.method(.basicDeliver, 1) + PeerCodec.header(1, bodySize: .max), 501
        ),
        ("a header on a channel that is not open", PeerCodec.header(9, bodySize: 1), 504),
        ("a body on channel 0", PeerCodec.body(0, [1]), 504),
        (
            "content of another class",
            PeerCodec.method(.basicDeliver, 1) + PeerCodec.frame(2, 1, [0, 10] + Array(repeating: 0, count: 12)), 502
        ),
        ("a frame that is too large", PeerCodec.body(1, Array(repeating: 0, count: 131_100)), 501),
        ("an unknown method", PeerCodec.frame(1, 1, [0, 60, 0, 99]), 503),
        ("a heartbeat on a channel", PeerCodec.frame(8, 1, []), 505),
        ("a frame without its end", [1, 0, 1, 0, 0, 0, 4, 0, 60, 0, 80, 0], 501),
    ]

    @Test("out of place closes the connection with the fitting code", arguments: violations.map(\.0))
    func violation(name: String) throws {
        let (_, octets, code) = try #require(Self.violations.first { $0.0 == name })
        let rig = try CoreRig.withChannel(CoreRig.options { $0.maxBodySize = 1_000 })
        let call = try rig.call(.queueDeclare(.init()))
        _ = rig.takeSent()
        rig.receive(octets)
        #expect(rig.takeSent().map { $0.values.first } == [.number(code)])
        #expect(rig.end?.replyCode.map(UInt64.init) == code)
        #expect(rig.failure(call) == rig.end)
        rig.finish()
    }

    @Test("of the largest size allowed is taken")
    func limit() throws {
        let rig = try CoreRig.withChannel(CoreRig.options { $0.maxBodySize = 1_000 })
        rig.receive(PeerCodec.content(.basicDeliver, 1, ["ctag", 1], body(1_000)))
        #expect(deliveries(rig).count == 1)
        rig.finish()
    }

    @Test("that was asked for answers who asked")
    func get() throws {
        let rig = try CoreRig.withChannel()
        let get = try rig.call(.basicGet(.init(queue: "q")))
        let next = try rig.call(.basicGet(.init(queue: "q")))
        rig.receive(PeerCodec.content(.basicGetOk, 1, [5, 1, "x", "k", 8], [1, 2]))
        guard case .message(let ok, let message)? = rig.answers[get]?.first else {
            Issue.record("no message")
            return
        }
        #expect(ok.deliveryTag == 5 && ok.redelivered && ok.messageCount == 8 && message.body == [1, 2])
        rig.receive(.basicGetEmpty, 1)
        #expect(rig.reply(next)?.id == .basicGetEmpty)
        rig.finish()
    }

    @Test("each frame that is made to be sent is counted, and none of a message that cannot be")
    func framesSent() throws {
        let rig = try CoreRig.withChannel(frameMax: 4_096)
        let before = rig.statistics.framesSent
        try rig.publish([])
        #expect(rig.statistics.framesSent == before + 2)
        try rig.publish([UInt8](repeating: 1, count: 5_000))
        #expect(rig.statistics.framesSent == before + 6)
        var properties = AMQPProperties()
        properties.headers = ["large": AMQPFieldValue(String(repeating: "x", count: 5_000))]
        #expect(throws: AMQPError.self) { try rig.publish([1], properties: properties) }
        #expect(rig.statistics.framesSent == before + 6)
        let prepared = try PreparedFrames(.init(routingKey: "k"), properties: AMQPProperties())
        let channel = try rig.core.usableChannel(1)
        _ = try [1].withUnsafeBytes { try rig.core.publish(prepared, body: $0, on: channel) }
        rig.settle()
        #expect(rig.statistics.framesSent == before + 9)
        #expect(rig.takeSent().count == 9)
        rig.finish()
    }
}
