import Testing

@testable import AMQPWire

@Suite("What a broker's version tells")
struct RabbitMQVersionTests {
    private func properties(_ product: String, _ version: String) -> AMQPTable {
        ["product": AMQPFieldValue(product), "version": AMQPFieldValue(version)]
    }

    @Test(
        "a version of two numbers and of RabbitMQ",
        arguments: [
            ("RabbitMQ", "3.10.8", [3, 10]), ("RabbitMQ", "4.3.6", [4, 3]), ("RabbitMQ", "4.10", [4, 10]),
            ("RabbitMQ", "4.3.0-rc.1", [4, 3]), ("RabbitMQ", "4", []), ("RabbitMQ", "", []), ("RabbitMQ", "x.y", []),
            ("RabbitMQ", "99999999999999999999.1", []), ("LavinMQ", "4.3.0", []),
        ]
    )
    func parsed(_ product: String, _ version: String, _ numbers: [Int]) {
        let version = RabbitMQVersion(serverProperties: properties(product, version))
        #expect(version.map { [$0.major, $0.minor] } ?? [] == numbers)
    }

    @Test("versions are compared by their numbers")
    func order() {
        #expect(RabbitMQVersion(3, 10) > RabbitMQVersion(3, 9))
        #expect(RabbitMQVersion(4, 0) > RabbitMQVersion(3, 13))
    }

    @Test(
        "a broker that tells no version and hangs up on small frames: the error names the least, and what to do",
        arguments: [true, false]
    )
    func hangsUp(isSmall: Bool) {
        let rig = CoreRig(CoreRig.options { $0.handshake.limits.frameMax = isSmall ? 4_096 : 8_192 })
        rig.receive(.connectionStart, 0, CoreRig.start)
        rig.tune(2_047, 131_072, 0)
        rig.core.transportEnded(AMQPError(.connectionLost, "connection reset by the peer", errno: 104))
        rig.settle()
        #expect(rig.end?.code == (isSmall ? .negotiationFailed : .connectionLost))
        #expect(rig.end?.errno == 104)
        #expect(rig.end?.remedy?.contains("8192") == (isSmall ? true : nil))
        rig.finish()
    }

    @Test("nothing that is no text is a version")
    func otherTypes() {
        #expect(RabbitMQVersion(serverProperties: ["product": "RabbitMQ", "version": .int32(4)]) == nil)
        #expect(RabbitMQVersion(serverProperties: [:]) == nil)
    }

    @Test(
        "RabbitMQ 4.1 and later get no frames smaller than they take; others get what was asked for",
        arguments: [
            ("RabbitMQ", "4.1.0", 4_096, 131_072, 8_192), ("RabbitMQ", "4.3.6", 8_191, 0, 8_192),
            ("RabbitMQ", "4.3.6", 8_192, 131_072, 8_192), ("RabbitMQ", "4.3.6", 0, 131_072, 131_072),
            ("RabbitMQ", "4.3.6", 131_072, 4_096, 4_096), ("RabbitMQ", "4.0.5", 4_096, 131_072, 4_096),
            ("RabbitMQ", "3.10.8", 4_096, 131_072, 4_096), ("LavinMQ", "4.3.6", 4_096, 131_072, 4_096),
            ("RabbitMQ", "", 4_096, 131_072, 4_096), ("RabbitMQ", "4.3.6", 100, 131_072, 100),
        ] as [(String, String, UInt32, UInt32, UInt32)]
    )
    func frameMax(_ product: String, _ version: String, _ ours: UInt32, _ theirs: UInt32, _ agreed: UInt32) {
        let limits = AMQPConnectionLimits(frameMax: ours)
        let tune = AMQPMethod.ConnectionTune(channelMax: 0, frameMax: theirs, heartbeat: 0)
        #expect(limits.agreed(with: tune, of: properties(product, version)).frameMax == agreed)
    }
}
