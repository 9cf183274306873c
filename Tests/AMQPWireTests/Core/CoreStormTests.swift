import Testing

@testable import AMQPWire

/// A broker and a program that do anything at any time; what has to hold all the same.
@Suite("A storm of frames, intents and time")
struct CoreStormTests {
    private static func values(_ random: inout SplitMix64) -> [PeerValue] {
        (0..<5).map { _ in
            switch Int.random(in: 0..<4, using: &random) {
            case 0: .number(UInt64.random(in: 0...6, using: &random))
            case 1: .number(.max)
            case 2: "x"
            default: .number(0)
            }
        }
    }

    private static func fromBroker(_ rig: CoreRig, _ random: inout SplitMix64, wild: Bool) {
        let channel = UInt16.random(in: 0...4, using: &random)
        switch Int.random(in: 0..<12, using: &random) {
        case 0 where wild: rig.receive(random.element(of: AMQPMethodID.allCases), channel, values(&random))
        case 1 where wild: rig.receive(PeerCodec.header(channel, bodySize: UInt64.random(in: 0...9, using: &random)))
        case 2 where wild: rig.receive(PeerCodec.body(channel, [1, 2]))
        case 3 where wild:
            rig.receive(
                (0..<Int.random(in: 1...20, using: &random)).map { _ in UInt8.random(in: 0...9, using: &random) }
            )
        case 4: rig.receive(PeerCodec.heartbeat)
        case 5: rig.receive(.connectionBlocked, 0, ["memory"])
        case 6: rig.receive(.connectionUnblocked)
        case 7 where isOpen(rig, channel):
            rig.receive(PeerCodec.content(.basicDeliver, channel, ["ctag", 1], [1, 2, 3]))
        case 8 where isOpen(rig, channel): rig.receive(.channelFlow, channel, [Bool.random(using: &random) ? 1 : 0])
        case 9 where isOpen(rig, channel) && Int.random(in: 0..<8, using: &random) == 0:
            rig.receive(.channelClose, channel, [404, "gone", 50, 10])
        default: confirmOrReply(rig, channel, &random)
        }
    }

    private static func isOpen(_ rig: CoreRig, _ number: UInt16) -> Bool {
        number != 0 && rig.core.channel(number)?.phase == .open
    }

    private static func confirmOrReply(_ rig: CoreRig, _ number: UInt16, _ random: inout SplitMix64) {
        guard let channel = rig.core.channel(number) else { return }
        if let call = channel.inFlight, let reply = call.request.id.traits.replies.randomElement(using: &random) {
            let octets: [UInt8] =
                reply.traits.hasContent
                ? PeerCodec.content(reply, number, [3], [9]) : PeerCodec.method(reply, number, ["q"])
            return rig.receive(octets)
        }
        guard let ledger = channel.ledger, ledger.outstanding > 0, channel.phase == .open else { return }
        let tag = UInt64.random(in: ledger.firstPending..<ledger.nextTag, using: &random)
        let id: AMQPMethodID = Int.random(in: 0..<4, using: &random) == 0 ? .basicNack : .basicAck
        rig.receive(id, number, [.number(tag), Bool.random(using: &random) ? 1 : 0])
    }

    private static func fromProgram(_ rig: CoreRig, _ random: inout SplitMix64) throws {
        let channel = UInt16.random(in: 1...4, using: &random)
        let mandatory = Bool.random(using: &random)
        switch Int.random(in: 0..<14, using: &random) {
        case 0: _ = rig.watch(try rig.core.openChannel(confirmWindow: 2, deadline: rig.later(.seconds(9))).waiter)
        case 1 where Int.random(in: 0..<4, using: &random) == 0: _ = try rig.closeChannel(channel, within: .seconds(3))
        case 2, 3:
            _ = try rig.call(random.element(of: ReactionTableTests.requests), channel, within: .seconds(5))
        case 4: try rig.send(.basicAck(.init(deliveryTag: 1)), channel)
        case 5, 6: try rig.publish([1, 2, 3], channel, mandatory: mandatory)
        case 7:
            try rig.core.selectConfirms(channel)
            if let tag = try rig.publish([4], channel, mandatory: mandatory) {
                _ = try rig.waitForConfirm(tag, channel)
            }
        case 8: _ = try rig.waitForConfirms(channel)
        case 9:
            let retrying = Bool.random(using: &random)
            if case .none = try rig.core.room(channel, retrying: retrying) {
                _ = try rig.waitForRoom(channel, first: retrying)
            }
        case 10:
            if let waiter = rig.waiters.subtracting(rig.answers.keys).min(by: { $0.index < $1.index }) {
                rig.giveUp(waiter)
            }
        case 11: _ = try rig.call(.connectionUpdateSecret(.init()), 0, within: .seconds(1))
        case 12: _ = rig.watch(rig.core.waiters.add(.pause, deadline: rig.later(.seconds(1))))
        default: rig.pass(.milliseconds(Int64.random(in: 0...900, using: &random)))
        }
    }

    /// What holds at any time.
    private static func check(_ rig: CoreRig) {
        let unanswered = rig.waiters.subtracting(rig.answers.keys).count
        let waiting = rig.core.waiters.count
        #expect(waiting == unanswered, "each waiter is in the table or answered")
        #expect(rig.answers.values.allSatisfy { $0.count == 1 })
        for case let channel? in rig.core.channels {
            #expect(channel.ledger?.outstanding ?? 0 >= 0)
            #expect(channel.promised >= 0)
            #expect(channel.queue.isEmpty || channel.inFlight != nil, "a call waits though none is in flight")
            #expect(rig.core.channels[Int(channel.number)] === channel)
        }
        if rig.end != nil {
            let left = rig.core.channels.count
            #expect(left == 0)
            #expect(rig.closedEvents == 1)
        }
    }

    @Test("leaves every waiter with one answer, and never ends the process", arguments: [UInt64](1...12))
    func storm(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        // Every other run the broker keeps to the protocol, so that connections live long.
        let wild = seed % 2 == 0
        var steps = 0
        while steps < 2_500 {
            let rig = CoreRig(CoreRig.options { $0.handshake.limits.heartbeat = 2 }, deadline: .seconds(30))
            if !wild || Int.random(in: 0..<8, using: &random) > 0 { rig.open(channelMax: 4, heartbeat: 2) }
            for _ in 0..<600 {
                steps += 1
                if Bool.random(using: &random) {
                    Self.fromBroker(rig, &random, wild: wild && Int.random(in: 0..<12, using: &random) == 0)
                } else {
                    try? Self.fromProgram(rig, &random)
                    rig.settle()
                }
                Self.check(rig)
                if !wild, let end = rig.end { #expect(end.code == .connectionLost, "\(end)") }
                if rig.end != nil { break }
                if wild, Int.random(in: 0..<300, using: &random) == 0 { _ = try? rig.close() }
            }
            rig.pass(.seconds(1_000))
            rig.finish("seed \(seed), step \(steps)")
        }
    }
}
