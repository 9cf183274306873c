import Synchronization

/// Runs work that may block for long (a name lookup, reading certificates) on short-lived threads, a bounded number at once.
///
/// A thread runs what waits and then ends: with nothing to do there is no thread. An errand cannot be interrupted, only
/// forgotten: whoever gave it must be content to drop its result.
final class ErrandPool: Sendable {
    /// For the connections of the process. The number bounds what a name service that hangs can hold of the machine.
    static let shared = ErrandPool(limit: 16)

    /// One piece of work handed in.
    struct Ticket: Hashable, Sendable {
        fileprivate var number: UInt64
    }

    private struct State {
        var running = 0
        var nextNumber: UInt64 = 0
        /// Handed in, not begun; oldest first.
        var waiting: [(ticket: Ticket, work: @Sendable () -> Void)] = []
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) {
        self.limit = limit
    }

    /// How many threads run now.
    var threadCount: Int { state.withLock { $0.running } }

    /// Has `work` done on a thread of its own, as soon as fewer than the limit run.
    ///
    /// - Throws: the error number for which no thread could be started.
    func run(_ work: @escaping @Sendable () -> Void) throws(ThreadError) -> Ticket {
        let (ticket, mustStart) = state.withLock { state in
            let ticket = Ticket(number: state.nextNumber)
            state.nextNumber &+= 1
            state.waiting.append((ticket, work))
            let mustStart = state.running < limit
            if mustStart { state.running += 1 }
            return (ticket, mustStart)
        }
        guard mustStart else { return ticket }
        // 256 KiB: glibc's resolver and the modules of nsswitch.conf keep their buffers on the stack.
        let failure = PosixThread.start(name: "amqpwire-errand", stackSize: 256 << 10) { self.work() }
        guard failure != 0 else { return ticket }
        let taken = state.withLock { state in
            state.running -= 1
            return Self.remove(ticket, from: &state)
        }
        // Another thread may have taken it meanwhile.
        if taken { throw ThreadError(errno: failure) }
        return ticket
    }

    /// Takes back what has not begun; what has begun runs to its end.
    func forget(_ ticket: Ticket) {
        state.withLock { _ = Self.remove(ticket, from: &$0) }
    }

    struct ThreadError: Error {
        var errno: Int32
    }

    private static func remove(_ ticket: Ticket, from state: inout State) -> Bool {
        guard let index = state.waiting.firstIndex(where: { $0.ticket == ticket }) else { return false }
        state.waiting.remove(at: index)
        return true
    }

    private func work() {
        while true {
            let work = state.withLock { state -> (@Sendable () -> Void)? in
                guard state.waiting.isEmpty else { return state.waiting.removeFirst().work }
                state.running -= 1
                return nil
            }
            guard let work else { return }
            work()
        }
    }
}
