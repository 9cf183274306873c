/// A publish whose confirm can be awaited later.
public struct PublishReceipt: Sendable {
    /// Number of the publish on its channel and connection, from 1.
    public let deliveryTag: UInt64
    let channel: AMQPChannel
    let epoch: UInt64

    /// Waits until the broker has taken the message over.
    ///
    /// To be asked once. Of publishes that failed the last 10,000 a channel are remembered.
    ///
    /// - Throws: ``AMQPError``: `publishRefused`, `publishReturned`, or an error whose `delivery` is `unknown` where the
    ///   channel or connection ended before the confirm came.
    public nonisolated(nonsending) func confirmed() async throws(AMQPError) {
        let (driver, record) = (channel.driver, channel.record)
        let deadline = driver.deadline(driver.configuration.confirmTimeout)
        let waiter = try driver.perform { (state) throws(AMQPError) -> WaiterID? in
            if let error = record.closed { throw error.with(delivery: .unknown) }
            guard state.epoch == epoch, let number = record.number else {
                throw AMQPError(
                    .connectionLost,
                    scope: .message,
                    "the connection was lost before the broker confirmed the message",
                    delivery: .unknown
                )
            }
            return try state.core.waitForConfirm(deliveryTag, channel: number, deadline: deadline)
        }
        if let waiter { try await driver.success(of: waiter) }
    }
}

/// A message of a batch.
public struct OutgoingMessage: Sendable {
    public var body: [UInt8]
    public var exchange: String
    public var routingKey: String
    public var properties: BasicProperties

    /// A message for an exchange.
    public init(
        _ body: [UInt8],
        exchange: String = "",
        routingKey: String,
        properties: BasicProperties = BasicProperties()
    ) {
        self.body = body
        self.exchange = exchange
        self.routingKey = routingKey
        self.properties = properties
    }
}

/// Publishes many messages to one exchange with one routing key and one set of properties, whose frames it makes once.
public struct PreparedPublisher: Sendable {
    let channel: AMQPChannel
    let frames: PreparedFrames

    /// Publishes a message and returns when the broker has confirmed it. See ``AMQPChannel/publish(_:exchange:routingKey:properties:mandatory:)-([UInt8],_,_,_,_)``.
    public nonisolated(nonsending) func publish(_ body: [UInt8]) async throws(AMQPError) {
        try await channel.driver.publishConfirmed(channel.record) { (core, number) throws(AMQPError) in
            try body.withUnsafeBufferPointer { (body) throws(AMQPError) in
                try core.publish(frames, body: UnsafeRawBufferPointer(body), channel: number)
            }
        }
    }

    /// Publishes a message whose confirm can be awaited later.
    @discardableResult
    public nonisolated(nonsending) func submit(_ body: [UInt8]) async throws(AMQPError) -> PublishReceipt {
        try await channel.driver.submit(channel) { (core, number) throws(AMQPError) in
            try body.withUnsafeBufferPointer { (body) throws(AMQPError) in
                try core.publish(frames, body: UnsafeRawBufferPointer(body), channel: number)
            }
        }
    }

