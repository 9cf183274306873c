#if Agent
/// Reads the lines of a configuration file into a `ConfigFile`, one after the other.
///
/// Each line is taken as Python 2.7 takes it; where that makes an error of it, as Python 3 does. Sources: `_read` in
/// `ConfigParser.py` of Python 2.7.18 and in `configparser.py` of Python 3.
struct ConfigFileParser {
    private typealias Text = Substring.UnicodeScalarView

    /// The section and the entry that a line may continue.
    private var place: ConfigFile.Place?
    private var entry: Int?
    /// The entry's key was read as Python 3 reads it, and so is what continues it.
    private var isPython3 = false
    /// How many characters of white space stood before the entry's key.
    private var indentation = 0
    /// The empty lines that follow the entry, which matter if the value goes on.
    private var blankLines: [Int] = []
    private var hasReportedMissingHeader = false
    private var number = 0
    /// Whether a carriage return stands at the end of the line.
    private var endsWithReturn = false

    /// Reads a file: lines end with a line feed, with or without a carriage return before it.
    mutating func read(_ bytes: [UInt8], into file: inout ConfigFile) {
        var start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        while start < bytes.endIndex {
            number += 1
            let end = bytes[start...].firstIndex(of: 0x0A) ?? bytes.endIndex
            var line = bytes[start..<end]
            endsWithReturn = line.last == 0x0D
            if endsWithReturn { line.removeLast() }
            if line.contains(0x0D) { note(.carriageReturn, &file) }
            if let text = String(validating: line, as: UTF8.self) {
                read(text, &file)
            } else {
                note(.notUTF8, &file)
                var text = String.UnicodeScalarView()
                for byte in line { text.append(Unicode.Scalar(byte)) }
                read(String(text), &file)
            }
            start = end + 1
        }
    }

    private mutating func read(_ line: String, _ file: inout ConfigFile) {
        let line = line[...].unicodeScalars
        guard let first = line.first, !trimmed(line).isEmpty else {
            return readBlank(&file)
        }
        if first == "#" || first == ";" { return }
        if isRemark(line) { return note(.remark, &file) }
        if place != nil, let entry, Self.isBlank(first) {
            if !isPython3 { return readContinuation(line, of: entry, &file) }
            if Self.indentation(of: line) > indentation {
                return readContinuation3(line, of: entry, &file)
            }
        } else if let header = header(line) {
            return open(header, line, &file)
        } else if place != nil, let parts = split(line) {
            return readEntry(parts, line, &file)
        }
        readAsPython3(line, &file)
    }

    private mutating func readBlank(_ file: inout ConfigFile) {
        guard let place, let entry else { return }
        if isPython3 {
            file.append(ConfigFile.Item(text: "", line: number), to: entry, in: place)
        } else {
            blankLines.append(number)
        }
    }

    /// `rem` in letters of any size at the start of a line, and nothing or white space behind it.
    private func isRemark(_ line: Text) -> Bool {
        let word = line.prefix { !Self.isBlank($0) }
        return word.count == 3 && String(word).lowercased() == "rem"
    }

    // MARK: As Python 2.7

    private mutating func readContinuation(_ line: Text, of entry: Int, _ file: inout ConfigFile) {
        guard let place else { return }
        let text = trimmed(line)
        let text3 = Self.trimmed3(line)
        if text3.isEmpty { note(.oddBlank, &file) }
        let looksLikeComment = text3.first == "#" || text3.first == ";"
        if looksLikeComment {
            note(.commentInValue, &file)
        } else if !text.elementsEqual(text3) {
            note(.oddBlank, &file)
        }
        if !blankLines.isEmpty { note(.blankLineInValue, &file) }
        blankLines = []
        let item = ConfigFile.Item(text: String(text), line: number, looksLikeComment: looksLikeComment)
        file.append(item, to: entry, in: place)
    }

    /// The text between `[` at the start of the line and the first `]`.
    private func header(_ line: Text) -> String? {
        guard line.first == "[", let close = line.firstIndex(of: "]") else { return nil }
        let name = line[line.index(after: line.startIndex)..<close]
        return name.isEmpty ? nil : String(name)
    }

    private mutating func open(_ name: String, _ line: Text, _ file: inout ConfigFile) {
        if Self.header3(Self.trimmed3(line)) != name { note(.bracketBehindHeader, &file) }
        opened(name, &file)
    }

    /// What stands before and behind the first `=` or `:`, where a key begins at the start of the line.
    private func split(_ line: Text) -> (key: Text, rest: Text)? {
        guard let first = line.first, !Self.isBlank(first) else { return nil }
        guard let delimiter = line.firstIndex(where: { $0 == "=" || $0 == ":" }), delimiter != line.startIndex else {
            return nil
        }
        return (trimmed(line[..<delimiter]), line[line.index(after: delimiter)...])
    }

