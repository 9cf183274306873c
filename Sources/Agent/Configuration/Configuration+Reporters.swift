#if Agent
import HostMetrics

extension Configuration {
    /// What the sections of all reporters have in common.
    struct Timing: Hashable, Sendable {
        var isEnabled: Bool
        /// The time from one reading to the next; more than 0.
        var interval: Duration
        /// How long a reading may take before it is given up.
        var deadline = Duration.seconds(5)
    }

    /// The sections that are named after reporters.
    struct Reporters: Hashable, Sendable {
        var cpu = CPU()
        var mem = Memory()
        var cpuTemp = CPUTemperature()
        var uptime = Plain(timing: Timing(isEnabled: true, interval: .seconds(60)))
        var ipaddr = Addresses()
        var load = Plain(timing: Timing(isEnabled: false, interval: .seconds(5)))
        var hddspace = DiskSpace()
        var hddio = DiskIO()
        var net = Network()
        var hddtemp = HDDTemp()
        var sensors = Sensors()
        var os = Plain(timing: Timing(isEnabled: false, interval: .seconds(3_600)))
        var processes = Plain(timing: Timing(isEnabled: false, interval: .seconds(5)))

        /// The reporters by the names of their sections, in the order in which they are documented.
        private static var timings: [(section: String, timing: WritableKeyPath<Reporters, Timing>)] {
            [
                ("cpu", \.cpu.timing), ("mem", \.mem.timing), ("cpu_temp", \.cpuTemp.timing),
                ("uptime", \.uptime.timing), ("ipaddr", \.ipaddr.timing), ("load", \.load.timing),
                ("hddspace", \.hddspace.timing), ("hddio", \.hddio.timing), ("net", \.net.timing),
                ("hddtemp", \.hddtemp.timing), ("sensors", \.sensors.timing), ("os", \.os.timing),
                ("processes", \.processes.timing),
            ]
        }

        /// The sections of those that are on, or of those that are off.
        func sections(enabled: Bool) -> [String] {
            Self.timings.filter { self[keyPath: $0.timing].isEnabled == enabled }.map(\.section)
        }

        mutating func turnOff() {
            for (_, timing) in Self.timings { self[keyPath: timing].isEnabled = false }
        }
    }

    /// A reporter without keys of its own: `[uptime]`, `[load]`, `[os]`, `[processes]`.
    struct Plain: Hashable, Sendable {
        var timing: Timing
    }

    /// `[cpu]`
    struct CPU: Hashable, Sendable {
        var timing = Timing(isEnabled: true, interval: .seconds(2))
        /// `percpu`: a list with a number for each core instead of one number for all.
        var isPerCore = false
    }

    /// `[mem]`
    struct Memory: Hashable, Sendable {
        var timing = Timing(isEnabled: true, interval: .seconds(2))
        /// `details`: octets and swap as well, in an object `mem_details` beside the percentage.
        var hasDetails = false
    }

    /// `[cpu_temp]`
    struct CPUTemperature: Hashable, Sendable {
        var timing = Timing(isEnabled: true, interval: .seconds(5))
        /// `sensor`: as `psistats sensors` lists it; nil for the best that the machine has.
        var sensor: String?
    }

    /// `[ipaddr]`
    struct Addresses: Hashable, Sendable {
        var timing = Timing(isEnabled: true, interval: .seconds(120))
        /// `devices[]`: interfaces; empty for all.
        var devices: [String] = []
        var showsLoopback = false
        /// `link_local`
        var showsLinkLocal = false
    }

    /// `[hddspace]`
    struct DiskSpace: Hashable, Sendable {
        var timing = Timing(isEnabled: false, interval: .seconds(60))
        /// `include[]`: globs of mount points; empty for all.
        var included: [String] = []
        /// `exclude[]`: globs of mount points.
        var excluded: [String] = []
        /// `include_types[]`: types of file systems besides those on a device.
        var includedTypes: [String] = []
        /// `exclude_types[]`: types of file systems.
        var excludedTypes: [String] = []
        /// `details`: octets and inodes as well, in an object `hddspace_details` beside the list.
        var hasDetails = false
    }

    /// `[hddio]`
    struct DiskIO: Hashable, Sendable {
        var timing = Timing(isEnabled: false, interval: .seconds(5))
        /// `devices[]`: disks or partitions, globs allowed; empty for all whole disks.
        var devices: [String] = []
    }

    /// `[net]`
    struct Network: Hashable, Sendable {
        var timing = Timing(isEnabled: false, interval: .seconds(5))
        /// `devices[]`: interfaces, globs allowed; empty for all but the loopback.
        var devices: [String] = []
    }

    /// `[hddtemp]`
    struct HDDTemp: Hashable, Sendable {
        var timing = Timing(isEnabled: false, interval: .seconds(60))
        /// `hostname`: where the daemon listens.
        var hostname = "localhost"
        var port: UInt16 = 7_634
    }

    /// `[sensors]`
    struct Sensors: Hashable, Sendable {
        var timing = Timing(isEnabled: false, interval: .seconds(5))
        /// `devices[]`; empty for every chip and feature.
        var devices: [Sensor] = []
    }

    /// One of `[sensors] devices[]`: `coretemp-isa-0000.temp1`, or `(CPU Core 1, coretemp-isa-0000.Core 0)` with a label.
    struct Sensor: Hashable, Sendable {
        /// The label to report instead of the sensor's own; nil to keep that.
        var label: String?
        var chip: String
        /// The feature's name or label; nil for all of the chip's.
        var feature: String?

        /// As `SensorsCollector.Choice` takes it.
        var device: String { feature.map { "\(chip).\($0)" } ?? chip }
    }

    /// `[buffer]`: what waits while the broker is away.
    struct Buffer: Hashable, Sendable {
        /// `max_messages`: above it the oldest are dropped. At least 1.
        var maxMessages = 1_000
        /// `path`, `fsync` and `max_bytes`: the folder in which what waits is kept beyond the end of the process; nil for none.
        var journal: Journal.Settings?
    }

    /// `[system]`: where the kernel's directories are; a key that is left out is taken from `HOST_PROC` and its like.
    struct System: Hashable, Sendable {
        var root = SystemRoot.running
    }
}
#endif
