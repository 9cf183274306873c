/// Looks for the sensors of the processor and reads the best of them, on the thread that asks.
final class CPUTemperatureSearch: Collector {
    static let name = CPUTemperatureCollector.name

    /// Where most of them are, for errors.
    var path: String { hwmon.path }

    private let hwmon: HwmonTree
    private let zones: String
    private var choices: [CPUTemperatureChoice] = []
    private var discovered: SuspendingClock.Instant?
    private var fingerprint: UInt64 = 0

    init(root: SystemRoot) {
        hwmon = HwmonTree(root: root)
        zones = root.sys + "/class/thermal"
    }

    /// - Throws: when there are sensors and none of them can be read.
    func read(at now: SuspendingClock.Instant) throws(CollectorError) -> CPUTemperatureSample? {
        if discovered.map({ now - $0 >= .seconds(60) || now < $0 }) ?? true { try discover(at: now) }
        if let sample = firstChoice() { return sample }
        if try latestFingerprint() != fingerprint {
            try discover(at: now)
            if let sample = firstChoice() { return sample }
        }
        return try anyChoice()
    }

    private func latestFingerprint() throws(CollectorError) -> UInt64 {
        try SystemFolder.fingerprint(of: hwmon.path) &* 31 &+ SystemFolder.fingerprint(of: zones)
    }

    private func discover(at now: SuspendingClock.Instant) throws(CollectorError) {
        choices.removeAll(keepingCapacity: true)
        discovered = nil
        fingerprint = try latestFingerprint()
        choices = try CPUTemperatureChoice.all(chips: hwmon.chips(), zones: zones)
        discovered = now
    }

    private func firstChoice() -> CPUTemperatureSample? {
        do throws(CollectorError) {
            return try choices.first?.read()
        } catch {
            // The others are tried before it is said.
            return nil
        }
    }

    private func anyChoice() throws(CollectorError) -> CPUTemperatureSample? {
        var failure: CollectorError?
        for choice in choices {
            do throws(CollectorError) {
                if let sample = try choice.read() { return sample }
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        return nil
    }
}
