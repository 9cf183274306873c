#if Agent
/// The pauses between attempts: each twice as long as the one before, up to a cap, and varied so that many machines do not come
/// back at the same moment.
struct Backoff: Sendable {
    let first: Duration
    private let longest: Duration
    private var attempts = 0

    /// The longest pause, unless the first is longer: a minute.
    static let usualLongest = Duration.seconds(60)

    /// - Parameter first: the first pause, before it is varied. After 0 come 0.5 s and its doubles.
    init(first: Duration) {
        self.first = first
        longest = max(first, Self.usualLongest)
    }

    /// The next pause. It is varied by up to a fifth, up or down.
    mutating func next(using random: inout some RandomNumberGenerator) -> Duration {
        defer { attempts += 1 }
        if first == .zero, attempts == 0 { return .zero }
        let base = first == .zero ? Duration.milliseconds(250) : first
        let doublings = min(attempts, 30)
        let pause = min(longest, base * (1 << doublings))
        return pause * Double.random(in: 0.8...1.2, using: &random)
    }

    mutating func reset() { attempts = 0 }
}
#endif
