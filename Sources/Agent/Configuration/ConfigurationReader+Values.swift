#if Agent
/// The kinds of value. Each takes over a value that is fit, and notes a problem for one that is not.
extension ConfigurationReader {
    mutating func flag(_ key: String, in section: String, into value: inout Bool) {
        guard let entry = file.entry(key, in: section) else { return }
        guard let flag = Self.flag(entry.value) else {
            note(entry, in: section, "has to be yes or no")
            return
        }
        value = flag
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

    /// Seconds of which 0 makes no sense: a pause, a deadline.
    mutating func positiveSeconds(_ key: String, in section: String, upTo limit: Int64, into value: inout Duration) {
        guard let entry = file.entry(key, in: section) else { return }
        guard let duration = Self.seconds(entry.value, upTo: limit), duration > .zero else {
            note(entry, in: section, "has to be a number of seconds from 0.001 to \(limit), as 5 or 0.5")
            return
        }
        value = duration
    }

    /// A whole number.
    mutating func number<T: FixedWidthInteger>(
        _ key: String,
        in section: String,
        of unit: String? = nil,
        _ range: ClosedRange<T>,
        into value: inout T
    ) {
        guard let entry = file.entry(key, in: section) else { return }
        guard let number = Self.number(entry.value, as: T.self), range.contains(number) else {
            let unit = unit.map { " of " + $0 } ?? ""
            note(entry, in: section, "has to be a number\(unit) from \(range.lowerBound) to \(range.upperBound)")
            return
        }
        value = number
    }

    /// A whole number that may be left empty.
    mutating func optionalNumber<T: FixedWidthInteger>(
        _ key: String,
        in section: String,
        of unit: String,
        _ range: ClosedRange<T>,
        into value: inout T?
    ) {
        guard let entry = file.entry(key, in: section), !entry.value.isEmpty else { return }
        var read = range.lowerBound
        let before = problems.count
        number(key, in: section, of: unit, range, into: &read)
        if problems.count == before { value = read }
    }

    /// One of some words.
    mutating func word(_ key: String, in section: String, of words: [String]) -> String? {
        guard let entry = file.entry(key, in: section) else { return nil }
        guard words.contains(entry.value) else {
            let hint = ConfigurationKeys.hint(for: entry.value, among: words)
            note(entry, in: section, "has to be " + words.joined(separator: " or ") + hint)
            return nil
        }
        return entry.value
    }

    /// The items of a list, a line each. `parse` gives what an item means, or throws what is wrong with it.
    mutating func list<Item>(
        _ key: String,
        in section: String,
        into value: inout [Item],
        parse: (String) throws(ListItemProblem) -> Item
    ) {
        guard let entry = file.entry(key, in: section) else { return }
        var items: [Item] = []
        for item in entry.items {
            do throws(ListItemProblem) {
                guard !item.text.utf8.contains(0) else { throw ListItemProblem("must not hold a NUL") }
                items.append(try parse(item.text))
            } catch {
                note(entry, in: section, error.message, line: item.line)
            }
        }
        value = items
    }

    /// An absolute path; a relative one counts from the file's directory. An empty one keeps the default, as in files written for the Python psistats.
    mutating func filePath(_ key: String, in section: String, into value: inout String) {
        guard let entry = file.entry(key, in: section), !entry.value.isEmpty else { return }
        guard !entry.value.utf8.contains(0), !entry.value.utf8.contains(0x0A) else {
            note(entry, in: section, "has to be the path of a file, on one line and without NUL")
            return
        }
        value = entry.value.absolute(from: directory)
    }

    static let shortStringRule = "has to be at most 255 bytes of text, on one line and without NUL"

    /// Whether the text is fit for the name of a queue or an exchange (AMQP 0-9-1, section 4.2.5.3).
    static func isShortString(_ text: String) -> Bool {
        text.utf8.count <= 255 && !text.utf8.contains(0) && !text.utf8.contains(0x0A)
    }

    /// What Python's `getboolean` takes.
    static func flag(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "yes", "true", "on", "1": true
        case "no", "false", "off", "0": false
        default: nil
        }
    }

    /// A decimal number of digits only.
    static func number<T: FixedWidthInteger>(_ text: String, as type: T.Type) -> T? {
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        return T(text, radix: 10)
    }

    /// Seconds with or without a fraction, from 0 to a limit; fractions of a millisecond are cut off.
    static func seconds(_ text: String, upTo limit: Int64 = 86_400) -> Duration? {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        let fraction = parts.count == 2 ? String(decoding: parts[1], as: UTF8.self) : "0"
        guard let first = parts.first, let whole = number(String(decoding: first, as: UTF8.self), as: Int64.self),
            !fraction.isEmpty,
            let thousandths = number(String((fraction + "000").prefix(3)), as: Int64.self),
            fraction.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            whole <= limit
        else { return nil }
        let result = Duration.milliseconds(whole * 1000 + thousandths)
        return result <= .seconds(limit) ? result : nil
    }
}

/// What is wrong with an item of a list.
struct ListItemProblem: Error {
    var message: String

    init(_ message: String) {
        self.message = message
    }
}
#endif
