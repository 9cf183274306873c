import CSensors

/// Makes a list of what libsensors found: every feature that has a value, under names that stay the same.
enum SensorsInventory {
    private struct Chip {
        var pointer: SensorsLibrary.Chip
        var name: String
        /// Where the chip sits: the same after each start of the machine, mostly.
        var place: [UInt8]
        var number: Int
    }

    /// Ordered by the chips' names; the features of a chip in the library's order.
    ///
    /// Two chips can have one name, `acpitz-virtual-0`, say. In the order of their devices' paths, the second is then called
    /// `acpitz-virtual-0#2`. The order in which the kernel lists them would change with the order in which drivers are loaded.
    static func entries(_ library: SensorsLibrary) -> [SensorsSession.Entry] {
        var chips = library.chips().compactMap { chip(library, $0) }
        chips.sort { first, second in
            if first.name != second.name { return first.name < second.name }
            if first.place != second.place { return first.place.lexicographicallyPrecedes(second.place) }
            return first.number < second.number
        }
        var entries: [SensorsSession.Entry] = []
        var count = 0
        for (index, chip) in chips.enumerated() {
            count = index > 0 && chips[index - 1].name == chip.name ? count + 1 : 1
            let name = count > 1 ? "\(chip.name)#\(count)" : chip.name
            for feature in library.features(of: chip.pointer) {
                if let entry = entry(library, feature, on: chip.pointer, called: name) { entries.append(entry) }
            }
        }
        return entries
    }

    private static func chip(_ library: SensorsLibrary, _ pointer: SensorsLibrary.Chip) -> Chip? {
        guard let name = library.name(of: pointer), let rawPath = pointer.pointee.path else { return nil }
        let path = String(cString: rawPath)
        let place = SystemFolder.resolved(path + "/device") ?? SystemFolder.resolved(path) ?? path
        let number = path.split(separator: "/").last.flatMap { SystemFolder.number(in: String($0), after: "hwmon") }
        return Chip(pointer: pointer, name: name, place: Array(place.utf8), number: number ?? .max)
    }

    /// Nil for a feature that has limits or alarms but no value, and for a kind that this library does not know yet.
    private static func entry(
        _ library: SensorsLibrary,
        _ feature: SensorsLibrary.Feature,
        on chip: SensorsLibrary.Chip,
        called chipName: String
    ) -> SensorsSession.Entry? {
        guard let (kind, values, fault) = types(of: feature.pointee.type), let rawName = feature.pointee.name else {
            return nil
        }
        let numbers = values.lazy.compactMap { library.number(of: $0, in: feature, on: chip) }
        guard let number = numbers.first else { return nil }
        let name = String(cString: rawName)
        let label = library.label(of: feature, on: chip)
        return SensorsSession.Entry(
            chip: chip,
            chipName: chipName,
            feature: name,
            label: label.flatMap { $0.isEmpty ? nil : $0 } ?? name,
            kind: kind,
            valueNumber: number,
            faultNumber: fault.flatMap { library.number(of: $0, in: feature, on: chip) }
        )
    }

    /// The subfeatures that hold the value, the best first, and the one that says that it is worthless.
    private static func types(
        of feature: sensors_feature_type
    ) -> (SensorsSample.Kind, [sensors_subfeature_type], sensors_subfeature_type?)? {
        switch feature {
        case SENSORS_FEATURE_IN: (.voltage, [SENSORS_SUBFEATURE_IN_INPUT], nil)
        case SENSORS_FEATURE_FAN: (.fan, [SENSORS_SUBFEATURE_FAN_INPUT], SENSORS_SUBFEATURE_FAN_FAULT)
        case SENSORS_FEATURE_TEMP: (.temperature, [SENSORS_SUBFEATURE_TEMP_INPUT], SENSORS_SUBFEATURE_TEMP_FAULT)
        case SENSORS_FEATURE_POWER:
            (.power, [SENSORS_SUBFEATURE_POWER_INPUT, SENSORS_SUBFEATURE_POWER_AVERAGE], nil)
        case SENSORS_FEATURE_ENERGY: (.energy, [SENSORS_SUBFEATURE_ENERGY_INPUT], nil)
        case SENSORS_FEATURE_CURR: (.current, [SENSORS_SUBFEATURE_CURR_INPUT], nil)
        case SENSORS_FEATURE_HUMIDITY: (.humidity, [SENSORS_SUBFEATURE_HUMIDITY_INPUT], nil)
        case SENSORS_FEATURE_VID: (.coreVoltage, [SENSORS_SUBFEATURE_VID], nil)
        case SENSORS_FEATURE_INTRUSION: (.intrusion, [SENSORS_SUBFEATURE_INTRUSION_ALARM], nil)
        case SENSORS_FEATURE_BEEP_ENABLE: (.beep, [SENSORS_SUBFEATURE_BEEP_ENABLE], nil)
        default: nil
        }
    }
}
