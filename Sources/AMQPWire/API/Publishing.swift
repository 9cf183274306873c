/// A publish whose confirm can be awaited later.
public struct AMQPPublishReceipt: Sendable {
    /// Number of the publish on its channel and connection, from 1.
    public let deliveryTag: UInt64
    let channel: AMQPChannel
    let epoch: UInt64
    /// The message, where it is sent again after a recovery.
    let kept: KeptPublish?

    /// What there is to be done about the confirm.
    enum Step: Sendable {
        case done
        case wait(WaiterID)
        /// It is sent again with the connection.
        case goOn
    }

    /// Waits until the broker has taken the message over.
    ///
    /// To be asked once. Of publishes that failed the last 10,000 a channel are remembered, those of the connection before
    /// the present one among them.
    ///
    /// - Throws: ``AMQPError``: `publishRefused`, `publishReturned`, or an error whose `delivery` is `unknown` where the
    ///   channel or connection ended before the confirm came. With `resendsUnconfirmed` it waits for the connection to come
    ///   back and for the confirm there.
    public nonisolated(nonsending) func confirmed() async throws(AMQPError) {
        let driver = channel.driver
        let deadline = driver.deadline(driver.configuration.confirmTimeout)
        while true {
            let step = try driver.perform { (state) throws(AMQPError) in try next(&state, deadline) }
            do throws(AMQPError) {
                switch step {
                case .done: return
                case .wait(let waiter): return try await driver.success(of: waiter)
                case .goOn: try await driver.ready(deadline: deadline)
                }
            } catch {
                guard kept != nil, error.endedConnection else { throw error.afterSending }
            }
        }
    }

    private func next(_ state: inout ConnectionDriver.State, _ deadline: Moment) throws(AMQPError) -> Step {
        let record = channel.record
        let tag = kept?.tag ?? deliveryTag
        let epoch = kept?.epoch ?? epoch
        if let failure = kept?.failure { throw failure }
        if let outcome = kept?.outcome ?? record.pastOutcome(tag, epoch: epoch) {
            if let failure = AMQPError(outcome) { throw failure }
            return .done
        }
        if let error = record.closed { throw error.with(delivery: .unknown) }
        if record.epoch == epoch, let number = record.number {
            let waiter = try state.core.waitForConfirm(tag, channel: number, deadline: deadline)
            return waiter.map { .wait($0) } ?? .done
        }
        if record.isClosing { throw AMQPError.closedHere.with(delivery: .unknown) }
        if kept != nil { return .goOn }
        throw AMQPError(
            .connectionLost,
            scope: .message,
            "the connection was lost before the broker confirmed the message",
            delivery: .unknown
        )
    }
}

/// Publishes many messages to one exchange with one routing key and one set of properties, whose frames it makes once.
public final class AMQPPublisher: Sendable {
    // A class, because each copy of a structure with two references costs two counts, for each message.
    let channel: AMQPChannel
    let frames: PreparedFrames
    /// What the frames were made of, where each message is observed, which may change its properties.
    let observed: ObservedContent?

    init(channel: AMQPChannel, frames: PreparedFrames, properties: AMQPProperties) {
        self.channel = channel
        self.frames = frames
        observed = channel.driver.isObserved ? ObservedContent(frames.publish, properties) : nil
    }

    /// Publishes a message and returns when the broker has confirmed it. See ``AMQPChannel/publish(_:exchange:routingKey:properties:mandatory:)-([UInt8],_,_,_,_)``.
    public nonisolated(nonsending) func publish(_ body: [UInt8]) async throws(AMQPError) {
        if let observed { return try await channel.publishObserved(observed.method, observed.properties, body) }
        try await channel.driver.publishConfirmed(channel.record) { (core, channel) throws(AMQPError) in
            try body.withUnsafeBufferPointer { (body) throws(AMQPError) in
                try core.publish(frames, body: UnsafeRawBufferPointer(body), on: channel)
            }
        }
    }

    /// Publishes a message whose confirm can be awaited later.
    @discardableResult
    public nonisolated(nonsending) func submit(_ body: [UInt8]) async throws(AMQPError) -> AMQPPublishReceipt {
        if let observed { return try await channel.submitObserved(observed.method, observed.properties, body) }
        return try await channel.driver.submit(channel, .prepared(frames, body)) { (core, channel) throws(AMQPError) in
            try body.withUnsafeBufferPointer { (body) throws(AMQPError) in
                try core.publish(frames, body: UnsafeRawBufferPointer(body), on: channel)
            }
        }
    }

    /// Publishes a message without asking for a confirm; returns when it is queued for the socket.
    public nonisolated(nonsending) func send(_ body: [UInt8]) async throws(AMQPError) {
        if let observed { return try await channel.sendObserved(observed.method, observed.properties, body) }
        _ = try await channel.driver.publish(channel.record, .soon) { (core, channel) throws(AMQPError) in
            try body.withUnsafeBufferPointer { (body) throws(AMQPError) in
                try core.publish(frames, body: UnsafeRawBufferPointer(body), on: channel)
            }
        }
    }
}

