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
/// 1. hwmon `coretemp`: `Package id N`, else `Physical id N`, else a label that says package, else the hottest core
/// 2. hwmon `k10temp`, then `zenpower`: `Tdie`, else `Tctl`, which is above the real temperature on some, else the hottest
/// 3. hwmon `k8temp`, then `via_cputemp`: the hottest
/// 4. any other chip of hwmon whose name says package, else CPU, else SoC; then thermal zones whose types say so
/// 5. chips, then zones, whose names say core, cluster, big or little: the hottest
/// 6. chips of the mainboard's with labels that say one of these
/// 7. what just says that it is a temperature (`imx_thermal_zone`), if that is the only one of its kind
/// 8. hwmon `acpitz`, then the thermal zones of that type: what the mainboard's maker found worth measuring
///
/// A name that says something else as well is never taken: gpu, battery, pmic, ddr, nvme, wifi and their like. The words of a
/// name count, not whole names, since each board has its own.
///
/// Where several rank the same, as the packages of two sockets do, the hottest counts. One that is at fault, cannot be read, or
/// says what no processor can have, below -60 or above 150 degrees, is passed over. What was found stays open; the machine is
/// looked over again once a minute, and, as long as the first choice gives no value, whenever a driver has come or gone.
///
/// A driver can keep a reading waiting (that of `acpitz` runs the mainboard's own program), so it is taken on a thread of its own,
/// under a deadline; a driver that does not answer is not asked again until it came back.
///
/// Source: Documentation/hwmon/sysfs-interface.rst, coretemp.rst and k10temp.rst, Documentation/driver-api/thermal/sysfs-api.rst
/// of the kernel.
public final class CPUTemperatureCollector: Collector {
    /// The name of the kind of statistics: `cpu_temp`.
    public static let name = "cpu_temp"

    /// Which sensor a reading was taken from, or why none was.
    public enum Finding: Hashable, Sendable, CustomStringConvertible {
        /// The sensor's name in lists, `coretemp-isa-0000.temp1`, and the one for people, `coretemp Package id 0`.
        case sensor(device: String, name: String)
        /// What the machine has, and why none of it was taken.
        case nothing(String)

        /// For people.
        public var description: String {
            switch self {
            case .sensor(let device, let name): "the processor's temperature is read from \(device) (\(name))"
            case .nothing(let why): "no temperature of the processor: \(why)"
            }
        }
    }

    /// What the latest reading that did not fail was taken from; nil before the first.
    public private(set) var finding: Finding?

    private let search: CPUTemperatureSearch
    private let deadline: Duration
    private let worker = BlockingWorker(name: "cpu_temp")

    /// - Parameters:
    ///   - root: the machine.
    ///   - sensor: the sensor to read instead of the best: a name as in ``TemperatureSensor/device``, the same with a label in the place
    ///     of the number, or the name of a chip or a zone alone, of which the hottest counts.
    ///   - deadline: how long a reading may take.
    public init(root: SystemRoot = .running, sensor: String? = nil, deadline: Duration = .seconds(10)) {
        search = CPUTemperatureSearch(root: root, sensor: sensor)
        self.deadline = deadline
    }

    /// Nil where the machine has no sensor of its processor; `finding` says why.
    ///
    /// - Throws: when there are sensors and none of them can be read; when the one that was named is not there; when a driver does
    ///   not answer.
    public func read(at now: SuspendingClock.Instant) throws(CollectorError) -> CPUTemperatureSample? {
        guard let sample = try worker.read(search, at: now, within: deadline, source: search.path) else { return nil }
        finding = sample.finding
        return sample.temperature
    }
}
