/// Counts the attempts to connect, and decides how long to pause before the next and when to give up. Has no clock.
struct RecoveryAttempts {
    private let recovery: AMQPConfiguration.Recovery
    /// Attempts that were paused for, the present one included.
    private(set) var count = 0
    private var failures = 0
    private var permanentFailures = 0
    private var nextPause: Duration

    init(_ recovery: AMQPConfiguration.Recovery) {
        self.recovery = recovery
        nextPause = recovery.firstPause
    }

    /// The pause before the next attempt.
    mutating func pause(because error: AMQPError) -> Duration {
        count += 1
        if let pause = recovery.pause { return max(pause(count, error), .zero) }
        defer { nextPause = min(nextPause * 2, recovery.longestPause) }
        return nextPause.varied(by: recovery.jitter)
    }

    /// Notes that an attempt failed, and whether it will until somebody changes something. Returns the error to give up with, nil if there is to be another attempt.
    mutating func failed(_ error: AMQPError, isPermanent: Bool) -> AMQPError? {
        failures += 1
        permanentFailures = isPermanent ? permanentFailures + 1 : 0
        let isHopeless = recovery.permanentFailures.map { permanentFailures >= max(1, $0) } ?? false
        let isExhausted = recovery.maxAttempts.map { failures >= max(1, $0) } ?? false
        guard isHopeless || isExhausted else { return nil }
        let count = isHopeless ? permanentFailures : failures
        var error = error
        error.message = "given up after \(count == 1 ? "1 attempt" : "\(count) attempts"): \(error.message)"
        return error
    }
}

extension Duration {
    /// The duration, up to the given part longer or shorter.
    fileprivate func varied(by part: Double) -> Duration {
        self * Double.random(in: (1 - min(max(part, 0), 1))...(1 + min(max(part, 0), 1)))
    }
}
