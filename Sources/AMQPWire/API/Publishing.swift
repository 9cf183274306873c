/// A publish whose confirm can be awaited later.
public struct PublishReceipt: Sendable {
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
        if let outcome = kept?.outcome ?? record.pastOutcome(tag, epoch: epoch) {
            if let failure = AMQPError(outcome) { throw failure }
            return .done
        }
        if let error = record.closed { throw error.with(delivery: .unknown) }
        if record.epoch == epoch, let number = record.number {
            let waiter = try state.core.waitForConfirm(tag, channel: number, deadline: deadline)
            return waiter.map { .wait($0) } ?? .done
        }
        if kept != nil { return .goOn }
        throw AMQPError(
            .connectionLost,
            scope: .message,
            "the connection was lost before the broker confirmed the message",
            delivery: .unknown
        )
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
public final class PreparedPublisher: Sendable {
    // A class, because each copy of a structure with two references costs two counts, for each message.
    private let channel: AMQPChannel
    private let frames: PreparedFrames

    init(channel: AMQPChannel, frames: PreparedFrames) {
        self.channel = channel
        self.frames = frames
    }

    /// Publishes a message and returns when the broker has confirmed it. See ``AMQPChannel/publish(_:exchange:routingKey:properties:mandatory:)-([UInt8],_,_,_,_)``.
    public nonisolated(nonsending) func publish(_ body: [UInt8]) async throws(AMQPError) {
        try await channel.driver.publishConfirmed(channel.record) { (core, channel) throws(AMQPError) in
            try body.withUnsafeBufferPointer { (body) throws(AMQPError) in
                try core.publish(frames, body: UnsafeRawBufferPointer(body), on: channel)
            }
        }
    }

    /// Publishes a message whose confirm can be awaited later.
    @discardableResult
    public nonisolated(nonsending) func submit(_ body: [UInt8]) async throws(AMQPError) -> PublishReceipt {
        try await channel.driver.submit(channel, .prepared(frames, body)) { (core, channel) throws(AMQPError) in
            try body.withUnsafeBufferPointer { (body) throws(AMQPError) in
                try core.publish(frames, body: UnsafeRawBufferPointer(body), on: channel)
            }
        }
    }

