#if Agent
/// Reads one `[handler_NAME]`: its class, and the class's parameters from `args`, `kwargs` and keys of their own.
struct LogHandlerReader {
    let section: ConfigFile.Section
    let file: ConfigFile
    let path: String
    let directory: String
    private(set) var problems: [ConfigurationProblem] = []
    private(set) var warnings: [ConfigurationProblem] = []
    /// What the parameters, by their names in small letters, are set to, and where.
    private var values: [String: (value: PythonLiteral, entry: ConfigFile.Entry)] = [:]

    init(section: ConfigFile.Section, file: ConfigFile, path: String, directory: String) {
        self.section = section
        self.file = file
        self.path = path
        self.directory = directory
    }

    /// A class, by the last part of its name, and its parameters in Python's order.
    private enum Kind: String, CaseIterable {
        case stream = "StreamHandler"
        case file = "FileHandler"
        case watchedFile = "WatchedFileHandler"
        case rotatingFile = "RotatingFileHandler"
        case timedRotatingFile = "TimedRotatingFileHandler"
        case syslog = "SysLogHandler"
        case nothing = "NullHandler"
        case journal = "JournalHandler"
        case journald = "JournaldLogHandler"

        var parameters: [String] {
            switch self {
            case .stream: ["stream"]
            case .file, .watchedFile: ["filename", "mode", "encoding", "delay", "errors"]
            case .rotatingFile: ["filename", "mode", "maxbytes", "backupcount", "encoding", "delay", "errors"]
            case .timedRotatingFile:
                ["filename", "when", "interval", "backupcount", "encoding", "delay", "utc", "attime", "errors"]
            case .syslog: ["address", "facility", "socktype", "ident"]
            case .nothing: []
            case .journal, .journald: ["level", "syslog_identifier"]
            }
        }

        /// The modules that it may be said to stand in; in the first it does.
        var modules: [String] {
            switch self {
            case .journal, .journald: ["systemd.journal", "journal", "systemd", "cysystemd.journal", ""]
            case .stream, .file, .nothing: ["logging", "logging.handlers", "handlers", ""]
            case .watchedFile, .rotatingFile, .timedRotatingFile, .syslog:
                ["logging.handlers", "logging", "handlers", ""]
            }
        }
    }

    /// What every handler has.
    private static let common = ["args", "class", "formatter", "kwargs", "level"]
    /// All keys that sections of handlers may have.
    static let keys = common + Kind.allCases.flatMap(\.parameters)

    /// The handler; nil where a problem keeps it from being made.
    mutating func handler(named name: String, formatters: [String: LogFormat]) -> LoggingConfiguration.Handler? {
        guard let kind = kind() else { return nil }
        guard collectValues(of: kind) else { return nil }
        var target: LoggingConfiguration.Target?
        switch kind {
        case .stream: target = stream().map { .stream($0) }
        case .file: target = logFile().map { .file($0) }
        case .watchedFile: target = logFile().map { .watchedFile($0) }
        case .rotatingFile:
            var size = LoggingConfiguration.Size()
            number("maxbytes", 0...Int.max / 2, "octets", into: &size.limit)
            number("backupcount", 0...10_000, "files", into: &size.backups)
            target = logFile().map { .rotatingFile($0, size) }
        case .timedRotatingFile:
            let schedule = schedule()
            target = logFile().map { .timedRotatingFile($0, schedule) }
        case .syslog: target = .syslog(syslog())
        case .nothing: target = .nothing
        case .journal, .journald: target = .journal(identifier: text("syslog_identifier") ?? "psistats")
        }
        let level = level()
        let format = format(among: formatters)
        guard let target, problems.isEmpty else { return nil }
        return LoggingConfiguration.Handler(
            name: name,
            level: level,
            format: format,
            target: target,
            origin: LoggingConfiguration.Origin(file: path, line: section.line, section: section.name)
        )
    }

    private mutating func kind() -> Kind? {
        guard let entry = value("class") else {
            note(nil, "lacks the key 'class', as class=logging.FileHandler")
            return nil
        }
        let parts = entry.value.split(separator: ".", omittingEmptySubsequences: false)
        let module = parts.dropLast().joined(separator: ".")
        let name = parts.last.map(String.init) ?? ""
        if let kind = Kind(rawValue: name), kind.modules.contains(module) { return kind }
        let near = ConfigurationKeys.suggestion(for: name, among: Kind.allCases.map { $0.rawValue.lowercased() })
        let meant = near.flatMap { near in Kind.allCases.first { $0.rawValue.lowercased() == near } }
        note(
            entry,
            "there is no handler class '\(entry.value)'"
                + (meant.map { "; did you mean \($0.modules[0]).\($0.rawValue)?" }
                    ?? ": "
                    + Kind.allCases.map(\.rawValue).joined(separator: ", "))
        )
        return nil
    }

