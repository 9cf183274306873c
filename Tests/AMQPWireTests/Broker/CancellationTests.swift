import Testing

@testable import AMQPWire

/// A task that is cancelled wherever it waits ends at once, and leaves nothing behind.
@Suite("Cancellation", .timeLimit(.minutes(1)))
struct CancellationTests {
    /// Expects that `body` waits, ends with `cancelled` once its task is, and leaves as many waiters as there were.
    private func expectCancelled(
        _ connection: AMQPConnection,
        waiters: Int = 1,
        delivery: AMQPError.DeliveryState? = nil,
        _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        let before = connection.leftovers
        let count = connection.driver.waiterCount
        let task = Task { try await body() }
        try await eventually { connection.driver.waiterCount == count + waiters }
        task.cancel()
        let error = await #expect(throws: AMQPError.self) { try await task.value }
        #expect(error?.code == .cancelled)
        if let delivery { #expect(error?.delivery == delivery) }
        #expect(connection.leftovers == before)
    }

    @Test(
        "while connecting: name lookup, TCP, TLS, each step of the handshake",
        arguments: [
            nil, AMQPMethodID.connectionStart, .connectionTune, .connectionOpenOk,
        ]
    )
    func connecting(before method: AMQPMethodID?) async throws {
        let ended = Shared(false)
        let peer = try ScriptedPeer { peer in
            defer { ended.withLock { $0 = true } }
            if let method {
                try peer.shakeHands(before: method)
            } else {
                _ = try peer.read(1)
            }
            peer.waitForEnd()
        }
        var configuration = peer.configuration
        if method == nil { configuration.brokers[0].scheme = .amqps }
        let task = Task { try await AMQPConnection.connect(configuration) }
        try await eventually { peer.connectionCount == 1 }
        task.cancel()
        let error = await #expect(throws: AMQPError.self) { try await task.value }
        #expect(error?.code == .cancelled)
        // The socket is gone, too.
        try await eventually { ended.withLock { $0 } }
    }

    @Test("before anything began")
    func alreadyCancelled() async throws {
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await AMQPConnection.connect("amqp://127.0.0.1:1")
        }
        let error = await #expect(throws: AMQPError.self) { try await task.value }
        #expect(error?.code == .cancelled || error?.code == .unreachable)
    }

