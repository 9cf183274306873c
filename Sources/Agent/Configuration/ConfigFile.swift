#if Agent
/// The sections, keys and values of a configuration file, each with its line.
///
/// Knows nothing of which sections and keys mean something. Equals what Python's `configparser.RawConfigParser` reads,
/// with that parser's defaults: `=` or `:` after a key, `#` or `;` at the start of a line for comments, no comments
/// behind values, deeper indented lines continue a value, keys in small letters, no interpolation, `[DEFAULT]` inherited
/// by every section. Where Python raises an error, a fault is noted and reading goes on.
///
/// Prints without its values: one of them may be a URL with a password.
struct ConfigFile: Sendable {
    /// The sections in the order of the file, without `[DEFAULT]`.
    private(set) var sections: [Section] = []
    /// What `[DEFAULT]` holds.
    private(set) var defaults = Section(name: "DEFAULT", line: 0)
    /// What is wrong with the file's form, in the order of the lines.
    private(set) var faults: [Fault] = []
    private var sectionIndex: [String: Int] = [:]

    /// One section.
    struct Section: Sendable {
        /// The text between the brackets.
        let name: String
        /// The line of its header, from 1.
        let line: Int
        /// Its own keys in the order of the file.
        fileprivate(set) var entries: [Entry] = []
        private var entryIndex: [String: Int] = [:]

        init(name: String, line: Int) {
            self.name = name
            self.line = line
        }

        /// The entry of a key in small letters, without inheritance.
        subscript(key: String) -> Entry? {
            entryIndex[key].map { entries[$0] }
        }

        fileprivate func position(of key: String) -> Int? {
            entryIndex[key]
        }

        fileprivate mutating func append(_ entry: Entry) -> Int {
            entryIndex[entry.key] = entries.count
            entries.append(entry)
            return entries.count - 1
        }
    }

    /// One line of a value.
    struct Item: Hashable, Sendable {
        /// The text without the blanks around it.
        let text: String
        /// Its line, from 1.
        let line: Int
    }

    /// A key and its value.
    struct Entry: Sendable {
        /// The key in small letters.
        let key: String
        /// The key's line, from 1.
        let line: Int
        /// The value's lines, the first from behind the delimiter; blank lines in between are empty items.
        fileprivate(set) var lines: [Item]

        /// The value as Python gives it: the lines joined by line feeds, without blanks at its end.
        var value: String {
            let last = lines.lastIndex { !$0.text.isEmpty } ?? -1
            return lines.prefix(last + 1).map(\.text).joined(separator: "\n")
        }

        /// The value's lines that are not empty: what a list such as `devices[]` holds.
        var items: [Item] {
            lines.filter { !$0.text.isEmpty }
        }
    }

    /// A line that is not of the file's format.
    struct Fault: Hashable, Sendable {
        enum Kind: Hashable, Sendable {
            /// Bytes that are not UTF-8. The line was passed over.
            case notUTF8
            /// Text before the first section header.
            case missingSectionHeader
            /// Neither a header nor a key with a delimiter.
            case notAKey
            /// A section that line `first` opened already.
            case duplicateSection(first: Int)
            /// A key that line `first` holds already. The first value stays.
            case duplicateKey(first: Int)
        }

        let kind: Kind
        let line: Int
        let section: String?
        let key: String?
    }

    /// The section of this name, if the file has it.
    func section(_ name: String) -> Section? {
        sectionIndex[name].map { sections[$0] }
    }

    /// A key of a section, or else of `[DEFAULT]`. A section that the file does not have inherits nothing.
    func entry(_ key: String, in section: String) -> Entry? {
        guard let own = self.section(section) else { return nil }
        return own[key] ?? defaults[key]
    }
}

extension ConfigFile {
    /// Where reading stands: the section, the entry that a deeper line continues, and that entry's indentation.
    private struct Position {
        enum Place {
            case nowhere
            case defaults
            case section(Int)
        }

        var place = Place.nowhere
        var entry: Int?
        /// Points at the first entry of a duplicate, whose repetition is read and dropped.
        var isDropping = false
        var indentation = 0
        var reportedMissingHeader = false
    }

