#if Agent
/// Decides which of many failures in a row are worth a line in the log: each new reason once, and then ever fewer.
struct OutageLog {
    /// What to write, if anything.
    enum Line: Equatable {
        case nothing
        /// The first failure, or the first for this reason.
        case first(String)
        /// One of many: so many failures since it last worked.
        case still(String, failures: Int)
    }

    /// Failures since it last worked.
    private(set) var failures = 0
    private var reasons: Set<String> = []
    private var nextMention = 10

    /// It failed.
    mutating func failed(_ reason: String) -> Line {
        failures += 1
        // Reasons with changing parts in them would defeat the purpose: their number is bounded.
        if reasons.count < 8, reasons.insert(reason).inserted { return .first(reason) }
        guard failures >= nextMention else { return .nothing }
        nextMention = failures * 10
        return .still(reason, failures: failures)
    }
}
#endif
