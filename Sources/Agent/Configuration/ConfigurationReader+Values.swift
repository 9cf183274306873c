/// The kinds of value. Each takes over a value that is fit, and notes a problem for one that is not.
extension ConfigurationReader {
    mutating func flag(_ key: String, in section: String, into value: inout Bool) {
        guard let entry = file.entry(key, in: section) else { return }
        switch entry.value.lowercased() {
        case "yes", "true", "on", "1": value = true
        case "no", "false", "off", "0": value = false
        default: note(entry, in: section, "has to be yes or no")
        }
    }

    mutating func name(_ key: String, in section: String, into value: inout String, mayBeEmpty: Bool) {
        guard let entry = file.entry(key, in: section) else { return }
        guard Self.isShortString(entry.value) else {
            note(entry, in: section, Self.shortStringRule)
            return
        }
        guard mayBeEmpty || !entry.value.isEmpty else {
            note(entry, in: section, "must not be empty")
            return
        }
        value = entry.value
    }

    mutating func seconds(_ key: String, in section: String, into value: inout Duration) {
        guard let entry = file.entry(key, in: section) else { return }
        guard let duration = Self.seconds(entry.value) else {
            note(entry, in: section, "has to be a number of seconds from 0 to 86400, as 5 or 0.5")
            return
        }
        value = duration
    }

    /// An empty path keeps the default, as in files written for the Python psistats.
    mutating func filePath(_ key: String, in section: String, into value: inout String) {
        guard let entry = file.entry(key, in: section), !entry.value.isEmpty else { return }
        guard !entry.value.utf8.contains(0), !entry.value.utf8.contains(0x0A) else {
            note(entry, in: section, "has to be the path of a file, on one line and without NUL")
            return
        }
        value = entry.value
    }

    static let shortStringRule = "has to be at most 255 bytes of text, on one line and without NUL"

    /// Whether the text is fit for the name of a queue or an exchange (AMQP 0-9-1, section 4.2.5.3).
    static func isShortString(_ text: String) -> Bool {
        text.utf8.count <= 255 && !text.utf8.contains(0) && !text.utf8.contains(0x0A)
    }

    /// A decimal number of digits only.
    static func number<T: FixedWidthInteger>(_ text: String, as type: T.Type) -> T? {
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        return T(text, radix: 10)
    }

    /// Seconds with or without a fraction, 0...86400; fractions of a millisecond are cut off.
    static func seconds(_ text: String) -> Duration? {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        let fraction = parts.count == 2 ? String(decoding: parts[1], as: UTF8.self) : "0"
        guard let first = parts.first, let whole = number(String(decoding: first, as: UTF8.self), as: Int64.self),
            !fraction.isEmpty,
            let thousandths = number(String((fraction + "000").prefix(3)), as: Int64.self),
            fraction.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            whole <= 86_400
        else { return nil }
        let result = Duration.milliseconds(whole * 1000 + thousandths)
        return result <= .seconds(86_400) ? result : nil
    }
}
