import Synchronization

@testable import AMQPWire

/// Counts by number.
final class RequestCounter: Sendable {
    private let counts = Mutex<[Int: Int]>([:])

    /// One more of a number; how many there are now.
    func count(_ number: Int) -> Int {
        counts.withLock { counts in
            counts[number, default: 0] += 1
            return counts[number, default: 0]
        }
    }
}

/// Holds channels and readers until they are let go.
final class HeldChannels: Sendable {
    private struct State {
        var channels: [AMQPChannel] = []
        var readers: [Task<Void, any Error>] = []
    }
    private let state = Mutex(State())

    func hold(_ channel: AMQPChannel) { state.withLock { $0.channels.append(channel) } }
    func hold(_ reader: Task<Void, any Error>) { state.withLock { $0.readers.append(reader) } }

    func letGo() {
        let held = state.withLock { state in
            defer { state = State() }
            return state
        }
        for reader in held.readers { reader.cancel() }
    }
}

extension Task where Success == Void, Failure == any Error {
    /// Waits for a reader whose end, by a closed connection or by cancellation, is as it should be.
    func value0() async throws {
        do {
            try await value
        } catch let error as AMQPError where error.code == .closed || error.code == .cancelled {}
    }
}

extension AMQPChannel {
    /// Waits until the broker has confirmed a consumer: calls of a channel are answered in turn.
    func awaitConsumer(_ tag: AMQPText) async throws {
        while driver.state.withLock({ _ in record.consumers[tag] == nil }) { await Task.yield() }
        _ = try await get("sync")
    }
}

/// Something that happens once.
final class Signal: Sendable {
    private let state = Mutex<(isSet: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))

    var isSet: Bool { state.withLock { $0.isSet } }

    func set() {
        let waiting = state.withLock { state in
            defer { state = (true, []) }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isSet = state.withLock { state in
                if !state.isSet { state.waiting.append(continuation) }
                return state.isSet
            }
            if isSet { continuation.resume() }
        }
    }
}

extension ConnectionDriver {
    /// Waits until so many calls wait for something: the connection to come back, if nothing else is said.
    func untilWaiting(
        _ count: Int,
        _ condition: @Sendable (WaiterTable.Role) -> Bool = { $0 == .recovery }
    ) async throws {
        while state.withLock({ $0.core.waiters.all(where: condition).count }) < count {
            try Task.checkCancellation()
            await Task.yield()
        }
    }
}

/// Waits for what other threads let go of. The test's time limit is the deadline.
func isGone(_ condition: () -> Bool) async throws {
    while !condition() {
        try Task.checkCancellation()
        await Task.yield()
    }
}
