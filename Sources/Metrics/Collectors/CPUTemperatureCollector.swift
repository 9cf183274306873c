/// How warm the processor is, as a whole.
public struct CPUTemperatureSample: Hashable, Sendable {
    /// Degrees Celsius, with up to three decimals.
    public var celsius: Double
    /// Where the value comes from: `coretemp Package id 0`, `k10temp Tdie`, `cpu-thermal`.
    public var sensor: String
}

/// Reads one temperature for the whole processor from `/sys/class/hwmon`, or else `/sys/class/thermal`. Absent where the machine
/// has none, as most virtual ones.
///
/// Of what the machine has, the first of these is taken:
///
/// 1. hwmon `coretemp`: `Package id N`, else `Physical id N`, else the hottest core
/// 2. hwmon `k10temp`, then `zenpower`: `Tdie`, else `Tctl`, which is above the real temperature on some, else the hottest
/// 3. hwmon `k8temp`, then `via_cputemp`: the hottest
/// 4. hwmon `cpu_thermal` and its like (`cpu0_thermal`), then `soc_thermal`
/// 5. thermal zones of the type `x86_pkg_temp`, then `cpu-thermal`, `cpu_thermal` and their like, then `soc-thermal`,
///    `bcm2835_thermal`
/// 6. hwmon `acpitz`, then the thermal zones of that type: what the mainboard's maker found worth measuring
///
/// Where several rank the same, as the packages of two sockets do, the hottest counts. One that is at fault, cannot be read, or
/// says something below -273 or above 250 degrees is passed over. What was found stays open; the machine is looked over again
/// once a minute, and, as long as the first choice gives no value, whenever a driver has come or gone.
///
/// Source: Documentation/hwmon/sysfs-interface.rst, coretemp.rst and k10temp.rst, Documentation/driver-api/thermal/sysfs-api.rst
/// of the kernel.
public final class CPUTemperatureCollector: Collector {
    public static let name = "cpu_temp"

    private let hwmon: HwmonTree
    private let zones: String
    private var choices: [CPUTemperatureChoice] = []
    private var discovered: SuspendingClock.Instant?
    private var fingerprint: UInt64 = 0

    public init(root: SystemRoot = .running) {
        hwmon = HwmonTree(root: root)
        zones = root.sys + "/class/thermal"
    }

    /// - Throws: when there are sensors and none of them can be read.
    public func read(at now: SuspendingClock.Instant) throws(CollectorError) -> CPUTemperatureSample? {
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