    /// Reads the bytes of a file: UTF-8, with or without a byte order mark, lines ended by LF, CR LF or CR.
    init(_ bytes: [UInt8]) {
        var position = Position()
        var start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        var number = 1
        while start < bytes.endIndex {
            let end = bytes[start...].firstIndex { $0 == 0x0A || $0 == 0x0D } ?? bytes.endIndex
            if let text = String(validating: bytes[start..<end], as: UTF8.self) {
                read(text, number, &position)
            } else {
                note(.notUTF8, number, position)
            }
            start = end + 1
            if end < bytes.endIndex, bytes[end] == 0x0D, start < bytes.endIndex, bytes[start] == 0x0A { start += 1 }
            number += 1
        }
    }

    private mutating func read(_ line: String, _ number: Int, _ position: inout Position) {
        let scalars = line.unicodeScalars
        let text = Self.trimmed(scalars[...])
        guard let first = text.first else {
            continueEntry(with: "", number, position)
            return
        }
        if first == "#" || first == ";" { return }
        let indentation = scalars.distance(from: scalars.startIndex, to: text.startIndex)
        if position.entry != nil, indentation > position.indentation {
            continueEntry(with: String(text), number, position)
            return
        }
        position.indentation = indentation
        if first == "[", let close = text.lastIndex(of: "]") {
            let name = text[text.index(after: text.startIndex)..<close]
            if !name.isEmpty {
                open(String(name), number, &position)
                return
            }
        }
        if case .nowhere = position.place {
            if !position.reportedMissingHeader { note(.missingSectionHeader, number, position) }
            position.reportedMissingHeader = true
            return
        }
        guard let delimiter = text.firstIndex(where: { $0 == "=" || $0 == ":" }) else {
            note(.notAKey, number, position)
            return
        }
        let key = String(Self.trimmed(text[..<delimiter])).lowercased()
        guard !key.isEmpty else {
            note(.notAKey, number, position)
            position.entry = nil
            return
        }
        let value = String(Self.trimmed(text[text.index(after: delimiter)...]))
        add(Entry(key: key, line: number, lines: [Item(text: value, line: number)]), &position)
    }

    private mutating func open(_ name: String, _ number: Int, _ position: inout Position) {
        position.entry = nil
        position.isDropping = false
        if name == defaults.name {
            position.place = .defaults
        } else if let known = sectionIndex[name] {
            position.place = .section(known)
            note(.duplicateSection(first: sections[known].line), number, position)
        } else {
            position.place = .section(sections.count)
            sectionIndex[name] = sections.count
            sections.append(Section(name: name, line: number))
        }
    }

    private mutating func add(_ entry: Entry, _ position: inout Position) {
        func addition(to section: inout Section) -> (Int, first: Int?) {
            if let known = section.position(of: entry.key) { return (known, section.entries[known].line) }
            return (section.append(entry), nil)
        }
        let (index, first): (Int, Int?)
        switch position.place {
        case .nowhere: return
        case .defaults: (index, first) = addition(to: &defaults)
        case .section(let at): (index, first) = addition(to: &sections[at])
        }
        position.entry = index
        position.isDropping = first != nil
        if let first { note(.duplicateKey(first: first), entry.line, position, key: entry.key) }
    }

    private mutating func continueEntry(with text: String, _ number: Int, _ position: Position) {
        guard let entry = position.entry, !position.isDropping else { return }
        let item = Item(text: text, line: number)
        switch position.place {
        case .nowhere: return
        case .defaults: defaults.entries[entry].lines.append(item)
        case .section(let at): sections[at].entries[entry].lines.append(item)
        }
    }

    private mutating func note(_ kind: Fault.Kind, _ line: Int, _ position: Position, key: String? = nil) {
        let section: String? =
            switch position.place {
            case .nowhere: nil
            case .defaults: defaults.name
            case .section(let at): sections[at].name
            }
        faults.append(Fault(kind: kind, line: line, section: section, key: key))
    }

    private static func trimmed(_ text: Substring.UnicodeScalarView) -> Substring.UnicodeScalarView {
        guard let first = text.firstIndex(where: { !isBlank($0) }), let last = text.lastIndex(where: { !isBlank($0) })
        else { return text[text.endIndex...] }
        return text[first...last]
    }

    /// What Python's `str.isspace` takes for white space.
    private static func isBlank(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }
}

extension ConfigFile.Item: CustomStringConvertible, CustomReflectable {
    var description: String { "line \(line)" }
    var customMirror: Mirror { Mirror(self, children: ["line": line], displayStyle: .struct) }
}
#endif
