import AMQPWire
import Logging
import Synchronization

/// One connection to the broker, from login to its end.
///
/// Declares the exchange, the queue and the binding, publishes what the outbox holds beginning with the oldest message, and mends
/// what a connection can outlive: a queue or an exchange that went away, a message that the broker refuses.
struct PublishingSession {
    /// How many messages may be on their way without a confirm.
    static let usualWindow = 64

    /// How often exchange, queue and binding are declared though nothing is known to be missing. While another queue takes the
    /// messages nothing comes back, so a deleted queue of ours shows in no other way.
    static let declaringInterval = Duration.seconds(30)

    private let publisher: Publisher
    private let settings: BrokerSettings
    private let connection: AMQPConnection
    private let loss: LossRecord
    private let whenItWorks: @Sendable (String) -> Void
    private var channel: AMQPChannel
    private var repairs = Repairs()
    private var hasWorked = false
    private var declaredAt = SuspendingClock.now

    private var outbox: Outbox { publisher.outbox }

    /// Connects, declares and publishes until the publisher is finished and the outbox empty.
    ///
    /// - Parameter whenItWorks: called once, with the broker's address, when the first message is confirmed.
    /// - Throws: what ended it; `cancelled` where its task was.
    static func run(
        _ publisher: Publisher,
        _ settings: BrokerSettings,
        whenItWorks: @escaping @Sendable (String) -> Void
    ) async throws(AMQPError) {
        let loss = LossRecord()
        let client = Logger(label: "amqpwire")
        let connection = try await AMQPConnection.connect(
            settings.connection { [weak publisher] event in
                client.debug("\(event)")
                publisher?.heard(event, loss)
            }
        )
        do throws(AMQPError) {
            var session = PublishingSession(
                publisher: publisher,
                settings: settings,
                connection: connection,
                loss: loss,
                whenItWorks: whenItWorks,
                channel: try await declaredChannel(on: connection, settings)
            )
            publisher.state.withLock { $0.status.connectedAt = WallClock.now() }
            try await session.publish()
        } catch {
            await end(connection, publisher)
            throw error
        }
        await end(connection, publisher)
    }

    private init(
        publisher: Publisher,
        settings: BrokerSettings,
        connection: AMQPConnection,
        loss: LossRecord,
        whenItWorks: @escaping @Sendable (String) -> Void,
        channel: AMQPChannel
    ) {
        self.publisher = publisher
        self.settings = settings
        self.connection = connection
        self.loss = loss
        self.whenItWorks = whenItWorks
        self.channel = channel
    }

    private static func end(_ connection: AMQPConnection, _ publisher: Publisher) async {
        // In a task of its own, which is not cancelled: an exclusive queue is free for the next connection once the broker has
        // answered.
        await Task { await connection.close() }.value
        publisher.state.withLock { state in
            state.status.broker = nil
            state.status.connectedAt = nil
            state.status.blockedReason = nil
        }
    }

    /// A channel on which the exchange, the queue and the binding are known to exist.
    private static func declaredChannel(
        on connection: AMQPConnection,
        _ settings: BrokerSettings
    ) async throws(AMQPError) -> AMQPChannel {
        let channel = try await connection.openChannel(confirmWindow: usualWindow)
        try await settings.topology.declare(on: channel)
        return channel
    }

    /// Publishes what the outbox holds and what comes into it.
    private mutating func publish() async throws(AMQPError) {
        while true {
            do throws(AMQPError) {
                switch try await publishInOrder() {
                case .finished: return
                case .timeToDeclare: break
                }
            } catch {
                guard connection.isOpen, !Task.isCancelled, let action = repairs.action(after: error) else {
                    throw error
                }
                try await mend(action, error)
                continue
            }
            try await settings.topology.declare(on: channel)
            declaredAt = .now
        }
    }

