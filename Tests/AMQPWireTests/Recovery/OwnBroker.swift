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
        return variable("PSISTATS_TEST_AMQP_PORT") != nil && access("/usr/lib/rabbitmq/bin/rabbitmq-server", X_OK) == 0
    }
    static let absence: Comment = "no broker: run the tests with 'make test', with rabbitmq-server installed"
    /// Whether the long forms of tests are asked for.
    static var isLong: Bool { variable("PSISTATS_TEST_LONG") != nil }

    var uri: String { "amqp://guest:guest@127.0.0.1:\(port)" }

    static func start() async throws -> OwnBroker {
        let directory = "/tmp/psistats-recovery-\(getpid())"
        let lines = try await script(["start", "--tls", "--dir", directory]).split(separator: "\n")
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
