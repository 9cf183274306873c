import Synchronization
import Testing

@testable import AMQPWire

/// Recovery with a RabbitMQ that is stopped, killed and cut off.
@Suite(
    "With a broker that goes and comes back",
    .ownBroker,
    .serialized,
    .enabled(if: OwnBroker.isWanted, OwnBroker.absence),
    .timeLimit(.minutes(5))
)
struct RestartTests {
    let events = EventLog()
    let broker: OwnBroker

    init() throws {
        broker = try #require(OwnBroker.current)
    }

    private func configuration(_ change: (inout AMQPConfiguration) -> Void = { _ in }) throws -> AMQPConfiguration {
        try .quick(broker.uri, events, pause: .milliseconds(100)) { configuration in
            configuration.recovery?.longestPause = .milliseconds(500)
            configuration.callTimeout = .seconds(60)
            configuration.confirmTimeout = .seconds(60)
            change(&configuration)
        }
    }

    /// Counts how often each number was seen.
    private final class Tally: Sendable {
        private let state: Mutex<(counts: [UInt8], distinct: Int, total: Int)>

        init(_ count: Int) { state = Mutex(([UInt8](repeating: 0, count: count), 0, 0)) }

        /// Notes a number; how many different ones were seen so far.
        func note(_ body: [UInt8]) -> Int {
            let number = Int(String(decoding: body, as: UTF8.self)) ?? 0
            return state.withLock { state in
                if state.counts[number] == 0 { state.distinct += 1 }
                if state.counts[number] < 255 { state.counts[number] += 1 }
                state.total += 1
                return state.distinct
            }
        }

        func has(_ number: Int) -> Bool { state.withLock { $0.counts[number] > 0 } }
        var distinct: Int { state.withLock { $0.distinct } }
        var duplicates: Int { state.withLock { $0.total - $0.distinct } }
    }

    @Test("100,000 messages are published with confirms and consumed while the broker is restarted, none missing")
    func consumeThroughRestart() async throws {
        let count = OwnBroker.isLong ? 1_000_000 : 100_000
        let tally = Tally(count)
        let publishing = try await AMQPConnection.connect(configuration { $0.recovery?.resendsUnconfirmed = true })
        let consuming = try await AMQPConnection.connect(configuration())
        let output = try await publishing.openChannel()
        let input = try await consuming.openChannel()
        try await output.declareQueue("through-restart", durable: true)
        let third = Signal()
        let publisher = Task {
            let publisher = try output.publisher(
                routingKey: "through-restart",
                properties: AMQPProperties(deliveryMode: 2)
            )
            for number in 0..<count { try await publisher.submit(Array("\(number)".utf8)) }
            try await output.waitForConfirms()
        }
        let consumer = Task {
            for try await delivery in input.consume("through-restart", prefetchCount: 500) {
                let distinct = tally.note(delivery.body)
                try await delivery.ack()
                if distinct >= count / 3 { third.set() }
                if distinct == count { break }
            }
        }
        await third.wait()
        try await broker.restart(kill: true)
        if OwnBroker.isLong { try await broker.restart(kill: false) }
        try await publisher.value
        try await consumer.value
        #expect(tally.distinct == count)
        #expect(consuming.statistics.reconnects >= 1 && publishing.statistics.reconnects >= 1)
        print("\(count) messages through a restart: none missing, \(tally.duplicates) came twice")
        try await input.deleteQueue("through-restart")
        await publishing.close()
        await consuming.close()
    }

    /// What publishers saw.
    private final class Outcome: Sendable {
        let confirmed = Mutex<Set<Int>>([])
        let unknown = Mutex(0)
        let isOver = Mutex(false)
    }

    @Test("every publish that returned is in the queue after the broker was killed")
    func confirmedSurvive() async throws {
        let connection = try await AMQPConnection.connect(configuration())
        let channel = try await connection.openChannel()
        try await channel.declareQueue("confirmed", durable: true)
        let outcome = Outcome()
        let started = Signal()
        let restarting = Task { [broker] in
            await started.wait()
            try await broker.restart(kill: true)
            outcome.isOver.withLock { $0 = true }
        }
        try await withThrowingTaskGroup { group in
            for task in 0..<20 {
                group.addTask {
                    var number = 0
                    while !outcome.isOver.withLock({ $0 }) || number < 100, number < 50_000 {
                        let id = task * 50_000 + number
                        do {
                            try await channel.publish(
                                "\(id)",
                                routingKey: "confirmed",
                                properties: AMQPProperties(deliveryMode: 2)
                            )
                            let count = outcome.confirmed.withLock { confirmed in
                                confirmed.insert(id)
                                return confirmed.count
                            }
                            if count == 2_000 { started.set() }
                        } catch let error as AMQPError where error.delivery == .unknown {
                            outcome.unknown.withLock { $0 += 1 }
                        }
                        number += 1
                    }
                }
            }
            try await group.waitForAll()
        }
        try await restarting.value
        var found: Set<Int> = []
        let expected = Int(try await channel.declareQueuePassively("confirmed").messageCount)
        for try await delivery in channel.consume("confirmed", prefetchCount: 1_000, noAck: true) {
            found.insert(Int(String(decoding: delivery.body, as: UTF8.self)) ?? -1)
            if found.count == expected { break }
        }
        let missing = outcome.confirmed.withLock { $0.subtracting(found) }
        #expect(missing.isEmpty)
        let (sure, unsure) = (outcome.confirmed.withLock { $0.count }, outcome.unknown.withLock { $0 })
        #expect(sure > 0 && expected <= sure + unsure)
        print(
            "killed: \(sure) confirmed, \(missing.count) of them missing, \(unsure) unknown, \(expected) in the queue"
        )
        try await channel.deleteQueue("confirmed")
        await connection.close()
    }

