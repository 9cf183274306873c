import Testing

@testable import AMQPWire

/// Tasks on the connections' own thread, with a played broker.
@Suite("The executor on the loop's thread", .timeLimit(.minutes(1)))
struct LoopExecutorTests {
    private static func isOnLoop() -> Bool { EventLoop.shared.isCurrent }

    @Test("runs a task's steps on the loop's thread, after each confirm as well, and no others")
    func thread() async throws {
        let broker = try PlayedBroker()
        let connection = try await AMQPConnection.connect(AMQPConfiguration(broker.uri))
        let channel = try await connection.openChannel()
        #expect(!Self.isOnLoop())
        try await withTaskExecutorPreference(AMQPConnection.loopExecutor) {
            for number in 0..<100 {
                #expect(Self.isOnLoop())
                try await channel.publish("\(number)", routingKey: "q")
            }
            #expect(Self.isOnLoop())
        }
        #expect(!Self.isOnLoop())
        #expect(broker.calls(0).count { $0.hasPrefix("basic.publish") } == 100)
        await connection.close()
    }

    @Test("lets sockets and deadlines have their turn between tasks that are always ready")
    func fairness() async throws {
        let broker = try PlayedBroker()
        let connection = try await AMQPConnection.connect(AMQPConfiguration(broker.uri))
        let channel = try await connection.openChannel()
        let isOver = Signal()
        try await withThrowingTaskGroup { group in
            for _ in 0..<4 {
                group.addTask(executorPreference: AMQPConnection.loopExecutor) {
                    while !isOver.isSet { await Task.yield() }
                }
            }
            for number in 0..<20 { try await channel.publish("\(number)", routingKey: "q") }
            isOver.set()
            try await group.waitForAll()
        }
        await connection.close()
    }

    @Test("lets a task connect, publish through a lost connection, be cancelled and close")
    func everything() async throws {
        let events = EventLog()
        let broker = try PlayedBroker()
        try await withTaskExecutorPreference(AMQPConnection.loopExecutor) {
            let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
            let channel = try await connection.openChannel()
            try await channel.publish("1", routingKey: "q")
            broker.cut()
            await events.wait(for: "recovered")
            try await channel.publish("2", routingKey: "q")
            let reader = Task(executorPreference: AMQPConnection.loopExecutor) {
                for try await _ in channel.consume("q", consumerTag: "c") {}
            }
            try await channel.awaitConsumer("c")
            reader.cancel()
            try await reader.value0()
            await connection.close()
        }
        #expect(broker.connectionCount == 2)
    }

    @Test("starts the loop of a process that has no connection yet")
    func alone() async {
        await #expect(processExitsWith: .success) {
            let isOnLoop = await withTaskExecutorPreference(AMQPConnection.loopExecutor) { EventLoop.shared.isCurrent }
            #expect(isOnLoop)
        }
    }
}