extension AMQPChannel {
    /// Publishes a message and returns when the broker has confirmed it: when it is on disk, for a persistent one in a
    /// durable queue.
    ///
    /// Turns confirm mode on with the first call. In a channel with transactions it returns as soon as the message is queued
    /// for the socket. Waits while the broker is blocked, the connection being recovered or `confirmWindow` publishes are
    /// unconfirmed.
    ///
    /// - Parameters:
    ///   - exchange: empty for the default exchange, which routes to the queue named by the routing key.
    ///   - mandatory: throw `publishReturned` if no queue takes the message, instead of dropping it.
    /// - Throws: ``AMQPError``; its `delivery` says what is known of the message: not sent, unknown or refused.
    public nonisolated(nonsending) func publish(
        _ body: [UInt8],
        exchange: String = "",
        routingKey: String,
        properties: AMQPProperties = AMQPProperties(),
        mandatory: Bool = false
    ) async throws(AMQPError) {
        let method = AMQPMethod.BasicPublish(
            exchange: AMQPText(exchange),
            routingKey: AMQPText(routingKey),
            mandatory: mandatory
        )
        if driver.isObserved { return try await publishObserved(method, properties, body) }
        try await driver.publishConfirmed(record) { (core, channel) throws(AMQPError) in
            try core.publish(method, properties: properties, bytes: body, on: channel)
        }
    }

    /// Publishes a message whose confirm can be awaited later, by its receipt or by ``waitForConfirms()``.
    @discardableResult
    public nonisolated(nonsending) func submit(
        _ body: [UInt8],
        exchange: String = "",
        routingKey: String,
        properties: AMQPProperties = AMQPProperties(),
        mandatory: Bool = false
    ) async throws(AMQPError) -> AMQPPublishReceipt {
        let method = AMQPMethod.BasicPublish(
            exchange: AMQPText(exchange),
            routingKey: AMQPText(routingKey),
            mandatory: mandatory
        )
        if driver.isObserved { return try await submitObserved(method, properties, body) }
        return try await driver.submit(self, .plain(method, properties, body)) { (core, channel) throws(AMQPError) in
            try core.publish(method, properties: properties, bytes: body, on: channel)
        }
    }

    /// Publishes a message without asking for a confirm; returns when it is queued for the socket. It is lost if the
    /// connection is.
    public nonisolated(nonsending) func send(
        _ body: [UInt8],
        exchange: String = "",
        routingKey: String,
        properties: AMQPProperties = AMQPProperties(),
        mandatory: Bool = false
    ) async throws(AMQPError) {
        let method = AMQPMethod.BasicPublish(
            exchange: AMQPText(exchange),
            routingKey: AMQPText(routingKey),
            mandatory: mandatory
        )
        if driver.isObserved { return try await sendObserved(method, properties, body) }
        _ = try await driver.publish(record, .soon) { (core, channel) throws(AMQPError) in
            try core.publish(method, properties: properties, bytes: body, on: channel)
        }
    }

    /// A publisher for many messages that differ in their bodies only.
    ///
    /// - Throws: ``AMQPError`` with the code `invalidArgument` where a name or a property does not fit the protocol.
    public func publisher(
        exchange: String = "",
        routingKey: String,
        properties: AMQPProperties = AMQPProperties(),
        mandatory: Bool = false
    ) throws(AMQPError) -> AMQPPublisher {
        let method = AMQPMethod.BasicPublish(
            exchange: AMQPText(exchange),
            routingKey: AMQPText(routingKey),
            mandatory: mandatory
        )
        return AMQPPublisher(
            channel: self,
            frames: try PreparedFrames(method, properties: properties),
            properties: properties
        )
    }

    /// Turns confirm mode on. ``publish(_:exchange:routingKey:properties:mandatory:)-([UInt8],_,_,_,_)`` and ``submit(_:exchange:routingKey:properties:mandatory:)``
    /// do so themselves; after this call what `send` publishes is confirmed as well, and ``waitForConfirms()`` waits for it.
    /// Turning it on twice is harmless.
    ///
    /// - Parameter noWait: do not wait for the broker's answer.
    /// - Throws: ``AMQPError``, `invalidArgument` on a channel with transactions.
    public func enableConfirms(noWait: Bool = false) async throws(AMQPError) {
        try await driver.enableConfirms(record, noWait: noWait)
    }

    /// Waits until the broker has confirmed everything published on the channel so far.
    ///
    /// - Throws: ``AMQPError`` for the first publish since the last call that failed and that no receipt was asked for. Its
    ///   `delivery` is `unknown` where a connection was lost with publishes that were not confirmed; with
    ///   `resendsUnconfirmed` those are waited for on the next connection.
    public func waitForConfirms() async throws(AMQPError) {
        let deadline = driver.deadline(driver.configuration.confirmTimeout)
        while true {
            let step = try driver.perform { (state) throws(AMQPError) -> AMQPPublishReceipt.Step in
                if let failure = record.lostPublish.take() { throw failure }
                if let error = record.closed { throw error.with(delivery: .unknown) }
                if case .open = state.mode, let number = record.number {
                    let waiter = try state.core.waitForConfirms(channel: number, deadline: deadline)
                    return waiter.map { .wait($0) } ?? .done
                }
                if record.isClosing { throw AMQPError.closedHere.with(delivery: .unknown) }
                return record.kept.isEmpty ? .done : .goOn
            }
            do throws(AMQPError) {
                switch step {
                case .done: return
                case .wait(let waiter): return try await driver.success(of: waiter)
                case .goOn: try await driver.ready(deadline: deadline)
                }
            } catch {
                guard driver.resendsUnconfirmed, error.endedConnection else {
                    driver.state.withLock { _ in record.lostPublish = nil }
                    throw error.afterSending
                }
            }
        }
    }

    /// Hands what is gathered to the socket at once, instead of within half a millisecond.
    public func flush() {
        driver.perform { state in state.isUrgent = true }
    }
}
