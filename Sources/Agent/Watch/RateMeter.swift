#if Agent
/// Messages a second over the last ten seconds.
struct RateMeter: Sendable {
    typealias Instant = ContinuousClock.Instant

    private static let span = 10
    private var counts = [Int](repeating: 0, count: span)
    private var start: Instant?
    /// The second, from the start, that the last count belongs to.
    private var second: Int64 = 0

    mutating func count(at now: Instant) {
        let first = start ?? now
        start = first
        advance(to: max(second, first.duration(to: now).components.seconds))
        counts[Int(second % Int64(Self.span))] &+= 1
    }

    /// The mean of the last ten seconds, or of all that have gone by so far where those are fewer.
    func perSecond(at now: Instant) -> Double {
        guard let start else { return 0 }
        var current = self
        let elapsed = max(second, start.duration(to: now).components.seconds)
        current.advance(to: elapsed)
        return Double(current.counts.reduce(0, &+)) / Double(min(Int64(Self.span), elapsed + 1))
    }

    private mutating func advance(to second: Int64) {
        let steps = min(second - self.second, Int64(Self.span))
        for step in 0..<max(0, steps) {
            counts[Int((second - step) % Int64(Self.span))] = 0
        }
        self.second = second
    }
}
#endif