    @Test("each call whose answer is still to come; the channel goes on with the next")
    func calls() async throws {
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands()
            try peer.openChannel()
            // Answers nothing until told, then everything.
            var unanswered: [PeerSocket.Frame] = []
            while true {
                let frame = try peer.frame()
                if frame.methodID == .basicPublish { break }
                unanswered.append(frame)
            }
            func answer(_ frame: PeerSocket.Frame) throws {
                guard let id = frame.methodID, let reply = Self.replies[id] else { return }
                try peer.write(reply, channel: frame.channel)
            }
            for frame in unanswered { try answer(frame) }
            while true { try answer(peer.frame()) }
        }
        let connection = try await AMQPConnection.connect(peer.configuration)
        let channel = try await connection.openChannel()
        let calls: [@Sendable () async throws -> Void] = [
            { try await channel.declareExchange("e") }, { try await channel.declareExchangePassively("e") },
            { try await channel.deleteExchange("e") }, { try await channel.bindExchange("e", to: "f") },
            { try await channel.unbindExchange("e", from: "f") }, { try await channel.declareQueue("q") },
            { _ = try await channel.declareQueuePassively("q") }, { try await channel.bindQueue("q", to: "e") },
            { try await channel.unbindQueue("q", from: "e") }, { try await channel.purgeQueue("q") },
            { try await channel.deleteQueue("q") }, { try await channel.setQoS(prefetchCount: 1) },
            { _ = try await channel.get("q") }, { try await channel.recover() },
            { try await channel.setFlow(active: true) }, { try await channel.selectTransactions() },
            { try await channel.commit() }, { try await channel.rollback() },
        ]
        for call in calls { try await expectCancelled(connection, call) }
        let reader = Task { for try await _ in channel.consume("q") {} }
        try await eventually { connection.driver.waiterCount == 2 }
        reader.cancel()
        let error = await #expect(throws: AMQPError.self) { try await reader.value }
        #expect(error?.code == .cancelled)
        try await expectCancelled(connection) { try await connection.updateSecret("s") }
        try await channel.send([], routingKey: "go on")
        channel.flush()
        #expect(try await channel.declareQueue().name == "answered")
        try await eventually { connection.leftovers == 0 }
        connection.driver.abandon()
    }

    private static let replies: [AMQPMethodID: AMQPMethod] = [
        .exchangeDeclare: .exchangeDeclareOk(.init()), .exchangeDelete: .exchangeDeleteOk(.init()),
        .exchangeBind: .exchangeBindOk(.init()), .exchangeUnbind: .exchangeUnbindOk(.init()),
        .queueDeclare: .queueDeclareOk(.init(queue: "answered")), .queueBind: .queueBindOk(.init()),
        .queueUnbind: .queueUnbindOk(.init()), .queuePurge: .queuePurgeOk(.init()),
        .queueDelete: .queueDeleteOk(.init()), .basicQos: .basicQosOk(.init()), .basicGet: .basicGetEmpty(.init()),
        .basicRecover: .basicRecoverOk(.init()), .channelFlow: .channelFlowOk(.init(active: true)),
        .txSelect: .txSelectOk(.init()), .txCommit: .txCommitOk(.init()), .txRollback: .txRollbackOk(.init()),
        .basicCancel: .basicCancelOk(.init(consumerTag: "amqpwire-1")),
        .basicConsume: .basicConsumeOk(.init(consumerTag: "amqpwire-1")), .channelOpen: .channelOpenOk(.init()),
        .channelClose: .channelCloseOk(.init()), .connectionUpdateSecret: .connectionUpdateSecretOk(.init()),
    ]

    @Test("opening a channel: it is closed again once it is open, and its number is free")
    func openingAChannel() async throws {
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands(channelMax: 1)
            try peer.await(.channelOpen)
            try peer.await(.connectionUpdateSecret)
            try peer.write(.connectionUpdateSecretOk(.init()), channel: 0)
            try peer.write(.channelOpenOk(.init()), channel: 1)
            try peer.await(.channelClose)
            try peer.write(.channelCloseOk(.init()), channel: 1)
            try peer.openChannel()
            peer.waitForEnd()
        }
        let connection = try await AMQPConnection.connect(peer.configuration)
        try await expectCancelled(connection) { _ = try await connection.openChannel() }
        try await connection.updateSecret("go on")
        try await eventually { connection.driver.state.withLock { $0.core.channels.allSatisfy { $0 == nil } } }
        let channel = try await connection.openChannel()
        #expect(channel.isOpen)
        connection.driver.abandon()
    }

    @Test("publishing: waiting for room, for a confirm, for all confirms")
    func publishing() async throws {
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands()
            try peer.openChannel()
            try peer.await(.channelFlow)
            try peer.write(.channelFlowOk(.init(active: true)), channel: 1)
            try peer.write(.basicAck(.init(deliveryTag: 2, multiple: true)), channel: 1)
            try peer.await(.basicPublish)
            try peer.write(.basicAck(.init(deliveryTag: 3)), channel: 1)
            peer.waitForEnd()
        }
        let connection = try await AMQPConnection.connect(peer.configuration)
        let channel = try await connection.openChannel(confirmWindow: 2)
        try await expectCancelled(connection, delivery: .unknown) { try await channel.publish("", routingKey: "k") }
        let receipt = try await channel.submit([], routingKey: "k")
        try await expectCancelled(connection, delivery: .unknown) { try await receipt.confirmed() }
        try await expectCancelled(connection, delivery: .unknown) { try await channel.waitForConfirms() }
        try await expectCancelled(connection, delivery: .notSent) { try await channel.publish("", routingKey: "k") }
        try await expectCancelled(connection, delivery: .notSent) { try await channel.submit([], routingKey: "k") }
        try await channel.setFlow(active: true)
        try await channel.publish("", routingKey: "k")
        #expect(connection.leftovers == 0)
        connection.driver.abandon()
    }

    @Test("waiting for a lost connection to come back")
    func recovering() async throws {
        let isFirst = Shared(true)
        let peer = try ScriptedPeer { peer in
            let mustEnd = isFirst.withLock { (isFirst: inout Bool) -> Bool in
                defer { isFirst = false }
                return isFirst
            }
            try peer.shakeHands(before: mustEnd ? nil : .connectionStart)
            if mustEnd { try peer.openChannel() } else { peer.waitForEnd() }
        }
        var configuration = peer.configuration
        configuration.recovery = .init(firstPause: .milliseconds(1))
        let connection = try await AMQPConnection.connect(configuration)
        let channel = try await connection.openChannel()
        // The attempt that goes on has a waiter, whose task is parked.
        try await eventually { peer.connectionCount == 2 && connection.leftovers == 2 }
        try await expectCancelled(connection, delivery: .notSent) { try await channel.publish("", routingKey: "k") }
        try await expectCancelled(connection, delivery: .notSent) { try await channel.declareQueue() }
        try await expectCancelled(connection) { _ = try await connection.openChannel() }
        await connection.close()
        try await eventually { connection.leftovers == 0 }
    }

    @Test(
        "a get that was cancelled leaves its message in the queue",
        .enabled(if: TestBroker.isThere, TestBroker.absence)
    )
    func get() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let watcher = try await connection.openChannel()
            let queue = try await channel.makeQueue()
            var taken = 0
            for number in 0..<100 { try await channel.publish("\(number)", routingKey: queue) }
            for _ in 0..<100 {
                let task = Task { try await channel.get(queue) }
                for _ in 0..<Int.random(in: 0...5) { await Task.yield() }
                task.cancel()
                if case .success(let delivery?) = await task.result {
                    taken += 1
                    try await delivery.ack()
                }
            }
            try await watcher.expectMessages(UInt32(100 - taken), in: queue)
            #expect(connection.leftovers == 0)
        }
    }

    @Test("calls cancelled at random leave a working channel", .enabled(if: TestBroker.isThere, TestBroker.absence))
    func atRandom() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let queue = try await channel.makeQueue()
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        let task = Task {
                            switch number % 4 {
                            case 0: try await channel.publish("x", routingKey: queue)
                            case 1: _ = try await channel.declareQueuePassively(queue)
                            case 2: try await connection.withChannel { _ = try await $0.declareQueuePassively(queue) }
                            default: try await channel.setQoS(prefetchCount: 10)
                            }
                        }
                        for _ in 0..<number % 7 { await Task.yield() }
                        task.cancel()
                        _ = await task.result
                    }
                }
            }
            try await channel.publish("x", routingKey: queue)
            try await eventually { connection.driver.state.withLock { $0.core.channels.count { $0 != nil } } == 1 }
            #expect(connection.leftovers == 0)
        }
    }
}
