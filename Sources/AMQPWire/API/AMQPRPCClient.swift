/// Sends requests to queues and waits for their replies, over direct reply-to: the broker hands a reply to this very
/// connection, without a queue. Any number of calls may be under way at once.
///
/// A reply belongs to the connection that its request left on, so calls that are pending fail when that is lost; the client
/// itself goes on with the next connection. RabbitMQ's extension.
///
/// ```swift
/// let client = try await AMQPRPCClient.open(on: connection)
/// let reply = try await client.call("21", routingKey: "double")
/// print(reply.text ?? "")
/// ```
public final class AMQPRPCClient: Sendable {
    /// The queue that is none, whose consumer the broker gives the replies.
    private static let replyQueue = "amq.rabbitmq.reply-to"

    private let channel: AMQPChannel
    private let consumer: AMQPConsumer
    private let replies: ReplyTable

    private init(_ channel: AMQPChannel, _ consumer: AMQPConsumer, _ replies: ReplyTable) {
        self.channel = channel
        self.consumer = consumer
        self.replies = replies
    }

    /// Opens a channel of its own, and returns when the broker is ready for requests.
    ///
    /// - Parameter confirmWindow: requests that the broker may have unconfirmed before further calls wait.
    /// - Throws: ``AMQPError``: `tooManyChannels`, `channelClosed`, `closed`, `timedOut`, `cancelled`.
    public static func open(
        on connection: AMQPConnection,
        confirmWindow: Int = 1_000
    ) async throws(AMQPError) -> AMQPRPCClient {
        let channel = try await connection.openChannel(confirmWindow: confirmWindow)
        let consumer = channel.consume(replyQueue, noAck: true)
        let replies = ReplyTable()
        consumer.source.plan.replies = replies
        try await consumer.start()
        return AMQPRPCClient(channel, consumer, replies)
    }

    /// The client's channel, whose events tell of the broker closing it.
    public var channelID: AMQPChannelID { channel.id }

    /// Sends a request, and returns the reply to it, which needs no acknowledgement.
    ///
    /// - Parameters:
    ///   - exchange: empty for the default exchange, which routes to the queue named by the routing key.
    ///   - properties: of the request; its `replyTo` and `correlationID` are the client's to set.
    ///   - timeout: how long the reply may take; nil for the configuration's `callTimeout`.
    /// - Throws: ``AMQPError``: `publishReturned` where no queue takes the request, `timedOut`, `cancelled`, and
    ///   `connectionLost` or `connectionClosed` where the connection went before the reply came; `delivery` says what is known
    ///   of the request then. `channelClosed` where the broker closed the client's channel, because there is no such exchange,
    ///   say: open another client.
    public func call(
        _ body: [UInt8],
        exchange: String = "",
        routingKey: String,
        properties: AMQPProperties = AMQPProperties(),
        timeout: Duration? = nil
    ) async throws(AMQPError) -> AMQPDelivery {
        try await call(exchange, routingKey, properties, timeout) {
            (core, method, properties, channel) throws(AMQPError) in
            try core.publish(method, properties: properties, bytes: body, on: channel)
        }
    }

    /// Sends text as UTF-8; otherwise as the other form.
    public func call(
        _ text: String,
        exchange: String = "",
        routingKey: String,
        properties: AMQPProperties = AMQPProperties(),
        timeout: Duration? = nil
    ) async throws(AMQPError) -> AMQPDelivery {
        try await call(
            Array(text.utf8),
            exchange: exchange,
            routingKey: routingKey,
            properties: properties,
            timeout: timeout
        )
    }

    /// Sends any bytes; otherwise as the other form.
    public func call(
        _ body: some Collection<UInt8>,
        exchange: String = "",
        routingKey: String,
        properties: AMQPProperties = AMQPProperties(),
        timeout: Duration? = nil
    ) async throws(AMQPError) -> AMQPDelivery {
        try await call(exchange, routingKey, properties, timeout) {
            (core, method, properties, channel) throws(AMQPError) in
            try core.publish(method, properties: properties, collection: body, on: channel)
        }
    }