    /// Whether everything could be read; if not, what seems to be missing may stand there.
    private mutating func collectValues(of kind: Kind) -> Bool {
        let parameters = kind.parameters
        let common = Self.common
        // What [DEFAULT] says holds where nothing nearer does.
        for parameter in parameters where !common.contains(parameter) {
            guard file.defaults[parameter] != nil, section[parameter] == nil, let entry = value(parameter) else {
                continue
            }
            values[parameter] = (.text(entry.value), entry)
        }
        if let entry = value("args"), !collectArguments(entry, parameters) { return false }
        if let entry = value("kwargs"), !entry.value.isEmpty {
            guard case .dictionary(let items)? = PythonLiteral(entry.value) else {
                note(entry, "has to be a dictionary of plain values, as {'filename': 'psistats.log'}")
                return false
            }
            for (key, value) in items.sorted(by: { $0.key < $1.key }) {
                if parameters.contains(key.lowercased()) {
                    values[key.lowercased()] = (value, entry)
                } else {
                    note(
                        entry,
                        "\(kind.rawValue) has no parameter '\(key)'"
                            + ConfigurationKeys.hint(for: key, among: parameters)
                    )
                }
            }
        }
        for entry in section.entries where !common.contains(entry.key) {
            if parameters.contains(entry.key), let entry = value(entry.key) {
                values[entry.key] = (.text(entry.value), entry)
            } else if !file.refers(to: entry.key, in: section.name) {
                note(
                    entry,
                    "unknown key for \(kind.rawValue)"
                        + ConfigurationKeys.hint(for: entry.key, among: parameters + common)
                )
            }
        }
        return true
    }

    private mutating func collectArguments(_ entry: ConfigFile.Entry, _ parameters: [String]) -> Bool {
        guard !entry.value.isEmpty else { return true }
        guard let literal = PythonLiteral(entry.value) else {
            note(entry, "has to be a tuple of plain values, as ('psistats.log', 'a')")
            return false
        }
        // ('name') is no tuple in Python, which then takes each letter for a parameter: the tuple was meant.
        let items = if case .tuple(let items) = literal { items } else { [literal] }
        guard items.count <= parameters.count else {
            note(entry, "holds \(items.count) values, and the class takes at most \(parameters.count)")
            return false
        }
        for (parameter, value) in zip(parameters, items) { values[parameter] = (value, entry) }
        return true
    }

    /// A key of the section, its value with what `%(name)s` in it stands for.
    private mutating func value(_ key: String) -> ConfigFile.Entry? {
        guard let entry = file.entry(key, in: section.name) else { return nil }
        let result = file.interpolated(entry, in: section.name)
        // A class's own keys were psistats's idea: there is no Python that reads them otherwise.
        if let warning = result.warning, Self.common.contains(key) { warn(entry, warning) }
        if let problem = result.problem { note(entry, problem) }
        return result.entry
    }

    private mutating func warn(_ entry: ConfigFile.Entry, _ message: String) {
        warnings.append(
            ConfigurationProblem(file: path, line: entry.line, section: section.name, key: entry.key, message: message)
        )
    }

    mutating func note(_ entry: ConfigFile.Entry?, _ message: String) {
        problems.append(
            ConfigurationProblem(
                file: path,
                line: entry?.line ?? section.line,
                section: section.name,
                key: entry?.key,
                message: message
            )
        )
    }

    /// A problem with a parameter, named where its key does not name it.
    mutating func fault(_ parameter: String, _ entry: ConfigFile.Entry, _ message: String) {
        note(entry, entry.key == parameter ? message : "\(parameter) \(message)")
    }

    /// A parameter that is given and is not `None`.
    func given(_ parameter: String) -> (value: PythonLiteral, entry: ConfigFile.Entry)? {
        guard let found = values[parameter] else { return nil }
        switch found.value {
        case .none, .text(""), .text("None"): return nil
        case .bool, .integer, .real, .text, .name, .tuple, .dictionary, .call: return found
        }
    }

    private mutating func level() -> LogLevel {
        guard let entry = value("level"), !entry.value.isEmpty else { return .notSet }
        guard let level = LogLevel(entry.value) else {
            note(entry, LoggingReader.levelRule(entry.value))
            return .notSet
        }
        return level
    }

    private mutating func format(among formatters: [String: LogFormat]) -> LogFormat {
        guard let entry = value("formatter"), !entry.value.isEmpty else { return .message }
        guard let format = formatters[entry.value] else {
            let hint = ConfigurationKeys.hint(for: entry.value, among: formatters.keys.sorted())
            note(entry, "names '\(entry.value)', which is not among the keys of [formatters]" + hint)
            return .message
        }
        return format
    }
}
#endif