    private mutating func mend(_ action: Repairs.Action, _ error: AMQPError) async throws(AMQPError) {
        let log = publisher.log
        if error.code == .publishReturned { publisher.state.withLock { $0.status.returned += 1 } }
        switch action {
        case .sendAgain: return
        case .declareAgain: log.warning("\(error): declaring exchange, queue and binding again")
        case .sendOneByOne: log.warning("\(error): sending one message at a time, to see which it is")
        case .giveUpOldest:
            log.error("\(error): the broker will not take this message, which is dropped")
            outbox.dropOldest()
        }
        channel = try await Self.declaredChannel(on: connection, settings)
        declaredAt = .now
    }

    private enum Pause {
        /// The publisher is finished and nothing is left.
        case finished
        /// Nothing is left, and it is some time since exchange, queue and binding were known to exist.
        case timeToDeclare
    }

    /// Publishes beginning with the oldest message, until there is something else to do.
    private mutating func publishInOrder() async throws(AMQPError) -> Pause {
        var next: UInt64 = 0
        var underway: [(number: UInt64, receipt: AMQPPublishReceipt)] = []
        while true {
            while underway.count < repairs.window, let (number, report) = outbox.report(from: next) {
                let receipt = try await channel.submit(
                    report.body,
                    exchange: settings.exchange,
                    routingKey: settings.routingKey,
                    properties: settings.properties(of: report),
                    mandatory: true
                )
                publisher.state.withLock { $0.status.sent += 1 }
                underway.append((number, receipt))
                next = number + 1
            }
            if let oldest = underway.first {
                try await confirm(oldest.receipt)
                outbox.confirmed(through: oldest.number)
                underway.removeFirst()
                confirmed()
                continue
            }
            if publisher.isFinishing { return .finished }
            guard connection.isOpen else { throw loss.error }
            if Task.isCancelled { throw AMQPError(.cancelled, "publishing was cancelled") }
            if declaredAt.duration(to: .now) >= Self.declaringInterval { return .timeToDeclare }
            await outbox.wakeup.wait()
        }
    }

    /// Waits for a confirm; as long as it takes while the broker says that it is blocked, because then it does not even read.
    private func confirm(_ receipt: AMQPPublishReceipt) async throws(AMQPError) {
        while true {
            do throws(AMQPError) {
                return try await receipt.confirmed()
            } catch {
                guard error.code == .timedOut, connection.blockedReason != nil, connection.isOpen else { throw error }
            }
        }
    }

    private mutating func confirmed() {
        repairs.confirmed()
        let broker = publisher.state.withLock { state in
            state.status.confirmed += 1
            return state.status.broker
        }
        guard !hasWorked else { return }
        hasWorked = true
        whenItWorks(broker ?? "the broker")
    }
}

/// Why a connection ended, as the client told it.
final class LossRecord: Sendable {
    private let recorded = Mutex<AMQPError?>(nil)

    func record(_ error: AMQPError?) {
        recorded.withLock { $0 = $0 ?? error }
    }

    var error: AMQPError {
        recorded.withLock { $0 } ?? AMQPError(.connectionLost, "the connection to the broker was lost")
    }
}

extension Publisher {
    /// What the client tells of a connection; on whichever thread it happens.
    fileprivate func heard(_ event: AMQPEvent, _ loss: LossRecord) {
        switch event.kind {
        case .connected:
            let peer = event.peer ?? ""
            let product = ["product", "version"].compactMap { name -> String? in
                guard case .string(let text)? = event.serverProperties?[AMQPText(name)] else { return nil }
                return text.string
            }.joined(separator: " ").printable
            state.withLock { $0.status.broker = product.isEmpty ? peer : "\(peer) (\(product))" }
        case .disconnected, .closed:
            loss.record(event.error)
            outbox.wakeup.ring()
        case .blocked:
            let reason = (event.reason ?? "").printable
            state.withLock { $0.status.blockedReason = reason }
            log.warning("the broker takes no messages for now (\(reason)): they wait here")
        case .unblocked:
            state.withLock { $0.status.blockedReason = nil }
            log.info("the broker takes messages again")
        case .channelClosed: outbox.wakeup.ring()
        default: break
        }
    }
}
