import Glibc
import Synchronization
import Testing

@testable import AMQPWire

/// A RabbitMQ of its own for tests that restart it, started and stopped by `Scripts/broker`.
struct OwnBroker: Sendable {
    @TaskLocal static var current: OwnBroker?

    let directory: String
    let port: UInt16
    let tlsPort: UInt16

    private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// Where tests run for everybody to rely on, a missing broker fails them instead of skipping them.
    static var isWanted: Bool {
        if variable("CI") == "true" { return true }
        guard variable("PSISTATS_TEST_AMQP_PORT") != nil else { return false }
        return variable("PSISTATS_TEST_RABBITMQ") != nil || access("/usr/lib/rabbitmq/bin/rabbitmq-server", X_OK) == 0
    }
    static let absence: Comment = "no broker: run the tests with 'make test', with rabbitmq-server installed"
    /// Whether the long forms of tests are asked for.
    static var isLong: Bool { variable("PSISTATS_TEST_LONG") != nil }

    var uri: String { "amqp://guest:guest@127.0.0.1:\(port)" }

    /// - Parameters:
    ///   - name: tells it from other brokers of this process.
    ///   - options: more for `Scripts/broker start`.
    static func start(_ name: String = "recovery", _ options: [String] = []) async throws -> OwnBroker {
        let directory = "/tmp/psistats-\(name)-\(getpid())"
        let lines = try await script(["start", "--tls", "--dir", directory] + options).split(separator: "\n")
        func port(_ variable: String) throws -> UInt16 {
            let line = lines.first { $0.hasPrefix(variable + "=") }
            return try #require(line.flatMap { UInt16($0.drop { $0 != "=" }.dropFirst()) })
        }
        return OwnBroker(
            directory: directory,
            port: try port("PSISTATS_TEST_AMQP_PORT"),
            tlsPort: try port("PSISTATS_TEST_AMQPS_PORT")
        )
    }

    /// Runs `body` with a broker of its own.
    static func with(
        _ name: String,
        _ options: [String],
        _ body: (OwnBroker) async throws -> Void
    ) async throws {
        let broker = try await start(name, options)
        do {
            try await body(broker)
        } catch {
            await broker.stop()
            throw error
        }
        await broker.stop()
    }

    /// How tests connect to it: without recovery.
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

    func stop() async {
        _ = try? await Self.script(["stop", "--dir", directory])
        _ = try? await Self.run("rm -rf '\(directory)'")
    }

    /// Ends the broker and starts it again, with its data and port.
    func restart(kill: Bool) async throws {
        _ = try await Self.script(["restart", "--dir", directory] + (kill ? ["--kill"] : []))
    }

    /// `rabbitmqctl` on it.
    @discardableResult
    func control(_ arguments: String...) async throws -> String {
        try await Self.script(["ctl", "--dir", directory] + arguments)
    }

    /// Another of its programs: `rabbitmq-upgrade`, `rabbitmq-queues`, …
    @discardableResult
    func tool(_ arguments: String...) async throws -> String {
        try await Self.script(["tool", "--dir", directory] + arguments)
    }

    /// An OAuth 2 token of the user 'agent', for a broker that was started with `--oauth`.
    func token(seconds: Int, _ scopes: [String]) async throws -> String {
        let printed = try await Self.script(["token", "--dir", directory, "--seconds", "\(seconds)"] + scopes)
        return String(try #require(printed.split(separator: "\n").last))
    }

    private static func script(_ arguments: [String]) async throws -> String {
        let root = #filePath.split(separator: "/").dropLast(4).reduce("") { $0 + "/" + $1 }
        return try await run(([root + "/Scripts/broker"] + arguments).map { "'\($0)'" }.joined(separator: " "))
    }

    struct Failure: Error { var text: String }

    /// Runs a command line on a thread of its own, so that no task is held up.
    private static func run(_ line: String) async throws -> String {
        let result: Result<String, Failure> = await withCheckedContinuation { continuation in
            _ = PosixThread.start(name: "broker-script", stackSize: 256 << 10) {
                guard let stream = popen(line + " 2>&1", "r") else {
                    return continuation.resume(returning: .failure(Failure(text: "no process")))
                }
                var octets: [UInt8] = []
                while case let octet = fgetc(stream), octet != EOF { octets.append(UInt8(truncatingIfNeeded: octet)) }
                let text = String(decoding: octets, as: UTF8.self)
                let status = pclose(stream)
                continuation.resume(
                    returning: status == 0
                        ? .success(text) : .failure(Failure(text: "\(line) ended with \(status):\n\(text)"))
                )
            }
        }
        return try result.get()
    }
}

/// Gives a suite a broker of its own.
struct OwnBrokerTrait: SuiteTrait, TestScoping {
    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        let broker = try await OwnBroker.start()
        do {
            try await OwnBroker.$current.withValue(broker) { try await function() }
            await broker.stop()
        } catch {
            await broker.stop()
            throw error
        }
    }
}

extension Trait where Self == OwnBrokerTrait {
    /// A RabbitMQ that the suite may restart.
    static var ownBroker: Self { OwnBrokerTrait() }
}