    private mutating func readEntry(_ parts: (key: Text, rest: Text), _ line: Text, _ file: inout ConfigFile) {
        var value = parts.rest.drop(while: Self.isBlank)
        var kinds: [ConfigFile.Difference.Kind] = []
        if let semicolon = value.firstIndex(of: ";") {
            // Python looks at the character before; before the first one that is the last one.
            let before = semicolon == value.startIndex ? value.last : value[value.index(before: semicolon)]
            if let before, Self.isBlank(before) || (semicolon == value.startIndex && endsWithReturn) {
                value = value[..<semicolon]
                kinds.append(.commentBehindValue)
            }
        }
        value = trimmed(value)
        if value.elementsEqual("\"\"".unicodeScalars) {
            value = value[value.endIndex...]
            kinds.append(.emptyQuotes)
        }
        let key = Self.lowercased(parts.key)
        let isOdd =
            line.first.map(Self.isBlank3) == true || Self.lowercased3(Self.trimmed3(parts.key)) != key
            || (kinds.isEmpty && !value.elementsEqual(Self.trimmed3(parts.rest)))
        if isOdd { kinds.append(.oddBlank) }
        add(key, value, &file)
        for kind in kinds { note(kind, &file, key: key) }
        isPython3 = false
        indentation = 0
    }

    // MARK: As Python 3, where Python 2.7 refuses

    private mutating func readAsPython3(_ line: Text, _ file: inout ConfigFile) {
        let text = Self.trimmed3(line)
        guard let first = text.first else { return readBlank(&file) }
        if first == "#" || first == ";" { return }
        if place != nil, let entry, Self.indentation(of: line) > indentation {
            return readContinuation3(line, of: entry, &file)
        }
        if let name = Self.header3(text) {
            // Python 3 up to 3.9 ended the name at the first one.
            if name.contains("]") { note(.bracketBehindHeader, &file) }
            return opened(name, &file)
        }
        guard let place else {
            guard !hasReportedMissingHeader else { return }
            hasReportedMissingHeader = true
            return file.note(ConfigFile.Fault(kind: .missingSectionHeader, line: number, section: nil))
        }
        let delimiter = text.firstIndex { $0 == "=" || $0 == ":" }
        guard let delimiter, delimiter != text.startIndex else {
            return file.note(ConfigFile.Fault(kind: .notAKey, line: number, section: file.name(of: place)))
        }
        add(
            Self.lowercased3(Self.trimmed3(text[..<delimiter])),
            Self.trimmed3(text[text.index(after: delimiter)...]),
            &file
        )
        isPython3 = true
        indentation = Self.indentation(of: line)
    }

    private mutating func readContinuation3(_ line: Text, of entry: Int, _ file: inout ConfigFile) {
        let text = Self.trimmed3(line)
        guard let place, text.first != "#", text.first != ";" else { return }
        for line in blankLines { file.append(ConfigFile.Item(text: "", line: line), to: entry, in: place) }
        blankLines = []
        file.append(ConfigFile.Item(text: String(text), line: number), to: entry, in: place)
    }

    /// The text between `[` and the last `]`.
    private static func header3(_ text: Text) -> String? {
        guard text.first == "[", let close = text.lastIndex(of: "]") else { return nil }
        let name = text[text.index(after: text.startIndex)..<close]
        return name.isEmpty ? nil : String(name)
    }

    private static func indentation(of line: Text) -> Int {
        line.prefix(while: isBlank3).count
    }

    // MARK: Both

    private mutating func opened(_ name: String, _ file: inout ConfigFile) {
        let (place, first) = file.open(name, line: number)
        self.place = place
        entry = nil
        if let first { note(.repeatedSection(first: first), &file) }
    }

    private mutating func add(_ key: String, _ value: Text, _ file: inout ConfigFile) {
        guard let place else { return }
        let item = ConfigFile.Item(text: String(value), line: number)
        let (position, first) = file.set(ConfigFile.Entry(key: key, line: number, lines: [item]), in: place)
        entry = position
        blankLines = []
        if let first { note(.repeatedKey(first: first), &file, key: key) }
    }

    private func note(_ kind: ConfigFile.Difference.Kind, _ file: inout ConfigFile, key: String? = nil) {
        let section = place.map { file.name(of: $0) }
        file.note(ConfigFile.Difference(kind: kind, line: number, section: section, key: key))
    }

    private func trimmed(_ text: Text) -> Text { Self.trimmed(text, Self.isBlank) }
    private static func trimmed3(_ text: Text) -> Text { trimmed(text, isBlank3) }

    private static func trimmed(_ text: Text, _ isBlank: (Unicode.Scalar) -> Bool) -> Text {
        guard let first = text.firstIndex(where: { !isBlank($0) }), let last = text.lastIndex(where: { !isBlank($0) })
        else { return text[text.endIndex...] }
        return text[first...last]
    }

    /// What white space is to Python 2.7, whose text are bytes.
    private static func isBlank(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09...0x0D, 0x20: true
        default: false
        }
    }

    /// What Python 3's `str.isspace` takes for white space.
    private static func isBlank3(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }

    /// Python 2.7 knows letters of ASCII only.
    private static func lowercased(_ text: Text) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text {
            let isCapital = ("A"..."Z").contains(scalar)
            result.append(isCapital ? Unicode.Scalar(UInt8(truncatingIfNeeded: scalar.value) | 0x20) : scalar)
        }
        return String(result)
    }

    private static func lowercased3(_ text: Text) -> String { String(text).lowercased() }
}
#endif