    /// Sends the bytes of a span; otherwise as the other form.
    public func call(
        _ body: RawSpan,
        exchange: String = "",
        routingKey: String,
        properties: AMQPProperties = AMQPProperties(),
        timeout: Duration? = nil
    ) async throws(AMQPError) -> AMQPDelivery {
        try await call(exchange, routingKey, properties, timeout) {
            (core, method, properties, channel) throws(AMQPError) in
            try core.publish(method, properties: properties, span: body, on: channel)
        }
    }

    /// Closes the client's channel. Calls that are pending fail with `closed`.
    ///
    /// - Throws: ``AMQPError`` where the broker does not answer.
    public func close() async throws(AMQPError) {
        try await channel.close()
    }

    private typealias Encoding = (
        inout ConnectionCore, AMQPMethod.BasicPublish, AMQPProperties, ChannelCore
    ) throws(AMQPError) -> UInt64?

    private func call(
        _ exchange: String,
        _ routingKey: String,
        _ properties: AMQPProperties,
        _ timeout: Duration?,
        _ encode: Encoding
    ) async throws(AMQPError) -> AMQPDelivery {
        let driver = channel.driver
        let deadline = driver.deadline(timeout ?? driver.configuration.callTimeout)
        // Mandatory: a request that no queue takes is known at once.
        let method = AMQPMethod.BasicPublish(
            exchange: AMQPText(exchange),
            routingKey: AMQPText(routingKey),
            mandatory: true
        )
        let replies = replies
        let id = driver.state.withLock { _ in replies.makeID() }
        var properties = properties
        properties.replyTo = AMQPText(Self.replyQueue)
        properties.correlationID = AMQPText(id)
        let request = properties
        var waiters: (confirm: WaiterID?, reply: WaiterID)?
        _ = try await driver.publish(channel.record, .now, confirms: true) { (core, channel) throws(AMQPError) in
            let tag = try encode(&core, method, request, channel)
            let confirm: WaiterID? =
                if let tag { try core.waitForConfirm(tag, channel: channel.number, deadline: deadline) } else { nil }
            // In the same step: the reply may be faster than this call.
            let reply = core.waiters.add(.rpcReply(channel: channel.number), deadline: deadline)
            replies.expect(id, reply)
            waiters = (confirm, reply)
            return tag
        }
        guard let waiters else { throw AMQPError.closedHere }
        defer { driver.state.withLock { _ in replies.forget(id) } }
        if let confirm = waiters.confirm {
            do throws(AMQPError) {
                try await driver.success(of: confirm)
            } catch {
                driver.perform { state in state.core.giveUp(waiters.reply, error) }
                // So that it is not kept for somebody who asks later.
                _ = await driver.answer(of: waiters.reply)
                throw error
            }
        }
        switch await driver.answer(of: waiters.reply) {
        case .message(let ok, let message):
            // Small, unlike a message: Swift 6.3.1 loses a large result of a function that runs on its caller's executor.
            return AMQPDelivery(Arrival(ok, message, epoch: 0), channel: channel, isSettled: true)
        case .failure(let error): throw error
        case .reply, .done: throw AMQPError(.unexpectedFrame, "a request was not answered by a message")
        }
    }
}

/// The requests whose replies are to come, by their correlation ids. Guarded by its driver's lock.
final class ReplyTable: @unchecked Sendable {
    // Unchecked: every access is made while holding the lock of the one driver that the client belongs to.

    private var waiting: [AMQPText: WaiterID] = [:]
    private var last: UInt64 = 0

    /// An id that no other request of the client has.
    func makeID() -> String {
        last &+= 1
        return String(last)
    }

    func expect(_ id: String, _ waiter: WaiterID) {
        waiting[AMQPText(id)] = waiter
    }

    func forget(_ id: String) {
        waiting[AMQPText(id)] = nil
    }

    /// Who waits for a reply; nil if nobody does any more.
    func take(_ reply: AMQPMessage) -> WaiterID? {
        reply.properties.correlationID.flatMap { waiting.removeValue(forKey: $0) }
    }
}

extension AMQPMethod.BasicGetOk {
    /// A delivery, as if it had been asked for.
    init(_ deliver: AMQPMethod.BasicDeliver) {
        self.init(
            deliveryTag: deliver.deliveryTag,
            redelivered: deliver.redelivered,
            exchange: deliver.exchange,
            routingKey: deliver.routingKey
        )
    }
}
