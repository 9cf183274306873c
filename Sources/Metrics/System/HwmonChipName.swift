/// The names that libsensors gives to chips, `coretemp-isa-0000`, without libsensors: they are what users know from sensors(1).
///
/// Source: sensors_read_one_sysfs_chip in lib/sysfs.c, sensors_snprintf_chip_name in lib/data.c of lm-sensors.
enum HwmonChipName {
    /// The names of chips, in their order. Where several have one name, all but the first, in the order of their devices' paths, have
    /// a number behind it: `acpitz-virtual-0#2`.
    static func all(_ chips: [HwmonChip]) -> [String] {
        var names = chips.map { "\($0.name)-\(bus(of: $0))" }
        for (name, indices) in Dictionary(grouping: names.indices, by: { names[$0] }) where indices.count > 1 {
            let places = indices.map { index -> (index: Int, place: [UInt8], number: Int) in
                let chip = chips[index]
                let place = chip.resolvedDevicePath ?? SystemFolder.resolved(chip.path) ?? chip.path
                return (index, Array(place.utf8), chip.number)
            }
            let ordered = places.sorted { first, second in
                if first.place != second.place { return first.place.lexicographicallyPrecedes(second.place) }
                return first.number < second.number
            }
            for (count, entry) in ordered.enumerated().dropFirst() { names[entry.index] = "\(name)#\(count + 1)" }
        }
        return names
    }

    /// The bus and the address on it: `isa-0000`, `pci-00c3`, `virtual-0`.
    private static func bus(of chip: HwmonChip) -> String {
        guard let device = chip.resolvedDevicePath, let name = last(device),
            let subsystem = SystemFolder.resolved(chip.devicePath + "/subsystem") ?? linked(chip.devicePath),
            let bus = last(subsystem)
        else { return "virtual-0" }
        return ByteScanner.scan(Array(name.utf8)) { scanner in text(bus, &scanner) ?? "virtual-0" }
    }

    private static func text(_ bus: String, _ name: inout ByteScanner) -> String? {
        switch bus {
        case "i2c":
            guard let adapter = name.unsigned(), name.skip("-"), let address = name.hexadecimal() else { return nil }
            return "i2c-\(adapter)-\(hexadecimal(address, digits: 2))"
        case "spi":
            guard name.skip("spi"), let adapter = name.unsigned(), name.skip("."), let address = name.unsigned() else {
                return nil
            }
            return "spi-\(adapter)-\(hexadecimal(address, digits: 1))"
        case "pci":
            guard let domain = name.hexadecimal(), name.skip(":"), let bus = name.hexadecimal(), name.skip(":"),
                let slot = name.hexadecimal(), name.skip("."), let function = name.hexadecimal()
            else { return nil }
            return "pci-" + hexadecimal((domain << 16) &+ (bus << 8) &+ (slot << 3) &+ function, digits: 4)
        case "platform", "of_platform":
            // What stands before the last dot is a name, where a number follows it.
            let number = name.field(beforeLast: UInt8(ascii: ".")).flatMap { _ in name.unsigned() }
            return "isa-" + hexadecimal(number ?? 0, digits: 4)
        case "scsi":
            guard let host = name.unsigned(), name.skip(":"), let channel = name.unsigned(), name.skip(":"),
                let target = name.unsigned(), name.skip(":"), let unit = name.hexadecimal()
            else { return nil }
            return "scsi-\(host)-" + hexadecimal((channel << 8) &+ (target << 4) &+ unit, digits: 1)
        case "hid":
            guard let bus = name.hexadecimal(), name.skip(":"), name.hexadecimal() != nil, name.skip(":"),
                name.hexadecimal() != nil, name.skip("."), let number = name.hexadecimal()
            else { return nil }
            return "hid-\(bus)-" + hexadecimal(number, digits: 1)
        case "mdio_bus":
            guard name.field(beforeLast: UInt8(ascii: ":")) != nil, let address = name.hexadecimal() else { return nil }
            return "mdio-" + hexadecimal(address, digits: 1)
        case "acpi": return "acpi-0"
        // Among others the zones that a chip was made for.
        default: return "virtual-0"
        }
    }

    private static func hexadecimal(_ number: UInt64, digits: Int) -> String {
        let text = String(number, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }

    private static func last(_ path: String) -> String? {
        path.split(separator: "/").last.map(String.init)
    }

    /// Where the link to a device's bus points, also where nothing is there.
    private static func linked(_ device: String) -> String? {
        SystemFolder.linkTarget(of: device + "/subsystem")
    }
}

extension ByteScanner {
    /// The hexadecimal number at hand; nil if there is none. What does not fit wraps.
    fileprivate mutating func hexadecimal() -> UInt64? {
        var value: UInt64?
        while let octet = next, let digit = UInt8(octet).hexadecimalDigit {
            value = (value ?? 0) << 4 | UInt64(digit)
            guard skip(octet) else { break }
        }
        return value
    }
}

extension UInt8 {
    fileprivate var hexadecimalDigit: UInt8? {
        switch self {
        case 0x30...0x39: self - 0x30
        case 0x41...0x46: self - 0x37
        case 0x61...0x66: self - 0x57
        default: nil
        }
    }
}
