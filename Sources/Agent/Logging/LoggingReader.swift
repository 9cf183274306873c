#if Agent
/// Reads the sections about logging: `[loggers]` or `[logging]`, `[handlers]`, `[formatters]`, and those they name.
///
/// Accepts what Python's `logging.config.fileConfig` accepts (`args`, `kwargs`) and what the Python psistats did (each
/// parameter of a handler's class as a key of its own). Sections that no `keys` names are not looked at, as in Python.
/// Opens nothing.
struct LoggingReader {
    let file: ConfigFile
    /// The file's name as problems show it.
    let path: String
    /// What relative names of log files count from.
    let directory: String
    private(set) var problems: [ConfigurationProblem] = []
    private(set) var warnings: [ConfigurationProblem] = []

    init(file: ConfigFile, path: String, directory: String) {
        self.file = file
        self.path = path
        self.directory = directory
    }

    private static let formatterKeys = ["class", "datefmt", "format", "style", "validate"]
    // The last two stand in examples of Python's own and have no effect there either.
    private static let loggerKeys = ["handlers", "level", "propagate", "qualname", "channel", "parent"]
    /// All keys that the sections about logging may have.
    static let keys = ["keys"] + formatterKeys + loggerKeys + LogHandlerReader.keys

    /// What there is to read, what is wrong with it, and what may be; the latter two in the order of the lines. With problems
    /// the configuration lacks what is wrong and must not be used; without any section about logging it is
    /// ``LoggingConfiguration/unspecified``.
    func findings() -> (LoggingConfiguration, problems: [ConfigurationProblem], warnings: [ConfigurationProblem]) {
        func sorted(_ problems: [ConfigurationProblem]) -> [ConfigurationProblem] {
            problems.enumerated().sorted { ($0.element.line ?? 0, $0.offset) < ($1.element.line ?? 0, $1.offset) }
                .map(\.element)
        }
        var reader = self
        let configuration = reader.configuration()
        return (configuration, sorted(reader.problems), sorted(reader.warnings))
    }

    /// What there is to read, and what is wrong with it.
    func read() -> (LoggingConfiguration, [ConfigurationProblem]) {
        let findings = findings()
        return (findings.0, findings.problems)
    }

    private mutating func configuration() -> LoggingConfiguration {
        let lists = ["loggers", "logging"].compactMap { file.section($0) }
        guard let list = lists.first else {
            for name in ["handlers", "formatters"] {
                guard let section = file.section(name) else { continue }
                note(section, nil, "without [loggers] nothing is logged: add it, with keys=root, and [logger_root]")
            }
            return .unspecified
        }
        if lists.count > 1 {
            note(lists[1], nil, "[loggers] in line \(list.line) says the same: remove one of the two")
        }
        let formatters = readFormatters()
        let handlers = readHandlers(formatters)
        return LoggingConfiguration(loggers: readLoggers(list, handlers), handlers: handlers.compactMap(\.handler))
    }

    /// The names that a section's `keys` holds, with their sections; problems for those that have none.
    private mutating func named(by list: String, prefix: String) -> [(name: String, section: ConfigFile.Section)] {
        guard let section = file.section(list) else { return [] }
        guard let keys = value("keys", of: section) else {
            note(section, nil, "lacks the key 'keys', a list of names with commas between them")
            return []
        }
        noteUnknownKeys(of: section, among: ["keys"])
        var result: [(String, ConfigFile.Section)] = []
        for name in Self.list(keys.value) {
            if result.contains(where: { $0.0 == name }) {
                warn(section, keys, "names '\(name)' twice; it is there once")
            } else if let described = file.section(prefix + name) {
                result.append((name, described))
            } else {
                let others = file.sections.map(\.name).filter { $0.hasPrefix(prefix) }
                let near = ConfigurationKeys.suggestion(for: prefix + name, among: others)
                note(
                    section,
                    keys,
                    "names '\(name)', and there is no section [\(prefix)\(name)]"
                        + (near.map { "; did you mean '\($0.dropFirst(prefix.count))'?" } ?? "")
                )
            }
        }
        return result
    }

    private mutating func readFormatters() -> [String: LogFormat] {
        var result: [String: LogFormat] = [:]
        for (name, section) in named(by: "formatters", prefix: "formatter_") {
            noteUnknownKeys(of: section, among: Self.formatterKeys)
            if let entry = value("class", of: section),
                !["", "logging.Formatter", "Formatter"].contains(entry.value)
            {
                note(section, entry, "has to be logging.Formatter: there is no other class here")
            }
            if let entry = file.entry("style", in: section.name), !["", "%"].contains(entry.value) {
                note(section, entry, "has to be %: formats are written as %(message)s here")
            }
            // A name that is known keeps handlers from being blamed for the formatter's fault.
            result[name] = .message
            let format = file.entry("format", in: section.name)
            do {
                result[name] = try LogFormat(format?.value ?? "")
            } catch {
                note(section, format, error.message)
                continue
            }
            guard let date = file.entry("datefmt", in: section.name) else { continue }
            do {
                result[name] = try LogFormat(format?.value ?? "", dateFormat: date.value)
            } catch {
                note(section, date, error.message)
            }
        }
        return result
    }

