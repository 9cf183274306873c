import Testing

@testable import AMQPWire

/// How a connection takes its losses, with a played broker.
@Suite("A connection that is lost", .timeLimit(.minutes(1)))
struct LossTests {
    let events = EventLog()

    @Test("is made anew however it ended", arguments: ["cut", "reset", "320", "501", "garbage"])
    func waysToEnd(_ way: String) async throws {
        let broker = try PlayedBroker { connection, request in
            guard connection == 0, request.description == "queue.declare end" else { return .answer }
            return switch way {
            case "cut": .cut
            case "reset": .reset
            case "320":
                .closeConnection(320, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'")
            case "501": .closeConnection(501, "FRAME_ERROR")
            default: .send([PlayedMethod(id: (99, 99))])
            }
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        let error = await #expect(throws: AMQPError.self) { try await channel.declareQueue("end") }
        #expect(error?.endedConnection == true)
        if way == "320" { #expect(error?.replyCode == 320) }
        await events.wait(for: "recovered")
        try await channel.declareQueue("after")
        #expect(broker.calls(1).last == "queue.declare after")
        await connection.close()
    }

    @Test("is missed by its heartbeats when the broker falls silent")
    func silence() async throws {
        let broker = try PlayedBroker(heartbeat: 1) { connection, request in
            request.channel > 0 && connection == 0 ? .silence : .answer
        }
        // No call gives up, and no connection is given up, for lack of an answer within the test's time limit.
        let connection = try await AMQPConnection.connect(
            .quick(broker.uri, events) { $0.callTimeout = .seconds(3_600) }
        )
        // Waits for a connection that answers.
        let channel = try await connection.openChannel()
        #expect(broker.connectionCount >= 2)
        _ = channel
        await connection.close()
    }

    @Test("is recovered even when it goes as soon as it was opened")
    func lostAtOnce() async throws {
        let broker = try PlayedBroker { connection, request in
            connection == 0 && request.name == "connection.open"
                ? .send([PlayedMethod(id: (10, 41), arguments: [0]), .close(320, "bye", from: "", isConnection: true)])
                : .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        try await channel.declareQueue("q")
        #expect(broker.connectionCount == 2)
        #expect(events.lines == ["connected", "disconnected", "reconnecting 1", "connected", "recovered"])
        await connection.close()
    }

    @Test("comes back when the broker listens again, or through another host")
    func refused() async throws {
        let broker = try PlayedBroker()
        let other = try PlayedBroker()
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        broker.stopListening()
        broker.cut()
        await events.wait(for: "reconnecting 4")
        try broker.listenAgain()
        await events.wait(for: "recovered")
        await connection.close()

        let dead = "127.0.0.1:1"
        let uri = "amqp://guest:guest@\(dead),amqp://guest:guest@127.0.0.1:\(broker.port),\(other.uri)"
        let events = EventLog()
        let several = try await AMQPConnection.connect(.quick(uri, events))
        #expect(broker.connectionCount == 3)
        broker.stopListening()
        broker.cut()
        await events.wait(for: "recovered")
        #expect(other.connectionCount == 1)
        await several.close()
    }

    @Test("stays lost once the login was refused three times, and everyone hears why")
    func loginRefused() async throws {
        let broker = try PlayedBroker { connection, request in
            connection > 0 && request.name == "connection.start-ok"
                ? .closeConnection(403, "ACCESS_REFUSED - Login was refused") : .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events, pause: .milliseconds(20)))
        let channel = try await connection.openChannel()
        let reader = Task { for try await _ in channel.consume("q", consumerTag: "c") {} }
        try await channel.awaitConsumer("c")
        broker.cut()
        await events.wait(for: "disconnected")
        let error = await #expect(throws: AMQPError.self) { try await channel.publish("x", routingKey: "q") }
        #expect(error?.code == .loginRefused)
        #expect(error?.delivery == .notSent)
        await events.wait(for: "closed")
        #expect(broker.connectionCount == 4)
        let ending = await #expect(throws: AMQPError.self) { try await reader.value }
        #expect(ending?.code == .loginRefused)
        #expect(ending?.message.contains("3 attempts") == true)
        #expect(!connection.isOpen && !channel.isOpen)
        await connection.close()
        #expect(events.lines.last == "closed loginRefused")
    }

    @Test("is closed at once during a pause, and lets go of everything")
    func closedInPause() async throws {
        let broker = try PlayedBroker()
        weak var driver: ConnectionDriver?
        do {
            let connection = try await AMQPConnection.connect(.quick(broker.uri, events, pause: .seconds(600)))
            driver = connection.driver
            let channel = try await connection.openChannel()
            broker.cut()
            await events.wait(for: "reconnecting 1")
            let waiting = Task { try await channel.publish("x", routingKey: "q") }
            try await connection.driver.untilWaiting(1)
            // The pause is longer than the test's time limit.
            await connection.close()
            let error = await #expect(throws: AMQPError.self) { try await waiting.value }
            #expect(error?.code == .closed && error?.delivery == .notSent)
        }
        await events.wait(for: "closed")
        try await isGone { driver == nil }
    }

    @Test("is let go of when nobody holds it any more, in a pause or open")
    func dropped() async throws {
        let broker = try PlayedBroker()
        for inPause in [true, false] {
            let events = EventLog()
            weak var driver: ConnectionDriver?
            do {
                let connection = try await AMQPConnection.connect(.quick(broker.uri, events, pause: .seconds(600)))
                driver = connection.driver
                if inPause {
                    broker.cut()
                    await events.wait(for: "reconnecting 1")
                }
            }
            try await isGone { driver == nil }
        }
        // The one that was open took its leave.
        try await isGone { broker.requests[1].last?.name == "connection.close" }
    }

    @Test("can be closed while it is being restored, by several callers, and stays closed")
    func closedInRestore() async throws {
        let closing = Signal()
        let broker = try PlayedBroker { connection, request in
            guard connection == 1, request.name == "queue.declare" else { return .answer }
            closing.set()
            return .silence
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        try await channel.declareQueue("q")
        broker.cut()
        await closing.wait()
        await withTaskGroup { group in
            for _ in 0..<4 { group.addTask { await connection.close() } }
        }
        #expect(!connection.isOpen)
        await events.wait(for: "closed")
        #expect(events.lines == ["connected", "disconnected", "reconnecting 1", "connected", "closed"])
        #expect(broker.requests[1].last?.name == "connection.close")
        #expect(connection.driver.state.withLock { $0.link == nil && $0.timer == nil })
    }

    @Test("leaves nothing of calls that were cancelled or timed out, and of channels that were dropped")
    func nothingLeft() async throws {
        let broker = try PlayedBroker()
        let connection = try await AMQPConnection.connect(
            .quick(broker.uri, events, pause: .seconds(600)) { $0.callTimeout = .milliseconds(700) }
        )
        for _ in 0..<20 { _ = try await connection.openChannel() }
        let channel = try await connection.openChannel()
        try await channel.declareQueue("q")
        let driver = connection.driver
        #expect(driver.state.withLock { $0.early.isEmpty })
        broker.cut()
        await events.wait(for: "reconnecting 1")
        let cancelled = (0..<20).map { _ in Task { try await channel.publish("x", routingKey: "q") } }
        try await driver.untilWaiting(20)
        for task in cancelled { task.cancel() }
        for task in cancelled { _ = try? await task.value }
        let late = await #expect(throws: AMQPError.self) { try await channel.declareQueue("late") }
        #expect(late?.code == .timedOut)
        let (waiting, early) = driver.state.withLock { ($0.waitingForRecovery.count, $0.early.count) }
        #expect(waiting == 0 && early == 0)
        await connection.close()
    }

    @Test("is not blocked any more, and says nothing of the broker it had")
    func blocked() async throws {
        let broker = try PlayedBroker()
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events, pause: .milliseconds(200)))
        broker.say(PlayedMethod(id: (10, 60), arguments: PlayedMethod.string("low on memory")), channel: 0)
        await events.wait(for: "blocked")
        #expect(connection.blockedReason == "low on memory")
        broker.cut()
        await events.wait(for: "reconnecting 1")
        #expect(connection.blockedReason == nil && connection.limits == nil)
        await events.wait(for: "recovered")
        let channel = try await connection.openChannel()
        try await channel.publish("x", routingKey: "q")
        await connection.close()
    }

    @Test(
        "is not made at all when it is cut during the first handshake",
        arguments: [
            ("connection.start-ok", AMQPError.Code.loginRefused), ("connection.tune-ok", .connectionLost),
            ("connection.open", .connectionLost),
        ]
    )
    func cutFirst(_ step: String, _ code: AMQPError.Code) async throws {
        let broker = try PlayedBroker { _, request in request.name == step ? .cut : .answer }
        let configuration = try AMQPConfiguration.quick(broker.uri, events)
        let error = await #expect(throws: AMQPError.self) { try await AMQPConnection.connect(configuration) }
        #expect(error?.code == code)
        #expect(broker.connectionCount == 1)
        await events.wait(for: "closed")
    }

    @Test("is not made when its task is cancelled, and the socket is closed")
    func cancelledConnect() async throws {
        let login = Signal()
        let broker = try PlayedBroker { _, request in
            login.set()
            return .silence
        }
        let configuration = try AMQPConfiguration.quick(broker.uri, events)
        let connecting = Task { () -> AMQPError.Code? in
            do throws(AMQPError) {
                _ = try await AMQPConnection.connect(configuration)
                return nil
            } catch {
                return error.code
            }
        }
        await login.wait()
        connecting.cancel()
        #expect(await connecting.value == .cancelled)
        try await isGone { broker.hasEnded(0) }
    }

    @Test("keeps trying while the broker counts it to a limit of connections")
    func connectionLimit() async throws {
        let broker = try PlayedBroker { connection, request in
            (1...5).contains(connection) && request.name == "connection.open"
                ? .closeConnection(530, "NOT_ALLOWED - access to vhost '/' refused: connection limit (1) is reached")
                : .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        broker.cut()
        await events.wait(for: "recovered")
        #expect(broker.connectionCount == 7)
        await connection.close()
    }

    @Test("logs in with the secret that was given last")
    func freshSecret() async throws {
        let broker = try PlayedBroker()
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        try await connection.updateSecret("fresh")
        broker.cut()
        await events.wait(for: "recovered")
        let login = broker.requests[1].first { $0.name == "connection.start-ok" }
        #expect(login.map { String(decoding: $0.arguments, as: UTF8.self).contains("guest\0fresh") } == true)
        await connection.close()
    }
}

/// What becomes of publishes when their connection is lost.
@Suite("A publish whose connection is lost", .timeLimit(.minutes(1)))
struct LostPublishTests {
    let events = EventLog()

    /// A broker that takes what is published on its first connection, confirms the first `confirmed` of it, and cuts after `count`.
    private func broker(takes count: Int, confirms confirmed: Int = 0) throws -> PlayedBroker {
        let publishes = RequestCounter()
        return try PlayedBroker { connection, request in
            guard connection == 0, request.name == "basic.publish" else { return .answer }
            let number = publishes.count(0)
            if number == count { return .cut }
            return number <= confirmed ? .answer : .silence
        }
    }

    @Test("fails with 'unknown'; what was confirmed before is known")
    func unknown() async throws {
        let broker = try broker(takes: 3, confirms: 1)
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        let first = try await channel.submit(Array("1".utf8), routingKey: "q")
        let second = try await channel.submit(Array("2".utf8), routingKey: "q")
        let error = await #expect(throws: AMQPError.self) { try await channel.publish("3", routingKey: "q") }
        #expect(error?.delivery == .unknown)
        await events.wait(for: "recovered")
        try await first.confirmed()
        let lost = await #expect(throws: AMQPError.self) { try await second.confirmed() }
        #expect(lost?.delivery == .unknown)
        // Nobody had waited for the second when it was lost.
        let all = await #expect(throws: AMQPError.self) { try await channel.waitForConfirms() }
        #expect(all?.delivery == .unknown)
        try await channel.waitForConfirms()
        #expect(!broker.calls(1).contains { $0.hasPrefix("basic.publish") })
        await connection.close()
    }

    @Test("is sent again where that is asked for, in order, and its receipt stays good")
    func resent() async throws {
        let broker = try broker(takes: 5, confirms: 2)
        let connection = try await AMQPConnection.connect(
            .quick(broker.uri, events) { $0.recovery?.resendsUnconfirmed = true }
        )
        let channel = try await connection.openChannel()
        let prepared = try channel.publisher(routingKey: "q")
        var receipts: [AMQPPublishReceipt] = []
        for number in 1...2 { receipts.append(try await channel.submit(Array("\(number)".utf8), routingKey: "q")) }
        try await receipts[0].confirmed()
        receipts.append(try await channel.submit(Array("3".utf8), routingKey: "q"))
        receipts.append(try await prepared.submit(Array("4".utf8)))
        try await channel.publish("5", routingKey: "q")
        for receipt in receipts[1...] { try await receipt.confirmed() }
        try await channel.waitForConfirms()
        #expect(
            broker.calls(1).filter { $0.hasPrefix("basic.publish") } == [
                "basic.publish 3", "basic.publish 4", "basic.publish 5",
            ]
        )
        await connection.close()
    }

    @Test("is kept no longer than until its confirm")
    func keptUntilConfirmed() async throws {
        let broker = try PlayedBroker()
        let connection = try await AMQPConnection.connect(
            .quick(broker.uri, events) { $0.recovery?.resendsUnconfirmed = true }
        )
        let channel = try await connection.openChannel(confirmWindow: 10)
        for _ in 0..<1_000 {
            try await channel.submit([1], routingKey: "q")
            #expect(connection.driver.state.withLock { _ in channel.record.kept.count } <= 11)
        }
        try await channel.waitForConfirms()
        await connection.close()
    }

    @Test("waits where it has not left, and goes out in the order of its task")
    func waits() async throws {
        let broker = try PlayedBroker()
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events, pause: .milliseconds(100)))
        let channel = try await connection.openChannel()
        try await channel.publish("before", routingKey: "q")
        broker.cut()
        await events.wait(for: "reconnecting 1")
        await withTaskGroup { group in
            for task in 0..<20 {
                group.addTask {
                    for number in 0..<5 { try? await channel.publish("\(task) \(number)", routingKey: "q") }
                }
            }
        }
        let bodies = broker.requests[1].filter { $0.name == "basic.publish" }.map(\.body)
        #expect(bodies.count == 100)
        for task in 0..<20 {
            let own = bodies.filter { $0.hasPrefix("\(task) ") }
            #expect(own == (0..<5).map { "\(task) \($0)" })
        }
        await connection.close()
    }

