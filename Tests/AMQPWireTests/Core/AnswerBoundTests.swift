import Testing

@testable import AMQPWire

@Suite("A broker that asks and does not listen")
struct AnswerBoundTests {
    private func flooded() throws -> CoreRig {
        let rig = try CoreRig.withChannel()
        rig.drains = false
        while !rig.hasTooManyAnswers(false) { rig.receive(.channelFlow, 1, [1]) }
        rig.core.mustTake(true, now: rig.now)
        return rig
    }

    @Test("is given up when it takes nothing for half a minute while too many answers wait, and not before")
    func stalled() throws {
        let rig = try flooded()
        rig.pass(.seconds(29))
        #expect(rig.end == nil)
        // It takes something: the time begins again.
        rig.core.sent(now: rig.now)
        rig.pass(.seconds(29))
        #expect(rig.end == nil)
        #expect(rig.deadline.map { rig.now < $0 } == true)
        rig.pass(.seconds(1))
        #expect(rig.end?.code == .connectionLost)
        rig.finish()
    }

    @Test("is left in peace once it has taken them, and so is one that only takes no publishes")
    func drained() throws {
        let rig = try flooded()
        rig.core.taken(rig.core.encoder.bytes.count)
        rig.core.encoder.bytes.removeAll()
        #expect(rig.hasTooManyAnswers(true))
        rig.core.left(0)
        #expect(!rig.hasTooManyAnswers(true))
        rig.core.mustTake(false, now: rig.now)
        try rig.publish([UInt8](repeating: 1, count: 1 << 20))
        #expect(!rig.hasTooManyAnswers(true))
        rig.pass(.seconds(3_600))
        #expect(rig.end == nil)
        rig.finish()
    }

    @Test("is sent no heartbeats that would only pile up behind what it does not take")
    func heartbeats() throws {
        let rig = try CoreRig.withChannel(heartbeat: 10)
        rig.drains = false
        try rig.publish([1])
        let size = rig.waitingBytes
        for _ in 0..<100 {
            rig.receive(PeerCodec.heartbeat)
            rig.pass(.seconds(5))
        }
        #expect(rig.end == nil && rig.waitingBytes == size)
        rig.finish()
    }

    @Test("calls on a pipelined channel leave at once, are answered in turn, and fail together")
    func pipelined() throws {
        let rig = try CoreRig.withChannel()
        rig.core.channel(1)?.isPipelined = true
        let calls = try ["a", "b", "c", "d"].map { try rig.call(.queueDeclare(.init(queue: AMQPText($0)))) }
        #expect(rig.takeSent().count == 4)
        rig.receive(.queueDeclareOk, 1, ["a"])
        rig.giveUp(calls[1])
        rig.receive(.queueDeclareOk, 1, ["b"])
        #expect(rig.reply(calls[0]) == .queueDeclareOk(.init(queue: "a")))
        #expect(rig.failure(calls[1])?.code == .cancelled)
        rig.receive(.channelClose, 1, [406, "PRECONDITION_FAILED"])
        #expect(rig.failure(calls[2])?.replyCode == 406 && rig.failure(calls[3])?.replyCode == 406)
        rig.finish()
    }
}
