/// Sensors that say the same about the processor, each for a part of it: the packages of two sockets, or all cores of one.
///
/// Finds out which sensors of a machine those are, and which are the better ones. Does not decide when to look.
struct CPUTemperatureChoice {
    /// A temperature that the machine has.
    struct Sensor {
        var temperature: HwmonTemperature
        /// Its name for people: `coretemp Package id 0`, `cpu-thermal`.
        var name: String
        /// Its name in lists of sensors: `coretemp-isa-0000.temp1`, `cpu-thermal-zone.temp`.
        var device: String
        /// What its driver is called, or its zone.
        var driver: String
        var isZone: Bool

        var label: String? { temperature.label }

        /// Whether a user who writes this means the sensor: its name in lists or for people, either with the label in the place of
        /// the number, or the chip or the zone alone.
        func isCalled(_ text: String) -> Bool {
            if text == device || text == name || text == driver { return true }
            let chip = device.prefix(device.utf8.count - feature.utf8.count - 1)
            if text == chip || text == "\(driver).\(feature)" { return true }
            return label.map { text == "\(chip).\($0)" || text == "\(driver).\($0)" } ?? false
        }

        var feature: String { isZone ? "temp" : "temp\(temperature.number)" }
    }

    private(set) var sensors: [Sensor]

    /// All temperatures of a machine: those of chips, then those of thermal zones.
    static func sensors(chips: [HwmonChip], zones path: String) throws(CollectorError) -> [Sensor] {
        var sensors: [Sensor] = []
        for (chip, chipName) in zip(chips, HwmonChipName.all(chips)) {
            do throws(CollectorError) {
                for temperature in try chip.temperatures() {
                    sensors.append(
                        Sensor(
                            temperature: temperature,
                            name: temperature.label.map { "\(chip.name) \($0)" } ?? chip.name,
                            device: "\(chipName).temp\(temperature.number)",
                            driver: chip.name,
                            isZone: false
                        )
                    )
                }
            } catch {
                // The chip went away between being listed and being looked at.
                continue
            }
        }
        for zone in try ThermalZone.all(in: path) {
            sensors.append(
                Sensor(
                    temperature: zone.temperature,
                    name: zone.type,
                    device: "\(zone.name).temp",
                    driver: zone.type,
                    isZone: true
                )
            )
        }
        return sensors
    }

    /// The choices that a machine offers, the best first.
    static func all(_ sensors: [Sensor]) -> [CPUTemperatureChoice] {
        let lone = loneGenericWords(sensors)
        var groups: [Int: [Sensor]] = [:]
        for sensor in sensors {
            if let rank = rank(sensor, lone) { groups[rank, default: []].append(sensor) }
        }
        return groups.sorted { $0.key < $1.key }.map { CPUTemperatureChoice(sensors: $0.value) }
    }

    /// The sensors that a user names; nil if there are none.
    static func called(_ text: String, _ sensors: [Sensor]) -> CPUTemperatureChoice? {
        let called = sensors.filter { $0.isCalled(text) }
        return called.isEmpty ? nil : CPUTemperatureChoice(sensors: called)
    }

    /// The hottest of the sensors; nil if none has a value.
    ///
    /// - Throws: when none has a value and one cannot be read.
    func read() throws(CollectorError) -> (sensor: Sensor, celsius: Double)? {
        var hottest: (sensor: Sensor, celsius: Double)?
        var failure: CollectorError?
        for sensor in sensors {
            do throws(CollectorError) {
                guard let celsius = try sensor.temperature.celsius(), Self.possible.contains(celsius) else { continue }
                if let hottest, hottest.celsius >= celsius { continue }
                hottest = (sensor, celsius)
            } catch {
                failure = failure ?? error
            }
        }
        if hottest == nil, let failure { throw failure }
        return hottest
    }

    /// What a processor that works can have: the widest range that any is sold for, and some more.
    private static let possible = -60.0...150.0

    /// How good a sensor is, the lower the better; nil if it is not the processor's.
    private static func rank(_ sensor: Sensor, _ lone: [String]?) -> Int? {
        let name = ProcessorName(sensor.driver)
        if sensor.driver == "acpitz" { return sensor.isZone ? 91 : 90 }
        if sensor.isZone {
            if let part = name.part { return (part == .core ? 65 : 60) + part.rawValue }
            return name.words == lone ? 81 : nil
        }
        if let rank = driverRank(sensor.driver, sensor.label) { return rank }
        let label = sensor.label.map(ProcessorName.init)
        if name.isOther || label?.isOther == true { return nil }
        if let part = name.part { return part == .core ? 64 : 50 + part.rawValue }
        if name.words == lone { return 80 }
        // A chip of the mainboard's, which measures the processor among others.
        return label?.part.map { 70 + $0.rawValue }
    }

    /// The rank of processors' own sensors; nil for all others.
    private static func driverRank(_ driver: String, _ label: String?) -> Int? {
        switch driver {
        case "coretemp":
            if label?.hasPrefix("Package id ") == true { return 0 }
            if label?.hasPrefix("Physical id ") == true { return 1 }
            return label.flatMap { ProcessorName($0).part } == .package ? 2 : 3
        case "k10temp", "zenpower":
            let rank = driver == "k10temp" ? 10 : 20
            if label?.hasPrefix("Tdie") == true { return rank }
            return label?.hasPrefix("Tctl") == true ? rank + 1 : rank + 2
        case "k8temp": return 30
        case "via_cputemp": return 40
        default: return nil
        }
    }

    /// The words of the only name there is that says no more than "temperature": then it is that of the one chip that matters.
    private static func loneGenericWords(_ sensors: [Sensor]) -> [String]? {
        let names = Set(sensors.lazy.map { ProcessorName($0.driver) }.filter(\.isGeneric).map(\.words))
        return names.count == 1 ? names.first : nil
    }
}
