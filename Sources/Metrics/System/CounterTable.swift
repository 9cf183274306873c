/// The counters of each device at the latest reading, by name, to compare the next reading with.
///
/// A device that has a name which another one had before is not that one: where the kernel's number of a device is known, it has
/// to be the same, too.
///
/// A device keeps its place from one reading to the next, mostly, so it is looked for there first. Memory is kept. Knows
/// nothing of what the counters count.
struct CounterTable<Counters> {
    private struct Row {
        var name: String
        var number: UInt64?
        var counters: Counters
    }

    private var rows: [Row] = []
    private var previousRows: [Row] = []
    private var expected = 0
    /// Where each device was at the previous reading; made when one is not where it was expected.
    private var places: [String: Int]?
    private var moment: SuspendingClock.Instant?

    /// How many devices there are.
    var count: Int { rows.count }

    /// Their names.
    var names: some Sequence<String> { rows.lazy.map(\.name) }

    /// Forgets all.
    mutating func removeAll() {
        rows.removeAll(keepingCapacity: true)
        previousRows.removeAll(keepingCapacity: true)
        moment = nil
    }

    /// The seconds from the latest reading to `now`; nil where there was none. Not above 0 where the clock says so.
    func seconds(until now: SuspendingClock.Instant) -> Double? {
        guard let moment else { return nil }
        let (seconds, attoseconds) = moment.duration(to: now).components
        return Double(seconds) + Double(attoseconds) / 1e18
    }

    /// Makes the latest reading the previous one. `record` is to be called for each device then.
    mutating func startReading(at now: SuspendingClock.Instant) {
        swap(&rows, &previousRows)
        rows.removeAll(keepingCapacity: true)
        expected = 0
        places = nil
        moment = now
    }

    /// Keeps the counters of a device; those that it had at the previous reading, nil if it was not there.
    ///
    /// - Parameter number: the kernel's number of the device; nil where it is not known.
    mutating func record(_ name: String, number: UInt64? = nil, _ counters: Counters) -> Counters? {
        rows.append(Row(name: name, number: number, counters: counters))
        if expected >= previousRows.count || previousRows[expected].name != name {
            guard let found = place(of: name) else { return nil }
            expected = found
        }
        defer { expected += 1 }
        let before = previousRows[expected]
        if let number, let earlier = before.number, number != earlier { return nil }
        return before.counters
    }

    private mutating func place(of name: String) -> Int? {
        if previousRows.isEmpty { return nil }
        if let places { return places[name] }
        let places = Dictionary(previousRows.indices.map { (previousRows[$0].name, $0) }) { first, _ in first }
        self.places = places
        return places[name]
    }
}

extension UInt64 {
    /// What the counter grew by, by the second; nil if it fell.
    func rate(since before: UInt64, seconds: Double) -> Double? {
        self < before ? nil : Double(self &- before) / seconds
    }
}
