@testable import HostMetrics

/// Chips with whatever features, values, devices and configuration a generator comes up with.
enum RandomSensors {
    static func make(_ random: inout SplitMix64) throws -> MadeUpSensors {
        let sensors = try MadeUpSensors()
        for number in Array(0..<Int.random(in: 1...8, using: &random)).shuffled(using: &random) {
            let (device, bus) = pick(devices, &random)
            sensors.chip(number, pick(names, &random), device: device, bus: bus, files(&random))
        }
        if Bool.random(using: &random) { sensors.tree.write("class/i2c-adapter/i2c-3/name", "SMBus adapter\n") }
        sensors.tree.write("sensors3.conf", configuration(&random))
        for number in 0..<Int.random(in: 0...2, using: &random) {
            sensors.tree.write("sensors.d/\(number).conf", configuration(&random))
        }
        return sensors
    }

    private static let names = ["coretemp", "nct6775", "it87", "acpitz", "acpitz", "nvme", "BAT0", "k10temp", "a.b"]
    private static let devices: [(String?, String)] = [
        (nil, ""), (nil, ""), ("coretemp.0", "platform"), ("coretemp.1", "platform"), ("nct6775.656", "platform"),
        ("3-004c", "i2c"), ("4-0040", "i2c"), ("0000:01:00.0", "pci"), ("1:0:0:0", "scsi"), ("PNP0C0A:00", "acpi"),
        ("spi0.1", "spi"), ("0003:1B1C:0C10.0001", "hid"), ("mdio:07", "mdio_bus"), ("zone0", "thermal"),
    ]
    private static let subfeatures: [(String, [String])] = [
        ("in", ["input", "input", "min", "max", "average", "alarm", "beep"]),
        ("fan", ["input", "input", "fault", "min", "div", "alarm"]),
        ("temp", ["input", "input", "fault", "max", "crit", "crit_alarm", "offset", "type"]),
        ("power", ["input", "average", "average", "cap", "average_interval"]),
        ("energy", ["input"]),
        ("curr", ["input", "max", "crit"]),
        ("humidity", ["input"]),
        ("intrusion", ["alarm", "beep"]),
        ("cpu", ["vid"]),
    ]

    private static func files(_ random: inout SplitMix64) -> [String: String] {
        var files: [String: String] = [:]
        for _ in 0..<Int.random(in: 0...40, using: &random) {
            let (kind, names) = pick(subfeatures, &random)
            let name = pick(names, &random)
            let number = Int.random(in: 0...9, using: &random)
            let isFlag = name.hasSuffix("fault") || name.hasSuffix("alarm")
            files["\(kind)\(number)_\(name)"] = isFlag ? pick(["0", "0", "1", "2", "x"], &random) : value(&random)
            if Bool.random(using: &random) {
                files["\(kind)\(number)_label"] = pick(["CPU", "+3.3V", "Core 0", "a \"b\"", "", "Lüfter"], &random)
            }
        }
        if Bool.random(using: &random) { files["beep_enable"] = "1" }
        return files
    }

    private static func value(_ random: inout SplitMix64) -> String {
        switch Int.random(in: 0..<20, using: &random) {
        case 0: pick(["", "n/a", "-", "nan", "inf", "0x1F", "1e5", "12.5", "99999999999999999999", "-0"], &random)
        case 1: "\(Int64.random(in: .min ... .max, using: &random))"
        case 2...4: "\(Int.random(in: -9...9, using: &random))"
        default: "\(Int.random(in: -100_000...5_000_000, using: &random))"
        }
    }

    private static func configuration(_ random: inout SplitMix64) -> String {
        var text = ""
        for _ in 0..<Int.random(in: 0...4, using: &random) {
            text += "chip \"\(pick(names, &random))-*\"\n"
            for _ in 0..<Int.random(in: 0...5, using: &random) {
                let feature = "\(pick(subfeatures, &random).0)\(Int.random(in: 0...9, using: &random))"
                text += pick(
                    [
                        "  label \(feature) \"Label of \(feature)\"\n",
                        "  ignore \(feature)\n",
                        "  compute \(feature) @*2.5+1, (@-1)/2.5\n",
                        "  compute \(feature) ((6.8/10)+1)*@, @/((6.8/10)+1)\n",
                        "  compute \(feature) @/0, @\n",
                        "  compute \(feature) \(feature)_max-@, @\n",
                        "  compute \(feature) ^(`@), @\n",
                        "  set \(feature)_max 5\n",
                        "  nonsense\n",
                        "  label \(feature)\n",
                        "# a remark\n",
                    ],
                    &random
                )
            }
        }
        return text
    }

    private static func pick<Element>(_ elements: [Element], _ random: inout SplitMix64) -> Element {
        elements[Int.random(in: 0..<elements.count, using: &random)]
    }
}
