#if Agent
/// The sections, keys and values of a configuration file, each with its line.
///
/// Knows nothing of which sections and keys mean something. Reads what `ConfigParser.RawConfigParser` of Python 2.7 reads,
/// for which the first psistats was written, and notes each place that `configparser` of Python 3 reads in another way.
/// What Python 2.7 refuses and Python 3 takes is read as Python 3 does: indented keys and headers, a byte order mark. What
/// both refuse is a fault, and reading goes on.
///
/// Prints without its values: one of them may be a URL with a password.
struct ConfigFile: Sendable {
    /// The sections in the order of the file, without `[DEFAULT]`.
    private(set) var sections: [Section] = []
    /// What `[DEFAULT]` holds.
    private(set) var defaults = Section(name: "DEFAULT", line: 0)
    /// What is wrong with the file's form, in the order of the lines.
    private(set) var faults: [Fault] = []
    /// Where Python 3 would read something else, in the order of the lines.
    private(set) var differences: [Difference] = []
    private var sectionIndex: [String: Int] = [:]

    /// One section.
    struct Section: Sendable {
        /// The text between the brackets.
        let name: String
        /// The line of its header, from 1; the first where there are several.
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

        /// Adds an entry, or puts it in the place of the one of this key. Returns its position, and the line of the other.
        fileprivate mutating func set(_ entry: Entry) -> (position: Int, replacedLine: Int?) {
            if let known = entryIndex[entry.key] {
                defer { entries[known] = entry }
                return (known, entries[known].line)
            }
            entryIndex[entry.key] = entries.count
            entries.append(entry)
            return (entries.count - 1, nil)
        }
    }

    /// One line of a value.
    struct Item: Hashable, Sendable {
        /// The text without the blanks around it.
        let text: String
        /// Its line, from 1.
        let line: Int
        /// An indented line that starts with `#` or `;`: part of the value to Python 2.7, a comment to Python 3.
        var looksLikeComment = false
    }

    /// A key and its value.
    struct Entry: Sendable {
        /// The key in small letters.
        let key: String
        /// The key's line, from 1.
        let line: Int
        /// The value's lines, the first from behind the delimiter.
        fileprivate(set) var lines: [Item]

        /// The value as Python gives it: the lines joined by line feeds, without blanks at its end.
        var value: String {
            let last = lines.lastIndex { !$0.text.isEmpty } ?? -1
            return lines.prefix(last + 1).map(\.text).joined(separator: "\n")
        }

        /// The entry with another value.
        func with(value: String) -> Entry {
            Entry(key: key, line: line, lines: [Item(text: value, line: line)])
        }

        /// The value's lines that are not empty: what a list such as `devices[]` holds.
        var items: [Item] {
            lines.filter { !$0.text.isEmpty }
        }
    }

    /// A line that is not of the file's format.
    struct Fault: Hashable, Sendable {
        enum Kind: Hashable, Sendable {
            /// Text before the first section header.
            case missingSectionHeader
            /// Neither a header nor a key with a delimiter.
            case notAKey
        }

        let kind: Kind
        let line: Int
        let section: String?
    }

    /// A place that Python 3 reads in another way, or refuses.
    struct Difference: Hashable, Sendable {
        enum Kind: Hashable, Sendable {
            /// A comment behind a value: ` ;` and what follows.
            case commentBehindValue
            /// The value `""`, which is empty.
            case emptyQuotes
            /// A comment that starts with the word `rem`.
            case remark
            /// A line of a value that starts with `#` or `;`.
            case commentInValue
            /// An empty line within a value, which is left out.
            case blankLineInValue
            /// A section that line `first` opened already; the two are one.
            case repeatedSection(first: Int)
            /// A key that line `first` holds already; the last one holds.
            case repeatedKey(first: Int)
            /// A header with a further `]` behind its first.
            case bracketBehindHeader
            /// White space other than blank and tab around a text, which belongs to it.
            case oddBlank
            /// A carriage return within a line, which ends no line.
            case carriageReturn
            /// Bytes that are not UTF-8, read as ISO 8859-1.
            case notUTF8
        }

        let kind: Kind
        let line: Int
        let section: String?
        var key: String?
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

    /// The file without those lines of values that look like comments: nobody means a list of devices or the name of a
    /// queue to hold one. The values of some keys may: those are left as they are.
    func withoutComments(except keys: Set<String>) -> ConfigFile {
        func strip(_ section: inout Section) {
            for index in section.entries.indices where !keys.contains(section.entries[index].key) {
                section.entries[index].lines.removeAll(where: \.looksLikeComment)
            }
        }
        var result = self
        strip(&result.defaults)
        for index in result.sections.indices { strip(&result.sections[index]) }
        return result
    }
}

/// What `ConfigFileParser` does to a file.
extension ConfigFile {
    /// Reads the bytes of a file.
    init(_ bytes: [UInt8]) {
        var parser = ConfigFileParser()
        parser.read(bytes, into: &self)
    }

    /// Where entries go.
    enum Place: Hashable {
        case defaults
        case section(Int)
    }

    /// The section of this name, made where there is none, and the line of its first header.
    mutating func open(_ name: String, line: Int) -> (place: Place, firstLine: Int?) {
        if name == defaults.name { return (.defaults, nil) }
        if let known = sectionIndex[name] { return (.section(known), sections[known].line) }
        sectionIndex[name] = sections.count
        sections.append(Section(name: name, line: line))
        return (.section(sections.count - 1), nil)
    }

    /// Adds an entry, or puts it in the place of the one of this key. Returns its position, and the line of the other.
    mutating func set(_ entry: Entry, in place: Place) -> (position: Int, replacedLine: Int?) {
        switch place {
        case .defaults: defaults.set(entry)
        case .section(let index): sections[index].set(entry)
        }
    }

    mutating func append(_ item: Item, to position: Int, in place: Place) {
        switch place {
        case .defaults: defaults.entries[position].lines.append(item)
        case .section(let index): sections[index].entries[position].lines.append(item)
        }
    }

    func name(of place: Place) -> String {
        switch place {
        case .defaults: defaults.name
        case .section(let index): sections[index].name
        }
    }

    mutating func note(_ fault: Fault) { faults.append(fault) }
    mutating func note(_ difference: Difference) { differences.append(difference) }
}

extension ConfigFile.Item: CustomStringConvertible, CustomReflectable {
    var description: String { "line \(line)" }
    var customMirror: Mirror { Mirror(self, children: ["line": line], displayStyle: .struct) }
}
#endif
