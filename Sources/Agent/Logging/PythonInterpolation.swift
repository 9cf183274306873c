#if Agent
/// What `%(name)s` and `%%` in a value of the configuration come to: the value of another key, and a percent sign.
///
/// The two Pythons differ where there are percent signs and no `%(`: Python 2.7 leaves such a value as it is. Sources:
/// `ConfigParser.get` of Python 2.7.18, `BasicInterpolation` of Python 3.
enum PythonInterpolation {
    /// Why a value cannot be interpolated.
    struct Failure: Error, Hashable {
        var message: String
    }

    /// How often names in values are followed, as in Python.
    private static let deepest = 10
    /// Values that name each other would grow without end.
    private static let longest = 65_536

    /// The value as Python 2.7 has it: what comes of names is looked through again.
    static func python2(_ text: String, _ value: (String) -> String?) throws(Failure) -> String {
        var text = text
        for _ in 0..<deepest {
            guard text.contains("%(") else { return text }
            text = try pass(over: text) { (name) throws(Failure) in try found(name, value) }
        }
        guard !text.contains("%(") else { throw Failure(message: "refers to other keys without an end") }
        return text
    }

    /// The value as Python 3 has it: each name's value is looked through by itself.
    static func python3(
        _ text: String,
        depth: Int = 0,
        _ value: (String) -> String?
    ) throws(Failure) -> String {
        guard depth < deepest else { throw Failure(message: "refers to other keys without an end") }
        return try pass(over: text) { (name) throws(Failure) in
            let found = try found(name, value)
            return found.contains("%") ? try python3(found, depth: depth + 1, value) : found
        }
    }

    private static func found(_ name: String, _ value: (String) -> String?) throws(Failure) -> String {
        guard let found = value(name.lowercased()) else {
            throw Failure(message: "there is no key '\(name)' for %(\(name))s, neither here nor in [DEFAULT]")
        }
        return found
    }

    private static func pass(
        over text: String,
        _ value: (String) throws(Failure) -> String
    ) throws(Failure) -> String {
        var result = String.UnicodeScalarView()
        var rest = text.unicodeScalars[...]
        while let next = rest.popFirst() {
            guard next == "%" else {
                result.append(next)
                continue
            }
            switch rest.popFirst() {
            case "%": result.append("%")
            case "(":
                guard let close = rest.firstIndex(of: ")"), rest[rest.index(after: close)...].first == "s" else {
                    throw Failure(message: "%( has to be followed by the name of a key and )s")
                }
                result.append(contentsOf: try value(String(rest[..<close])).unicodeScalars)
                rest = rest[close...].dropFirst(2)
            default: throw Failure(message: "a % has to be followed by another or by the name of a key, as %(name)s")
            }
            guard result.count <= longest else { throw Failure(message: "refers to other keys without an end") }
        }
        return String(result)
    }
}

extension ConfigFile {
    /// Whether a value of the section, or for a key of `[DEFAULT]` any value of logging, has the key in it as `%(key)s`.
    func refers(to key: String, in section: String) -> Bool {
        let name = "%(\(key))s"
        let places = self.section(section).map { [$0, defaults] } ?? (sections + [defaults])
        return places.contains { place in place.entries.contains { $0.value.lowercased().contains(name) } }
    }

    /// An entry of logging with what its value stands for: as Python 2.7 has it, or as Python 3 where 2.7 raises an error or
    /// does not know the key.
    func interpolated(
        _ entry: Entry,
        in section: String
    ) -> (entry: Entry, warning: String?, problem: String?) {
        let text = entry.value
        guard text.utf8.contains(UInt8(ascii: "%")) else { return (entry, nil, nil) }
        let value3 = { (key: String) in self.entry(key, in: section)?.value }
        // Python 2.7 has the section's name among its keys.
        let value2 = { (key: String) in key == "__name__" ? section : value3(key) }
        let python2 = Result { () throws(PythonInterpolation.Failure) in try PythonInterpolation.python2(text, value2) }
        let python3 = Result { () throws(PythonInterpolation.Failure) in try PythonInterpolation.python3(text, value3) }
        switch (python2, python3) {
        case (_, .success(let value)) where entry.key == "kwargs": return (entry.with(value: value), nil, nil)
        case (.success(let value), .success(let value3)) where value == value3:
            return (entry.with(value: value), nil, nil)
        case (.success(let value), _):
            let words =
                "percent signs in a value without %(name)s stand for themselves, as in Python 2.7; Python 3 takes "
                + "%% for one and refuses a single one"
            return (entry.with(value: value), words, nil)
        case (.failure, .success(let value)): return (entry.with(value: value), nil, nil)
        case (.failure(let failure), .failure): return (entry, nil, failure.message)
        }
    }
}
#endif
