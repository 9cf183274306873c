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
/// A driver can keep a reading waiting (that of `acpitz` runs the mainboard's own program), so it is taken on a thread of its own,
/// under a deadline; a driver that does not answer is not asked again until it came back.
///
/// Source: Documentation/hwmon/sysfs-interface.rst, coretemp.rst and k10temp.rst, Documentation/driver-api/thermal/sysfs-api.rst
/// of the kernel.
public final class CPUTemperatureCollector: Collector {
    public static let name = "cpu_temp"

    private let search: CPUTemperatureSearch
    private let deadline: Duration
    private let worker = BlockingWorker(name: "cpu_temp")

    /// - Parameter deadline: how long a reading may take.
    public init(root: SystemRoot = .running, deadline: Duration = .seconds(10)) {
        search = CPUTemperatureSearch(root: root)
        self.deadline = deadline
    }

    /// - Throws: when there are sensors and none of them can be read; when a driver does not answer.
    public func read(at now: SuspendingClock.Instant) throws(CollectorError) -> CPUTemperatureSample? {
        try worker.read(search, at: now, within: deadline, source: search.path)
    }
}
