/// Sensors that say the same about the processor, each for a part of it: the packages of two sockets, or all cores of one.
///
/// Finds out which sensors of a machine those are, and which are the better ones. Does not decide when to look.
struct CPUTemperatureChoice {
    /// A sensor and its name for people.
    private struct Sensor {
        var temperature: HwmonTemperature
        var name: String
    }

    /// What the driver of a chip or zone has to be called, and the labels that mean the whole processor, the best first.
    private struct Rank: Sendable {
        var matches: @Sendable (String) -> Bool
        var labels: [StaticString] = []

        static func named(_ name: String, labels: [StaticString] = []) -> Rank {
            Rank(matches: { $0 == name }, labels: labels)
        }

        /// `cpu_thermal`, `cpu-thermal`, `cpu0-thermal`: the device tree's author chose.
        static let cpuThermal = Rank { $0.hasPrefix("cpu") && ($0.hasSuffix("-thermal") || $0.hasSuffix("_thermal")) }
        static let socThermal = Rank { $0 == "soc-thermal" || $0 == "soc_thermal" }
    }

    private static let chipRanks: [Rank] = [
        .named("coretemp", labels: ["Package id ", "Physical id "]),
        .named("k10temp", labels: ["Tdie", "Tctl"]),
        .named("zenpower", labels: ["Tdie", "Tctl"]),
        .named("k8temp"), .named("via_cputemp"), .cpuThermal, .socThermal,
    ]
    private static let zoneRanks: [Rank] = [
        .named("x86_pkg_temp"), .cpuThermal, .socThermal, .named("bcm2835_thermal"),
    ]
    private static let lastResort = Rank.named("acpitz")

    private var sensors: [Sensor]

    /// The choices that a machine offers, the best first.
    static func all(chips: [HwmonChip], zones path: String) throws(CollectorError) -> [CPUTemperatureChoice] {
        let zones = try thermalZones(in: path)
        var choices: [CPUTemperatureChoice] = []
        for rank in chipRanks { choices += Self.choices(rank, chips) }
        for rank in zoneRanks { choices += Self.choices(rank, zones) }
        choices += Self.choices(lastResort, chips)
        choices += Self.choices(lastResort, zones)
        return choices
    }

    /// The hottest of the sensors; nil if none has a value.
    ///
    /// - Throws: when none has a value and one cannot be read.
    func read() throws(CollectorError) -> CPUTemperatureSample? {
        var hottest: CPUTemperatureSample?
        var failure: CollectorError?
        for sensor in sensors {
            do throws(CollectorError) {
                guard let celsius = try sensor.temperature.celsius() else { continue }
                if let hottest, hottest.celsius >= celsius { continue }
                hottest = CPUTemperatureSample(celsius: celsius, sensor: sensor.name)
            } catch {
                failure = failure ?? error
            }
        }
        if hottest == nil, let failure { throw failure }
        return hottest
    }

    /// The choices among the chips of one rank: those with the best label, the next best, and at last all that are left.
    private static func choices(_ rank: Rank, _ chips: [HwmonChip]) -> [CPUTemperatureChoice] {
        var rest: [Sensor] = []
        for chip in chips where rank.matches(chip.name) {
            do throws(CollectorError) {
                for temperature in try chip.temperatures() {
                    let name = temperature.label.map { "\(chip.name) \($0)" } ?? chip.name
                    rest.append(Sensor(temperature: temperature, name: name))
                }
            } catch {
                // The chip went away between being listed and being looked at.
                continue
            }
        }
        return split(rest, by: rank.labels)
    }

    private static func choices(_ rank: Rank, _ zones: [Sensor]) -> [CPUTemperatureChoice] {
        split(zones.filter { rank.matches($0.name) }, by: [])
    }

    private static func split(_ sensors: [Sensor], by labels: [StaticString]) -> [CPUTemperatureChoice] {
        var rest = sensors
        var choices: [CPUTemperatureChoice] = []
        for label in labels {
            let labelled = rest.filter { $0.temperature.label?.hasPrefix("\(label)") == true }
            guard !labelled.isEmpty else { continue }
            choices.append(CPUTemperatureChoice(sensors: labelled))
            rest.removeAll { $0.temperature.label?.hasPrefix("\(label)") == true }
        }
        if !rest.isEmpty { choices.append(CPUTemperatureChoice(sensors: rest)) }
        return choices
    }

    /// The thermal zones, named by their types, in the order of their numbers.
    private static func thermalZones(in path: String) throws(CollectorError) -> [Sensor] {
        let numbers: [Int]
        do throws(CollectorError) {
            numbers = try SystemFolder.entries(of: path)
                .compactMap { SystemFolder.number(in: $0, after: "thermal_zone") }.sorted()
        } catch  where error.isAbsence {
            return []
        }
        return numbers.compactMap { number in
            let zone = "\(path)/thermal_zone\(number)"
            guard let type = HwmonText.read(zone + "/type"), !type.isEmpty else { return nil }
            let temperature = HwmonTemperature(number: number, label: nil, input: zone + "/temp", fault: nil)
            return Sensor(temperature: temperature, name: type)
        }
    }
}
