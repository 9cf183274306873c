import Synchronization
import Testing

@testable import AMQPWire

/// How often and how soon connecting is tried, at first and after a loss, and in which order.
@Suite("Attempts to connect", .timeLimit(.minutes(1)))
struct AttemptTests {
    let events = EventLog()

    /// A port that refuses connections, with its broker to come.
    private func absentBroker() throws -> PlayedBroker {
        let broker = try PlayedBroker()
        broker.stopListening()
        return broker
    }

    @Test("the first connect is tried once unless more is asked for")
    func once() async throws {
        let broker = try absentBroker()
        let error = await #expect(throws: AMQPError.self) {
            _ = try await AMQPConnection.connect(.quick(broker.uri, events))
        }
        #expect(error?.code == .unreachable)
        #expect(events.lines == ["closed unreachable"])
    }

    @Test("the first connect is tried until the broker is there, if that is asked for")
    func untilThere() async throws {
        let broker = try absentBroker()
        let configuration = try AMQPConfiguration.quick(broker.uri, events) { $0.recovery?.retriesFirstConnect = true }
        let connecting = Task { try await AMQPConnection.connect(configuration) }
        await events.wait(for: "reconnecting 3")
        try broker.listenAgain()
        let connection = try await connecting.value
        #expect(connection.isOpen)
        await connection.close()
    }

    @Test("a first connect that is tried again ends with its task")
    func cancelled() async throws {
        let broker = try absentBroker()
        let configuration = try AMQPConfiguration.quick(broker.uri, events) { $0.recovery?.retriesFirstConnect = true }
        let connecting = Task { try await AMQPConnection.connect(configuration) }
        await events.wait(for: "reconnecting 1")
        connecting.cancel()
        let error = await #expect(throws: AMQPError.self) { _ = try await connecting.value }
        #expect(error?.code == .cancelled)
    }

    @Test("what cannot become right by itself is not tried again at first")
    func hopeless() async throws {
        let configuration = try AMQPConfiguration.quick("amqp://127.0.0.1:1?auth_mechanism=NTLM", events) {
            $0.recovery?.retriesFirstConnect = true
        }
        let error = await #expect(throws: AMQPError.self) { _ = try await AMQPConnection.connect(configuration) }
        #expect(error?.code == .invalidArgument)
        #expect(!events.lines.contains { $0.hasPrefix("reconnecting") })
    }

    @Test(
        "recovery gives up after the largest number of attempts, and says so",
        arguments: [(1, "1 attempt"), (4, "4 attempts")]
    )
    func atMost(attempts: Int, words: String) async throws {
        let broker = try PlayedBroker()
        let configuration = try AMQPConfiguration.quick(broker.uri, events) { $0.recovery?.maxAttempts = attempts }
        let connection = try await AMQPConnection.connect(configuration)
        broker.stopListening()
        broker.cut()
        await events.wait(for: "closed unreachable")
        #expect(events.lines.filter { $0.hasPrefix("reconnecting") } == (1...attempts).map { "reconnecting \($0)" })
        let error = await #expect(throws: AMQPError.self) { _ = try await connection.openChannel() }
        #expect(error?.code == .unreachable)
        #expect(error?.message.hasPrefix("given up after \(words): ") == true)
    }

    @Test("the first connect gives up after the largest number of attempts, too")
    func atMostAtFirst() async throws {
        let broker = try absentBroker()
        let configuration = try AMQPConfiguration.quick(broker.uri, events) {
            $0.recovery?.retriesFirstConnect = true
            $0.recovery?.maxAttempts = 3
        }
        let error = await #expect(throws: AMQPError.self) { _ = try await AMQPConnection.connect(configuration) }
        #expect(error?.code == .unreachable)
        #expect(events.lines == ["reconnecting 1", "reconnecting 2", "closed unreachable"])
    }

    @Test("recovery never gives up if that is asked for, whatever the broker says")
    func never() async throws {
        let refusals = Mutex(0)
        let broker = try PlayedBroker { connection, request in
            guard connection > 0, request.name == "connection.open" else { return .answer }
            let isEnough = refusals.withLock { refusals in
                refusals += 1
                return refusals > 9
            }
            return isEnough ? .answer : .closeConnection(530, "NOT_ALLOWED - vhost / not found")
        }
        let configuration = try AMQPConfiguration.quick(broker.uri, events) { $0.recovery?.permanentFailures = nil }
        try await AMQPConnection.withConnection(configuration) { _ in
            broker.cut()
            await events.wait(for: "recovered")
        }
        #expect(refusals.withLock { $0 } == 10)
    }

    @Test("pauses of the application's own take the place of the usual ones, and hear what went wrong")
    func pauses() async throws {
        let broker = try PlayedBroker()
        let asked = Mutex<[String]>([])
        let told = Mutex<[Duration]>([])
        let configuration = try AMQPConfiguration.quick(broker.uri, events) { configuration in
            configuration.recovery?.maxAttempts = 4
            configuration.recovery?.pause = { attempt, error in
                asked.withLock { $0.append("\(attempt) \(error.code)") }
                return .milliseconds([7, -5, 3, 1][attempt - 1])
            }
            configuration.onEvent = { [events] event in
                if let pause = event.pause { told.withLock { $0.append(pause) } }
                events(event)
            }
        }
        let connection = try await AMQPConnection.connect(configuration)
        broker.stopListening()
        broker.cut()
        await events.wait(for: "closed")
        #expect(asked.withLock { $0 } == ["1 connectionLost", "2 unreachable", "3 unreachable", "4 unreachable"])
        #expect(told.withLock { $0 } == [.milliseconds(7), .zero, .milliseconds(3), .milliseconds(1)])
        await connection.close()
    }

    @Test("the usual pauses double up to the longest, and vary by the jitter")
    func usualPauses() {
        let lost = AMQPError(.connectionLost, "lost")
        var attempts = RecoveryAttempts(.init(firstPause: .seconds(1), longestPause: .seconds(5), jitter: 0))
        #expect((0..<5).map { _ in attempts.pause(because: lost) } == [1, 2, 4, 5, 5].map { .seconds($0) })
        var varied = RecoveryAttempts(.init(firstPause: .seconds(1), longestPause: .seconds(1), jitter: 0.2))
        for _ in 0..<100 {
            let pause = varied.pause(because: lost)
            #expect(pause >= .milliseconds(800) && pause <= .milliseconds(1_200))
        }
    }

    @Test("shuffled brokers are all tried, in orders that differ")
    func shuffled() async throws {
        let brokers = try (0..<3).map { _ in try PlayedBroker() }
        var configuration = try AMQPConfiguration(brokers.map(\.uri).joined(separator: ","))
        // The chance that 60 connections miss one of three brokers is below one in ten thousand million.
        configuration.shufflesBrokers = true
        for _ in 0..<60 { try await AMQPConnection.withConnection(configuration) { _ in } }
        #expect(brokers.allSatisfy { $0.connectionCount > 0 })
        #expect(brokers.map(\.connectionCount).reduce(0, +) == 60)
        for broker in brokers[1...] { broker.stopListening() }
        for _ in 0..<5 { try await AMQPConnection.withConnection(configuration) { _ in } }
        configuration.shufflesBrokers = false
        try brokers[1].listenAgain()
        let before = brokers[0].connectionCount
        for _ in 0..<5 { try await AMQPConnection.withConnection(configuration) { _ in } }
        #expect(brokers[0].connectionCount == before + 5)
    }
}
