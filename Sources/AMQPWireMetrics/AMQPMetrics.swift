#if Metrics
public import AMQPWire
public import CoreMetrics
import Synchronization

/// Counts and times what a connection does, for swift-metrics. Names follow OpenTelemetry's conventions for messaging.
///
/// | name | kind | dimensions |
/// |---|---|---|
/// | `messaging.client.sent.messages` | counter | operation, exchange, on failure `error.type` |
/// | `messaging.client.operation.duration` | timer | operation, exchange, on failure `error.type` |
/// | `messaging.client.consumed.messages` | counter | exchange |
/// | `amqp.client.connection.open` | meter, 0 or 1 | |
/// | `amqp.client.connection.blocked` | meter, 0 or 1 | |
/// | `amqp.client.connection.opened` | counter of connections, recovered ones included | |
/// | `amqp.client.connection.lost` | counter | |
/// | `amqp.client.recovery.attempts` | counter | |
/// | `amqp.client.recovery.failures` | counter of what did not come back | |
/// | `amqp.client.credentials.failures` | counter | |
/// | `amqp.client.channels.closed` | counter of channels that the broker closed | |
/// | `amqp.client.consumers.cancelled` | counter of consumers that the broker ended | |
/// | `amqp.client.messages.returned` | counter of messages that came back without a waiting publish | |
///
/// All have the dimension `messaging.system` = `rabbitmq` and those given to ``init(factory:dimensions:)``. The operation is
/// `messaging.operation.name` (`publish`, `submit`, `send`), the exchange is
/// `messaging.destination.name` (`amq.default` for the default exchange). Routing keys are left out, since there may be any
/// number of them. The duration of `publish` ends with the broker's confirm, that of `submit` and `send` when the message is
/// handed to the connection. `error.type` is the name of the error's code, `publishReturned` say.
///
/// Where several connections share one object, the two meters tell of whichever changed last: give each an object, with a
/// dimension that names it.
public final class AMQPMetrics: AMQPObserver {
    private struct Key: Hashable {
        var label: String
        var operation = ""
        var exchange = ""
        var error = ""
    }

    private struct Handlers {
        var counters: [Key: Counter] = [:]
        var timers: [Key: CoreMetrics.Timer] = [:]
    }

    private let factory: any MetricsFactory
    private let dimensions: [(String, String)]
    private let handlers = Mutex(Handlers())
    private let open: Meter
    private let blocked: Meter

    /// Metrics that go to a factory; nil for the one that the metrics system was set up with.
    public init(factory: (any MetricsFactory)? = nil, dimensions: [(String, String)] = []) {
        let factory = factory ?? MetricsSystem.factory
        self.factory = factory
        self.dimensions = [("messaging.system", "rabbitmq")] + dimensions
        open = Meter(label: "amqp.client.connection.open", dimensions: self.dimensions, factory: factory)
        blocked = Meter(label: "amqp.client.connection.blocked", dimensions: self.dimensions, factory: factory)
    }

    public func willPublish(_ publish: inout AMQPObservedPublish) -> (@Sendable (AMQPError?) -> Void)? {
        let operation = publish.operation.description
        let exchange = Self.destination(publish.exchange)
        let start = ContinuousClock.now
        return { [self] error in
            let error = error.map { "\($0.code)" } ?? ""
            let nanoseconds = (ContinuousClock.now - start).wholeNanoseconds
            count(Key(label: "messaging.client.sent.messages", operation: operation, exchange: exchange, error: error))
            time(
                Key(
                    label: "messaging.client.operation.duration",
                    operation: operation,
                    exchange: exchange,
                    error: error
                ),
                nanoseconds
            )
        }
    }

    public func didReceive(_ delivery: AMQPDelivery) {
        count(Key(label: "messaging.client.consumed.messages", exchange: Self.destination(delivery.exchange)))
    }

    public func didHappen(_ event: AMQPEvent) {
        switch event.kind {
        case .connected:
            open.set(1)
            blocked.set(0)
            count(Key(label: "amqp.client.connection.opened"))
        case .disconnected:
            open.set(0)
            count(Key(label: "amqp.client.connection.lost"))
        case .reconnecting: count(Key(label: "amqp.client.recovery.attempts"))
        case .recoveryFailed: count(Key(label: "amqp.client.recovery.failures"))
        case .credentialsFailed: count(Key(label: "amqp.client.credentials.failures"))
        case .blocked: blocked.set(1)
        case .unblocked: blocked.set(0)
        case .returned: count(Key(label: "amqp.client.messages.returned"))
        case .channelClosed: count(Key(label: "amqp.client.channels.closed"))
        case .consumerCancelled: count(Key(label: "amqp.client.consumers.cancelled"))
        case .closed: open.set(0)
        default: break
        }
    }

    private static func destination(_ exchange: String) -> String { exchange.isEmpty ? "amq.default" : exchange }

    private func count(_ key: Key) {
        let counter = handlers.withLock { handlers in
            if let counter = handlers.counters[key] { return counter }
            let counter = Counter(label: key.label, dimensions: all(key), factory: factory)
            handlers.counters[key] = counter
            return counter
        }
        counter.increment(by: 1)
    }

    private func time(_ key: Key, _ nanoseconds: Int64) {
        let timer = handlers.withLock { handlers in
            if let timer = handlers.timers[key] { return timer }
            let timer = CoreMetrics.Timer(label: key.label, dimensions: all(key), factory: factory)
            handlers.timers[key] = timer
            return timer
        }
        timer.recordNanoseconds(nanoseconds)
    }

    private func all(_ key: Key) -> [(String, String)] {
        let own = [
            ("messaging.operation.name", key.operation), ("messaging.destination.name", key.exchange),
            ("error.type", key.error),
        ]
        return dimensions + own.filter { !$0.1.isEmpty }
    }
}

extension Duration {
    /// Nanoseconds; at most what 64 bits hold.
    fileprivate var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : scaled &+ attoseconds / 1_000_000_000
    }
}
#endif