    private mutating func readHandlers(
        _ formatters: [String: LogFormat]
    ) -> [(name: String, handler: LoggingConfiguration.Handler?)] {
        named(by: "handlers", prefix: "handler_").map { name, section in
            var reader = LogHandlerReader(section: section, file: file, path: path, directory: directory)
            let handler = reader.handler(named: name, formatters: formatters)
            problems += reader.problems
            warnings += reader.warnings
            return (name, handler)
        }
    }

    private mutating func readLoggers(
        _ list: ConfigFile.Section,
        _ handlers: [(name: String, handler: LoggingConfiguration.Handler?)]
    ) -> [LoggingConfiguration.Logger] {
        let known = handlers.map(\.name)
        var result: [LoggingConfiguration.Logger] = []
        let named = named(by: list.name, prefix: "logger_")
        for (name, section) in named {
            noteUnknownKeys(of: section, among: Self.loggerKeys)
            let isRoot = name == "root"
            var logger = LoggingConfiguration.Logger(name: isRoot ? "" : qualifiedName(of: section, name))
            logger.level = level(of: section)
            // Python's root passes on warnings where nothing else is said.
            if isRoot, logger.level == nil { logger.level = .warning }
            if let entry = value("propagate", of: section) {
                logger.propagates = flag(entry, of: section) ?? true
            }
            if let entry = value("handlers", of: section) {
                // As Python: a logger has each handler once, however often it is named.
                for handler in Self.list(entry.value) where !logger.handlers.contains(handler) {
                    if known.contains(handler) {
                        logger.handlers.append(handler)
                    } else {
                        let hint = ConfigurationKeys.hint(for: handler, among: known)
                        note(
                            section,
                            entry,
                            "names '\(handler)', which is not among the keys of [handlers]" + hint
                        )
                    }
                }
            }
            if let other = result.first(where: { $0.name == logger.name }) {
                note(section, file.entry("qualname", in: section.name), "the logger '\(other.name)' is described twice")
            } else {
                result.append(logger)
            }
        }
        let keys = value("keys", of: list)
        if let keys, !Self.list(keys.value).contains("root") {
            note(list, keys, "has to name root, with a section [logger_root]: the loggers hang on it")
        }
        return result
    }

    private mutating func qualifiedName(of section: ConfigFile.Section, _ name: String) -> String {
        guard let entry = value("qualname", of: section), !entry.value.isEmpty else { return name }
        guard !entry.value.utf8.contains(0x0A) else {
            note(section, entry, "has to be a name such as psistats.cpu, on one line")
            return name
        }
        return entry.value
    }
}

extension LoggingReader {
    private mutating func level(of section: ConfigFile.Section) -> LogLevel? {
        guard let entry = value("level", of: section), !entry.value.isEmpty else { return nil }
        guard let level = LogLevel(entry.value) else {
            note(section, entry, Self.levelRule(entry.value))
            return nil
        }
        return level
    }

    private mutating func flag(_ entry: ConfigFile.Entry, of section: ConfigFile.Section) -> Bool? {
        let result = ConfigurationReader.flag(entry.value)
        if result == nil { note(section, entry, "has to be yes or no") }
        return result
    }

    private mutating func noteUnknownKeys(of section: ConfigFile.Section, among known: [String]) {
        for entry in section.entries
        where !known.contains(entry.key) && !file.refers(to: entry.key, in: section.name) {
            let hint = ConfigurationKeys.hint(for: entry.key, among: known)
            note(section, entry, "unknown key in [\(section.name)]" + hint)
        }
    }

    /// A key of a section, its value with what `%(name)s` in it stands for.
    private mutating func value(_ key: String, of section: ConfigFile.Section) -> ConfigFile.Entry? {
        guard let entry = file.entry(key, in: section.name) else { return nil }
        let result = file.interpolated(entry, in: section.name)
        if let warning = result.warning { warn(section, entry, warning) }
        if let problem = result.problem { note(section, entry, problem) }
        return result.entry
    }

    private mutating func note(_ section: ConfigFile.Section, _ entry: ConfigFile.Entry?, _ message: String) {
        let problem = problem(section, entry, message)
        // A key that is read twice is told of once.
        if !problems.contains(problem) { problems.append(problem) }
    }

    private mutating func warn(_ section: ConfigFile.Section, _ entry: ConfigFile.Entry?, _ message: String) {
        let warning = problem(section, entry, message)
        if !warnings.contains(warning) { warnings.append(warning) }
    }

    private func problem(
        _ section: ConfigFile.Section,
        _ entry: ConfigFile.Entry?,
        _ message: String
    ) -> ConfigurationProblem {
        ConfigurationProblem(
            file: path,
            line: entry?.line ?? section.line,
            section: section.name,
            key: entry?.key,
            message: message
        )
    }

    static func levelRule(_ text: String) -> String {
        let near = ConfigurationKeys.suggestion(for: text, among: LogLevel.named.map { $0.name.lowercased() })
        return "has to be DEBUG, INFO, WARNING, ERROR or CRITICAL"
            + (near.map { "; did you mean \($0.uppercased())?" } ?? "")
    }

    /// Names with commas between them; empty ones are passed over.
    static func list(_ text: String) -> [String] {
        text.split(separator: ",").map { name in
            let scalars = name.unicodeScalars
            guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
                let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
            else { return "" }
            return String(scalars[first...last])
        }.filter { !$0.isEmpty }
    }
}
#endif
