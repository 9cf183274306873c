#if Agent
/// When each of several things is due that recur at intervals of their own.
///
/// All stand on one grid that begins at the origin, so that what has the same interval is due at the same moment, and stays
/// so. What was missed is not made up for: after a pause each is due once, and then on the grid again. Knows no clock.
struct Schedule {
    typealias Instant = SuspendingClock.Instant

    private struct Entry {
        var interval: Duration
        /// How many intervals after the origin it is due next.
        var step: Int
        var next: Instant
    }

    private let origin: Instant
    private var entries: [Entry]

    /// - Parameters:
    ///   - intervals: each more than 0.
    ///   - origin: when everything is due for the first time.
    init(intervals: [Duration], origin: Instant) {
        self.origin = origin
        entries = intervals.map { Entry(interval: max($0, .milliseconds(1)), step: 0, next: origin) }
    }

    /// When something is due next; nil if there is nothing.
    var next: Instant? { entries.lazy.map(\.next).min() }

    /// The places of what is due now, which is due again at the next moment of its grid that lies ahead.
    mutating func takeDue(at now: Instant) -> [Int] {
        var due: [Int] = []
        for index in entries.indices where entries[index].next <= now {
            due.append(index)
            let passed = Int((origin.duration(to: now) / entries[index].interval).rounded(.down))
            // Never the same step again, however the division came out.
            entries[index].step = max(entries[index].step, passed) + 1
            entries[index].next = origin.advanced(by: entries[index].interval * entries[index].step)
        }
        return due
    }
}
#endif
