#if Agent
import AMQPWire
import Synchronization

/// Subscribes to the exchange and puts what comes into a mailbox, until the task that runs it is cancelled.
///
/// Creates nothing but a queue of its own that goes with it. It does not declare the exchange, since with settings other
/// than the agents' that would keep the agents from declaring it; where it is not there it waits for it. Draws and prints
/// nothing, and leaves what a broker says as it is: whoever shows it makes it fit for that.
final class WatchFeed: Sendable {
    /// What to subscribe to.
    struct Subscription: Sendable {
        var exchange: String
        /// What the queue is bound with, at least one.
        var routingKeys: [String]
        /// What routing keys begin with, and a dot behind it.
        var prefix: String
        /// Whether bodies are wanted as they are, instead of what they mean.
        var takesLines = false
    }

    private let configuration: AMQPConfiguration
    private let subscription: Subscription
    private let mailbox: WatchMailbox
    private let state = Mutex(State())

    private struct State {
        /// The queue's present name: the broker gives it another after each recovery.
        var queue = ""
        /// Why the connection is over for good.
        var end: AMQPError?
        var wasBound = false
        /// Something that was declared did not come back with the connection.
        var isIncomplete = false
    }

    /// How long to wait before the exchange is looked for again.
    private static let shortPause = Duration.seconds(1)
    /// How often the binding is made sure of: a binding is gone with its exchange, and nobody tells.
    private static let longPause = Duration.seconds(5)
    /// Messages on their way here at a time.
    private static let prefetchCount: UInt16 = 250
    /// What the queue holds when this program is too slow: for 5 seconds, 1,000 messages or 16 MiB, the oldest dropped
    /// first.
    private static let queueArguments: AMQPTable = [
        "x-message-ttl": .int64(5_000), "x-max-length": .int64(1_000), "x-max-length-bytes": .int64(16_777_216),
    ]

    init(_ configuration: AMQPConfiguration, _ subscription: Subscription, mailbox: WatchMailbox) {
        self.configuration = configuration
        self.subscription = subscription
        self.mailbox = mailbox
    }

    /// Connects and watches. The last item in the mailbox is that it ended.
    func run() async {
        var configuration = configuration
        configuration.onEvent = { [weak self] in self?.happened($0) }
        let failure: CommandFailure?
        do {
            let connection = try await AMQPConnection.connect(configuration)
            // In a task of its own, which is not cancelled: the broker's answer to a close is worth waiting for, lest it
            // logs a client that just went away.
            func close() async {
                await Task(executorPreference: TaskThread.shared) { await connection.close() }.value
            }
            do {
                try await watch(connection)
            } catch {
                await close()
                throw error
            }
            await close()
            failure = nil
        } catch let error as AMQPError {
            failure = Task.isCancelled ? nil : CommandFailure(error.exitStatus, "\(error)".shown)
        } catch {
            failure = Task.isCancelled ? nil : CommandFailure(.software, "\(error)".shown)
        }
        mailbox.post(.ended(failure))
    }

    /// Watches over a connection as long as that can be recovered.
    private func watch(_ connection: AMQPConnection) async throws {
        while !Task.isCancelled {
            do {
                try await connection.withChannel { channel in try await watch(connection, channel) }
                try Task.checkCancellation()
            } catch let error as AMQPError {
                try Task.checkCancellation()
                if let end = state.withLock({ $0.end }) { throw end }
                // What the broker refuses at first it will refuse again.
                if error.replyCode == 403, !state.withLock({ $0.wasBound }) { throw error }
                mailbox.post(.link(connection.isOpen ? .waiting("\(error)") : .lost("\(error)", retry: nil)))
                try await Self.sleep(Self.shortPause)
            }
        }
    }

    /// Watches with a queue and a consumer until one of them is gone.
    private func watch(_ connection: AMQPConnection, _ channel: AMQPChannel) async throws {
        let queue = try await channel.declareQueue(exclusive: true, autoDelete: true, arguments: Self.queueArguments)
        state.withLock { $0.queue = queue.name }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.consume(queue.name, channel) }
            group.addTask { try await self.keepBound(connection) }
            // Whichever ends first ends the other.
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func consume(_ queue: String, _ channel: AMQPChannel) async throws {
        for try await delivery in channel.consume(queue, prefetchCount: Self.prefetchCount) {
            await mailbox.offer(item(for: delivery))
            try await delivery.ack()
        }
    }

    private func item(for delivery: AMQPDelivery) -> WatchMailbox.Item {
        do throws(WatchMessage.Unreadable) {
            var message = try WatchMessage(delivery.body, routingKey: delivery.routingKey, prefix: subscription.prefix)
            message.delay = WatchMessage.delay(from: delivery.properties.timestamp, to: WallClock.now())
            return subscription.takesLines ? .line(WatchLine.raw(delivery.body)) : .message(message)
        } catch {
            return .unreadable("a message with the routing key '\(delivery.routingKey)': \(error)")
        }
    }

    private static func sleep(_ time: Duration) async throws {
        await TaskThread.shared.sleep(for: time)
        try Task.checkCancellation()
    }

    // MARK: The binding

    /// Binds the queue, again and again, on a channel of its own, which an exchange that is missing costs.
    private func keepBound(_ connection: AMQPConnection) async throws {
        var pause = Self.shortPause
        while true {
            do {
                try await connection.withChannel { channel in
                    while true {
                        try await bind(channel)
                        pause = Self.shortPause
                        try await Self.sleep(Self.longPause)
                    }
                }
            } catch let error as AMQPError where error.replyCode == 404 {
                mailbox.post(.link(.waiting(missing)))
                try await Self.sleep(pause)
                // The broker logs each attempt.
                pause = min(pause * 2, Self.longPause)
            } catch let error as AMQPError where error.scope == .connection && state.withLock({ $0.end == nil }) {
                // Recovery restores the queue with its binding and consumer. A connection that is over for good ends the
                // consumer, and so this.
                try await Self.sleep(Self.shortPause)
            }
        }
    }

    private var missing: String {
        "waiting for the exchange '\(subscription.exchange)', which agents declare when they start"
    }

    private func bind(_ channel: AMQPChannel) async throws(AMQPError) {
        try await channel.declareExchangePassively(subscription.exchange)
        let queue = state.withLock { $0.queue }
        for key in subscription.routingKeys {
            try await channel.bindQueue(queue, to: subscription.exchange, routingKey: key)
        }
        state.withLock { $0.wasBound = true }
        mailbox.post(.link(.watching))
    }

    // MARK: The connection

    private func happened(_ event: AMQPEvent) {
        switch event.kind {
        case .disconnected, .reconnecting:
            mailbox.post(.link(.lost(event.error.map { "\($0)" } ?? "", retry: event.pause)))
        case .recoveryFailed: state.withLock { $0.isIncomplete = true }
        case .recovered:
            let isIncomplete = state.withLock { state in
                defer { state.isIncomplete = false }
                return state.isIncomplete || !state.wasBound
            }
            mailbox.post(.link(isIncomplete ? .waiting(missing) : .watching))
        case .queueRenamed:
            state.withLock { state in
                if let new = event.queue, state.queue == event.formerQueue { state.queue = new }
            }
        case .closed: state.withLock { $0.end = event.error }
        default: break
        }
    }
}
#endif