    /// Publishes a message without asking for a confirm; returns when it is queued for the socket.
    public nonisolated(nonsending) func send(_ body: [UInt8]) async throws(AMQPError) {
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
        properties: BasicProperties = BasicProperties(),
        mandatory: Bool = false
    ) async throws(AMQPError) {
        let method = Method.BasicPublish(
            exchange: AMQPText(exchange),
            routingKey: AMQPText(routingKey),
            mandatory: mandatory
        )
        try await driver.publishConfirmed(record) { (core, channel) throws(AMQPError) in
            try core.publish(method, properties: properties, bytes: body, on: channel)
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
        properties: BasicProperties = BasicProperties(),
        mandatory: Bool = false
    ) async throws(AMQPError) {
        let method = Method.BasicPublish(
            exchange: AMQPText(exchange),
            routingKey: AMQPText(routingKey),
            mandatory: mandatory
        )
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
    /// - Throws: ``AMQPError`` for the first publish since the last call that failed and that no receipt was asked for. Its
    ///   `delivery` is `unknown` where a connection was lost with publishes that were not confirmed; with
    ///   `resendsUnconfirmed` those are waited for on the next connection.
    public func waitForConfirms() async throws(AMQPError) {
        let deadline = driver.deadline(driver.configuration.confirmTimeout)
        while true {
            let step = try driver.perform { (state) throws(AMQPError) -> PublishReceipt.Step in
                if let failure = record.lostPublish.take() { throw failure }
                if let error = record.closed { throw error.with(delivery: .unknown) }
                if case .open = state.mode, let number = record.number {
                    let waiter = try state.core.waitForConfirms(channel: number, deadline: deadline)
                    return waiter.map { .wait($0) } ?? .done
                }
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

extension ConnectionCore {
    mutating func publish(
        _ method: Method.BasicPublish,
        properties: BasicProperties,
        bytes: [UInt8],
        on channel: ChannelCore
    ) throws(AMQPError) -> UInt64? {
        try bytes.withUnsafeBufferPointer { (body) throws(AMQPError) in
            try publish(method, properties: properties, body: UnsafeRawBufferPointer(body), on: channel)
        }
    }
}

extension ConnectionDriver {
    /// Encodes a publish; returns its tag where the channel has confirms.
    typealias Encoding = (inout ConnectionCore, ChannelCore) throws(AMQPError) -> UInt64?

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
                    guard error.endedConnection else { throw error }
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
                switch state.mode {
                case .closed(let error): throw error.with(delivery: .notSent)
                case .open: throw AMQPError(.closed, scope: .channel, "the channel is closed", delivery: .notSent)
                case .connecting, .restoring, .recovering: return .notReady
                }
            }
            switch try state.core.room(number, retrying: retrying) {
            case .free(let channel):
                if confirms, record.publishing == .plain {
                    try state.core.selectConfirms(number)
                    record.publishing = .confirms
                }
                do throws(AMQPError) {
                    let tag = try encode(&state.core, channel)
                    record.didInTransaction()
                    return .sent(tag: tag, epoch: record.epoch)
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
        _ content: @autoclosure () -> KeptPublish.Content,
        _ encode: Encoding
    ) async throws(AMQPError) -> PublishReceipt {
        let record = channel.record
        guard resendsUnconfirmed else {
            let (tag, epoch) = try await publish(record, .soon, confirms: true, encode)
            return PublishReceipt(deliveryTag: tag ?? 0, channel: channel, epoch: epoch, kept: nil)
        }
        let content = content()
        var kept: KeptPublish?
        let (tag, epoch) = try await publish(record, .soon, confirms: true) { (core, channel) throws(AMQPError) in
            let tag = try encode(&core, channel)
            // Kept in the same step: the connection may be lost before this call is back.
            if let tag {
                let publish = KeptPublish(content, tag: tag, epoch: record.epoch)
                record.keep(publish)
                kept = publish
            }
            return tag
        }
        return PublishReceipt(deliveryTag: tag ?? 0, channel: channel, epoch: epoch, kept: kept)
    }

    /// Whether publishes whose confirm was lost are sent again.
    var resendsUnconfirmed: Bool { configuration.recovery?.resendsUnconfirmed ?? false }

    /// Sends the publishes of a channel that were not confirmed on the connection before, in their order.
    func resend(_ record: ChannelRecord) async throws(AMQPError) {
        let deadline = deadline(configuration.confirmTimeout)
        var next = 0
        while true {
            let waiter = try await onChannel(record, deadline: deadline, asRecovery: true) {
                (state, number) throws(AMQPError) -> WaiterID? in
                while next < record.kept.count {
                    let publish = record.kept[next]
                    guard case .free(let channel) = try state.core.room(number, retrying: true) else {
                        // A blocked broker is waited for, however long it takes: coming anew would not help.
                        return try state.core.waitForRoom(number, deadline: nil, first: true)
                    }
                    if let tag = try publish.encode(&state.core, channel) {
                        publish.tag = tag
                        publish.epoch = record.epoch
                    }
                    next += 1
                }
                return nil
            }
            guard let waiter else { return }
            try await success(of: waiter)
        }
    }

    /// Commits a channel's transaction, unless part of it was lost.
    func commit(_ record: ChannelRecord) async throws(AMQPError) {
        let deadline = deadline(configuration.callTimeout)
        let waiter = try await onChannel(record, deadline: deadline) { (state, number) throws(AMQPError) -> WaiterID? in
            if record.lostTransaction { return nil }
            record.hasUncommitted = false
            return try state.core.call(.txCommit(.init()), channel: number, deadline: deadline)
        }
        guard let waiter else {
            try await rollBack(record)
            throw AMQPError(
                .connectionLost,
                scope: .channel,
                "the connection was lost during the transaction, so none of it took effect: do it again",
                delivery: .notSent
            )
        }
        do throws(AMQPError) {
            try await success(of: waiter)
        } catch {
            throw error.with(delivery: .unknown)
        }
    }

    /// Abandons a channel's transaction.
    func rollBack(_ record: ChannelRecord) async throws(AMQPError) {
        _ = try await call(.txRollback(.init()), record) { _ in
            record.hasUncommitted = false
            record.lostTransaction = false
        }
    }

    /// Publishes and waits for the confirm.
    nonisolated(nonsending) func publishConfirmed(_ record: ChannelRecord, _ encode: Encoding) async throws(AMQPError) {
        var hasLeft = false
        while true {
            let deadline = deadline(configuration.confirmTimeout)
            var waiter: WaiterID?
            let tag: UInt64?
            do throws(AMQPError) {
                (tag, _) = try await publish(record, .now, confirms: true) { (core, channel) throws(AMQPError) in
                    let tag = try encode(&core, channel)
                    // Registered before the bytes can leave: the confirm may be faster than this call.
                    if let tag { waiter = try core.waitForConfirm(tag, channel: channel.number, deadline: deadline) }
                    return tag
                }
            } catch {
                throw hasLeft ? error.afterSending : error
            }
            guard tag != nil, let waiter else { return }
            hasLeft = true
            do throws(AMQPError) {
                return try await success(of: waiter)
            } catch {
                guard resendsUnconfirmed, error.endedConnection else { throw error }
            }
        }
    }
}
