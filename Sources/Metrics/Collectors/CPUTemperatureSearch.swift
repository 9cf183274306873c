/// Looks for the sensors of the processor and reads the best of them, on the thread that asks.
final class CPUTemperatureSearch: Collector {
    static let name = CPUTemperatureCollector.name

    /// What a reading came to.
    struct Sample: Sendable {
        var temperature: CPUTemperatureSample?
        var finding: CPUTemperatureCollector.Finding
    }

    /// Where most of them are, for errors.
    var path: String { hwmon.path }

    private let hwmon: HwmonTree
    private let zones: String
    /// The sensor that is to be read, if it is not to be looked for.
    private let wanted: String?
    private var choices: [CPUTemperatureChoice] = []
    /// All temperatures that the machine has.
    private var sensors: [CPUTemperatureChoice.Sensor] = []
    private var discovered: SuspendingClock.Instant?
    private var fingerprint: UInt64 = 0

    init(root: SystemRoot, sensor: String?) {
        hwmon = HwmonTree(root: root)
        zones = root.sys + "/class/thermal"
        wanted = sensor
    }

    /// - Throws: when there are sensors and none of them can be read, and when there is none of the name that is wanted.
    func read(at now: SuspendingClock.Instant) throws(CollectorError) -> Sample? {
        if discovered.map({ now - $0 >= .seconds(60) || now < $0 }) ?? true { try discover(at: now) }
        if let sample = firstChoice() { return sample }
        if try latestFingerprint() != fingerprint {
            try discover(at: now)
            if let sample = firstChoice() { return sample }
        }
        if choices.isEmpty, let wanted { throw CollectorError(source: wanted, reason: .notFound(missing)) }
        return try anyChoice() ?? Sample(temperature: nil, finding: .nothing(absence))
    }

    private func latestFingerprint() throws(CollectorError) -> UInt64 {
        try SystemFolder.fingerprint(of: hwmon.path) &* 31 &+ SystemFolder.fingerprint(of: zones)
    }

    private func discover(at now: SuspendingClock.Instant) throws(CollectorError) {
        choices.removeAll(keepingCapacity: true)
        discovered = nil
        fingerprint = try latestFingerprint()
        sensors = try CPUTemperatureChoice.sensors(chips: hwmon.chips(), zones: zones)
        if let wanted {
            choices = CPUTemperatureChoice.called(wanted, sensors).map { [$0] } ?? []
        } else {
            choices = CPUTemperatureChoice.all(sensors)
        }
        discovered = now
    }

    private func firstChoice() -> Sample? {
        do throws(CollectorError) {
            return try choices.first?.read().map(Self.sample)
        } catch {
            // The others are tried before it is said.
            return nil
        }
    }

    private func anyChoice() throws(CollectorError) -> Sample? {
        var failure: CollectorError?
        for choice in choices {
            do throws(CollectorError) {
                if let reading = try choice.read() { return Self.sample(reading) }
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        return nil
    }

    private static func sample(_ reading: (sensor: CPUTemperatureChoice.Sensor, celsius: Double)) -> Sample {
        Sample(
            temperature: CPUTemperatureSample(celsius: reading.celsius, sensor: reading.sensor.name),
            finding: .sensor(device: reading.sensor.device, name: reading.sensor.name)
        )
    }

    /// Why nothing is reported, for people.
    private var absence: String {
        if sensors.isEmpty { return "there is no sensor of a temperature below \(hwmon.path) and \(zones)" }
        if let choice = choices.first {
            return "\(Self.names(choice.sensors)) says what no processor can have"
        }
        return
            "none of the sensors says that it is the processor's (\(Self.names(sensors))); one can be chosen by its name"
    }

    private var missing: String {
        sensors.isEmpty
            ? "there is no such sensor, nor any other" : "there is no such sensor; there are \(Self.names(sensors))"
    }

    /// The names in lists, the first ten.
    private static func names(_ sensors: [CPUTemperatureChoice.Sensor]) -> String {
        let shown = sensors.prefix(10).map(\.device).joined(separator: ", ")
        return sensors.count > 10 ? "\(shown) and \(sensors.count - 10) more" : shown
    }
}
