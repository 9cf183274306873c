#if Agent
import HostMetrics

/// Which collectors a configuration asks for, and how their samples stand in a message.
///
/// `Sources/Metrics/README.md` says what each value is and how it is computed.
enum Reporters {
    /// The reporters that are enabled, in the order in which they are documented.
    static func enabled(in configuration: Configuration) -> [Reporter] {
        let settings = configuration.reporters
        let root = configuration.system.root
        let makers: [(Configuration.Timing, () -> Reporter)] = [
            (settings.cpu.timing, { cpu(settings.cpu, root) }),
            (settings.mem.timing, { mem(settings.mem, root) }),
            (settings.uptime.timing, { uptime(settings.uptime, root) }),
            (settings.ipaddr.timing, { ipaddr(settings.ipaddr) }),
            (settings.cpuTemp.timing, { cpuTemp(settings.cpuTemp, root) }),
            (settings.load.timing, { load(settings.load, root) }),
            (settings.hddspace.timing, { hddspace(settings.hddspace, root) }),
            (settings.hddio.timing, { hddio(settings.hddio, root) }),
            (settings.net.timing, { net(settings.net, root) }),
            (settings.hddtemp.timing, { hddtemp(settings.hddtemp, root) }),
            (settings.sensors.timing, { sensors(settings.sensors, root) }),
            (settings.os.timing, { os(settings.os, root) }),
            (settings.processes.timing, { processes(settings.processes, root) }),
        ]
        return makers.filter(\.0.isEnabled).map { $0.1() }
    }

    private static func cpu(_ settings: Configuration.CPU, _ root: SystemRoot) -> Reporter {
        let isPerCore = settings.isPerCore
        return Reporter(settings.timing, collector: CPUCollector(root: root, perCore: isPerCore)) { sample in
            Reading("cpu", isPerCore ? .array(sample.cores.map { .double($0.percent) }) : .double(sample.percent))
        }
    }

    private static func mem(_ settings: Configuration.Memory, _ root: SystemRoot) -> Reporter {
        Reporter(settings.timing, collector: MemoryCollector(root: root)) { sample in
            var reading = Reading("mem", .double(sample.percent))
            guard settings.hasDetails else { return reading }
            var details: [String: JSONValue] = [
                "total": .unsigned(sample.total), "available": .unsigned(sample.available),
                "used": .unsigned(sample.used),
            ]
            details["swap"] = sample.swap.map { swap in
                .object([
                    "percent": .double(swap.percent), "total": .unsigned(swap.total), "used": .unsigned(swap.used),
                ])
            }
            reading.fields.append(ReportField(key: "mem_details", value: .object(details)))
            return reading
        }
    }

    private static func uptime(_ settings: Configuration.Plain, _ root: SystemRoot) -> Reporter {
        Reporter(settings.timing, collector: UptimeCollector(root: root)) { Reading("uptime", .double($0)) }
    }

    private static func ipaddr(_ settings: Configuration.Addresses) -> Reporter {
        let collector = AddressCollector(
            interfaces: settings.devices,
            loopback: settings.showsLoopback,
            linkLocal: settings.showsLinkLocal
        )
        return Reporter(settings.timing, collector: collector) { sample in
            let addresses = JSONValue.array(sample.addresses.map { .string("\($0)") })
            return Reading("ipaddr", addresses, failures: missing(sample.missing, "interface"))
        }
    }

    private static func cpuTemp(_ settings: Configuration.CPUTemperature, _ root: SystemRoot) -> Reporter {
        let collector = CPUTemperatureCollector(root: root, sensor: settings.sensor)
        return Reporter(settings.timing, mayBlock: true, collector: collector) { collector in
            collector.finding?.description
        } reading: { sample in
            Reading("cpu_temp", .double(sample.celsius))
        }
    }

