#if ServiceLifecycle
public import AMQPWire
public import ServiceLifecycle

/// Consumes a queue for as long as its service group runs.
///
/// A shutdown ends consuming: deliveries that are being handled are handled to the end, those that nobody took go back to the
/// queue, and then the channel is closed. Settling the deliveries is the handler's to do.
public struct AMQPConsumerService: Service {
    private let connection: AMQPConnectionService
    private let queue: String
    private let prefetchCount: UInt16
    private let declare: (@Sendable (AMQPChannel) async throws -> Void)?
    private let handle: @Sendable (AMQPDelivery) async throws -> Void

    /// A service that consumes a queue over the connection of another service.
    ///
    /// - Parameters:
    ///   - prefetchCount: deliveries that may be unacknowledged at a time, 0 for no limit.
    ///   - declare: what is to be done on the channel before consuming begins: declaring the queue, say.
    ///   - handle: called with one delivery after another. What it throws ends the service.
    public init(
        _ connection: AMQPConnectionService,
        queue: String,
        prefetchCount: UInt16 = 100,
        declare: (@Sendable (AMQPChannel) async throws -> Void)? = nil,
        handle: @escaping @Sendable (AMQPDelivery) async throws -> Void
    ) {
        self.connection = connection
        self.queue = queue
        self.prefetchCount = prefetchCount
        self.declare = declare
        self.handle = handle
    }

    /// Consumes until the group shuts down or the task is cancelled.
    ///
    /// - Throws: what `declare` or `handle` throws, and ``AMQPWire/AMQPError`` where the consumer or the channel ends otherwise.
    public func run() async throws {
        let channel = try await connection.connection.openChannel()
        try await declare?(channel)
        let consumer = channel.consume(queue, prefetchCount: prefetchCount)
        do {
            try await withGracefulShutdownHandler {
                for try await delivery in consumer {
                    // Taken before the broker heard of the end.
                    if Task.isShuttingDownGracefully { return try await delivery.nack() }
                    try await handle(delivery)
                }
            } onGracefulShutdown: {
                Task { try? await consumer.cancel() }
            }
        } catch {
            try? await channel.close()
            throw error
        }
        try await channel.close()
    }
}
#endif
