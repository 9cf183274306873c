import Testing

@testable import AMQPWire

/// What ends other clients, or makes them loop or wait for ever, is an error here. The peer follows a script.
@Suite("Peers that misbehave", .timeLimit(.minutes(1)))
struct HostilePeerTests {
    /// Octets on an open channel, and the failure that they are.
    struct Attack: Sendable, CustomTestStringConvertible {
        var name: String
        var octets: [UInt8]
        var code: AMQPError.Code
        var replyCode: UInt16
        var testDescription: String { name }

        static func frame(_ type: UInt8, _ payload: [UInt8], end: UInt8 = 0xCE) -> [UInt8] {
            let size = UInt32(payload.count)
            return [type, 0, 1] + (0..<4).map { UInt8(truncatingIfNeeded: size >> (24 - 8 * $0)) } + payload + [end]
        }

        static let deliver = frame(1, [0, 60, 0, 60, 1, 0x74] + [0, 0, 0, 0, 0, 0, 0, 1] + [0, 0, 1, 0x71])
        static func header(size: UInt64) -> [UInt8] {
            frame(2, [0, 60, 0, 0] + (0..<8).map { UInt8(truncatingIfNeeded: size >> (56 - 8 * $0)) } + [0, 0])
        }
        static var deepTable: [UInt8] {
            var table: [UInt8] = []
            for _ in 0..<17_000 {
                let size = UInt32(table.count)
                table = [0x46] + (0..<4).map { UInt8(truncatingIfNeeded: size >> (24 - 8 * $0)) } + table
                table = [1, 0x6B] + table
            }
            let size = UInt32(table.count)
            let field = (0..<4).map { UInt8(truncatingIfNeeded: size >> (24 - 8 * $0)) } + table
            return frame(2, [0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0] + field)
        }

        static let all = [
            Attack(
                name: "a body of more than 2^63 octets",
                octets: deliver + header(size: 1 << 63 + 1),
                code: .unexpectedFrame,
                replyCode: 501
            ),
            Attack(
                name: "more body than its header says",
                octets: deliver + header(size: 1) + frame(3, [1, 2]),
                code: .unexpectedFrame,
                replyCode: 501
            ),
            Attack(
                name: "a method that is not due",
                octets: frame(1, [0, 50, 0, 11, 1, 0x71, 0, 0, 0, 0, 0, 0, 0, 0]),
                code: .unexpectedFrame,
                replyCode: 503
            ),
            Attack(
                name: "a method that only clients send",
                octets: frame(1, [0, 20, 0, 10, 0]),
                code: .unexpectedFrame,
                replyCode: 503
            ),
            Attack(name: "a body without a header", octets: frame(3, [1]), code: .unexpectedFrame, replyCode: 505),
            Attack(
                name: "a confirm without confirm mode",
                octets: frame(1, [0, 60, 0, 80, 0, 0, 0, 0, 0, 0, 0, 1, 0]),
                code: .unexpectedFrame,
                replyCode: 503
            ),
        ]
    }

