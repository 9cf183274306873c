import Testing

@testable import AMQPWire

/// Publishing, and what arrives of it.
@Suite("Publishing", .enabled(if: TestBroker.isThere, TestBroker.absence), .timeLimit(.minutes(2)))
struct PublishingTests {
    @Test("1,000 tasks publish on one channel: all confirmed, the order of each kept", arguments: TestBroker.present)
    func manyTasks(broker: TestBroker) async throws {
        let perTask = broker == .rabbitmq ? 10 : 3
        try await broker.withChannel { connection, channel in
            let queue = try await channel.makeQueue()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<1_000 {
                    group.addTask {
                        for number in 0..<perTask { try await channel.publish("\(task) \(number)", routingKey: queue) }
                    }
                }
                try await group.waitForAll()
            }
            #expect(connection.statistics.publishesConfirmed == UInt64(1_000 * perTask))
            #expect(connection.leftovers == 0)
            var next = [Int](repeating: 0, count: 1_000)
            var count = 0
            for try await delivery in channel.consume(queue, prefetchCount: 1_000) {
                let words = String(decoding: delivery.body, as: UTF8.self).split(separator: " ").compactMap { Int($0) }
                #expect(next[words[0]] == words[1])
                next[words[0]] = words[1] + 1
                count += 1
                try await delivery.ack()
                if count == 1_000 * perTask { break }
            }
        }
    }

    @Test("the order of a task is kept where each publish waits for room")
    func orderWithoutRoom() async throws {
        try await AMQPConnection.withConnection(TestBroker.rabbitmq.configuration) { connection in
            let channel = try await connection.openChannel(confirmWindow: 2)
            let queue = try await channel.makeQueue()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<50 {
                    group.addTask {
                        for number in 0..<10 {
                            try await channel.submit(Array("\(task) \(number)".utf8), routingKey: queue)
                        }
                    }
                }
                try await group.waitForAll()
            }
            try await channel.waitForConfirms()
            var next = [Int](repeating: 0, count: 50)
            for _ in 0..<500 {
                let delivery = try #require(try await channel.get(queue, noAck: true))
                let words = String(decoding: delivery.body, as: UTF8.self).split(separator: " ").compactMap { Int($0) }
                #expect(next[words[0]] == words[1])
                next[words[0]] += 1
            }
        }
    }

    @Test("64 channels publish and consume at once", arguments: TestBroker.present)
    func manyChannels(broker: TestBroker) async throws {
        try await AMQPConnection.withConnection(broker.configuration) { connection in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<64 {
                    group.addTask {
                        try await connection.withChannel { channel in
                            let queue = try await channel.makeQueue()
                            for index in 0..<20 {
                                try await channel.submit([UInt8(number), UInt8(index)], routingKey: queue)
                            }
                            try await channel.waitForConfirms()
                            var count = 0
                            for try await delivery in channel.consume(queue, prefetchCount: 5) {
                                #expect(delivery.body == [UInt8(number), UInt8(count)])
                                try await delivery.ack()
                                count += 1
                                if count == 20 { break }
                            }
                            return count
                        }
                    }
                }
                var sum = 0
                for try await count in group { sum += count }
                #expect(sum == 64 * 20)
            }
            #expect(connection.leftovers == 0)
        }
    }

    @Test("bodies around the size of a frame arrive as they were", arguments: TestBroker.present)
    func bodies(broker: TestBroker) async throws {
        try await broker.withChannel { connection, channel in
            let queue = try await channel.makeQueue()
            let frame = Int(try #require(connection.limits).frameMax)
            var sizes = [0, 1] + (-9...1).map { frame + $0 }
            sizes += [2 * (frame - 8) - 1, 2 * (frame - 8), 2 * (frame - 8) + 1, 1 << 20]
            for size in sizes where size > 0 || broker == .rabbitmq {
                let body = pattern(size, seed: UInt64(size))
                try await channel.publish(body, routingKey: queue)
                let got = try await channel.get(queue, noAck: true)
                #expect(got?.body.count == size)
                #expect(got?.body == body)
            }
        }
    }

    @Test("64 MiB arrive as they were, or as much as the broker takes; the error of a byte more names both")
    func largeBody() async throws {
        let setting = try await TestBroker.ctl("eval", "application:get_env(rabbit, max_message_size).")
        let limit = try #require(Int(setting.filter(\.isNumber)))
        try await TestBroker.rabbitmq.withChannel { _, channel in
            let queue = try await channel.makeQueue()
            let body = pattern(min(64 << 20, limit))
            try await channel.publish(body, routingKey: queue)
            #expect(try await channel.get(queue, noAck: true)?.body == body)
            let error = await #expect(throws: AMQPError.self) {
                try await channel.publish([UInt8](repeating: 0, count: limit + 1), routingKey: queue)
            }
            #expect(error?.code == .channelClosed)
            #expect(error?.reply?.kind == .messageTooLarge)
            #expect(error?.reply?.size == UInt64(limit + 1))
            #expect(error?.reply?.limit == UInt64(limit))
            #expect(error?.remedy?.contains("max_message_size") == true)
        }
    }

    @Test("bodies cross a connection with the smallest frames")
    func smallFrames() async throws {
        // A broker that takes no frames as small as these is given the smallest that it takes.
        try await AMQPConnection.withConnection(TestBroker.uri + "?frame_max=4096") { connection in
            let frame = Int(RabbitMQRelease.smallestFrameMax)
            #expect(connection.limits?.frameMax == RabbitMQRelease.smallestFrameMax)
            try await connection.withChannel { channel in
                let queue = try await channel.makeQueue()
                for size in [frame - 9, frame - 8, frame - 7, 100_000] {
                    try await channel.publish(pattern(size), routingKey: queue)
                    #expect(try await channel.get(queue, noAck: true)?.body == pattern(size))
                }
            }
        }
    }

    @Test("of many in flight just the unroutable ones come back, to their own publish")
    func returns() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let queue = try await channel.makeQueue()
            let outcomes = Shared<[Int: AMQPError?]>([:])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<600 {
                    group.addTask {
                        do throws(AMQPError) {
                            // Bodies alike by three.
                            try await channel.publish(
                                "\(number / 3)",
                                routingKey: number % 2 == 0 ? queue : "nowhere-\(number % 7)",
                                mandatory: true
                            )
                            outcomes.withLock { $0[number] = .some(nil) }
                        } catch {
                            outcomes.withLock { $0[number] = .some(error) }
                        }
                    }
                }
                try await group.waitForAll()
            }
            for (number, outcome) in outcomes.withLock({ $0 }) {
                #expect((outcome == nil) == (number % 2 == 0))
                if let outcome {
                    #expect(outcome.code == .publishReturned)
                    #expect(outcome.message.contains("'nowhere-\(number % 7)'"))
                }
            }
            #expect(connection.statistics.publishesReturned == 300)
            #expect(try await channel.declareQueuePassively(queue).messageCount == 300)
        }
    }

    @Test("a returned message without confirms is an event, with all of it")
    func returnedEvent() async throws {
        let (events, continuation) = AsyncStream.makeStream(of: AMQPReturnedMessage.self)
        var configuration = try TestBroker.rabbitmq.configuration
        configuration.onEvent = { event in
            if event.kind == .returned, let message = event.returned { continuation.yield(message) }
        }
        try await AMQPConnection.withConnection(configuration) { connection in
            try await connection.withChannel { channel in
                var properties = AMQPProperties()
                properties.messageID = "lost"
                try await channel.send(
                    [],
                    exchange: "amq.direct",
                    routingKey: "nobody",
                    properties: properties,
                    mandatory: true
                )
                for await returned in events {
                    #expect(returned.replyCode == 312)
                    #expect(returned.exchange == "amq.direct" && returned.routingKey == "nobody")
                    #expect(returned.message == AMQPMessage(properties: properties, body: []))
                    break
                }
            }
        }
    }

    @Test("receipts: each confirmed, refused or returned, in any order of asking", arguments: TestBroker.present)
    func receipts(broker: TestBroker) async throws {
        try await broker.withChannel { connection, channel in
            let queue = try await channel.makeQueue()
            var receipts: [AMQPPublishReceipt] = []
            for number in 0..<100 {
                receipts.append(
                    try await channel.submit(
                        [UInt8(number)],
                        routingKey: number % 10 == 3 ? "nowhere" : queue,
                        mandatory: true
                    )
                )
            }
            #expect(receipts.map(\.deliveryTag) == Array(1...100))
            for (number, receipt) in receipts.enumerated().reversed() {
                if number % 10 == 3 {
                    let error = await #expect(throws: AMQPError.self) { try await receipt.confirmed() }
                    #expect(error?.code == .publishReturned)
                } else {
                    try await receipt.confirmed()
                }
            }
            #expect(connection.leftovers == 0)
        }
    }

    @Test("waitForConfirms tells of the first publish that failed, once")
    func waitForConfirms() async throws {
        try await TestBroker.rabbitmq.withChannel { _, channel in
            let queue = try await channel.makeQueue()
            try await channel.waitForConfirms()
            for number in 0..<10 {
                try await channel.submit(
                    [],
                    routingKey: number == 5 ? "lost-1" : number == 7 ? "lost-2" : queue,
                    mandatory: true
                )
            }
            let error = await #expect(throws: AMQPError.self) { try await channel.waitForConfirms() }
            #expect(error?.code == .publishReturned)
            #expect(error?.message.contains("lost-1") == true)
            try await channel.waitForConfirms()
            #expect(try await channel.declareQueuePassively(queue).messageCount == 8)
        }
    }

    @Test("a full queue that rejects: the publish is refused, and nothing is known to be wrong with the channel")
    func refused() async throws {
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let arguments: AMQPTable = ["x-max-length": 1, "x-overflow": "reject-publish"]
            let queue = try await channel.makeQueue(arguments: arguments)
            try await channel.publish("fits", routingKey: queue)
            let error = await #expect(throws: AMQPError.self) {
                try await channel.publish("too much", routingKey: queue)
            }
            #expect(error?.code == .publishRefused)
            #expect(error?.delivery == .refused)
            #expect(connection.statistics.publishesRefused == 1)
            _ = try await channel.get(queue, noAck: true)
            try await channel.publish("fits", routingKey: queue)
        }
    }

    @Test("a batch is confirmed as a whole, and names its first failure", arguments: TestBroker.present)
    func batch(broker: TestBroker) async throws {
        try await broker.withChannel { connection, channel in
            let queue = try await channel.makeQueue()
            let batch = (0..<50).map { AMQPOutgoingMessage([UInt8($0)], routingKey: queue) }
            try await channel.publish(batch)
            #expect(try await channel.declareQueuePassively(queue).messageCount == 50)
            let broken =
                batch + [AMQPOutgoingMessage([1], routingKey: "lost"), AMQPOutgoingMessage([1], routingKey: queue)]
            let error = await #expect(throws: AMQPError.self) { try await channel.publish(broken, mandatory: true) }
            #expect(error?.code == .publishReturned)
            #expect(try await channel.declareQueuePassively(queue).messageCount == 101)
            #expect(connection.leftovers == 0)
        }
    }

    @Test("a prepared publisher publishes, submits and sends", arguments: TestBroker.present)
    func prepared(broker: TestBroker) async throws {
        try await broker.withChannel { _, channel in
            let queue = try await channel.makeQueue()
            var properties = AMQPProperties()
            properties.contentType = "application/json"
            properties.headers = ["host": "pi"]
            let publisher = try channel.publisher(routingKey: queue, properties: properties, mandatory: true)
            try await publisher.publish(Array("1".utf8))
            try await publisher.submit(Array("2".utf8)).confirmed()
            try await publisher.send(Array("3".utf8))
            try await channel.waitForConfirms()
            for text in ["1", "2", "3"] {
                let got = try #require(try await channel.get(queue, noAck: true))
                #expect(got.message == AMQPMessage(properties: properties, body: Array(text.utf8)))
            }
            let lost = try channel.publisher(routingKey: "lost", mandatory: true)
            let error = await #expect(throws: AMQPError.self) { try await lost.publish([1]) }
            #expect(error?.code == .publishReturned)
        }
    }

    @Test("on the wire a prepared publish is a plain one")
    func preparedOnTheWire() async throws {
        let (frames, continuation) = AsyncStream.makeStream(of: [UInt8].self)
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands(frameMax: 4096)
            try peer.openChannel()
            while true {
                let frame = try peer.frame()
                continuation.yield([frame.type, UInt8(frame.channel)] + frame.payload)
            }
        }
        let connection = try await AMQPConnection.connect(peer.configuration)
        let channel = try await connection.openChannel()
        var properties = AMQPProperties()
        properties.headers = ["a": 1]
        properties.deliveryMode = 2
        let prepared = try channel.publisher(exchange: "e", routingKey: "k", properties: properties, mandatory: true)
        for size in [0, 1, 4088, 10_000] {
            try await channel.send(
                pattern(size),
                exchange: "e",
                routingKey: "k",
                properties: properties,
                mandatory: true
            )
            try await prepared.send(pattern(size))
        }
        channel.flush()
        var iterator = frames.makeAsyncIterator()
        for count in [2, 3, 3, 5] {
            var (plain, made): ([[UInt8]], [[UInt8]]) = ([], [])
            for _ in 0..<count { plain.append(try #require(await iterator.next())) }
            for _ in 0..<count { made.append(try #require(await iterator.next())) }
            #expect(plain == made)
        }
        connection.driver.abandon()
    }

    @Test("send asks for no confirm and arrives", arguments: TestBroker.present)
    func send(broker: TestBroker) async throws {
        try await broker.withChannel { connection, channel in
            let queue = try await channel.makeQueue()
            for _ in 0..<100 { try await channel.send([1], routingKey: queue) }
            try await channel.expectMessages(100, in: queue)
            #expect(connection.statistics.publishesConfirmed == 0)
        }
    }

    @Test("every property and every type of header comes back as it went")
    func properties() async throws {
        var properties = AMQPProperties()
        properties.contentType = "application/json"
        properties.contentEncoding = "utf-8"
        properties.deliveryMode = 2
        properties.priority = 5
        properties.correlationID = "correlation"
        properties.replyTo = "replies"
        properties.expiration = "60000"
        properties.messageID = "message"
        properties.timestamp = 1_600_000_000
        properties.type = "cpu"
        properties.userID = "guest"
        properties.appID = "test"
        properties.reserved = "reserved"
        let leaf: AMQPTable = [
            "t": true, "b": .int8(-5), "B": .uint8(200), "s": .int16(-300), "u": .uint16(60_000), "I": .int32(.min),
            "i": .uint32(.max), "l": .int64(.min), "f": .float(1.5), "d": .double(-2.25),
            "D": .decimal(.init(scale: 2, value: 314)), "S": "Zürich", "S0": "", "T": .timestamp(1_600_000_000),
            "x": .bytes([0, 0xCE, 255]), "V": .void, "A": .array([1, "two", .void, .array([]), .table([:])]),
        ]
        var headers = leaf
        headers["F"] = .table(leaf)
        headers["not UTF-8"] = .string(AMQPText(octets: [0xFF, 0xFE]))
        headers[AMQPText(String(repeating: "k", count: 128))] = .string(AMQPText(String(repeating: "v", count: 5_000)))
        properties.headers = headers
        try await TestBroker.rabbitmq.withChannel { _, channel in
            let queue = try await channel.makeQueue()
            try await channel.publish("x", routingKey: queue, properties: properties)
            let got = try #require(try await channel.get(queue, noAck: true))
            properties.headers = headers.asBrokerReturns
            for (sent, came) in zip(properties.headers?.entries ?? [], got.properties.headers?.entries ?? []) {
                #expect(sent == came)
            }
            #expect(got.properties == properties)
        }
    }

    @Test("a message that expired is gone")
    func expiration() async throws {
        try await TestBroker.rabbitmq.withChannel { _, channel in
            let queue = try await channel.makeQueue()
            var properties = AMQPProperties()
            properties.expiration = "1"
            try await channel.publish("short", routingKey: queue, properties: properties)
            try await channel.publish("long", routingKey: queue)
            try await channel.expectMessages(1, in: queue)
            #expect(try await channel.get(queue)?.body == Array("long".utf8))
        }
    }

    @Test("while the broker is blocked publishes wait, and closing works; afterwards they leave")
    func blocked() async throws {
        let (events, continuation) = AsyncStream.makeStream(of: AMQPEvent.self)
        var configuration = try TestBroker.rabbitmq.configuration
        configuration.onEvent = { continuation.yield($0) }
        let connection = try await AMQPConnection.connect(configuration)
        let channel = try await connection.openChannel()
        let queue = try await channel.makeQueue()
        for number in 0..<3 { try await channel.publish("\(number)", routingKey: queue) }
        let delivery = try #require(try await channel.get(queue))
        let process = try await TestBroker.processOf(connection)
        // The alarm of this one connection only: other tests go on.
        func alarm(_ isOn: Bool) async throws {
            _ = try await TestBroker.ctl(
                "eval",
                "rabbit_reader:conserve_resources(rabbit_misc:string_to_pid(\"\(process)\"), memory, {true, \(isOn), node()})."
            )
        }
        func next(_ isWanted: (AMQPEvent) -> Bool) async {
            for await event in events where isWanted(event) { return }
        }
        try await alarm(true)
        // Connections are blocked when they publish.
        try await channel.send([9], routingKey: queue)
        await next { $0.kind == .blocked }
        #expect(connection.blockedReason?.contains("memory") == true)
        let waiting = Task { try await channel.publish("waits", routingKey: queue) }
        try await eventually { connection.driver.waiterCount == 1 }
        let cancelled = Task { try await channel.publish("never leaves", routingKey: queue) }
        try await eventually { connection.driver.waiterCount == 2 }
        cancelled.cancel()
        let error = await #expect(throws: AMQPError.self) { try await cancelled.value }
        #expect(error?.code == .cancelled)
        #expect(error?.delivery == .notSent)
        try await delivery.ack()
        try await alarm(false)
        await next { $0.kind == .unblocked }
        try await waiting.value
        #expect(connection.blockedReason == nil)
        try await channel.expectMessages(4, in: queue)

        try await alarm(true)
        try await channel.send([9], routingKey: queue)
        await next { $0.kind == .blocked }
        let last = Task { try await channel.publish("waits", routingKey: queue) }
        try await eventually { connection.driver.waiterCount == 1 }
        await connection.close()
        let closed = await #expect(throws: AMQPError.self) { try await last.value }
        #expect(closed?.delivery == .notSent)
        #expect(connection.leftovers == 0)
    }

    @Test("a peer that does not read holds publishers up, not memory")
    func backpressure() async throws {
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands()
            try peer.openChannel()
            peer.waitForEnd()
        }
        let connection = try await AMQPConnection.connect(peer.configuration)
        let channel = try await connection.openChannel()
        let body = pattern(64 * 1024)
        let sent = Shared(0)
        let publishers = (0..<30).map { _ in
            Task {
                for _ in 0..<1_000 {
                    try await channel.send(body, routingKey: "k")
                    sent.withLock { $0 += 1 }
                }
            }
        }
        // All of them wait for room in the end.
        try await eventually { connection.driver.waiterCount == 30 }
        let buffered = connection.driver.state.withLock { $0.core.encoder.bytes.count + $0.core.inTransit }
        #expect(buffered < (1 << 20) + 30 * 66_000)
        #expect(sent.withLock { $0 } < 1_000)
        for publisher in publishers { publisher.cancel() }
        for publisher in publishers {
            let error = await #expect(throws: AMQPError.self) { try await publisher.value }
            #expect(error?.code == .cancelled)
            #expect(error?.delivery == .notSent)
        }
        #expect(connection.leftovers == 0)
        connection.driver.abandon()
    }

    @Test("a publish that cannot be encoded leaves its room to the next")
    func roomPassedOn() async throws {
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands()
            try peer.openChannel()
            try peer.await(.basicPublish)
            // The first is confirmed when three wait for room.
            try peer.await(.channelFlow)
            try peer.write(.channelFlowOk(.init(active: true)), .basicAck(.init(deliveryTag: 1)), channel: 1)
            try peer.await(.basicPublish)
            try peer.write(.basicAck(.init(deliveryTag: 2)), channel: 1)
            peer.waitForEnd()
        }
        let connection = try await AMQPConnection.connect(peer.configuration)
        let channel = try await connection.openChannel(confirmWindow: 1)
        let first = try await channel.submit([], routingKey: "k")
        let unfit = Task { try await channel.publish("", routingKey: String(repeating: "k", count: 256)) }
        try await eventually { connection.driver.waiterCount == 1 }
        let second = Task { try await channel.publish("", routingKey: "k") }
        try await eventually { connection.driver.waiterCount == 2 }
        try await channel.setFlow(active: true)
        try await first.confirmed()
        let error = await #expect(throws: AMQPError.self) { try await unfit.value }
        #expect(error?.code == .invalidArgument)
        try await second.value
        connection.driver.abandon()
    }
}
