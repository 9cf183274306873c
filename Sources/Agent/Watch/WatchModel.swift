#if Agent
/// What is known of all hosts that were heard of, in bounded memory. Knows nothing of brokers, terminals or clocks.
struct WatchModel: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// By what the rows are sorted.
    enum Order: Hashable, Sendable, CaseIterable {
        case hostname, age, cpu, mem, temperature
    }

    /// How many hosts are kept; those silent for longest go first.
    let limit: Int
    /// By hostname as it came.
    private(set) var hosts: [String: WatchHost] = [:]
    private(set) var order = Order.hostname
    private(set) var isReversed = false
    /// What the broker connection is doing.
    var link = WatchLink.connecting
    /// Messages that were passed over.
    private(set) var unreadableCount = 0
    /// Hosts that were dropped for others.
    private(set) var forgottenCount = 0
    private var rate = RateMeter()

    init(limit: Int = 10_000) {
        self.limit = max(1, limit)
    }

    /// Takes what a message says.
    mutating func received(_ message: WatchMessage, at now: Instant) {
        rate.count(at: now)
        if let index = hosts.index(forKey: message.hostname) {
            hosts.values[index].received(message, at: now)
            return
        }
        if hosts.count >= limit { forgetOldest() }
        hosts[message.hostname] = WatchHost(message, at: now)
    }

    /// Counts a message that could not be read.
    mutating func receivedUnreadable(at now: Instant) {
        rate.count(at: now)
        unreadableCount &+= 1
    }

    /// Sorts by something; by what it is sorted by already, the other way round.
    mutating func sort(by order: Order) {
        isReversed = order == self.order ? !isReversed : false
        self.order = order
    }

    /// Messages a second, of late.
    func messagesPerSecond(at now: Instant) -> Double {
        rate.perSecond(at: now)
    }

    /// How many hosts have been silent for longer than they usually are.
    func silentCount(at now: Instant) -> Int {
        hosts.values.count { $0.isSilent(at: now) }
    }

    /// The names of all hosts as they are to be shown. Those of which is not known what is sorted by come last, either way
    /// round.
    func sortedNames() -> [String] {
        let latest = order == .age ? hosts.values.lazy.map(\.lastArrival).max() : nil
        // Hosts are large, and moved often while they are sorted.
        let keys = hosts.values.map { host in
            let value: Double? =
                switch order {
                case .hostname: nil
                // The oldest has the greatest age, whatever the time is.
                case .age: latest.map { host.age(at: $0) }
                case .cpu: host.cpuMean
                case .mem: host.mem
                case .temperature: host.temperature
                }
            return (name: host.name, value: value)
        }
        let areNamesReversed = isReversed && order == .hostname
        return keys.sorted { left, right in
            if let first = precedes(left.value, right.value) { return first }
            return areNamesReversed ? left.name > right.name : left.name < right.name
        }.map(\.name)
    }

    /// Whether the left comes first; nil where both are the same.
    private func precedes(_ left: Double?, _ right: Double?) -> Bool? {
        switch (left, right) {
        case (nil, nil): nil
        case (_?, nil): true
        case (nil, _?): false
        case (let left?, let right?): left == right ? nil : (left > right) != isReversed
        }
    }

    /// Makes room for some more hosts at once, since finding the oldest means to look at all.
    private mutating func forgetOldest() {
        let count = max(1, limit / 100)
        let oldest = hosts.values.map { ($0.lastArrival, $0.name) }.sorted { $0.0 < $1.0 }.prefix(count)
        for (_, name) in oldest { hosts[name] = nil }
        forgottenCount &+= oldest.count
    }
}
#endif
