/// Keeps messages in the order in which they came, until they are confirmed.
///
/// Each has a number, one higher than that of the message before it. Numbers stay when messages are dropped.
protocol ReportStore {
    /// The number of the oldest message kept; that of the next to come where none is.
    var firstNumber: UInt64 { get }
    /// How many messages are kept.
    var count: Int { get }

    /// Takes a message in. Where there is no room, the oldest go.
    ///
    /// - Returns: how many messages went.
    mutating func append(_ report: OutgoingReport) -> Int

    /// The message of a number, if it is kept.
    func report(_ number: UInt64) -> OutgoingReport?

    /// Forgets all messages up to this number.
    mutating func remove(through number: UInt64)
}

/// Keeps messages in memory; they do not outlive the process.
struct MemoryStore: ReportStore {
    private(set) var firstNumber: UInt64 = 0
    private var reports: [OutgoingReport?] = []
    /// Where in `reports` the oldest stands.
    private var start = 0
    private var limit: Int

    /// - Parameter limit: how many are kept, at least 1.
    init(limit: Int) {
        self.limit = max(1, limit)
    }

    var count: Int { reports.count - start }

    mutating func append(_ report: OutgoingReport) -> Int {
        reports.append(report)
        return trim()
    }

    func report(_ number: UInt64) -> OutgoingReport? {
        guard number >= firstNumber, number - firstNumber < UInt64(count) else { return nil }
        return reports[start + Int(number - firstNumber)]
    }

    mutating func remove(through number: UInt64) {
        guard number >= firstNumber else { return }
        removeFirst(Int(clamping: min(number - firstNumber, UInt64(count)) &+ 1))
    }

    /// Keeps so many from now on.
    ///
    /// - Returns: how many of the oldest went.
    mutating func setLimit(_ limit: Int) -> Int {
        self.limit = max(1, limit)
        return trim()
    }

    private mutating func trim() -> Int {
        let excess = max(0, count - limit)
        removeFirst(excess)
        return excess
    }

    private mutating func removeFirst(_ wanted: Int) {
        let removed = min(wanted, count)
        for index in start..<(start + removed) { reports[index] = nil }
        start += removed
        firstNumber += UInt64(removed)
        // Moved down now and then, so that the places of what left do not add up.
        if start > 64, start * 2 > reports.count {
            reports.removeFirst(start)
            start = 0
        }
    }
}
