#if Agent
/// What is known of one host: the last of each value, and how the load went. What comes from messages is neutralised.
struct WatchHost: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// The name as it came, to tell hosts apart.
    let name: String
    /// The name as it can be shown.
    let shownName: String
    private(set) var lastArrival: Instant
    /// When the last message left the host, by its timestamp; when it came, where that says nothing.
    private var lastDeparture: Instant
    private(set) var cpu: [Double] = []
    private(set) var cpuHistory = History()
    private(set) var mem: Double?
    private(set) var temperature: Double?
    private(set) var addresses: [String] = []
    private var uptime: (seconds: Double, at: Instant)?
    /// The longest time between two messages of late, in seconds.
    private var usualGap = 0.0

    /// How long any host may be silent before that is shown, in seconds.
    private static let patience = 10.0
    /// Longer gaps say nothing of how often the host sends, in seconds.
    private static let longestGap = 600.0

    /// A host that was not heard of before.
    init(_ message: WatchMessage, at now: Instant) {
        name = message.hostname
        let shown = DisplayText(name)
        shownName = shown.width == 0 ? "?" : shown.string
        lastArrival = now
        lastDeparture = now - message.delay
        received(message, at: now)
    }

    var cpuMean: Double? { cpu.isEmpty ? nil : cpu.reduce(0, +) / Double(cpu.count) }

    /// Seconds since what is known of the host was measured, as far as messages say so: what waited in a buffer is old when it
    /// comes.
    func age(at now: Instant) -> Double {
        max(0, lastDeparture.duration(to: now) / .seconds(1))
    }

    /// Whether nothing has come for much longer than usual. Other than the age it does not depend on the host's clock.
    func isSilent(at now: Instant) -> Bool {
        silence(at: now) > max(Self.patience, 3 * usualGap)
    }

    private func silence(at now: Instant) -> Double {
        max(0, lastArrival.duration(to: now) / .seconds(1))
    }

    /// Seconds since the host was started: what it said last, and the time since then, while it is heard of.
    func uptime(at now: Instant) -> Double? {
        guard let uptime else { return nil }
        return uptime.seconds + max(0, uptime.at.duration(to: isSilent(at: now) ? lastArrival : now) / .seconds(1))
    }

    mutating func received(_ message: WatchMessage, at now: Instant) {
        // A host may send several messages at once and then none for long.
        usualGap = max(min(silence(at: now), Self.longestGap), usualGap * 0.9)
        lastArrival = now
        let departure = now - message.delay
        lastDeparture = max(lastDeparture, departure)
        if !message.cpu.isEmpty {
            cpu = message.cpu
            if let mean = cpuMean { cpuHistory.append(mean) }
        }
        mem = message.mem ?? mem
        temperature = message.temperature ?? temperature
        if let seconds = message.uptime { uptime = (seconds, departure) }
        if let addresses = message.addresses {
            self.addresses = addresses.map { DisplayText($0, limit: 64).string }
        }
    }
}
#endif
