#if Logging
public import AMQPWire
public import Logging

/// Writes what happens to a connection into a log: its losses and recoveries, blocked brokers, closed channels.
///
/// | event | level |
/// |---|---|
/// | connected, recovered, unblocked, a queue renamed or back, the end by this program | `info` |
/// | an attempt to connect | `info` |
/// | lost, blocked, returned, consumer cancelled, recovery delayed, no fresh credentials | `warning` |
/// | channel closed, something not recovered, the end by an error | `error` |
///
/// Metadata: `amqp.peer`, `amqp.queue`, `amqp.consumer`, `amqp.exchange`, `amqp.routing_key`, `amqp.attempt`, `amqp.pause`,
/// and of errors `amqp.error`, `amqp.reply_code`, `amqp.reply_text`. No password is ever written.
public struct AMQPEventLogger: AMQPObserver {
    private let logger: Logger

    /// Writes to a logger, with its label, level and metadata.
    public init(_ logger: Logger) {
        self.logger = logger
    }

    public func didHappen(_ event: AMQPEvent) {
        let entry = Entry(event)
        logger.log(level: entry.level, "\(entry.message)", metadata: entry.metadata)
    }
}

extension AMQPConfiguration {
    /// Has what happens to connections of this configuration written into a log.
    public mutating func log(to logger: Logger) {
        observers.append(AMQPEventLogger(logger))
    }
}

/// What is written about an event.
private struct Entry {
    var level: Logger.Level
    var message: String
    var metadata: Logger.Metadata = [:]

    init(_ event: AMQPEvent) {
        level = Self.level(of: event)
        message = Self.words(for: event)
        if let error = event.error {
            message += ": \(error)"
            metadata["amqp.error"] = "\(error.code)"
            if let code = error.replyCode { metadata["amqp.reply_code"] = "\(code)" }
            if let text = error.replyText { metadata["amqp.reply_text"] = "\(text)" }
        }
        if let peer = event.peer { metadata["amqp.peer"] = "\(peer)" }
        if let queue = event.queue { metadata["amqp.queue"] = "\(queue)" }
        if let tag = event.consumerTag { metadata["amqp.consumer"] = "\(tag)" }
        if let attempt = event.attempt { metadata["amqp.attempt"] = "\(attempt)" }
        if let pause = event.pause { metadata["amqp.pause"] = "\(pause)" }
        if let returned = event.returned {
            metadata["amqp.exchange"] = "\(returned.exchange)"
            metadata["amqp.routing_key"] = "\(returned.routingKey)"
            metadata["amqp.reply_code"] = "\(returned.replyCode)"
        }
    }

    private static func level(of event: AMQPEvent) -> Logger.Level {
        switch event.kind {
        case .disconnected, .blocked, .returned, .consumerCancelled, .recoveryDelayed, .credentialsFailed: .warning
        case .channelClosed, .recoveryFailed: .error
        case .closed: event.error == nil ? .info : .error
        default: .info
        }
    }

    private static func words(for event: AMQPEvent) -> String {
        let what = event.what ?? "something"
        return switch event.kind {
        case .connected: "connected"
        case .disconnected: "connection lost"
        case .reconnecting: "connecting again"
        case .recovered: "connection recovered"
        case .recoveryFailed: "\(what) could not be recovered"
        case .recoveryDelayed: "\(what) is not recovered yet"
        case .recoveryCompleted: "\(what) is recovered"
        case .queueRenamed: "queue '\(event.formerQueue ?? "?")' has another name"
        case .credentialsFailed: "no fresh credentials"
        case .blocked: "the broker takes no publishes: \(event.reason ?? "it gives no reason")"
        case .unblocked: "the broker takes publishes again"
        case .returned: "message returned: \(event.returned?.replyText ?? "it gives no reason")"
        case .channelClosed: "channel closed"
        case .consumerCancelled: "the broker ended a consumer"
        case .closed: "connection closed"
        default: event.kind.description
        }
    }
}
#endif
