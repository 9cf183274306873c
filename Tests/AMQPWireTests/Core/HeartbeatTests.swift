import Testing

@testable import AMQPWire

@Suite("Heartbeats")
struct HeartbeatTests {
    private func rig(_ seconds: UInt16) throws -> CoreRig {
        try CoreRig.withChannel(heartbeat: seconds)
    }

    @Test("go out at half the interval while nothing else does")
    func sending() throws {
        let rig = try rig(10)
        #expect(rig.deadline == rig.now.advanced(by: .seconds(5)))
        rig.pass(.milliseconds(4_999))
        #expect(rig.takeSent().isEmpty)
        rig.pass(.milliseconds(1))
        #expect(rig.takeSent().map(\.type) == [8])
        rig.receive(PeerCodec.heartbeat)
        rig.pass(.seconds(5))
        #expect(rig.takeSent().map(\.type) == [8])
        rig.finish()
    }

    @Test("are put off by whatever is sent")
    func traffic() throws {
        let rig = try rig(10)
        rig.pass(.seconds(4))
        try rig.publish()
        _ = rig.takeSent()
        rig.pass(.seconds(4))
        #expect(rig.takeSent().isEmpty)
        rig.pass(.seconds(1))
        #expect(rig.takeSent().map(\.type) == [8])
        rig.finish()
    }

    @Test("are not needed from a broker that sends anything at all, be it half a frame")
    func anyTraffic() throws {
        let rig = try rig(10)
        let delivery = PeerCodec.content(.basicDeliver, 1, ["tag", 1], [1, 2, 3])
        for octet in delivery {
            rig.pass(.seconds(19))
            rig.receive([octet])
        }
        #expect(rig.end == nil)
        rig.finish()
    }

    @Test("go out while reading rests, and are not missed before it has gone on for two intervals")
    func paused() throws {
        let rig = try rig(10)
        rig.core.readingPauses(true, now: rig.now)
        for _ in 0..<10 { rig.pass(.seconds(5)) }
        #expect(rig.takeSent().map(\.type) == Array(repeating: 8, count: 10))
        #expect(rig.end == nil)
        rig.core.readingPauses(false, now: rig.now)
        rig.pass(.milliseconds(19_999))
        #expect(rig.end == nil)
        rig.pass(.milliseconds(1))
        #expect(rig.end?.code == .connectionLost)
        rig.finish()
    }

    @Test("that do not come for two intervals end the connection")
    func silence() throws {
        let rig = try rig(10)
        let call = try rig.call(.queueDeclare(.init()))
        rig.pass(.milliseconds(19_999))
        #expect(rig.end == nil)
        rig.pass(.milliseconds(1))
        #expect(rig.end?.code == .connectionLost)
        #expect(rig.end?.message.contains("20 s") == true)
        #expect(rig.failure(call)?.code == .connectionLost)
        #expect(rig.deadline == nil)
        rig.finish()
    }

    @Test("of zero seconds are off")
    func off() throws {
        let rig = try rig(0)
        #expect(rig.deadline == nil)
        rig.pass(.seconds(1_000_000))
        #expect(rig.end == nil)
        #expect(rig.takeSent().isEmpty)
        rig.finish()
    }

    @Test("that stay out while we close leave the reason of the close standing")
    func silenceWhileClosing() throws {
        let rig = try CoreRig.withChannel(heartbeat: 1, CoreRig.options { $0.closeTimeout = .seconds(60) })
        let closing = try rig.close()
        rig.pass(.seconds(2))
        #expect(rig.end?.code == .closed)
        #expect(rig.isDone(closing))
        rig.finish()
    }

    @Test("are due by the clock given, even where it stands still or goes back")
    func clock() {
        let start = Moment(nanoseconds: 5_000_000_000)
        var monitor = HeartbeatMonitor(seconds: 2, now: start)!
        monitor.sent(at: Moment(nanoseconds: 0))
        monitor.received(at: Moment(nanoseconds: 0))
        #expect(monitor.verdict(at: start) == .nothing)
        #expect(monitor.deadline == start.advanced(by: .seconds(1)))
        #expect(monitor.verdict(at: start.advanced(by: .seconds(1))) == .sendHeartbeat)
        #expect(monitor.verdict(at: start.advanced(by: .seconds(4))) == .peerIsSilent)
        #expect(monitor.verdict(at: Moment(nanoseconds: .max)) == .peerIsSilent)
        #expect(HeartbeatMonitor(seconds: 0, now: start) == nil)
    }
}