    @Test("waits in the gate, and goes out when the connection is back")
    func waitsForRoom() async throws {
        let cutting = RequestCounter()
        let broker = try PlayedBroker { connection, request in
            guard connection == 0, request.name == "basic.publish" else { return .answer }
            return cutting.count(0) < 4 ? .silence : .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel(confirmWindow: 3)
        for number in 0..<3 { try await channel.submit(Array("\(number)".utf8), routingKey: "q") }
        let waiting = Task { try await channel.publish("waiting", routingKey: "q") }
        try await connection.driver.untilWaiting(1) { if case .room = $0 { true } else { false } }
        broker.cut()
        try await waiting.value
        #expect(broker.calls(1).last == "basic.publish waiting")
        await connection.close()
    }

    @Test("is refused without a new connection while the broker answers with basic.nack")
    func nacks() async throws {
        let nacks = RequestCounter()
        let broker = try PlayedBroker { _, request in
            guard request.name == "basic.publish" else { return .answer }
            let tag = nacks.count(0)
            return .send([tag <= 100 ? .nack(UInt64(tag)) : .ack(UInt64(tag))])
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        for _ in 0..<100 {
            let error = await #expect(throws: AMQPError.self) { try await channel.publish("x", routingKey: "q") }
            #expect(error?.code == .publishRefused && error?.delivery == .refused)
        }
        try await channel.publish("x", routingKey: "q")
        #expect(broker.connectionCount == 1)
        await connection.close()
    }

    @Test("closes its channel only, where the broker has no disk left and says so by 406")
    func lowDisk() async throws {
        let broker = try PlayedBroker { _, request in
            request.name == "basic.publish" ? .closeChannel(406, "PRECONDITION_FAILED - low disk space") : .answer
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        let error = await #expect(throws: AMQPError.self) { try await channel.publish("x", routingKey: "q") }
        #expect(error?.code == .channelClosed && error?.replyCode == 406 && error?.delivery == .unknown)
        #expect(connection.isOpen && !channel.isOpen)
        _ = try await connection.withChannel { try await $0.declareQueue("q") }
        await connection.close()
    }
}
