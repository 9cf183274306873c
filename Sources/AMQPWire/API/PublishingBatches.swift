/// A message of a batch.
public struct AMQPOutgoingMessage: Sendable {
    /// The body, in bytes that only its reader understands.
    public var body: [UInt8]
    /// The name of the exchange; empty for the default one, which routes by the name of the queue.
    public var exchange: String
    /// What the exchange routes by, at most 255 bytes.
    public var routingKey: String
    /// The message's properties and headers.
    public var properties: AMQPProperties

    /// A message for an exchange; empty for the default exchange, which routes to the queue named by the routing key.
    public init(
        _ body: [UInt8],
        exchange: String = "",
        routingKey: String,
        properties: AMQPProperties = AMQPProperties()
    ) {
        self.body = body
        self.exchange = exchange
        self.routingKey = routingKey
        self.properties = properties
    }
}

/// A message of a batch that the broker did not confirm.
public struct AMQPBatchFailure: Hashable, Sendable {
    /// Where it stands in the batch, from 0.
    public let index: Int
    /// Why; its `delivery` says what is known of the message: not sent, unknown or refused.
    public let error: AMQPError
}

extension AMQPChannel {
    /// Receipts that a batch holds before it asks for the oldest: what failed is remembered for as many at least.
    private static let mostReceipts = ConfirmLedger.maxFailures / 2

    /// Publishes messages and returns when the broker has confirmed them all.
    ///
    /// - Throws: ``AMQPError`` for the first message that failed; those after it may have arrived. Which ones did not,
    ///   ``publishAll(_:mandatory:)`` says.
    public func publish(_ batch: [AMQPOutgoingMessage], mandatory: Bool = false) async throws(AMQPError) {
        if let first = await publishAll(batch, mandatory: mandatory).first { throw first.error }
    }

    /// Publishes messages, and returns when the broker has confirmed or refused each of them.
    ///
    /// One that the broker refuses, that comes back or that does not fit the protocol is no reason not to send the others.
    /// Where the channel or connection ends for good, a deadline passes or the task is cancelled, the rest is not sent.
    ///
    /// - Parameter mandatory: a message that no queue takes fails with `publishReturned`, instead of being dropped.
    /// - Returns: the messages that failed, in their order; none if all went well.
    public func publishAll(
        _ batch: [AMQPOutgoingMessage],
        mandatory: Bool = false
    ) async -> [AMQPBatchFailure] {
        var failures: [AMQPBatchFailure] = []
        var receipts = RingBuffer<(index: Int, receipt: AMQPPublishReceipt)>()
        var obstacle: AMQPError?
        for (index, message) in batch.enumerated() {
            if let obstacle {
                failures.append(AMQPBatchFailure(index: index, error: obstacle))
                continue
            }
            if receipts.count >= Self.mostReceipts, let oldest = receipts.popFirst() {
                await oldest.receipt.note(&failures, oldest.index)
            }
            do throws(AMQPError) {
                let receipt = try await submit(
                    message.body,
                    exchange: message.exchange,
                    routingKey: message.routingKey,
                    properties: message.properties,
                    mandatory: mandatory
                )
                receipts.append((index, receipt))
            } catch {
                failures.append(AMQPBatchFailure(index: index, error: error))
                if error.code != .invalidArgument { obstacle = error.with(delivery: .notSent) }
            }
        }
        while let next = receipts.popFirst() { await next.receipt.note(&failures, next.index) }
        return failures.sorted { $0.index < $1.index }
    }
}

extension AMQPPublishReceipt {
    /// Waits for the outcome, and adds it to the failures if it is one.
    fileprivate nonisolated(nonsending) func note(_ failures: inout [AMQPBatchFailure], _ index: Int) async {
        do throws(AMQPError) {
            try await confirmed()
        } catch {
            failures.append(AMQPBatchFailure(index: index, error: error))
        }
    }
}
