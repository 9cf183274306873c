#if Agent
import Synchronization

/// What was measured and not confirmed yet: collectors put messages in, the publisher takes them out when the broker has them.
///
/// Holds a bounded number; above it the oldest are dropped and counted. Knows nothing of brokers.
final class Outbox: Sendable {
    private struct State {
        var store: MemoryStore
        var dropped: UInt64 = 0
        /// Those of them since the broker last took messages.
        var droppedInEpisode: UInt64 = 0

        mutating func drop(_ count: Int) {
            dropped += UInt64(count)
            droppedInEpisode += UInt64(count)
        }
    }

    private let state: Mutex<State>
    /// Rung when a message came, and by whoever wants the publisher to look up.
    let wakeup = Wakeup()

    /// - Parameter limit: how many messages are kept.
    init(limit: Int) {
        state = Mutex(State(store: MemoryStore(limit: limit)))
    }

    /// How many messages wait.
    var count: Int { state.withLock { $0.store.count } }
    /// How many messages were dropped for want of room, or because the broker would never take them.
    var dropped: UInt64 { state.withLock { $0.dropped } }
    /// The number of the oldest message.
    var firstNumber: UInt64 { state.withLock { $0.store.firstNumber } }

    /// Takes a message in.
    ///
    /// - Returns: whether the oldest went for it, as the first since the broker last took messages.
    @discardableResult
    func append(_ report: OutgoingReport) -> Bool {
        let isFirstDrop = state.withLock { state in
            let gone = state.store.append(report)
            defer { state.drop(gone) }
            return gone > 0 && state.droppedInEpisode == 0
        }
        wakeup.ring()
        return isFirstDrop
    }

    /// The broker takes messages again.
    ///
    /// - Returns: how many were dropped since it last did.
    func endEpisode() -> UInt64 {
        state.withLock { state in
            defer { state.droppedInEpisode = 0 }
            return state.droppedInEpisode
        }
    }

    /// The oldest message from this number on.
    func report(from number: UInt64) -> (number: UInt64, report: OutgoingReport)? {
        state.withLock { $0.store.report(from: number) }
    }

    /// The broker has a message.
    func confirmed(_ number: UInt64) {
        state.withLock { _ = $0.store.remove(number) }
    }

    /// Gives up a message, if it is still kept.
    func drop(_ number: UInt64) {
        state.withLock { state in
            if state.store.remove(number) { state.drop(1) }
        }
    }

    /// Keeps so many messages from now on.
    func setLimit(_ limit: Int) {
        state.withLock { state in
            state.drop(state.store.setLimit(limit))
        }
    }
}
#endif
