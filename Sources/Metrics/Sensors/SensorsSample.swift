/// What the sensors of the machine say.
public struct SensorsSample: Hashable, Sendable {
    /// All sensors in the order of their chips' names, or those that were chosen in the order in which they were.
    public var readings: [Reading]
    /// Which of the chosen ones the machine does not have, as they were written.
    public var missing: [String]
    /// What is wrong with the configuration of libsensors, for people. The same again and again until the next look for chips.
    public var warnings: [String]

    /// One sensor.
    public struct Reading: Hashable, Sendable {
        /// The name of the chip: `coretemp-isa-0000`. Where several have one name, all but the first have a number behind it,
        /// in the order of their devices' paths below `/sys/devices`: `acpitz-virtual-0#2`.
        public var chip: String
        /// The name of the feature: `temp1`. It is the driver's, and no configuration changes it.
        public var feature: String
        /// What it measures, for people: as chosen, or as the configuration says, or the driver, or else the feature's name.
        public var label: String
        /// What it measures, which is also what the unit follows from.
        public var kind: Kind
        /// In the unit of the kind, with up to three decimals, as `sensors -j` prints it. Nil if there is none at the moment.
        public var value: Double?
        /// Why there is no value.
        public var problem: Problem?

        /// The reading's name in a list of those that are wanted: `coretemp-isa-0000.temp1`.
        public var device: String { "\(chip).\(feature)" }
        /// `V`, `RPM`, `C`, ...; nil for those that are just on (1) or off (0).
        public var unit: String? { kind.unit }
    }

    /// What is measured. The raw values are the kernel's names for it.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// A voltage, in volts.
        case voltage = "in"
        /// The speed of a fan, in turns a minute.
        case fan
        /// A temperature, in degrees Celsius.
        case temperature = "temp"
        /// The power at the moment, or else an average.
        case power
        /// What was used since the driver was loaded, in joules.
        case energy
        /// A current, in amperes.
        case current = "curr"
        /// The relative humidity, in percent.
        case humidity
        /// The voltage that the processor asks for.
        case coreVoltage = "vid"
        /// Whether the case was opened.
        case intrusion
        /// Whether the chip may beep. Not measured but set.
        case beep = "beep_enable"

        /// `V`, `RPM`, `C`, `W`, `J`, `A`, `%RH`; nil for those that are just on (1) or off (0).
        public var unit: String? {
            switch self {
            case .voltage, .coreVoltage: "V"
            case .fan: "RPM"
            case .temperature: "C"
            case .power: "W"
            case .energy: "J"
            case .current: "A"
            case .humidity: "%RH"
            case .intrusion, .beep: nil
            }
        }
    }

    /// Why a sensor has no value.
    public enum Problem: Error, Hashable, Sendable, CustomStringConvertible {
        /// The chip says that the sensor is broken or not connected.
        case fault
        /// libsensors could not read it, and says this.
        case unreadable(String)

        /// For people.
        public var description: String {
            switch self {
            case .fault: "fault"
            case .unreadable(let why): why
            }
        }
    }
}
