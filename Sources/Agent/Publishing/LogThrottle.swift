#if Agent
/// Lets so many lines of one kind into the log in a minute, and then only their number: what a peer does cannot fill the disk.
struct LogThrottle {
    typealias Instant = SuspendingClock.Instant

    /// Lines in a minute.
    static let limit = 10
    private static let interval = Duration.seconds(60)

    private var intervalEnd: Instant?
    private var admitted = 0
    private var omitted = 0

    /// Another line would be written.
    ///
    /// - Returns: nil where it is to be left out, else what to put behind it: nothing, or how many were left out before it.
    mutating func admit(now: Instant) -> String? {
        if intervalEnd.map({ now >= $0 }) ?? true {
            intervalEnd = now.advanced(by: Self.interval)
            admitted = 0
        }
        guard admitted < Self.limit else {
            omitted += 1
            return nil
        }
        admitted += 1
        defer { omitted = 0 }
        return omitted == 0 ? "" : " (left out before this: \(omitted) lines of its kind)"
    }
}
#endif
