import Glibc
import Testing

@testable import AMQPWire

/// The RabbitMQ that `make test` starts with `Scripts/broker`, as its environment variables tell.
enum TestBroker {
    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    static var port: UInt16? { variable("PSISTATS_TEST_AMQP_PORT").flatMap { UInt16($0) } }
    static var isThere: Bool { port != nil }
    static let absence: Comment = "no broker: set PSISTATS_TEST_AMQP_PORT, or run the tests with 'make test'"

    static var uri: String { "amqp://guest:guest@127.0.0.1:\(port ?? 0)" }
}
