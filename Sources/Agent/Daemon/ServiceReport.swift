#if Agent
/// Decides what the service manager is told, and when: that the agent is ready, how it does, that it makes progress.
///
/// Sends nothing and knows no clock.
struct ServiceReport {
    typealias Instant = SuspendingClock.Instant

    /// How the agent does.
    struct Condition {
        /// Whether it collects: the first readings have been taken.
        var isCollecting: Bool
        /// Finds out whether all its parts make progress.
        var isAlive: () -> Bool
        /// What the broker has to do with it: told at once when it changes.
        var broker: String
        /// Counts, which change all the time.
        var counts: String
    }

    private let watchdogInterval: Duration?
    private var isReady = false
    private var told: (broker: String, counts: String) = ("", "")
    private var nextStatus: Instant
    private var nextFeeding: Instant

    /// How often counts are told.
    static let statusInterval = Duration.seconds(10)

    init(watchdogInterval: Duration?, now: Instant) {
        self.watchdogInterval = watchdogInterval
        nextStatus = now
        nextFeeding = now
    }

    /// When there is something to tell at the latest.
    var nextMoment: Instant { watchdogInterval == nil ? nextStatus : min(nextStatus, nextFeeding) }

    /// What is to be told now.
    mutating func assignments(_ condition: Condition, now: Instant) -> [String] {
        var assignments: [String] = []
        if condition.isCollecting, !isReady {
            isReady = true
            assignments.append("READY=1")
        }
        let hasChanged = condition.broker != told.broker
        if hasChanged || now >= nextStatus {
            nextStatus = now.advanced(by: Self.statusInterval)
            if hasChanged || condition.counts != told.counts {
                told = (condition.broker, condition.counts)
                assignments.append("STATUS=\(condition.broker); \(condition.counts)")
            }
        }
        if let watchdogInterval, now >= nextFeeding {
            let isAlive = condition.isAlive()
            // Half the time, as sd_watchdog_enabled(3) advises; and again soon where there was no progress.
            nextFeeding = now.advanced(by: max(watchdogInterval / (isAlive ? 2 : 8), .milliseconds(10)))
            if isAlive { assignments.append("WATCHDOG=1") }
        }
        return assignments
    }
}
#endif
