import Testing

@testable import AMQPWire

/// Messages that cannot be taken, and what they cost: their consumer at most.
@Suite("A message that cannot be taken")
struct UnreadableMessageTests {
    /// A header frame whose table is nested so deep, or holds a text so long.
    static func header(_ channel: UInt16, bodySize: UInt64, depth: Int = 0, text: Int = 0) -> [UInt8] {
        var value: [UInt8] =
            Array("S".utf8) + PeerCodec.bigEndian(UInt64(text), 4) + [UInt8](repeating: 120, count: text)
        for _ in 0..<depth {
            let entry = [UInt8(1)] + Array("k".utf8) + value
            value = Array("F".utf8) + PeerCodec.bigEndian(UInt64(entry.count), 4) + entry
        }
        let entry = [UInt8(1)] + Array("k".utf8) + value
        let properties = [0x20, 0] + PeerCodec.bigEndian(UInt64(entry.count), 4) + entry
        return PeerCodec.header(channel, bodySize: bodySize, properties: properties)
    }

    private struct Failure {
        var deliver: AMQPMethod.BasicDeliver
        var error: AMQPError
    }

    private func failures(_ rig: CoreRig) -> [Failure] {
        rig.takeEvents().compactMap { event in
            if case .unreadable(_, let deliver, let error) = event {
                Failure(deliver: deliver, error: error)
            } else {
                nil
            }
        }
    }

    @Test("a header that the broker made longer than the frame size is taken, and so is a method frame")
    func largeHeader() throws {
        let rig = try CoreRig.withChannel(frameMax: 4_096)
        rig.receive(.basicDeliver, 1, ["tag", 1, 0, "x", "k"])
        rig.receive(Self.header(1, bodySize: 1, text: 1_000_000))
        rig.receive(PeerCodec.body(1, [1]))
        let messages = rig.takeEvents().compactMap { event -> AMQPMessage? in
            if case .delivered(_, _, let message) = event { message } else { nil }
        }
        #expect(messages.first?.properties.headers?["k"] == .string(AMQPText(String(repeating: "x", count: 1_000_000))))
        let call = try rig.call(.queueDeclare(.init()))
        // More arguments than are known are passed over.
        let method = PeerCodec.method(.queueDeclareOk, 1, ["q"])
        rig.receive(PeerCodec.frame(1, 1, method.dropFirst(7).dropLast() + [UInt8](repeating: 0, count: 10_000)))
        #expect(rig.reply(call) != nil)
        rig.finish()
    }

