import Glibc
import HostMetrics

/// What is measured: a name, and how to make something that takes one reading each time it is called.
///
/// To measure another collector, add a line to ``all``.
struct Reading {
    var name: String
    var make: () -> ((SuspendingClock.Instant) throws(CollectorError) -> Void)

    /// The collectors that every reading of a usual configuration asks, together.
    static let usual = "cpu+mem+uptime+load"

    static var all: [Reading] {
        [
            Reading(name: usual) {
                let cpu = CPUCollector()
                let memory = MemoryCollector()
                let uptime = UptimeCollector()
                let load = LoadCollector()
                return { (now) throws(CollectorError) in
                    discard(try cpu.read(at: now))
                    discard(try memory.read(at: now))
                    discard(try uptime.read(at: now))
                    discard(try load.read(at: now))
                }
            },
            Reading { CPUCollector() },
            Reading(name: "cpu, per core") { CPUCollector(perCore: true) },
            Reading { MemoryCollector() },
            Reading { UptimeCollector() },
            Reading { LoadCollector() },
            Reading { AddressCollector() },
            Reading { OSCollector() },
            Reading { ProcessCollector() },
            Reading { DiskIOCollector() },
            Reading { NetworkCollector() },
            Reading { DiskSpaceCollector() },
            Reading(name: "hddtemp, daemon") { HDDTempCollector(root: fixture("storage"), port: daemonPort) },
            Reading(name: "hddtemp, drivetemp") { HDDTempCollector(root: fixture("storage"), port: closedPort) },
            Reading(name: "cpu_temp, fixture") { CPUTemperatureCollector(root: fixture("server")) },
            Reading { SensorsCollector() },
        ]
    }

    /// A made-up host; few machines that measure have sensors.
    private static func fixture(_ host: String) -> SystemRoot {
        // Benchmarks/Sources/hostmetrics-bench/Readings.swift, counted back.
        let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4)
        return SystemRoot(prefix: parts.joined(separator: "/") + "/Fixtures/hosts/" + host)
    }

    /// Where `Benchmarks/metrics` plays the hddtemp daemon, outside this process.
    private static var daemonPort: UInt16 { port("HDDTEMP_PORT") ?? HDDTempCollector.usualPort }

    /// Where it makes sure that nobody listens.
    private static var closedPort: UInt16 { port("HDDTEMP_CLOSED_PORT") ?? HDDTempCollector.usualPort }

    private static func port(_ variable: String) -> UInt16? {
        getenv(variable).flatMap { UInt16(String(cString: $0)) }
    }

    init(name: String, make: @escaping () -> ((SuspendingClock.Instant) throws(CollectorError) -> Void)) {
        self.name = name
        self.make = make
    }

    /// A single collector. Generic, so that no sample is boxed: that would be an allocation that its users do not have.
    init<One: Collector>(name: String = One.name, _ collector: @escaping () -> One) {
        self.init(name: name) {
            let collector = collector()
            return { (now) throws(CollectorError) in discard(try collector.read(at: now)) }
        }
    }
}

/// Keeps the compiler from leaving out what makes the sample.
@inline(never) private func discard<Sample>(_ sample: borrowing Sample) {}