    @Test("octets that fit nowhere end the connection with a close that says why", arguments: Attack.all)
    func attacks(_ attack: Attack) async throws {
        let (closes, continuation) = AsyncStream.makeStream(of: UInt16.self)
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands()
            try peer.openChannel()
            try peer.await(.channelFlow)
            try peer.write(attack.octets)
            let close = try peer.await(.connectionClose)
            continuation.yield(UInt16(close.payload[4]) << 8 | UInt16(close.payload[5]))
        }
        let connection = try await AMQPConnection.connect(peer.configuration)
        let channel = try await connection.openChannel()
        let error = await #expect(throws: AMQPError.self) { try await channel.setFlow(active: true) }
        #expect(error?.code == attack.code)
        #expect(error?.replyCode == attack.replyCode)
        var iterator = closes.makeAsyncIterator()
        #expect(await iterator.next() == attack.replyCode)
        #expect(connection.leftovers == 0)
    }

    @Test(
        "a message that cannot be taken ends its consumer, with its name and size, and is not asked for again",
        arguments: [("a terabyte", Attack.header(size: 1 << 40)), ("a table nested 17,000 deep", Attack.deepTable)]
    )
    func unreadable(_ what: String, _ header: [UInt8]) async throws {
        let (requests, continuation) = AsyncStream.makeStream(of: AMQPMethodID.self)
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands()
            try peer.openChannel()
            try peer.await(.basicQos)
            try peer.write(.basicQosOk(.init()), channel: 1)
            try peer.await(.basicConsume)
            try peer.write(.basicConsumeOk(.init(consumerTag: "t")), channel: 1)
            try peer.write(Attack.deliver + header)
            try peer.await(.basicCancel)
            let reject = try peer.await(.basicReject)
            // Not to be put back.
            if reject.payload.last == 0 { continuation.yield(.basicReject) }
            peer.waitForEnd()
        }
        let connection = try await AMQPConnection.connect(peer.configuration)
        let channel = try await connection.openChannel()
        let error = await #expect(throws: AMQPError.self) {
            for try await _ in channel.consume("a queue", consumerTag: "t") {}
        }
        #expect(error?.code == .unreadableMessage)
        #expect(error?.message.contains("routing key 'q'") == true)
        var iterator = requests.makeAsyncIterator()
        #expect(await iterator.next() == .basicReject)
        #expect(connection.isOpen && channel.isOpen)
        connection.driver.abandon()
    }

    @Test("a frame header that comes octet by octet is waited for")
    func frameHeaderInPieces() async throws {
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands()
            try peer.await(.channelOpen)
            for octet in Attack.frame(1, [0, 20, 0, 11, 0, 0, 0, 0]) { try peer.write([octet]) }
            peer.waitForEnd()
        }
        let connection = try await AMQPConnection.connect(peer.configuration)
        let channel = try await connection.openChannel()
        #expect(channel.isOpen)
        connection.driver.abandon()
    }

    @Test("a frame size of 0 is no limit, and a useless one is refused")
    func frameSizes() async throws {
        let unlimited = try ScriptedPeer { peer in
            try peer.shakeHands(frameMax: 0)
            peer.waitForEnd()
        }
        let connection = try await AMQPConnection.connect(unlimited.configuration)
        #expect(connection.limits?.frameMax == 131_072)
        connection.driver.abandon()
        let useless = try ScriptedPeer { peer in
            try peer.shakeHands(frameMax: 7)
        }
        let error = await #expect(throws: AMQPError.self) { try await AMQPConnection.connect(useless.configuration) }
        #expect(error?.code == .negotiationFailed)
    }

    @Test("a confirm that comes before the publish call is back is not lost")
    func fastConfirms() async throws {
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands()
            try peer.openChannel()
            var tag: UInt64 = 0
            while true {
                try peer.await(.basicPublish)
                tag += 1
                try peer.write(.basicAck(.init(deliveryTag: tag)), channel: 1)
            }
        }
        let connection = try await AMQPConnection.connect(peer.configuration)
        let channel = try await connection.openChannel()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<20 {
                group.addTask { for _ in 0..<100 { try await channel.publish("x", routingKey: "k") } }
            }
            try await group.waitForAll()
        }
        #expect(connection.statistics.publishesConfirmed == 2_000)
        #expect(connection.leftovers == 0)
        connection.driver.abandon()
    }

    @Test("a loop of declares does not hang, each answered before it can wait")
    func fastReplies() async throws {
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands()
            try peer.openChannel()
            while true {
                try peer.await(.queueDeclare)
                try peer.write(.queueDeclareOk(.init(queue: "q")), channel: 1)
            }
        }
        let connection = try await AMQPConnection.connect(peer.configuration)
        let channel = try await connection.openChannel()
        for _ in 0..<2_000 { try await channel.declareQueue("q") }
        connection.driver.abandon()
    }

    @Test("heartbeats go out unasked, and a broker that falls silent is noticed")
    func heartbeats() async throws {
        let (beats, continuation) = AsyncStream.makeStream(of: UInt8.self)
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands(heartbeat: 2)
            continuation.yield(try peer.read(8)[0])
            peer.drain()
        }
        let connection = try await AMQPConnection.connect(peer.configuration)
        let channel = Task { try await connection.openChannel() }
        var iterator = beats.makeAsyncIterator()
        #expect(await iterator.next() != nil)
        let error = await #expect(throws: AMQPError.self) { try await channel.value }
        #expect(error?.code == .connectionLost)
        #expect(error?.message.contains("heartbeat") == true)
        #expect(!connection.isOpen)
    }

    @Test("a channel closed by the broker ends its confirms and consumers")
    func channelClose() async throws {
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands()
            try peer.openChannel()
            try peer.await(.basicQos)
            try peer.write(.basicQosOk(.init()), channel: 1)
            try peer.await(.basicConsume)
            try peer.write(.basicConsumeOk(.init(consumerTag: "t")), channel: 1)
            try peer.await(.basicPublish)
            try peer.write(.channelClose(.init(replyCode: 404, replyText: "NOT_FOUND")), channel: 1)
            try peer.await(.channelCloseOk)
            try peer.openChannel()
            peer.waitForEnd()
        }
        let connection = try await AMQPConnection.connect(peer.configuration)
        let channel = try await connection.openChannel()
        let reader = Task { for try await _ in channel.consume("q", consumerTag: "t") {} }
        try await eventually { connection.statistics.framesReceived >= 6 }
        let publish = Task { try await channel.publish("x", routingKey: "k") }
        let unconfirmed = await #expect(throws: AMQPError.self) { try await publish.value }
        #expect(unconfirmed?.replyCode == 404)
        #expect(unconfirmed?.delivery == .unknown)
        let ended = await #expect(throws: AMQPError.self) { try await reader.value }
        #expect(ended?.replyCode == 404)
        #expect(!channel.isOpen)
        let next = try await connection.openChannel()
        #expect(next.isOpen)
        connection.driver.abandon()
    }
}
