#if Agent
import Synchronization

/// Until when a part of the agent has promised its next step. Each wait of that part has a bound, which it names beforehand; to
/// wait for a broker is progress, as long as the next look at it comes in time.
final class Liveness: Sendable {
    typealias Instant = SuspendingClock.Instant

    private let due = Mutex<Instant?>(nil)

    /// What a step may take beyond its bound, on a machine that is busy.
    static let grace = Duration.seconds(30)

    /// A step was done; the next one comes within this time.
    func step(nextWithin time: Duration, now: Instant = .now) {
        due.withLock { $0 = now.advanced(by: time + Self.grace) }
    }

    /// There are no more steps.
    func end() {
        due.withLock { $0 = nil }
    }

    /// Whether the next step is not overdue.
    func isAlive(at now: Instant = .now) -> Bool {
        due.withLock { $0.map { now <= $0 } ?? true }
    }
}

/// Finds out whether the thread for tasks still comes round to new work.
final class ThreadProbe: Sendable {
    private let isAnswered = Mutex(true)
    private let thread: TaskThread

    init(_ thread: TaskThread) {
        self.thread = thread
    }

    /// Whether what was asked the last time has been answered, in which case it asks again.
    func isAlive() -> Bool {
        let wasAnswered = isAnswered.withLock { isAnswered in
            defer { isAnswered = false }
            return isAnswered
        }
        guard wasAnswered else { return false }
        _ = thread.setAlarm(at: .now) { [self] in isAnswered.withLock { $0 = true } }
        return true
    }
}
#endif
