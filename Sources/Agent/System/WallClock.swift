#if Agent
import Glibc

/// The time of day. It may jump; only to be shown and sent, never to measure with.
enum WallClock {
    /// The seconds since 1970.
    static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// The whole seconds since 1970; 0 before.
    static func seconds() -> UInt64 { UInt64(max(0, now())) }
}
#endif
