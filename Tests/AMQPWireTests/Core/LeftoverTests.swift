import Testing

@testable import AMQPWire

/// What a broker has sent on a channel before it saw that its own close of it was answered.
@Suite("Behind a channel.close of the broker")
struct LeftoverTests {
    private static let close: [PeerValue] = [406, "PRECONDITION_FAILED - invalid expiration"]

    /// Everything that may be under way on a channel.
    private static let leftovers: [[UInt8]] = [
        PeerCodec.content(.basicDeliver, 1, ["tag", 7], Array("late".utf8)),
        PeerCodec.content(.basicReturn, 1, [312, "NO_ROUTE"], Array("late".utf8)),
        PeerCodec.content(.basicGetOk, 1, [7], []),
        PeerCodec.method(.basicAck, 1, [7, 1]), PeerCodec.method(.basicNack, 1, [7]),
        PeerCodec.method(.basicCancel, 1, ["tag"]), PeerCodec.method(.channelFlow, 1, [0]),
        PeerCodec.method(.queueDeclareOk, 1, ["late"]), PeerCodec.method(.basicConsumeOk, 1, ["tag"]),
        // A message of which the beginning came before the close.
        PeerCodec.body(1, [1, 2, 3]), PeerCodec.header(1, bodySize: 3),
    ]

    @Test("nothing that comes on the channel ends the connection, nor reaches the channel's next opening")
    func dropped() throws {
        // All numbers are in use, so that of the channel that was closed is used again.
        let rig = CoreRig()
        rig.open(channelMax: 2)
        try rig.openChannel()
        let other = try rig.openChannel()
        try rig.core.selectConfirms(1)
        rig.settle()
        rig.receive(.channelClose, 1, Self.close)
        _ = rig.takeEvents()
        _ = rig.takeSent()
        for leftover in Self.leftovers { rig.receive(leftover) }
        let (number, opening) = try rig.core.openChannel(confirmWindow: 10, deadline: nil)
        _ = rig.watch(opening)
        #expect(number == 1)
        for leftover in Self.leftovers { rig.receive(leftover) }
        #expect(rig.takeSent().map(\.method) == [.channelOpen])
        #expect(rig.takeEvents().isEmpty)
        rig.receive(.channelOpenOk, 1)
        #expect(rig.reply(opening) != nil)
        // From here on it is a channel like another.
        let call = try rig.call(.queueDeclare(.init()))
        rig.receive(.queueDeclareOk, 1, ["q"])
        #expect(rig.reply(call)?.id == .queueDeclareOk)
        rig.receive(PeerCodec.content(.basicDeliver, 1, ["tag", 1], [1]))
        rig.receive(PeerCodec.content(.basicDeliver, other, ["tag", 1], [1]))
        #expect(rig.takeEvents().count == 2)
        rig.receive(.basicQosOk, 1)
        #expect(rig.end?.replyCode == 503)
        rig.finish()
    }

    @Test("the close may come in the middle of a message, since another process of the broker writes it")
    func inTheMiddle() throws {
        for isHeaderThere in [false, true] {
            let rig = try CoreRig.withChannel()
            rig.receive(.basicDeliver, 1, ["tag", 1])
            if isHeaderThere { rig.receive(PeerCodec.header(1, bodySize: 4)) }
            rig.receive(.channelClose, 1, Self.close)
            if !isHeaderThere { rig.receive(PeerCodec.header(1, bodySize: 4)) }
            rig.receive(PeerCodec.body(1, [1, 2, 3, 4]))
            #expect(rig.end == nil)
            #expect(rig.takeSent().map(\.method) == [.channelCloseOk])
            rig.finish()
        }
    }

    @Test("closes that cross leave the connection open whatever comes between and after them")
    func crossing() throws {
        let rig = try CoreRig.withChannel(confirms: true)
        let closing = try rig.closeChannel()
        rig.receive(.channelClose, 1, Self.close)
        for leftover in Self.leftovers { rig.receive(leftover) }
        rig.receive(.channelCloseOk, 1)
        #expect(rig.isDone(closing))
        for leftover in Self.leftovers { rig.receive(leftover) }
        #expect(rig.end == nil)
        #expect(try rig.openChannel() == 2)
        rig.finish()
    }

    @Test(
        "the number of a channel that the broker closed is used again last, the one that was closed first before others"
    )
    func numbers() throws {
        let rig = CoreRig()
        rig.open(channelMax: 4)
        for _ in 0..<3 { try rig.openChannel() }
        for number in [UInt16(2), 1] { rig.receive(.channelClose, number, Self.close) }
        _ = try rig.closeChannel(3)
        rig.receive(.channelCloseOk, 3)
        #expect(try (0..<4).map { _ in try rig.openChannel() } == [3, 4, 2, 1])
        #expect(throws: AMQPError.self) { try rig.openChannel() }
        rig.finish()
    }

    @Test("a number that was never open, and one that this side has closed, still may not be used by the broker")
    func strict() throws {
        let rig = try CoreRig.withChannel()
        _ = try rig.closeChannel()
        rig.receive(.channelCloseOk, 1)
        rig.receive(.basicAck, 1, [1])
        #expect(rig.end?.replyCode == 504)
        rig.finish()
    }
}
