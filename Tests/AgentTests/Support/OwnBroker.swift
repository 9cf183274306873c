#if Agent
import AMQPWire
import Glibc
import Testing

/// A RabbitMQ of its own for a test that restarts it, started and stopped by `Scripts/broker`.
struct OwnBroker {
    let directory: String
    let port: UInt16

    /// With the user 'guest', who may do everything, and the vhost '/'.
    var url: String { "amqp://guest:guest@127.0.0.1:\(port)" }

    /// - Parameter options: more for `Scripts/broker start`.
    init(_ options: String = "") throws {
        directory = "/tmp/psistats-\(Broker.uniqueName())"
        let lines = try Self.script("start \(options)", directory)
        let line = lines.split(separator: "\n").first { $0.hasPrefix("PSISTATS_TEST_AMQP_PORT=") }
        port = try #require(line.flatMap { UInt16($0.drop { $0 != "=" }.dropFirst()) }, "\(lines)")
    }

    /// Ends the broker and starts it again, with its data and port.
    func restart() throws {
        _ = try Self.script("restart", directory)
    }

    /// Ends the broker, and removes all that it wrote.
    func stop() throws {
        _ = try Self.script("stop", directory, then: "rm -rf '\(directory)'")
    }

    private static func script(_ verb: String, _ directory: String, then: String = "true") throws -> String {
        let line = "'\(Repository.root)/Scripts/broker' \(verb) --dir '\(directory)' 2>/dev/null && \(then)"
        guard let stream = popen(line, "r") else { throw Broker.Failure(description: "popen: \(errno)") }
        var octets: [UInt8] = []
        while case let octet = fgetc(stream), octet != EOF { octets.append(UInt8(truncatingIfNeeded: octet)) }
        let status = pclose(stream)
        guard status == 0 else { throw Broker.Failure(description: "\(line) ended with \(status)") }
        return String(decoding: octets, as: UTF8.self)
    }
}

extension Broker {
    /// A channel of a connection of its own, which lives as long as the channel.
    static func channel() async throws -> AMQPChannel {
        try await AMQPConnection.connect(url).openChannel()
    }
}
#endif
