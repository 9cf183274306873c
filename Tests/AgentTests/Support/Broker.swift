#if Agent
import AMQPWire
import Glibc
import Testing

/// The RabbitMQ that `make test` starts with `Scripts/broker`, as its environment variables tell.
enum Broker {
    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    /// Where it listens; 1, where nothing does, if there is none.
    static let port = variable("PSISTATS_TEST_AMQP_PORT").flatMap { UInt16($0) } ?? 1
    static let tlsPort = variable("PSISTATS_TEST_AMQPS_PORT").flatMap { UInt16($0) } ?? 1
    /// The folder of the certificates.
    static let certificates = variable("PSISTATS_TEST_CERTS") ?? "/nonexistent"

    // Where tests run for everybody to rely on, a missing broker fails them instead of skipping them.
    private static let isContinuousIntegration = variable("CI") == "true"
    static let isThere = port != 1 || isContinuousIntegration
    static let hasTLS = tlsPort != 1 || isContinuousIntegration
    static let absence: Comment = "no broker: set PSISTATS_TEST_AMQP_PORT, or run the tests with 'make test'"

    /// The release of RabbitMQ, major and minor: `Scripts/broker` says which; 3.10 where it does not. docs/brokers.md tells what
    /// each answers.
    static let release: [Int] = {
        let numbers = variable("PSISTATS_TEST_RABBITMQ")?.split(separator: ".").compactMap { Int($0) } ?? []
        return numbers.count == 2 ? numbers : [3, 10]
    }()

    /// Whether it is at least this release.
    static func isRelease(_ major: Int, _ minor: Int) -> Bool {
        !release.lexicographicallyPrecedes([major, minor])
    }

    /// With the user 'guest', who may do everything, and the vhost '/'.
    static let url = "amqp://guest:guest@127.0.0.1:\(port)"

    /// What a program printed that did not end well.
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// What `rabbitmqctl` prints on this broker.
    static func ctl(_ arguments: String...) throws -> String { try ctl(arguments) }

    static func ctl(_ arguments: [String]) throws -> String { try script(["ctl", "-q"] + arguments) }

    /// What `Scripts/broker` prints.
    static func script(_ arguments: [String]) throws -> String {
        let line = ([Repository.root + "/Scripts/broker"] + arguments).map(quoted).joined(separator: " ")
        guard let stream = popen(line + " 2>&1", "r") else { throw Failure(description: "popen: \(errno)") }
        var octets: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while case let count = fread(&buffer, 1, buffer.count, stream), count > 0 { octets += buffer.prefix(count) }
        let status = pclose(stream)
        let text = String(decoding: octets, as: UTF8.self)
        guard status == 0 else { throw Failure(description: "\(line) ended with \(status): \(text)") }
        return text
    }

    private static func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
    }

    /// Runs `body` with a channel of a connection of its own, that is not made anew when it is lost.
    static func withChannel<Value>(_ body: (AMQPChannel) async throws -> Value) async throws -> Value {
        var configuration = try AMQPConfiguration(url)
        configuration.recovery = nil
        return try await AMQPConnection.withConnection(configuration) { connection in
            try await connection.withChannel { channel in try await body(channel) }
        }
    }

    /// Whether an exchange and a queue exist.
    static func holds(exchange: String? = nil, queue: String? = nil) async throws -> Bool {
        do {
            try await withChannel { channel in
                if let exchange { try await channel.declareExchangePassively(exchange) }
                if let queue { _ = try await channel.declareQueuePassively(queue) }
            }
            return true
        } catch let error as AMQPError where error.replyCode == 404 {
            return false
        }
    }

    /// A name that no other test has.
    static func uniqueName() -> String {
        "test-\(getpid())-\(UInt64.random(in: 0 ... .max))"
    }
}
#endif
