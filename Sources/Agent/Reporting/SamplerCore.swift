#if Agent
/// Decides which reporters are asked when, and what of their readings goes into one report.
///
/// A tick asks all that are due, and its report leaves when the last of them has answered, or a short while after the tick:
/// a reporter that is slow holds up nobody. What comes later makes a report of its own. A reporter that has not answered by its
/// next tick is left out of that.
///
///     due ──> asked ──> answered ──> in the tick's report
///               │  └──> answered after the report left ──> a report of its own
///               └─────> due again before it answered ──> skipped, counted
///
/// Does no reading and knows no clock.
struct SamplerCore {
    typealias Instant = SuspendingClock.Instant

    /// What is to be sent: readings with their reporters' places, in the order of the reporters.
    struct Batch {
        var readings: [(reporter: Int, reading: Reading)]
        /// The seconds since 1970 of the tick that asked.
        var measuredAt: UInt64
    }

    private struct Tick {
        var number: Int
        var measuredAt: UInt64
        /// When its report leaves, whoever is missing.
        var closes: Instant
        var awaited: Set<Int>
        var readings: [(reporter: Int, reading: Reading)] = []
    }

    private var schedule: Schedule
    private let patience: Duration
    private let isCombined: Bool
    /// The tick that asked a reporter that has not answered.
    private var asked: [Int: (tick: Int, measuredAt: UInt64)] = [:]
    private var open: Tick?
    private(set) var tickCount = 0
    private var finished: [Batch] = []
    /// How often a reporter was due while it had not answered yet.
    private(set) var skipped = 0

    /// - Parameters:
    ///   - intervals: of the reporters, in their order.
    ///   - isCombined: whether a tick's readings leave together.
    ///   - patience: how long a tick's report waits for readings that are out; nil for what suits the intervals.
    ///   - origin: the moment of the first tick, which asks all.
    init(intervals: [Duration], isCombined: Bool, patience: Duration? = nil, origin: Instant) {
        schedule = Schedule(intervals: intervals, origin: origin)
        self.isCombined = isCombined
        let shortest = intervals.min() ?? .seconds(1)
        self.patience = patience ?? min(.milliseconds(250), shortest / 2)
    }

    /// When there is something to do; nil if never.
    var nextMoment: Instant? {
        guard let open else { return schedule.next }
        return schedule.next.map { min($0, open.closes) } ?? open.closes
    }

    /// The time has come to `now`: the reporters to be asked, if any are due.
    mutating func timePassed(to now: Instant, wallClock: UInt64) -> [Int] {
        if let tick = open, now >= tick.closes { close() }
        let due = schedule.takeDue(at: now)
        guard !due.isEmpty else { return [] }
        close()
        tickCount += 1
        var ready: [Int] = []
        for reporter in due {
            if asked[reporter] == nil {
                asked[reporter] = (tickCount, wallClock)
                ready.append(reporter)
            } else {
                skipped += 1
            }
        }
        if isCombined, !ready.isEmpty {
            open = Tick(
                number: tickCount,
                measuredAt: wallClock,
                closes: now.advanced(by: patience),
                awaited: Set(ready)
            )
        }
        return ready
    }

    /// A reporter that was asked has answered, or was given up.
    mutating func answered(_ reporter: Int, _ reading: Reading) {
        guard let asked = asked.removeValue(forKey: reporter) else { return }
        guard var tick = open, tick.number == asked.tick else {
            finished.append(Batch(readings: [(reporter, reading)], measuredAt: asked.measuredAt))
            return
        }
        tick.awaited.remove(reporter)
        tick.readings.append((reporter, reading))
        open = tick
        if tick.awaited.isEmpty { close() }
    }

    /// Whether a tick's report waits for readings that are out.
    var hasOpenTick: Bool { open != nil }

    /// Ends the tick under way, whoever is missing.
    mutating func finish() {
        close()
    }

    /// What is to be sent, oldest first.
    mutating func takeBatches() -> [Batch] {
        defer { finished = [] }
        return finished
    }

    private mutating func close() {
        guard let tick = open else { return }
        open = nil
        guard !tick.readings.isEmpty else { return }
        let inOrder = tick.readings.sorted { $0.reporter < $1.reporter }
        finished.append(Batch(readings: inOrder, measuredAt: tick.measuredAt))
    }
}
#endif
