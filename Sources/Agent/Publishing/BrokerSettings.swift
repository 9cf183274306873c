#if Agent
import AMQPWire

/// What the publisher has to know of the configuration.
struct BrokerSettings: Hashable, Sendable {
    var configuration: Configuration
    /// The name under which this machine reports.
    var hostname: String

    /// The exchange, the queue and the binding between them.
    var topology: Topology { Topology(configuration, hostname: hostname) }

    /// Where messages go, and how: returned if no queue takes them.
    var exchange: String { configuration.exchange.name }
    var routingKey: String { configuration.queue.name(hostname: hostname) }

    /// The properties of a message.
    func properties(of report: OutgoingReport) -> AMQPProperties {
        AMQPProperties(
            contentType: "application/json",
            contentEncoding: "utf-8",
            deliveryMode: configuration.queue.isDurable ? 2 : 1,
            messageID: AMQPText(report.id),
            timestamp: report.measuredAt,
            type: AMQPText(report.type),
            appID: "psistats"
        )
    }

    /// How long an attempt to connect can take, all brokers together.
    var longestConnect: Duration {
        configuration.server.brokers.reduce(.zero) { sum, broker in
            sum + (broker.connectionTimeout ?? AMQPConfiguration().connectTimeout)
        }
    }

    /// How to connect. The publisher itself decides what happens when a connection is lost.
    func connection(onEvent: @escaping @Sendable (AMQPEvent) -> Void) -> AMQPConfiguration {
        var connection = AMQPConfiguration(brokers: configuration.server.brokers)
        connection.connectionName = "psistats \(hostname)"
        connection.clientProperties = ["product": "psistats", "version": .string(AMQPText(Psistats.version))]
        connection.recovery = nil
        connection.onEvent = onEvent
        return connection
    }

    /// Whether the publisher has to connect anew to go by these settings instead of those.
    func needsNewConnection(after old: BrokerSettings) -> Bool {
        hostname != old.hostname || configuration.server != old.configuration.server
            || configuration.queue != old.configuration.queue || configuration.exchange != old.configuration.exchange
    }
}
#endif