    @Test("exclusive queues and their consumers are back after the broker's application was stopped and started")
    func exclusiveQueue() async throws {
        let connection = try await AMQPConnection.connect(configuration())
        let channel = try await connection.openChannel()
        let unnamed = try await channel.declareQueue(exclusive: true)
        try await channel.declareQueue("own", exclusive: true)
        try await channel.declareExchange("news", type: .fanout, durable: true)
        for queue in [unnamed.name, "own"] { try await channel.bindQueue(queue, to: "news") }
        let bodies = EventLog()
        let readers = [(unnamed.name, "unnamed"), ("own", "named")].map { queue, tag in
            Task {
                for try await delivery in channel.consume(queue, consumerTag: tag) {
                    try await delivery.ack()
                    bodies(.blocked(reason: ""))
                }
            }
        }
        try await channel.awaitBoth()
        try await broker.control("stop_app")
        try await broker.control("start_app")
        await events.wait(for: "recovered")
        try await channel.publish("x", exchange: "news", routingKey: "")
        await bodies.wait(for: "blocked", 2)
        #expect(events.lines.contains { $0.hasPrefix("renamed \(unnamed.name) ") })
        try await broker.control("close_all_connections", "bye")
        await events.wait(for: "recovered", 2)
        try await channel.publish("y", exchange: "news", routingKey: "")
        await bodies.wait(for: "blocked", 4)
        try await channel.deleteExchange("news")
        await connection.close()
        for reader in readers { try await reader.value0() }
    }

    @Test("a cut network is noticed, whichever way it is cut", arguments: ["freeze", "reset", "close"])
    func network(_ way: String) async throws {
        let fault = NetworkFault(to: broker.port)
        let connection = try await AMQPConnection.connect(
            .quick("\(fault.uri)?heartbeat=1", events, pause: .milliseconds(50)) { $0.callTimeout = .seconds(30) }
        )
        let channel = try await connection.openChannel()
        try await channel.declareQueue("cut-\(way)", exclusive: true)
        let bodies = EventLog()
        let reader = Task {
            for try await delivery in channel.consume("cut-\(way)", consumerTag: "c") {
                try await delivery.ack()
                bodies(.blocked(reason: ""))
            }
        }
        try await channel.publish("1", routingKey: "cut-\(way)")
        await bodies.wait(for: "blocked")
        switch way {
        case "freeze": fault.freeze()
        default: fault.end(reset: way == "reset")
        }
        await events.wait(for: "recovered")
        try await channel.publish("2", routingKey: "cut-\(way)")
        await bodies.wait(for: "blocked", 2)
        #expect(!events.lines.contains { $0.hasPrefix("failed") })
        await connection.close()
        try await reader.value0()
    }

    @Test("a changed password and a deleted virtual host end a connection for good, with the reason")
    func permanent() async throws {
        try await broker.control("add_vhost", "brief")
        try await broker.control("add_user", "agent2", "old")
        for vhost in ["/", "brief"] {
            try await broker.control("set_permissions", "-p", vhost, "agent2", ".*", ".*", ".*")
        }
        let address = "127.0.0.1:\(broker.port)"
        let (first, second) = (EventLog(), EventLog())
        let inBrief = try await AMQPConnection.connect(.quick("amqp://agent2:old@\(address)/brief", first))
        try await broker.control("delete_vhost", "brief")
        await first.wait(for: "closed")
        #expect(first.lines.last == "closed virtualHostRefused")
        let inRoot = try await AMQPConnection.connect(.quick("amqp://agent2:old@\(address)", second))
        let channel = try await inRoot.openChannel()
        try await broker.control("change_password", "agent2", "new")
        try await broker.control("close_all_connections", "bye")
        await second.wait(for: "closed")
        #expect(second.lines.last == "closed loginRefused")
        let error = await #expect(throws: AMQPError.self) { try await channel.declareQueue("x") }
        #expect(error?.code == .loginRefused && error?.replyCode == 403)
        await inBrief.close()
        await inRoot.close()
        try await broker.control("delete_user", "agent2")
    }
}

extension AMQPChannel {
    fileprivate func awaitBoth() async throws {
        for tag in ["unnamed", "named"] as [AMQPText] {
            while driver.state.withLock({ _ in record.consumers[tag] == nil }) { await Task.yield() }
        }
        try await declareExchangePassively("news")
    }
}