    /// Publishes a message without asking for a confirm; returns when it is queued for the socket.
    public nonisolated(nonsending) func send(_ body: [UInt8]) async throws(AMQPError) {
        _ = try await channel.driver.publish(channel.record, .soon) { (core, number) throws(AMQPError) in
            try body.withUnsafeBufferPointer { (body) throws(AMQPError) in
                try core.publish(frames, body: UnsafeRawBufferPointer(body), channel: number)
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
        properties: BasicProperties = BasicProperties(),
        mandatory: Bool = false
    ) async throws(AMQPError) {
        let method = Method.BasicPublish(
            exchange: AMQPText(exchange),
            routingKey: AMQPText(routingKey),
            mandatory: mandatory
        )
        try await driver.publishConfirmed(record) { (core, number) throws(AMQPError) in
            try core.publish(method, properties: properties, bytes: body, channel: number)
        }
    }

    /// Publishes text as UTF-8; otherwise as the other form.
    public nonisolated(nonsending) func publish(
        _ text: String,
        exchange: String = "",
        routingKey: String,
        properties: BasicProperties = BasicProperties(),
        mandatory: Bool = false
    ) async throws(AMQPError) {
        try await publish(
            Array(text.utf8),
            exchange: exchange,
            routingKey: routingKey,
            properties: properties,
            mandatory: mandatory
        )
    }

    /// Publishes messages and returns when the broker has confirmed them all.
    ///
    /// - Throws: ``AMQPError`` for the first message that failed; those after it may have arrived.
    public func publish(_ batch: [OutgoingMessage], mandatory: Bool = false) async throws(AMQPError) {
        var receipts: [PublishReceipt] = []
        receipts.reserveCapacity(batch.count)
        for message in batch {
            receipts.append(
                try await submit(
                    message.body,
                    exchange: message.exchange,
                    routingKey: message.routingKey,
                    properties: message.properties,
                    mandatory: mandatory
                )
            )
        }
        var failure: AMQPError?
        for receipt in receipts {
            do throws(AMQPError) {
                try await receipt.confirmed()
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }

    /// Publishes a message whose confirm can be awaited later, by its receipt or by ``waitForConfirms()``.
    @discardableResult
    public nonisolated(nonsending) func submit(
        _ body: [UInt8],
        exchange: String = "",
        routingKey: String,
        properties: BasicProperties = BasicProperties(),
        mandatory: Bool = false
    ) async throws(AMQPError) -> PublishReceipt {
        let method = Method.BasicPublish(
            exchange: AMQPText(exchange),
            routingKey: AMQPText(routingKey),
            mandatory: mandatory
        )
        return try await driver.submit(self) { (core, number) throws(AMQPError) in
            try core.publish(method, properties: properties, bytes: body, channel: number)
        }
    }

    /// Publishes a message without asking for a confirm; returns when it is queued for the socket. It is lost if the
    /// connection is.
    public nonisolated(nonsending) func send(
        _ body: [UInt8],
        exchange: String = "",
        routingKey: String,
        properties: BasicProperties = BasicProperties(),
        mandatory: Bool = false
    ) async throws(AMQPError) {
        let method = Method.BasicPublish(
            exchange: AMQPText(exchange),
            routingKey: AMQPText(routingKey),
            mandatory: mandatory
        )
        _ = try await driver.publish(record, .soon) { (core, number) throws(AMQPError) in
            try core.publish(method, properties: properties, bytes: body, channel: number)
        }
    }

    /// A publisher for many messages that differ in their bodies only.
    ///
    /// - Throws: ``AMQPError`` with the code `invalidArgument` where a name or a property does not fit the protocol.
    public func publisher(
        exchange: String = "",
        routingKey: String,
        properties: BasicProperties = BasicProperties(),
        mandatory: Bool = false
    ) throws(AMQPError) -> PreparedPublisher {
        let method = Method.BasicPublish(
            exchange: AMQPText(exchange),
            routingKey: AMQPText(routingKey),
            mandatory: mandatory
        )
        return PreparedPublisher(channel: self, frames: try PreparedFrames(method, properties: properties))
    }

    /// Waits until the broker has confirmed everything published on the channel so far.
    ///
    /// - Throws: ``AMQPError`` for the first publish since the last call that failed and that no receipt was asked for.
    public func waitForConfirms() async throws(AMQPError) {
        let deadline = driver.deadline(driver.configuration.confirmTimeout)
        let waiter = try driver.perform { (state) throws(AMQPError) -> WaiterID? in
            if let error = record.closed { throw error.with(delivery: .unknown) }
            guard let number = record.number else {
                throw AMQPError(.connectionLost, "the connection was lost before all was confirmed", delivery: .unknown)
            }
            return try state.core.waitForConfirms(channel: number, deadline: deadline)
        }
        if let waiter { try await driver.success(of: waiter) }
    }

    /// Hands what is gathered to the socket at once, instead of within half a millisecond.
    public func flush() {
        driver.perform { state in state.isUrgent = true }
    }
}

extension ConnectionCore {
    mutating func publish(
        _ method: Method.BasicPublish,
        properties: BasicProperties,
        bytes: [UInt8],
        channel: UInt16
    ) throws(AMQPError) -> UInt64? {
        try bytes.withUnsafeBufferPointer { (body) throws(AMQPError) in
            try publish(method, properties: properties, body: UnsafeRawBufferPointer(body), channel: channel)
        }
    }
}

extension ConnectionDriver {
    /// Encodes a publish; returns its tag where the channel has confirms.
    typealias Encoding = (inout ConnectionCore, UInt16) throws(AMQPError) -> UInt64?

    /// How a step of publishing went.
    private enum Step: Sendable {
        case sent(tag: UInt64?, epoch: UInt64)
        case mustWait(WaiterID)
        case notReady
    }

    /// Publishes as soon as there is room. The step that encodes is the one that assigns the tag.
    @inline(__always)
    nonisolated(nonsending) func publish(
        _ record: ChannelRecord,
        _ urgency: Urgency,
        confirms: Bool = false,
        _ encode: Encoding
    ) async throws(AMQPError) -> (tag: UInt64?, epoch: UInt64) {
        if case .sent(let tag, let epoch) = try attempt(
            record,
            urgency,
            confirms,
            deadline: nil,
            retrying: false,
            encode
        ) {
            return (tag, epoch)
        }
        return try await publishSlowly(record, urgency, confirms, encode)
    }

    /// Publishes where the first attempt found no room.
    @inline(never)
    private nonisolated(nonsending) func publishSlowly(
        _ record: ChannelRecord,
        _ urgency: Urgency,
        _ confirms: Bool,
        _ encode: Encoding
    ) async throws(AMQPError) -> (tag: UInt64?, epoch: UInt64) {
        let deadline = deadline(configuration.confirmTimeout)
        var retrying = false
        while true {
            switch try attempt(record, urgency, confirms, deadline: deadline, retrying: retrying, encode) {
            case .sent(let tag, let epoch): return (tag, epoch)
            case .mustWait(let waiter):
                do throws(AMQPError) {
                    try await success(of: waiter)
                    retrying = true
                } catch {
                    // It did not leave, so it may wait for the connection to come back.
                    guard error.code == .connectionLost || error.code == .connectionClosed else { throw error }
                    retrying = false
                    try await ready(deadline: deadline)
                }
            case .notReady:
                retrying = false
                try await ready(deadline: deadline)
            }
        }
    }

    /// One attempt; without a deadline it only tries.
    @inline(__always)
    private func attempt(
        _ record: ChannelRecord,
        _ urgency: Urgency,
        _ confirms: Bool,
        deadline: Moment?,
        retrying: Bool,
        _ encode: Encoding
    ) throws(AMQPError) -> Step {
        try perform(urgency) { (state) throws(AMQPError) in
            if let error = record.closed { throw error.with(delivery: .notSent) }
            guard case .open = state.mode, let number = record.number else {
                if case .closed(let error) = state.mode { throw error.with(delivery: .notSent) }
                return .notReady
            }
            switch try state.core.room(number, retrying: retrying) {
            case .free:
                if confirms, record.publishing == .plain {
                    try state.core.selectConfirms(number)
                    record.publishing = .confirms
                }
                do throws(AMQPError) {
                    return .sent(tag: try encode(&state.core, number), epoch: state.epoch)
                } catch {
                    // The room that this one was given is another's now.
                    state.core.openGates()
                    throw error
                }
            case .none:
                // What is to be confirmed first has to leave.
                state.isUrgent = true
                guard let deadline else { return .notReady }
                return .mustWait(try state.core.waitForRoom(number, deadline: deadline, first: retrying))
            }
        }
    }

    /// Publishes and hands out a receipt.
    nonisolated(nonsending) func submit(
        _ channel: AMQPChannel,
        _ encode: Encoding
    ) async throws(AMQPError) -> PublishReceipt {
        let (tag, epoch) = try await publish(channel.record, .soon, confirms: true, encode)
        return PublishReceipt(deliveryTag: tag ?? 0, channel: channel, epoch: epoch)
    }

    /// Publishes and waits for the confirm.
    nonisolated(nonsending) func publishConfirmed(_ record: ChannelRecord, _ encode: Encoding) async throws(AMQPError) {
        while true {
            let deadline = deadline(configuration.confirmTimeout)
            var waiter: WaiterID?
            let (tag, _) = try await publish(record, .now, confirms: true) { (core, number) throws(AMQPError) in
                let tag = try encode(&core, number)
                // Registered before the bytes can leave: the confirm may be faster than this call.
                if let tag { waiter = try core.waitForConfirm(tag, channel: number, deadline: deadline) }
                return tag
            }
            guard tag != nil, let waiter else { return }
            do throws(AMQPError) {
                return try await success(of: waiter)
            } catch {
                guard configuration.recovery?.resendsUnconfirmed == true, error.delivery == .unknown,
                    error.code == .connectionLost || error.code == .connectionClosed
                else { throw error }
            }
        }
    }
}
