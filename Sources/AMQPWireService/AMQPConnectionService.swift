#if ServiceLifecycle
public import AMQPWire
public import ServiceLifecycle
import Synchronization

/// Keeps a connection open for as long as its service group runs.
///
/// ```swift
/// let amqp = AMQPConnectionService(try AMQPConfiguration("amqp://localhost"))
/// let orders = AMQPConsumerService(amqp, queue: "orders") { delivery in
///     try await handle(delivery)
///     try await delivery.ack()
/// }
/// try await ServiceGroup(services: [amqp, orders], gracefulShutdownSignals: [.sigterm], logger: logger).run()
/// ```
///
/// Name it before those that use it: services are shut down in the opposite order. A shutdown closes the connection, once
/// what was published has been sent. The service ends with an error if the connection is closed for good by anybody else;
/// a lost connection that is being recovered goes on.
public final class AMQPConnectionService: Service {
    private enum State {
        case connecting([UInt64: CheckedContinuation<AMQPConnection, any Error>])
        case open(AMQPConnection)
        case over(AMQPError)
    }

    private let configuration: AMQPConfiguration
    private let ends: AsyncStream<AMQPError?>
    private let end: AsyncStream<AMQPError?>.Continuation
    private let state = Mutex<(State, next: UInt64)>((.connecting([:]), 0))

    /// A service that connects when it is run.
    public init(_ configuration: AMQPConfiguration) {
        (ends, end) = AsyncStream.makeStream()
        var configuration = configuration
        configuration.observers.append(EndObserver(end: end))
        self.configuration = configuration
    }

    /// The connection; waits until it is open.
    ///
    /// - Throws: ``AMQPWire/AMQPError``: why connecting failed, `closed` once the service is over, `cancelled`.
    public var connection: AMQPConnection {
        get async throws {
            let id = state.withLock { state in
                state.next &+= 1
                return state.next
            }
            return try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in
                    let result = state.withLock { state -> Result<AMQPConnection, any Error>? in
                        switch state.0 {
                        case .open(let connection): return .success(connection)
                        case .over(let error): return .failure(error)
                        case .connecting(var waiting):
                            if Task.isCancelled { return .failure(Self.cancelled) }
                            waiting[id] = continuation
                            state.0 = .connecting(waiting)
                            return nil
                        }
                    }
                    if let result { continuation.resume(with: result) }
                }
            } onCancel: {
                let continuation = state.withLock { state -> CheckedContinuation<AMQPConnection, any Error>? in
                    guard case .connecting(var waiting) = state.0 else { return nil }
                    let continuation = waiting.removeValue(forKey: id)
                    state.0 = .connecting(waiting)
                    return continuation
                }
                continuation?.resume(throwing: Self.cancelled)
            }
        }
    }

    /// Connects, and closes the connection when the group shuts down or the task is cancelled.
    ///
    /// - Throws: ``AMQPWire/AMQPError``: why connecting failed, or why the connection was closed for good.
    public func run() async throws {
        let connection: AMQPConnection
        do {
            guard let opened = try await connect() else { return settle(.over(Self.shutDown)) }
            connection = opened
        } catch {
            settle(.over(error as? AMQPError ?? Self.cancelled))
            throw error
        }
        settle(.open(connection))
        defer { settle(.over(Self.shutDown)) }
        let failure = await withGracefulShutdownHandler {
            var ends = ends.makeAsyncIterator()
            return await ends.next().flatMap(\.self)
        } onGracefulShutdown: { [end] in
            end.finish()
        }
        await connection.close()
        if let failure { throw failure }
    }

    /// Nil where the shutdown came first.
    private func connect() async throws -> AMQPConnection? {
        let configuration = configuration
        do {
            return try await cancelWhenGracefulShutdown { try await AMQPConnection.connect(configuration) }
        } catch let error as AMQPError where error.code == .cancelled {
            if Task.isShuttingDownGracefully { return nil }
            throw error
        }
    }

    private func settle(_ new: State) {
        let waiting = state.withLock { state -> [CheckedContinuation<AMQPConnection, any Error>] in
            defer { state.0 = new }
            if case .connecting(let waiting) = state.0 { return Array(waiting.values) }
            return []
        }
        for continuation in waiting {
            switch new {
            case .open(let connection): continuation.resume(returning: connection)
            case .over(let error): continuation.resume(throwing: error)
            case .connecting: continuation.resume(throwing: Self.cancelled)
            }
        }
    }

    private static let cancelled = AMQPError(.cancelled, scope: .message, "the task was cancelled")
    private static let shutDown = AMQPError(.closed, "the connection's service is over")
}

/// Hears that the connection is closed for good.
private struct EndObserver: AMQPObserver {
    let end: AsyncStream<AMQPError?>.Continuation

    func didHappen(_ event: AMQPEvent) {
        guard event.kind == .closed else { return }
        end.yield(event.error)
        end.finish()
    }
}
#endif
