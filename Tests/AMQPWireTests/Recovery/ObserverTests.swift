import Synchronization
import Testing

@testable import AMQPWire

/// What observers of a connection see and may change.
@Suite("Observers", .timeLimit(.minutes(1)))
struct ObserverTests {
    /// Adds a header, and notes what it sees.
    private final class Recorder: AMQPObserver {
        private let notes = Mutex<[String]>([])
        var lines: [String] { notes.withLock { $0 } }

        func note(_ line: String) { notes.withLock { $0.append(line) } }

        func willPublish(_ publish: inout AMQPObservedPublish) -> (@Sendable (AMQPError?) -> Void)? {
            let name = "\(publish.operation) \(publish.exchange)/\(publish.routingKey) \(publish.bodySize)"
            note(name)
            publish.properties.headers = ["trace": "abc"]
            return { [self] error in note("\(name): " + (error.map { "\($0.code)" } ?? "done")) }
        }

        func didReceive(_ delivery: AMQPDelivery) { note("received \(delivery.body)") }

        func didHappen(_ event: AMQPEvent) {
            switch event.kind {
            case .connected: note("connected")
            case .closed: note("closed")
            default: note("something else")
            }
        }
    }

    private struct Silent: AMQPObserver {}

    @Test("see each publish and its outcome, in every way of publishing, and events")
    func publishes() async throws {
        let recorder = Recorder()
        let broker = try PlayedBroker { _, request in request.body == "bad" ? .send([.nack(1)]) : .answer }
        var configuration = try AMQPConfiguration(broker.uri)
        configuration.observers = [Silent(), recorder]
        try await AMQPConnection.withConnection(configuration) { connection in
            let channel = try await connection.openChannel()
            let other = try await connection.openChannel()
            await #expect(throws: AMQPError.self) { try await other.publish("bad", routingKey: "q") }
            try await channel.publish("good", exchange: "e", routingKey: "q")
            _ = try await channel.submit([1], routingKey: "q").confirmed()
            try await channel.send([1, 2], routingKey: "q")
            let publisher = try channel.publisher(exchange: "f", routingKey: "r")
            try await publisher.publish([1])
            try await publisher.submit([1]).confirmed()
            try await publisher.send([1])
            try await channel.waitForConfirms()
        }
        try await isGone { recorder.lines.contains("closed") }
        #expect(recorder.lines.contains("connected"))
        #expect(
            recorder.lines.filter { $0 != "connected" && $0 != "closed" } == [
                "publish /q 3", "publish /q 3: publishRefused", "publish e/q 4", "publish e/q 4: done",
                "submit /q 1", "submit /q 1: done", "send /q 2", "send /q 2: done", "publish f/r 1",
                "publish f/r 1: done", "submit f/r 1", "submit f/r 1: done", "send f/r 1", "send f/r 1: done",
            ]
        )
    }

    @Test(
        "can change the properties, and what is sent again has them",
        .enabled(if: TestBroker.isThere, TestBroker.absence)
    )
    func properties() async throws {
        var configuration = try AMQPConfiguration(TestBroker.uri)
        let recorder = Recorder()
        configuration.observers = [recorder]
        try await AMQPConnection.withConnection(configuration) { connection in
            let channel = try await connection.openChannel()
            let queue = try await channel.makeQueue()
            try await channel.publish("x", routingKey: queue)
            try await channel.submit([1], routingKey: queue).confirmed()
            try await channel.publisher(routingKey: queue, properties: .init(contentType: "a/b")).publish([2])
            for _ in 0..<3 {
                let delivery = try #require(try await channel.get(queue, noAck: true))
                #expect(delivery.properties.headers?["trace"] == "abc")
            }
            #expect(recorder.lines.suffix(3) == ["received [120]", "received [1]", "received [2]"])
        }
    }
}