    @Test(
        "ends neither the connection nor the channel, and says what it was",
        arguments: [
            ("too large", header(1, bodySize: 2_000)),
            ("a header too large", header(1, bodySize: 2_000, text: 2 << 20)),
            ("nested too deep", header(1, bodySize: 2_000, depth: 200)),
            ("unknown type", PeerCodec.header(1, bodySize: 2_000, properties: [0x20, 0, 0, 0, 0, 3, 1, 107, 0x7F])),
            ("cut off", PeerCodec.header(1, bodySize: 2_000, properties: [0x80, 0, 9])),
        ]
    )
    func deliver(_ what: String, _ header: [UInt8]) throws {
        let rig = try CoreRig.withChannel(frameMax: 4_096, CoreRig.options { $0.maxBodySize = 1_000 })
        rig.receive(.basicDeliver, 1, ["tag", 1, 0, "an exchange", "a key"])
        // In pieces: nothing of it is kept.
        for start in stride(from: 0, to: header.count, by: 60_000) {
            rig.receive(Array(header[start..<min(header.count, start + 60_000)]))
            #expect(rig.receivingCapacity < 1 << 20)
        }
        let failure = try #require(failures(rig).first)
        #expect(failure.deliver.deliveryTag == 1)
        #expect(failure.error.code == .unreadableMessage)
        for part in ["'an exchange'", "'a key'", "2000"] { #expect(failure.error.message.contains(part), "\(part)") }
        rig.receive(PeerCodec.body(1, [UInt8](repeating: 0, count: 1_500)))
        rig.receive(PeerCodec.body(1, [UInt8](repeating: 0, count: 500)))
        // It is there to be settled, and the next one comes.
        #expect(try rig.core.settle(1, .rejected(requeue: false), channel: 1))
        rig.receive(PeerCodec.content(.basicDeliver, 1, ["tag", 2], [1]))
        let next = rig.takeEvents()
        #expect(next.count == 1)
        if case .delivered? = next.first {} else { Issue.record("the next message did not come") }
        #expect(rig.end == nil)
        rig.finish()
    }

    @Test("fails the get that asked for it, once, and is not put back")
    func get() throws {
        let rig = try CoreRig.withChannel(CoreRig.options { $0.maxBodySize = 1_000 })
        let call = try rig.call(.basicGet(.init(queue: "q")))
        rig.receive(.basicGetOk, 1, [5, 0, "an exchange", "a key"])
        rig.receive(PeerCodec.header(1, bodySize: 1_001))
        rig.receive(PeerCodec.body(1, [UInt8](repeating: 0, count: 1_001)))
        #expect(rig.failure(call)?.code == .unreadableMessage)
        let sent = rig.takeSent()
        #expect(sent.map(\.method) == [.basicGet, .basicReject])
        #expect(sent.last?.values == [5, 0])
        let next = try rig.call(.basicGet(.init(queue: "q")))
        rig.receive(.basicGetEmpty, 1)
        #expect(rig.reply(next)?.id == .basicGetEmpty)
        rig.finish()
    }

    @Test("goes back where the caller of the get is gone, who does not hear of it")
    func getGivenUp() throws {
        let rig = try CoreRig.withChannel(CoreRig.options { $0.maxBodySize = 1_000 })
        rig.giveUp(try rig.call(.basicGet(.init(queue: "q"))))
        rig.receive(.basicGetOk, 1, [5])
        rig.receive(PeerCodec.header(1, bodySize: 1_001))
        #expect(rig.takeSent().last?.values == [5, 1])
        rig.finish()
    }

    @Test("is known as the publish that it was, where it came back")
    func returned() throws {
        let rig = try CoreRig.withChannel(confirms: true, CoreRig.options { $0.maxBodySize = 1_000 })
        let waiter = try rig.publishConfirmed([UInt8](repeating: 1, count: 1_001), mandatory: true)
        rig.receive(.basicReturn, 1, [312, "NO_ROUTE", "x", "k"])
        rig.receive(PeerCodec.header(1, bodySize: 1_001))
        rig.receive(PeerCodec.body(1, [UInt8](repeating: 1, count: 1_001)))
        rig.receive(.basicAck, 1, [1])
        #expect(rig.failure(waiter)?.code == .publishReturned)
        rig.finish()
    }

    @Test("on a channel that is being closed nothing of it is kept, whatever it is")
    func closing() throws {
        let rig = try CoreRig.withChannel(CoreRig.options { $0.maxBodySize = 1_000 })
        rig.receive(.basicDeliver, 1, ["tag", 1])
        rig.receive(PeerCodec.header(1, bodySize: 900))
        rig.receive(PeerCodec.body(1, [UInt8](repeating: 0, count: 400)))
        let closing = try rig.closeChannel()
        rig.receive(PeerCodec.body(1, [UInt8](repeating: 0, count: 500)))
        rig.receive(.basicDeliver, 1, ["tag", 2])
        rig.receive(Self.header(1, bodySize: 5_000, depth: 200))
        rig.receive(PeerCodec.body(1, [UInt8](repeating: 0, count: 5_000)))
        rig.receive(.channelCloseOk, 1)
        #expect(rig.isDone(closing))
        #expect(rig.takeEvents().isEmpty)
        rig.finish()
    }

    @Test(
        "where no frame size was agreed, a body frame of any size is dropped, and one of a message that fits is taken"
    )
    func unlimitedFrames() throws {
        let options = CoreRig.options {
            $0.maxBodySize = 2 << 20
            $0.handshake.limits.frameMax = 0
        }
        let rig = try CoreRig.withChannel(frameMax: 0, options)
        rig.receive(PeerCodec.content(.basicDeliver, 1, ["tag", 1], [UInt8](repeating: 1, count: 2 << 20)))
        rig.receive(PeerCodec.content(.basicDeliver, 1, ["tag", 2], [UInt8](repeating: 1, count: 3 << 20)))
        rig.receive(PeerCodec.content(.basicDeliver, 1, ["tag", 3], [1]))
        let sizes = rig.takeEvents().map { event in
            switch event {
            case .delivered(_, _, let message): message.body.count
            case .unreadable: -1
            default: -2
            }
        }
        #expect(sizes == [2 << 20, -1, 1])
        rig.finish()
    }

    @Test("a body frame above the size agreed on still ends the connection, and so does a method frame above the limit")
    func strict() throws {
        let rig = try CoreRig.withChannel(frameMax: 4_096)
        rig.receive(.basicDeliver, 1, ["tag", 1])
        rig.receive(PeerCodec.header(1, bodySize: 9_000))
        rig.receive(PeerCodec.body(1, [UInt8](repeating: 0, count: 9_000)))
        #expect(rig.end?.replyCode == 501)
        let other = try CoreRig.withChannel(frameMax: 4_096)
        other.receive(PeerCodec.frame(1, 1, [UInt8](repeating: 0, count: 2 << 20)))
        #expect(other.end?.replyCode == 501)
    }
}
