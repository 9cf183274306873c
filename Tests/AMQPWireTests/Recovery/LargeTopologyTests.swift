import Synchronization
import Testing

@testable import AMQPWire

/// Recovery of much: it takes its time by the number of things, not by its square, nor by a round trip each.
@Suite("Recovery of thousands", .timeLimit(.minutes(1)))
struct LargeTopologyTests {
    let events = EventLog()

    @Test("declarations are sent without waiting for the answers to those before them")
    func inLine() async throws {
        let pending = Mutex<[String: [PlayedMethod]]>([:])
        let broker = try PlayedBroker { connection, request in
            guard connection > 0, ["queue.declare", "queue.bind"].contains(request.name) else { return .answer }
            let answer: PlayedMethod =
                request.name == "queue.bind" ? PlayedMethod(id: (50, 21)) : .queueDeclareOk(request.names[0])
            // Answers ten at a time, and none before they are there.
            return pending.withLock { pending in
                pending[request.name, default: []].append(answer)
                guard pending[request.name]?.count == 10 else { return .silence }
                return .send(pending.removeValue(forKey: request.name) ?? [])
            }
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        for number in 0..<30 {
            try await channel.declareQueue("q\(number)")
            try await channel.bindQueue("q\(number)", to: "amq.fanout")
        }
        broker.cut()
        await events.wait(for: "recovered")
        let calls = broker.calls(1).filter { $0.hasPrefix("queue.") }
        #expect(calls.count == 60 && Set(calls).count == 60)
        await connection.close()
    }

    @Test("what is refused in between is told by its name, and nothing else is left out or done twice")
    func refusedInLine() async throws {
        let broker = try PlayedBroker { connection, request in
            guard connection > 0 else { return .answer }
            return switch request.description {
            case "queue.declare q7": .closeChannel(406, "PRECONDITION_FAILED - inequivalent arg 'durable'")
            case "queue.declare q11": .closeChannel(405, "RESOURCE_LOCKED - cannot obtain exclusive access")
            case "queue.bind q12 amq.fanout": .closeChannel(404, "NOT_FOUND - no exchange 'amq.fanout'")
            default: .answer
            }
        }
        let connection = try await AMQPConnection.connect(
            .quick(broker.uri, events) { $0.recovery?.permanentFailures = 1_000_000 }
        )
        let channel = try await connection.openChannel()
        for number in 0..<100 {
            try await channel.declareQueue("q\(number)")
            try await channel.bindQueue("q\(number)", to: "amq.fanout")
        }
        broker.cut()
        await events.wait(for: "recovered")
        #expect(
            events.lines.filter { $0.hasPrefix("failed") || $0.hasPrefix("delayed") } == [
                "failed: queue 'q7' 406", "delayed: queue 'q11' 405",
                "failed: binding of queue 'q12' to 'amq.fanout' 404",
            ]
        )
        let calls = Set(broker.calls(1))
        for number in 0..<100 {
            #expect(calls.contains("queue.declare q\(number)"))
            #expect(calls.contains("queue.bind q\(number) amq.fanout") == (number != 11))
        }
        await connection.close()
    }

    @Test("an exchange, queue or binding is noted, found and forgotten at the same cost among 50,000 as among ten")
    func noting() {
        var topology = Topology()
        for number in 0..<50_000 {
            let name = AMQPText("q\(number % 1_000)")
            topology.declared(.init(queue: name), name: name)
            topology.bound(.init(queue: name, exchange: "e", routingKey: AMQPText("\(number)")))
        }
        #expect(topology.queues.count == 1_000 && topology.queueBindings.count == 50_000)
        for number in 0..<1_000 { topology.deletedQueue(AMQPText("q\(number)")) }
        #expect(topology.isEmpty)
    }

