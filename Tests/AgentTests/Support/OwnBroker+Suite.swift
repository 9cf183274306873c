#if Agent
import Glibc
import Testing

/// One broker for all tests of a suite, and what they do to it.
extension OwnBroker {
    @TaskLocal static var current: OwnBroker?

    static let isWanted =
        AgentMessages.isThere
        && (getenv("PSISTATS_TEST_RABBITMQ") != nil || access("/usr/lib/rabbitmq/bin/rabbitmq-server", X_OK) == 0)
    static let absence: Comment = "no rabbitmq-server to start, or no pika: run the tests with 'make test'"

    /// Ends it as if its power had failed, and starts it again with its data and port.
    func failAndRestart() throws {
        _ = try Broker.script(["restart", "--kill", "--dir", directory])
    }

    /// `rabbitmqctl` on it.
    func ctl(_ arguments: String...) throws {
        _ = try Broker.script(["ctl", "--dir", directory, "-q"] + arguments)
    }
}

/// Gives a suite a broker of its own.
struct OwnBrokerTrait: SuiteTrait, TestScoping {
    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        let broker = try OwnBroker()
        do {
            try await OwnBroker.$current.withValue(broker) { try await function() }
        } catch {
            try broker.stop()
            throw error
        }
        try broker.stop()
    }
}

extension Trait where Self == OwnBrokerTrait {
    /// A RabbitMQ that the suite may stop.
    static var ownBroker: Self { OwnBrokerTrait() }
}
#endif
