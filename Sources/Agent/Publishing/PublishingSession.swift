#if Agent
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
    /// The message at which publishing last failed.
    private var failedNumber: UInt64?

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
                publisher?.write(.event, .debug, "\(event)", to: client)
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
                channel: try await declaredChannel(on: connection, publisher, settings)
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
        publisher.liveness.step(nextWithin: callTime)
        await Task(executorPreference: TaskThread.shared) { await connection.close() }.value
        publisher.state.withLock { state in
            state.status.broker = nil
            state.status.connectedAt = nil
            state.status.blockedReason = nil
        }
    }

    /// A channel on which the exchange, the queue and the binding are known to exist.
    private static func declaredChannel(
        on connection: AMQPConnection,
        _ publisher: Publisher,
        _ settings: BrokerSettings
    ) async throws(AMQPError) -> AMQPChannel {
        publisher.liveness.step(nextWithin: callTime * 4)
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
                let wasRefused = repairs.isRefused
                guard connection.isOpen, !Task.isCancelled, let action = repairs.action(after: error) else {
                    throw error
                }
                if !wasRefused, repairs.isRefused { noteRefusals(error) }
                try await mend(action, error)
                continue
            }
            publisher.liveness.step(nextWithin: Self.callTime * 3)
            try await settings.topology.declare(on: channel)
            declaredAt = .now
        }
    }

    /// How long one call to the broker can take.
    private static let callTime = AMQPConfiguration().callTimeout
    /// How long a publish can wait for room, and then for its confirm.
    private static let confirmTime = AMQPConfiguration().confirmTimeout

    private func noteRefusals(_ error: AMQPError) {
        let text = BrokerAdvice.explanation(
            of: error,
            configuration: settings.configuration,
            hostname: settings.hostname
        )
        publisher.state.withLock { $0.status.lastError = .init(text: text, at: WallClock.now()) }
        publisher.write(.refused, .warning, "\(text); until it is taken, messages go one at a time")
    }

    private mutating func mend(_ action: Repairs.Action, _ error: AMQPError) async throws(AMQPError) {
        switch action {
        case .sendAgain(let pause): return await rest(pause)
        case .declareAgain:
            publisher.write(.repaired, .warning, "\(error): declaring exchange, queue and binding again")
        case .sendOneByOne:
            publisher.write(.repaired, .warning, "\(error): sending one message at a time, to see which it is")
        case .giveUp:
            // Nothing was under way: it cannot be a message's fault.
            guard let failedNumber else { throw error }
            publisher.write(.dropped, .error, "\(error): the broker will not take this message, which is dropped")
            outbox.drop(failedNumber)
        }
        channel = try await Self.declaredChannel(on: connection, publisher, settings)
        declaredAt = .now
    }

    /// Waits before the next attempt, until the connection ends at most.
    private func rest(_ pause: Duration) async {
        let end = SuspendingClock.now.advanced(by: pause)
        while connection.isOpen, !Task.isCancelled, case let left = SuspendingClock.now.duration(to: end), left > .zero
        {
            await publisher.rest(atMost: left)
        }
    }

    private enum Pause {
        /// The publisher is finished and nothing is left.
        case finished
        /// Nothing is left, and it is some time since exchange, queue and binding were known to exist.
        case timeToDeclare
    }

    /// A message that was handed to the broker.
    private struct Handover {
        var number: UInt64
        var receipt: AMQPPublishReceipt
    }

    /// Publishes beginning with the oldest message, until there is something else to do. When it throws, it is known of every
    /// message handed over whether the broker has it, and what it has is not kept any more.
    private mutating func publishInOrder() async throws(AMQPError) -> Pause {
        var next: UInt64 = 0
        var underway: [Handover] = []
        failedNumber = nil
        while true {
            do throws(AMQPError) {
                try await handOver(from: &next, &underway)
            } catch {
                await settleAll(underway, after: error)
                throw error
            }
            if let oldest = underway.first {
                underway.removeFirst()
                do throws(AMQPError) {
                    try await settle(oldest)
                } catch {
                    failedNumber = oldest.number
                    await settleAll(underway, after: error)
                    throw error
                }
                continue
            }
            if publisher.isFinishing { return .finished }
            guard connection.isOpen else { throw loss.error }
            if Task.isCancelled { throw AMQPError(.cancelled, "publishing was cancelled") }
            let left = Self.declaringInterval - declaredAt.duration(to: .now)
            if left <= .zero { return .timeToDeclare }
            await publisher.rest(atMost: left)
        }
    }

    /// Hands over messages until as many are on their way as may be.
    private func handOver(from next: inout UInt64, _ underway: inout [Handover]) async throws(AMQPError) {
        while underway.count < repairs.window, let (number, report) = outbox.report(from: next) {
            publisher.liveness.step(nextWithin: Self.confirmTime)
            let receipt = try await channel.submit(
                report.body,
                exchange: settings.exchange,
                routingKey: settings.routingKey,
                properties: settings.properties(of: report),
                mandatory: true
            )
            publisher.state.withLock { $0.status.sent += 1 }
            underway.append(Handover(number: number, receipt: receipt))
            next = number + 1
        }
    }

    /// Waits for what the broker says to a message that was handed over; takes it out of the outbox where that has it.
    private mutating func settle(_ message: Handover) async throws(AMQPError) {
        do throws(AMQPError) {
            try await confirm(message.receipt)
        } catch {
            noteRefusal(error)
            throw error
        }
        outbox.confirmed(message.number)
        confirmed()
    }

    /// Settles what is behind a message that failed, so that nothing is sent again that the broker has. Where it answers no more,
    /// nobody knows.
    private mutating func settleAll(_ underway: [Handover], after first: AMQPError) async {
        guard first.code != .timedOut else { return }
        for message in underway {
            do throws(AMQPError) {
                try await settle(message)
            } catch {
                if error.code == .timedOut { return }
            }
        }
    }

    private func noteRefusal(_ error: AMQPError) {
        switch error.code {
        case .publishReturned: publisher.state.withLock { $0.status.returned += 1 }
        case .publishRefused: publisher.state.withLock { $0.status.refused += 1 }
        default: break
        }
    }

    /// Waits for a confirm; as long as it takes while the broker says that it is blocked, because then it does not even read.
    private func confirm(_ receipt: AMQPPublishReceipt) async throws(AMQPError) {
        while true {
            publisher.liveness.step(nextWithin: Self.confirmTime)
            do throws(AMQPError) {
                return try await receipt.confirmed()
            } catch {
                guard error.code == .timedOut, connection.blockedReason != nil, connection.isOpen else { throw error }
            }
        }
    }

    private mutating func confirmed() {
        let wasRefused = repairs.isRefused
        repairs.confirmed()
        if wasRefused, !repairs.isRefused { publisher.write(.taken, .info, "the broker takes all messages again") }
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
            }.joined(separator: " ").shown
            state.withLock { $0.status.broker = product.isEmpty ? peer : "\(peer) (\(product))" }
        case .disconnected, .closed:
            loss.record(event.error)
            outbox.wakeup.ring()
        case .blocked:
            let reason = (event.reason ?? "").shown
            let wasBlocked = state.withLock { state in
                defer { state.status.blockedReason = reason }
                return state.status.blockedReason != nil
            }
            // A broker may say it as often as it likes.
            guard !wasBlocked else { return }
            write(.blocked, .warning, "the broker takes no messages for now (\(reason)): they wait here")
        case .unblocked:
            let wasBlocked = state.withLock { state in
                defer { state.status.blockedReason = nil }
                return state.status.blockedReason != nil
            }
            if wasBlocked { write(.unblocked, .info, "the broker takes messages again") }
        case .channelClosed: outbox.wakeup.ring()
        default: break
        }
    }
}
#endif
