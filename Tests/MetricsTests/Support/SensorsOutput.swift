import Glibc

/// Reads what `sensors -j` prints, which is not always JSON: names occur twice, labels are not escaped, and what is not readable
/// stands between parentheses. So it goes by lines and their indentation.
enum SensorsOutput {
    /// A feature that has a value.
    struct Reading: Hashable, Comparable {
        var chip: String
        var label: String
        /// `temp1`
        var feature: String
        /// As printed, with three decimals.
        var value: String

        static func < (first: Reading, second: Reading) -> Bool {
            (first.chip, first.feature, first.label, first.value) < (
                second.chip, second.feature, second.label, second.value
            )
        }
    }

    /// The features that have an input, without those at fault.
    static func readings(_ lines: [String]) -> [Reading] {
        var readings: [Reading] = []
        var (chip, label) = ("", "")
        var values: [(name: String, value: String)] = []
        func finish() {
            if var reading = reading(chip: chip, label: label, values) {
                // The collector takes a name for an empty label.
                if label.isEmpty { reading.label = reading.feature }
                readings.append(reading)
            }
            values = []
        }
        for line in lines {
            if let name = name(in: line, indentation: 9, end: "\": ") {
                values.append((name.name, number(name.rest)))
            } else if let name = name(in: line, indentation: 6, end: "\":{") {
                finish()
                label = name.name
            } else if let name = name(in: line, indentation: 3, end: "\":{") {
                finish()
                chip = name.name
            }
        }
        finish()
        return readings
    }

    private static func name(in line: String, indentation: Int, end: String) -> (name: String, rest: String)? {
        let start = String(repeating: " ", count: indentation) + "\""
        guard line.hasPrefix(start) else { return nil }
        let rest = line.dropFirst(start.count)
        // The last one: there is no such thing behind a name, but a label may contain anything.
        var index = rest.endIndex
        while index > rest.startIndex {
            index = rest.index(before: index)
            if rest[index...].hasPrefix(end) {
                return (String(rest[..<index]), String(rest[index...].dropFirst(end.count)))
            }
        }
        return nil
    }

    private static func number(_ text: String) -> String {
        String(text.prefix { $0.isNumber || $0 == "." || $0 == "-" || $0.isLetter })
    }

    private static func reading(chip: String, label: String, _ values: [(name: String, value: String)]) -> Reading? {
        if let fault = values.first(where: { $0.name.hasSuffix("_fault") }), strtod(fault.value, nil) != 0 {
            return nil
        }
        let suffixes = ["_input", "_average"]
        for suffix in suffixes {
            guard let found = values.first(where: { $0.name.hasSuffix(suffix) }) else { continue }
            // Only power has no better one than its average.
            if suffix == "_average", !found.name.hasPrefix("power") { continue }
            return finite(
                Reading(
                    chip: chip,
                    label: label,
                    feature: String(found.name.dropLast(suffix.count)),
                    value: found.value
                )
            )
        }
        for found in values {
            let isWhole = found.name.hasSuffix("_vid") || found.name == "beep_enable"
            if isWhole { return finite(Reading(chip: chip, label: label, feature: found.name, value: found.value)) }
            guard found.name.hasPrefix("intrusion"), found.name.hasSuffix("_alarm") else { continue }
            return finite(
                Reading(chip: chip, label: label, feature: String(found.name.dropLast(6)), value: found.value)
            )
        }
        return nil
    }

    private static func finite(_ reading: Reading) -> Reading? {
        strtod(reading.value, nil).isFinite ? reading : nil
    }
}
