import Glibc

/// A moment until which something has to be done, on the monotonic clock: setting the time of day does not move it, and
/// while the machine is suspended it stands still.
struct Deadline: Sendable {
    /// Since the clock's zero.
    private let moment: Duration

    /// The moment that lies `time` ahead; an already past one for times below zero.
    init(after time: Duration) {
        // Thirty years are for ever, and do not overflow.
        moment = Self.now + min(max(time, .zero), .seconds(1 << 30))
    }

    private static var now: Duration {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return .seconds(now.tv_sec) + .nanoseconds(now.tv_nsec)
    }

    var hasPassed: Bool { moment <= Self.now }

    /// The time left, zero when it has passed.
    var remaining: Duration { max(moment - Self.now, .zero) }

    /// The time left in milliseconds, rounded up, as poll(2) takes it.
    var remainingMilliseconds: Int32 {
        let (seconds, attoseconds) = remaining.components
        return Int32(clamping: seconds * 1_000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }

    /// The moment as CLOCK_MONOTONIC counts it.
    var absoluteTime: timespec {
        let (seconds, attoseconds) = moment.components
        return timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
    }

    /// The one that comes first.
    static func earlier(_ one: Deadline?, _ other: Deadline?) -> Deadline? {
        guard let one, let other else { return one ?? other }
        return one.moment <= other.moment ? one : other
    }
}
