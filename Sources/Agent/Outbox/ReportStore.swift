#if Agent
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
    /// - Returns: the numbers of those that went.
    mutating func append(_ report: OutgoingReport) -> [UInt64]

    /// The oldest message from a number on.
    func report(from number: UInt64) -> (number: UInt64, report: OutgoingReport)?

    /// Forgets a message.
    ///
    /// - Returns: whether it was kept.
    @discardableResult
    mutating func remove(_ number: UInt64) -> Bool
}

/// Keeps messages in memory; they do not outlive the process.
struct MemoryStore: ReportStore {
    private(set) var firstNumber: UInt64 = 0
    private(set) var count = 0
    /// From `start` on, by their numbers. The oldest is there, behind it some may be missing.
    private var reports: [OutgoingReport?] = []
    /// Where in `reports` the oldest stands.
    private var start = 0
    private var limit: Int

    /// - Parameter limit: how many are kept, at least 1.
    init(limit: Int) {
        self.limit = max(1, limit)
    }

    /// The number of the next message to come.
    var endNumber: UInt64 { firstNumber + UInt64(reports.count - start) }

    /// Whether a message is kept.
    func holds(_ number: UInt64) -> Bool { index(of: number).map { reports[$0] != nil } ?? false }

    mutating func append(_ report: OutgoingReport) -> [UInt64] {
        reports.append(report)
        count += 1
        return trim()
    }

    func report(from number: UInt64) -> (number: UInt64, report: OutgoingReport)? {
        guard let first = index(of: max(number, firstNumber)) else { return nil }
        for index in first..<reports.endIndex {
            if let report = reports[index] { return (firstNumber + UInt64(index - start), report) }
        }
        return nil
    }

    @discardableResult
    mutating func remove(_ number: UInt64) -> Bool {
        guard let index = index(of: number), reports[index] != nil else { return false }
        reports[index] = nil
        count -= 1
        skipMissing()
        return true
    }

    /// Keeps so many from now on.
    ///
    /// - Returns: the numbers of the oldest, which went.
    mutating func setLimit(_ limit: Int) -> [UInt64] {
        self.limit = max(1, limit)
        return trim()
    }

    private func index(of number: UInt64) -> Int? {
        guard number >= firstNumber, number - firstNumber < UInt64(reports.count - start) else { return nil }
        return start + Int(number - firstNumber)
    }

    private mutating func trim() -> [UInt64] {
        var gone: [UInt64] = []
        while count > limit {
            gone.append(firstNumber)
            remove(firstNumber)
        }
        return gone
    }

    private mutating func skipMissing() {
        while start < reports.endIndex, reports[start] == nil {
            start += 1
            firstNumber += 1
        }
        // Moved down now and then, so that the places of what left do not add up.
        if start > 64, start * 2 > reports.count {
            reports.removeFirst(start)
            start = 0
        }
    }
}
#endif
