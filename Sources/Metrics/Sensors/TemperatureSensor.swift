/// A thermal zone of the kernel's as a sensor. Chips with sensors are ``SensorsCollector``'s; some zones are both.
public struct TemperatureSensor: Hashable, Sendable {
    /// Its name in lists of sensors: `cpu-thermal-zone.temp`; where several zones have one type, all but the first have a number in
    /// it, `acpitz-zone#2.temp`, in the order of the kernel.
    public var device: String
    /// The type of the zone: `cpu-thermal`, `x86_pkg_temp`.
    public var label: String
    /// Degrees Celsius, with up to three decimals; nil if it cannot be read, or says what nothing can have.
    public var celsius: Double?

    /// The thermal zones of a machine, in the order of the kernel; none where it has none. A driver may keep this waiting.
    ///
    /// - Throws: when they cannot be listed.
    public static func thermalZones(root: SystemRoot = .running) throws(CollectorError) -> [TemperatureSensor] {
        try ThermalZone.all(in: root.sys + "/class/thermal").map { zone in
            var celsius: Double?
            do throws(CollectorError) {
                celsius = try zone.temperature.celsius()
            } catch {
                // It has no value then.
            }
            return TemperatureSensor(device: "\(zone.name).temp", label: zone.type, celsius: celsius)
        }
    }
}
