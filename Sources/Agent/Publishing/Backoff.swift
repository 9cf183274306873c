#if Agent
/// The pauses between attempts: each twice as long as the one before, up to a cap, and varied so that many machines do not come
/// back at the same moment.
struct Backoff: Sendable {
    let first: Duration
    let longest: Duration?
    private var attempts = 0

    /// The longest pause unless it is configured, or the first is longer: a minute.
    static let usualLongest = Duration.seconds(60)
    /// What the pauses grow from, and are at least, where the first is 0: half of this pause is none at all.
    private static let least = Duration.milliseconds(250)

    /// - Parameters:
    ///   - first: the first pause, before it is varied. After 0 come 0.5 s and its doubles.
    ///   - longest: what the pauses grow to; one that is not longer than `first` makes all pauses `first`, unvaried. Nil: a
    ///     minute.
    init(first: Duration, longest: Duration? = nil) {
        self.first = first
        self.longest = longest
    }

    /// The next pause. It is varied by up to a fifth, up or down.
    mutating func next(using random: inout some RandomNumberGenerator) -> Duration {
        defer { attempts += 1 }
        if first == .zero, attempts == 0 { return .zero }
        let base = first == .zero ? Self.least : first
        if let longest, longest <= base { return base }
        let doublings = min(attempts, 30)
        let pause = min(max(base, longest ?? Self.usualLongest), base * (1 << doublings))
        return pause * Double.random(in: 0.8...1.2, using: &random)
    }

    mutating func reset() { attempts = 0 }
}
#endif