    @Test("a queue that expired meanwhile is not resurrected, unless it is consumed here; its bindings go with it")
    func expired() async throws {
        let broker = try PlayedBroker()
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let channel = try await connection.openChannel()
        for name in ["idle", "used", "lasting"] {
            try await channel.declareQueue(name, arguments: ["x-expires": name == "lasting" ? 3_600_000 : 1])
            try await channel.bindQueue(name, to: "amq.fanout")
        }
        let reader = Task { for try await _ in channel.consume("used", consumerTag: "c") {} }
        try await channel.awaitConsumer("c")
        broker.cut()
        await events.wait(for: "recovered")
        let calls = broker.calls(1).filter { $0.hasPrefix("queue.") }
        // What is about to expire is bound at once.
        #expect(
            calls == [
                "queue.declare used", "queue.bind used amq.fanout", "queue.declare lasting",
                "queue.bind lasting amq.fanout",
            ]
        )
        #expect(!events.lines.contains { $0.hasPrefix("failed") })
        await connection.close()
        try await reader.value0()
    }

    @Test(
        "at RabbitMQ: 1,000 queues and 10,000 bindings come back, and consumers whose queues are gone cost one another nothing",
        .enabled(if: TestBroker.isThere, TestBroker.absence)
    )
    func rabbitmq() async throws {
        let (prefix, fault) = (uniqueName("large"), NetworkFault(to: TestBroker.port ?? 1))
        let configuration = try AMQPConfiguration.quick(fault.uri, events, pause: .milliseconds(500)) {
            $0.recovery?.longestPause = .seconds(1)
            $0.callTimeout = .seconds(30)
        }
        let connection = try await AMQPConnection.connect(configuration)
        let channel = try await connection.openChannel()
        let exchange = "\(prefix)-exchange"
        try await channel.declareExchange(exchange, autoDelete: true)
        for number in 0..<1_000 {
            let queue = "\(prefix)-\(number)"
            try await channel.declareQueue(queue, arguments: ["x-expires": 120_000], noWait: true)
            for key in 0..<10 {
                try await channel.bindQueue(queue, to: exchange, routingKey: "\(number).\(key)", noWait: true)
            }
        }
        _ = try await channel.declareQueuePassively("\(prefix)-999")
        // Queues that this connection has not declared, so that nothing resurrects them.
        try await TestBroker.rabbitmq.withChannel { _, other in
            for number in 0..<100 {
                try await other.declareQueue("\(prefix)-foreign-\(number)", arguments: ["x-expires": 120_000])
            }
            let consuming = try await connection.openChannel()
            let ends = Shared<[Int: UInt16]>([:])
            let readers = (0..<100).map { number in
                Task {
                    do {
                        for try await _ in consuming.consume("\(prefix)-foreign-\(number)") {}
                    } catch let error as AMQPError {
                        ends.withLock { $0[number] = error.replyCode ?? 0 }
                    }
                }
            }
            try await eventually {
                try await other.declareQueuePassively("\(prefix)-foreign-99").consumerCount == 1
            }
            try await eventually { connection.driver.state.withLock { _ in consuming.record.consumers.count } == 100 }
            _ = try await consuming.declareQueuePassively("\(prefix)-foreign-0")
            // Nothing comes back before all is as it is to be found.
            fault.lead(to: 1)
            fault.end(reset: true)
            await events.wait(for: "disconnected")
            for number in 0..<90 { try await other.deleteQueue("\(prefix)-foreign-\(number)") }
            for number in 0..<500 { try await other.deleteQueue("\(prefix)-\(number)") }
            fault.lead(to: TestBroker.port ?? 1)
            await events.wait(for: "recovered")
            try await eventually { ends.withLock { $0.count } == 90 }
            #expect(ends.withLock { $0 } == Dictionary(uniqueKeysWithValues: (0..<90).map { ($0, 404) }))
            for number in 90..<100 {
                #expect(try await other.declareQueuePassively("\(prefix)-foreign-\(number)").consumerCount == 1)
            }
            for number in [0, 499, 500, 999] {
                let queue = "\(prefix)-\(number)"
                try await channel.publish("x", exchange: exchange, routingKey: "\(number).9", mandatory: true)
                #expect(try await other.declareQueuePassively(queue).messageCount == 1)
            }
            for number in 0..<1_000 { try await channel.deleteQueue("\(prefix)-\(number)", noWait: true) }
            for number in 90..<100 { try await other.deleteQueue("\(prefix)-foreign-\(number)") }
            await connection.close()
            for reader in readers { _ = await reader.result }
        }
    }
}