    private static func load(_ settings: Configuration.Plain, _ root: SystemRoot) -> Reporter {
        Reporter(settings.timing, collector: LoadCollector(root: root)) { sample in
            Reading(
                "load",
                .object([
                    "1min": .double(sample.oneMinute), "5min": .double(sample.fiveMinutes),
                    "15min": .double(sample.fifteenMinutes),
                ])
            )
        }
    }

    /// The collector that is asked how full the file systems are.
    static func diskSpace(_ settings: Configuration.DiskSpace, _ root: SystemRoot) -> DiskSpaceCollector {
        var options = DiskSpaceCollector.Options()
        options.include = settings.included.map { Glob($0) }
        options.exclude = settings.excluded.map { Glob($0) }
        options.includedTypes = Set(settings.includedTypes)
        options.excludedTypes.formUnion(settings.excludedTypes)
        return DiskSpaceCollector(root: root, options: options)
    }

    private static func hddspace(_ settings: Configuration.DiskSpace, _ root: SystemRoot) -> Reporter {
        let collector = diskSpace(settings, root)
        return Reporter(settings.timing, mayBlock: true, collector: collector) { sample in
            let fullness = sample.fileSystems.compactMap { system in
                system.percent.map { JSONValue.object([system.mountPoint: .double($0)]) }
            }
            var reading = Reading("hddspace", .array(fullness), failures: sample.failures)
            guard settings.hasDetails, !sample.fileSystems.isEmpty else { return reading }
            let details = sample.fileSystems.map { ($0.mountPoint, self.details($0)) }
            reading.fields.append(ReportField(key: "hddspace_details", value: .object(details)))
            return reading
        }
    }

    private static func details(_ system: DiskSpaceSample.FileSystem) -> JSONValue {
        var details: [String: JSONValue] = [
            "device": .string(system.device), "type": .string(system.type), "total": .unsigned(system.total),
            "used": .unsigned(system.used), "free": .unsigned(system.free),
        ]
        details["percent"] = system.percent.map { .double($0) }
        details["inodes"] = system.inodes.map { inodes in
            .object([
                "percent": .double(inodes.percent), "total": .unsigned(inodes.total), "used": .unsigned(inodes.used),
                "free": .unsigned(inodes.free),
            ])
        }
        return .object(details)
    }

    private static func hddio(_ settings: Configuration.DiskIO, _ root: SystemRoot) -> Reporter {
        let collector = DiskIOCollector(root: root, devices: settings.devices)
        return Reporter(settings.timing, collector: collector) { sample in
            let rates = sample.devices.map { device in
                let rate = device.perSecond
                return (
                    device.name,
                    JSONValue.object([
                        "read_bytes": .rate(rate.octetsRead), "written_bytes": .rate(rate.octetsWritten),
                        "reads": .rate(rate.reads), "writes": .rate(rate.writes),
                    ])
                )
            }
            return Reading("hddio", .object(rates), failures: missing(sample.missing, "disk or partition"))
        }
    }

    private static func net(_ settings: Configuration.Network, _ root: SystemRoot) -> Reporter {
        let collector = NetworkCollector(root: root, interfaces: settings.devices)
        return Reporter(settings.timing, collector: collector) { sample in
            func direction(_ rate: NetworkSample.Direction<Double>) -> JSONValue {
                .object([
                    "bytes": .rate(rate.octets), "packets": .rate(rate.packets), "errors": .rate(rate.errors),
                    "drops": .rate(rate.drops),
                ])
            }
            let rates = sample.interfaces.map { interface in
                let rate = interface.perSecond
                return (
                    interface.name,
                    JSONValue.object(["received": direction(rate.received), "sent": direction(rate.sent)])
                )
            }
            return Reading("net", .object(rates), failures: missing(sample.missing, "interface"))
        }
    }

