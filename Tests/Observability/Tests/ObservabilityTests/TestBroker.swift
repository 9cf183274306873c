import AMQPWire
import Glibc
import Testing

/// The RabbitMQ of a test run; `Scripts/broker start` prints its port.
enum TestBroker {
    private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    static var port: UInt16? { variable("PSISTATS_TEST_AMQP_PORT").flatMap { UInt16($0) } }
    /// Where tests run for everybody to rely on, a missing broker fails them instead of skipping them.
    static var isThere: Bool { port != nil || variable("CI") == "true" }
    static let absence: Comment = "no broker: set PSISTATS_TEST_AMQP_PORT, or run the tests with 'make test'"
    static var uri: String { "amqp://guest:guest@127.0.0.1:\(port ?? 1)" }

    /// Runs `body` with a channel and a queue of its own, observed.
    static func withQueue(
        _ observers: [any AMQPObserver],
        _ body: (AMQPChannel, _ queue: String) async throws -> Void
    ) async throws {
        var configuration = try AMQPConfiguration(uri)
        configuration.observers = observers
        try await AMQPConnection.withConnection(configuration) { connection in
            let channel = try await connection.openChannel()
            let queue = try await channel.declareQueue(exclusive: true).name
            try await body(channel, queue)
        }
    }
}
