/// Lists the chips that drivers of sensors register below `/sys/class/hwmon`.
///
/// Reads names and labels only; a sensor is read through its `HwmonTemperature`. Knows nothing of what a chip is good for, and
/// nothing of libsensors, which scales values by its configuration files.
///
/// Source: Documentation/hwmon/sysfs-interface.rst of the kernel.
struct HwmonTree {
    /// The folder that lists the chips.
    let path: String

    init(root: SystemRoot) {
        path = root.sys + "/class/hwmon"
    }

    /// The chips, in the order of their numbers; none where the kernel has no such class. A chip that does not tell its name is
    /// left out.
    func chips() throws(CollectorError) -> [HwmonChip] {
        var chips: [HwmonChip] = []
        for number in try numbers() {
            if let chip = HwmonChip(path: "\(path)/hwmon\(number)", number: number) { chips.append(chip) }
        }
        return chips
    }

    /// The numbers of the chips, ascending. A driver that comes or goes changes them: the kernel gives each new chip the lowest
    /// number that is free.
    func numbers() throws(CollectorError) -> [Int] {
        do throws(CollectorError) {
            return try SystemFolder.entries(of: path)
                .compactMap { SystemFolder.number(in: $0, after: "hwmon") }
                .sorted()
        } catch  where error.isAbsence {
            return []
        }
    }
}

/// A chip with sensors: a processor's own, a drive's, one on the mainboard.
struct HwmonChip {
    /// The kernel's number of it: 3 for `hwmon3`. Another one after the next start of the machine, maybe.
    let number: Int
    /// What its driver calls it: `coretemp`, `drivetemp`.
    let name: String
    /// The folder with its sensors.
    let path: String
    /// The device that it belongs to: `<path>/device`, a symbolic link, which virtual chips do not have.
    let devicePath: String

    /// Nil if the chip does not tell its name.
    init?(path: String, number: Int) {
        devicePath = path + "/device"
        // Drivers of before Linux 3.13 put everything into the folder of the device.
        for folder in [path, devicePath] {
            guard let name = HwmonText.read(folder + "/name"), !name.isEmpty else { continue }
            (self.number, self.name, self.path) = (number, name, folder)
            return
        }
        return nil
    }

    /// The path of the device without symbolic links, the same after each start of the machine for most devices; nil for a
    /// virtual chip.
    var resolvedDevicePath: String? { SystemFolder.resolved(devicePath) }

    /// The temperatures of the chip that have an input, in the order of their numbers.
    func temperatures() throws(CollectorError) -> [HwmonTemperature] {
        let entries = try SystemFolder.entries(of: path)
        let faults = Set(entries.compactMap { SystemFolder.number(in: $0, between: "temp", and: "_fault") })
        let labels = Set(entries.compactMap { SystemFolder.number(in: $0, between: "temp", and: "_label") })
        return entries.compactMap { SystemFolder.number(in: $0, between: "temp", and: "_input") }.sorted().map {
            number in
            HwmonTemperature(
                number: number,
                label: labels.contains(number) ? HwmonText.read("\(path)/temp\(number)_label") : nil,
                input: "\(path)/temp\(number)_input",
                fault: faults.contains(number) ? "\(path)/temp\(number)_fault" : nil
            )
        }
    }
}

/// One sensor of temperature. Its files stay open.
final class HwmonTemperature {
    /// 1 for `temp1_input`.
    let number: Int
    /// What the driver says that it measures: `Package id 0`.
    let label: String?
    private let input: SystemFile
    private let fault: SystemFile?

    init(number: Int, label: String?, input: String, fault: String?) {
        self.number = number
        self.label = label
        self.input = SystemFile(path: input, form: .whole, limit: 255)
        self.fault = fault.map { SystemFile(path: $0, form: .whole, limit: 255) }
    }

    /// The file that the value comes from.
    var path: String { input.path }

    /// Degrees Celsius; nil while the chip says that the sensor is at fault, and when the value is below -273 or above 250.
    func celsius() throws(CollectorError) -> Double? {
        if let fault, try fault.wholeNumber() != 0 { return nil }
        return Millidegrees.celsius(try input.wholeNumber())
    }
}

/// The kernel's thousandths of a degree.
enum Millidegrees {
    /// Degrees Celsius; nil for what no sensor of a computer can have measured.
    static func celsius(_ value: Int64) -> Double? {
        guard value >= -273_000, value <= 250_000 else { return nil }
        return Double(value) / 1_000
    }
}

/// The one-line texts in the folders of chips.
enum HwmonText {
    /// The first line of a file without the blanks around it; nil if it cannot be read.
    static func read(_ path: String) -> String? {
        do throws(CollectorError) {
            return try SystemFile(path: path, form: .whole, limit: 255).line()
        } catch {
            return nil
        }
    }
}

extension SystemFile {
    /// The number that is all that the file says.
    func wholeNumber() throws(CollectorError) -> Int64 {
        try read { (scanner) throws(CollectorError) in
            guard let number = scanner.signed() else { throw self.error("is not a number") }
            scanner.skipBlanks()
            _ = scanner.skip(0x0A)
            guard scanner.isAtEnd else { throw self.error("is not just a number") }
            return number
        }
    }

    /// The first line without the blanks around it; empty if the file is.
    func line() throws(CollectorError) -> String {
        try read { (scanner) throws(CollectorError) in
            scanner.skipBlanks()
            guard let line = scanner.line() else { return "" }
            var octets = line.remaining[...]
            while let last = octets.last, last == 0x20 || last == 0x09 || last == 0x0D || last == 0 {
                octets.removeLast()
            }
            return String(decoding: octets, as: UTF8.self)
        }
    }
}