    private static func hddtemp(_ settings: Configuration.HDDTemp, _ root: SystemRoot) -> Reporter {
        let collector = HDDTempCollector(
            root: root,
            host: settings.hostname,
            port: settings.port,
            // Within that of the reading as a whole, so that the collector can say what it waited for.
            deadline: settings.timing.deadline * 0.8
        )
        return Reporter(settings.timing, mayBlock: true, collector: collector) { sample in
            let drives = sample.drives.map { drive in
                var entry: [String: JSONValue] = ["state": .string(drive.state.rawValue)]
                entry["model"] = drive.model.map { .string($0) }
                if let celsius = drive.celsius {
                    entry["value"] = .double(celsius)
                    entry["unit"] = .string("C")
                }
                return (drive.name, JSONValue.object(entry))
            }
            return Reading("hddtemp", .object(drives), failures: sample.failures)
        }
    }

    private static func sensors(_ settings: Configuration.Sensors, _ root: SystemRoot) -> Reporter {
        let choices = settings.devices.map { SensorsCollector.Choice($0.device, label: $0.label) }
        let collector = SensorsCollector(root: root, choices: choices.isEmpty ? nil : choices)
        return Reporter(settings.timing, mayBlock: true, collector: collector) { sample in
            var chips: [String: [String: JSONValue]] = [:]
            for reading in sample.readings {
                guard let value = reading.value else { continue }
                var entry: [String: JSONValue] = ["label": .string(reading.label), "value": .double(value)]
                entry["unit"] = reading.unit.map { .string($0) }
                chips[reading.chip, default: [:]][reading.feature] = .object(entry)
            }
            return Reading("sensors", .object(chips.mapValues { .object($0) }), failures: failures(sample))
        }
    }

    /// Devices that the configuration names and the machine does not have.
    private static func missing(_ devices: [String], _ kind: String) -> [CollectorError] {
        devices.map { CollectorError(source: $0, reason: .notFound("this machine has no such \(kind)")) }
    }

    /// What a sample of the sensors lacks, and why.
    private static func failures(_ sample: SensorsSample) -> [CollectorError] {
        let broken = sample.readings.compactMap { reading in
            reading.problem.map { CollectorError(source: reading.device, reason: .library("\($0)")) }
        }
        let missing = sample.missing.map { device in
            CollectorError(
                source: device,
                reason: .notFound("there is no such sensor: 'psistats sensors' lists those that there are")
            )
        }
        return broken + missing + sample.warnings.map { CollectorError(source: "libsensors", reason: .library($0)) }
    }

    private static func os(_ settings: Configuration.Plain, _ root: SystemRoot) -> Reporter {
        Reporter(settings.timing, collector: OSCollector(root: root)) { Reading("os", .string($0.description)) }
    }

    private static func processes(_ settings: Configuration.Plain, _ root: SystemRoot) -> Reporter {
        Reporter(settings.timing, mayBlock: true, collector: ProcessCollector(root: root)) { sample in
            let counts = [
                "total": sample.total, "running": sample.running, "blocked": sample.blocked, "zombies": sample.zombies,
            ]
            return Reading("processes", .object(counts.mapValues { .integer(Int64($0)) }))
        }
    }
}

extension Reading {
    /// A reading that succeeded, with one field; with none where that would be empty.
    fileprivate init(_ key: String, _ value: JSONValue, failures: [CollectorError] = []) {
        let isEmpty =
            switch value {
            case .array(let values): values.isEmpty
            case .object(let values): values.isEmpty
            case .null, .boolean, .integer, .unsigned, .float, .double, .string: false
            }
        self.init(fields: isEmpty ? [] : [ReportField(key: key, value: value)], failures: failures)
    }
}

extension JSONValue {
    /// So many a second, with one decimal.
    fileprivate static func rate(_ value: Double) -> JSONValue { .double(value.roundedToTenths) }

    /// An object; of two entries with one name the last stays.
    fileprivate static func object(_ entries: [(String, JSONValue)]) -> JSONValue {
        .object(Dictionary(entries, uniquingKeysWith: { $1 }))
    }
}
#endif
