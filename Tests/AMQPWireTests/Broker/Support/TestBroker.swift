import Glibc
import Synchronization
import Testing

@testable import AMQPWire

/// The brokers that `make test` starts with `Scripts/broker`, as its environment variables tell.
enum TestBroker: String, CaseIterable, CustomTestStringConvertible {
    case rabbitmq
    case garagemq

    var testDescription: String { rawValue }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    static var port: UInt16? { variable("PSISTATS_TEST_AMQP_PORT").flatMap { UInt16($0) } }
    static var tlsPort: UInt16? { variable("PSISTATS_TEST_AMQPS_PORT").flatMap { UInt16($0) } }
    static var garagePort: UInt16? { variable("PSISTATS_TEST_GARAGEMQ_PORT").flatMap { UInt16($0) } }
    /// The folder of the certificates, as it stands in a URI.
    static var certificates: String {
        (variable("PSISTATS_TEST_CERTS") ?? "/nonexistent").split(separator: " ", omittingEmptySubsequences: false)
            .joined(separator: "%20")
    }
    private static var isContinuousIntegration: Bool { variable("CI") == "true" }

    /// Where tests run for everybody to rely on, a missing broker fails them instead of skipping them.
    static var isThere: Bool { port != nil || isContinuousIntegration }
    static var hasTLS: Bool { tlsPort != nil || isContinuousIntegration }
    static let absence: Comment = "no broker: set PSISTATS_TEST_AMQP_PORT, or run the tests with 'make test'"

    /// The brokers that stand consumers coming and going with deliveries on their way. GarageMQ stops answering anybody after
    /// some of that, for good; what it consumes elsewhere it consumes in peace.
    static var steady: [TestBroker] { present.filter { $0 == .rabbitmq } }

    /// The brokers to run a test on.
    static var present: [TestBroker] {
        var present: [TestBroker] = [.rabbitmq]
        if garagePort != nil || isContinuousIntegration { present.append(.garagemq) }
        return present
    }

    /// Where RabbitMQ listens, with its user 'guest'.
    static var uri: String { "amqp://guest:guest@127.0.0.1:\(port ?? 1)" }
    static var tlsURI: String { "amqps://guest:guest@localhost:\(tlsPort ?? 1)" }

    var uri: String {
        switch self {
        case .rabbitmq: Self.uri
        // GarageMQ opens no connection with the usual frame size of 131,072.
        case .garagemq: "amqp://guest:guest@127.0.0.1:\(Self.garagePort ?? 1)?frame_max=65536"
        }
    }

    /// How tests connect: without recovery, so that what happens is seen at once.
    var configuration: AMQPConfiguration {
        get throws {
            var configuration = try AMQPConfiguration(uri)
            configuration.recovery = nil
            return configuration
        }
    }

    /// Runs `body` with a channel of a connection of its own.
    func withChannel<Value>(_ body: (AMQPConnection, AMQPChannel) async throws -> Value) async throws -> Value {
        try await AMQPConnection.withConnection(configuration) { connection in
            try await connection.withChannel { channel in try await body(connection, channel) }
        }
    }

    /// What `rabbitmqctl` prints.
    static func ctl(_ arguments: String...) async throws -> String {
        let repository = #filePath.split(separator: "/").dropLast(5).joined(separator: "/")
        return try await Shell.run(["/\(repository)/Scripts/broker", "ctl", "-q"] + arguments)
    }

    /// The broker's own name for a connection.
    static func processOf(_ connection: AMQPConnection) async throws -> String {
        let port = try #require(connection.localPort)
        let listing = try await ctl("list_connections", "pid", "peer_port")
        let line = listing.split(separator: "\n").first { $0.split(separator: "\t").last == "\(port)" }
        return String(try #require(line?.split(separator: "\t").first, "no connection from port \(port): \(listing)"))
    }
}

extension AMQPConnection {
    /// The port that the connection comes from.
    var localPort: UInt16? {
        driver.state.withLock { $0.link?.stream.local.split(separator: ":").last.flatMap { UInt16($0) } }
    }

    /// What would be left behind if something were forgotten: waiters, answers that nobody fetches, parked tasks.
    var leftovers: Int { driver.leftovers }
}

extension ConnectionDriver {
    var leftovers: Int {
        state.withLock { state in
            state.core.waiters.count + state.early.count + state.parked.count { $0 != nil }
                + state.waitingForRecovery.count
        }
    }

    var waiterCount: Int { state.withLock { $0.core.waiters.count } }
}

/// A name that no other test has.
func uniqueName(_ what: String = #function) -> String {
    "\(what.prefix { $0 != "(" })-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
}

/// Asks until it is so. The test's time limit ends it otherwise.
func eventually(_ condition: () async throws -> Bool) async throws {
    while try await !condition() {
        try Task.checkCancellation()
        await Task.yield()
    }
}

/// Asks until there is something. The test's time limit ends it otherwise.
func eventualValue<Value>(_ value: () async throws -> Value?) async throws -> Value {
    while true {
        if let value = try await value() { return value }
        try Task.checkCancellation()
        await Task.yield()
    }
}

extension AMQPChannel {
    /// A queue of the test's own, gone with its connection.
    @discardableResult
    func makeQueue(arguments: AMQPTable = [:]) async throws -> String {
        try await declareQueue(uniqueName("queue"), exclusive: true, arguments: arguments).name
    }

    /// Waits until a queue holds so many messages that are ready.
    func expectMessages(_ count: UInt32, in queue: String) async throws {
        try await eventually { try await declareQueuePassively(queue).messageCount == count }
    }
}

/// A value that several tasks change.
final class Shared<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>

    init(_ value: Value) {
        mutex = Mutex(value)
    }

    func withLock<Result: Sendable>(_ body: (inout Value) -> Result) -> Result {
        mutex.withLock { value in body(&value) }
    }
}
