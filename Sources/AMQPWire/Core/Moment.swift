/// A point on the monotonic clock, in nanoseconds from an arbitrary start.
///
/// The core never asks for the time: whoever drives it says what time it is.
struct Moment: Hashable, Comparable, Sendable {
    var nanoseconds: UInt64

    static func < (left: Moment, right: Moment) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// The moment `duration` later; at the end of time where that is too far, unchanged where it is negative.
    func advanced(by duration: Duration) -> Moment {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(duration.wholeNanoseconds)
        return Moment(nanoseconds: overflow ? .max : sum)
    }

    /// How long it is from `earlier` to here; zero where it is not earlier.
    func since(_ earlier: Moment) -> Duration {
        .nanoseconds(Int64(clamping: nanoseconds > earlier.nanoseconds ? nanoseconds &- earlier.nanoseconds : 0))
    }
}

extension Duration {
    /// Nanoseconds, bounded to 0 ... 2^64 - 1.
    var wholeNanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (scaled, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return .max }
        let (sum, tooMuch) = scaled.addingReportingOverflow(UInt64(attoseconds / 1_000_000_000))
        return tooMuch ? .max : sum
    }
}
