/// A thermal zone: a sensor that the kernel watches to keep a part of the machine from getting too hot.
///
/// Source: Documentation/driver-api/thermal/sysfs-api.rst of the kernel.
struct ThermalZone {
    /// The kernel's number of it: 3 for `thermal_zone3`. Another one after the next start of the machine, maybe.
    let number: Int
    /// What it measures, as its driver or the device tree calls it: `cpu-thermal`, `x86_pkg_temp`.
    let type: String
    /// Its value.
    let temperature: HwmonTemperature
    /// Its name in lists of sensors: `cpu-thermal-zone`; where several have one type, all but the first have `#2` and so on.
    let name: String

    /// Those below `/sys/class/thermal`, in the order of their numbers; none where the kernel has no such class.
    static func all(in path: String) throws(CollectorError) -> [ThermalZone] {
        let numbers: [Int]
        do throws(CollectorError) {
            numbers = try SystemFolder.entries(of: path)
                .compactMap { SystemFolder.number(in: $0, after: "thermal_zone") }.sorted()
        } catch  where error.isAbsence {
            return []
        }
        var counts: [String: Int] = [:]
        return numbers.compactMap { number in
            let zone = "\(path)/thermal_zone\(number)"
            guard let type = HwmonText.read(zone + "/type"), !type.isEmpty else { return nil }
            let count = counts[type, default: 0] + 1
            counts[type] = count
            return ThermalZone(
                number: number,
                type: type,
                temperature: HwmonTemperature(number: 1, label: nil, input: zone + "/temp", fault: nil),
                name: "\(type)-zone" + (count > 1 ? "#\(count)" : "")
            )
        }
    }
}
