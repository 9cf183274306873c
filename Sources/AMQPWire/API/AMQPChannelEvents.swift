/// Tells a channel from all others of the program. It stays the same when the connection is recovered, unlike the channel's
/// number on the wire.
public struct AMQPChannelID: Hashable, Sendable, CustomStringConvertible {
    let rawValue: UInt64

    public var description: String { "channel \(rawValue)" }
}

/// What happens to one channel, as an asynchronous sequence: `returned`, `consumerCancelled`, and at last `channelClosed`, unless
/// it is this program that closes it. The sequence ends with the channel.
///
/// The newest 1,000 events are kept for a reader that does not come.
public struct AMQPChannelEvents: AsyncSequence, Sendable {
    public typealias Element = AMQPEvent
    public typealias Failure = Never

    private let subscription: ChannelSubscription

    init(_ channel: AMQPChannel) {
        subscription = ChannelSubscription(channel)
    }

    /// A reader of the events.
    public func makeAsyncIterator() -> Iterator {
        Iterator(subscription: subscription)
    }

    /// Reads the events; copies, and other iterators of the same sequence, share them.
    public struct Iterator: AsyncIteratorProtocol, Sendable {
        fileprivate let subscription: ChannelSubscription

        /// The next event; nil once the channel is over, or the task cancelled.
        public mutating func next() async -> AMQPEvent? {
            await subscription.next()
        }

        /// As ``next()``; what `for await` calls.
        public mutating func next(isolation actor: isolated (any Actor)?) async -> AMQPEvent? {
            await subscription.next()
        }
    }
}

extension AMQPChannel: Identifiable {
    /// Tells the channel from all others of the program; events name it.
    public var id: AMQPChannelID { record.id }

    /// What happens to the channel from here on: messages that come back, consumers that the broker ends, the channel's end.
    public var events: AMQPChannelEvents { AMQPChannelEvents(self) }

    /// Waits until the channel is closed for good.
    ///
    /// - Returns: why, or nil where this program closed it.
    /// - Throws: ``AMQPError`` with the code `cancelled` where the task is cancelled before.
    public func waitUntilClosed() async throws(AMQPError) -> AMQPError? {
        let feed = ChannelSubscription(self)
        while await feed.next() != nil {}
        guard let error = driver.state.withLock({ _ in record.closed }) else {
            throw AMQPError(.cancelled, scope: .message, "the task was cancelled")
        }
        return error.code == .closed ? nil : error
    }
}

/// Holds a feed for those who read it.
private final class ChannelSubscription: Sendable {
    private let channel: AMQPChannel
    private let feed = ChannelFeed()

    init(_ channel: AMQPChannel) {
        self.channel = channel
        let feed = feed
        channel.driver.ending { _, aftermath in channel.record.listen(feed, &aftermath) }
    }

    deinit {
        channel.driver.state.withLock { _ in channel.record.stopListening(feed) }
    }

    nonisolated(nonsending) func next() async -> AMQPEvent? {
        let driver = channel.driver
        while !Task.isCancelled {
            switch driver.state.withLock({ _ in feed.take() }) {
            case .event(let event): return event
            case .finished: return nil
            case .nothing(let call):
                await withTaskCancellationHandler {
                    await withUnsafeContinuation { continuation in
                        let isParked = driver.state.withLock { _ in
                            !Task.isCancelled && feed.park(call, continuation)
                        }
                        if !isParked { continuation.resume() }
                    }
                } onCancel: {
                    driver.state.withLock { _ in feed.unpark(call) }?.resume()
                }
            }
        }
        return nil
    }
}

/// What happened to a channel and was not read yet. Guarded by the driver's lock.
final class ChannelFeed: @unchecked Sendable {
    // Unchecked: every access is made while holding the lock of the channel's driver.

    enum Step: Sendable {
        case event(AMQPEvent)
        case finished
        /// A number for the call that is going to wait.
        case nothing(call: UInt64)
    }

    private static let mostEvents = 1_000

    private var events = RingBuffer<AMQPEvent>()
    private var isFinished = false
    private var parked: [UInt64: UnsafeContinuation<Void, Never>] = [:]
    private var nextCall: UInt64 = 0

    func take() -> Step {
        if let event = events.popFirst() { return .event(event) }
        if isFinished { return .finished }
        nextCall &+= 1
        return .nothing(call: nextCall)
    }

    /// False if there is something to be taken.
    func park(_ call: UInt64, _ continuation: UnsafeContinuation<Void, Never>) -> Bool {
        guard events.isEmpty, !isFinished else { return false }
        parked[call] = continuation
        return true
    }

    func unpark(_ call: UInt64) -> UnsafeContinuation<Void, Never>? {
        parked.removeValue(forKey: call)
    }

    func post(_ event: AMQPEvent, _ aftermath: inout Aftermath) {
        if events.count == Self.mostEvents { _ = events.popFirst() }
        events.append(event)
        wake(&aftermath)
    }

    func finish(_ aftermath: inout Aftermath) {
        isFinished = true
        wake(&aftermath)
    }

    private func wake(_ aftermath: inout Aftermath) {
        aftermath.listeners += parked.values
        parked = [:]
    }
}
