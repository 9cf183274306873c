import AMQPWire

/// Turns a `ConfigFile` into a `Configuration` and collects every problem on the way.
///
/// Opens no file but `url_file`, and that through `readFile`.
struct ConfigurationReader {
    /// The file's name as problems show it; `url_file` is looked for beside it.
    let path: String
    let file: ConfigFile
    let surroundings: Surroundings
    /// Gives a file's bytes, or why it cannot be read.
    let readFile: (String) -> Result<[UInt8], FileFailure>
    private(set) var problems: [ConfigurationProblem] = []

    init(
        path: String,
        file: ConfigFile,
        surroundings: Surroundings,
        readFile: @escaping (String) -> Result<[UInt8], FileFailure>
    ) {
        self.path = path
        self.file = file
        self.surroundings = surroundings
        self.readFile = readFile
    }

    /// Reads everything. What is wrong keeps its default, and `problems` tells of it, in the order of the lines.
    mutating func configuration() -> Configuration {
        var result = Configuration()
        noteFaults()
        noteUnknownNames()
        readServer(into: &result.server)
        readQueue(into: &result.queue)
        readExchange(into: &result.exchange)
        readApp(into: &result.app)
        readHostname(into: &result.hostname)
        checkQueueName(of: result)
        let unordered = problems.enumerated()
        problems = unordered.sorted { ($0.element.line ?? 0, $0.offset) < ($1.element.line ?? 0, $1.offset) }
            .map(\.element)
        return result
    }

    // The sections of this version. A further section gets a struct in `Configuration`, a row in
    // `ConfigurationKeys.known`, and a function here.

    private mutating func readQueue(into queue: inout Configuration.Queue) {
        name("prefix", in: "queue", into: &queue.prefix, mayBeEmpty: true)
        flag("exclusive", in: "queue", into: &queue.isExclusive)
        flag("durable", in: "queue", into: &queue.isDurable)
        flag("autodelete", in: "queue", into: &queue.deletesItself)
        guard let entry = file.entry("ttl", in: "queue") else { return }
        guard let milliseconds = Self.number(entry.value, as: UInt32.self) else {
            note(entry, in: "queue", "has to be a number of milliseconds from 0 to 4294967295")
            return
        }
        queue.timeToLive = milliseconds
    }

    private mutating func readExchange(into exchange: inout Configuration.Exchange) {
        name("name", in: "exchange", into: &exchange.name, mayBeEmpty: false)
        flag("durable", in: "exchange", into: &exchange.isDurable)
        flag("autodelete", in: "exchange", into: &exchange.deletesItself)
        guard let entry = file.entry("type", in: "exchange") else { return }
        let types = ["direct", "fanout", "topic", "headers"]
        let isPlugin = entry.value.hasPrefix("x-") && Self.isShortString(entry.value)
        guard types.contains(entry.value) || isPlugin else {
            let near = ConfigurationKeys.suggestion(for: entry.value, among: types).map { "; did you mean '\($0)'?" }
            note(
                entry,
                in: "exchange",
                "has to be direct, fanout, topic, headers or a plugin's type that starts with 'x-'" + (near ?? "")
            )
            return
        }
        exchange.type = entry.value
    }

    private mutating func readApp(into app: inout Configuration.App) {
        seconds("retry_timer", in: "app", into: &app.retryPause)
        seconds("pidfile_timeout", in: "app", into: &app.pidfileTimeout)
        filePath("pidfile", in: "app", into: &app.pidfile)
        filePath("stdin_path", in: "app", into: &app.stdinPath)
        filePath("stdout_path", in: "app", into: &app.stdoutPath)
        filePath("stderr_path", in: "app", into: &app.stderrPath)
    }

    private mutating func readHostname(into hostname: inout Configuration.Hostname) {
        flag("enabled", in: "hostname", into: &hostname.isEnabled)
        guard let entry = file.entry("name", in: "hostname"), !entry.value.isEmpty else { return }
        guard Self.isShortString(entry.value) else {
            note(entry, in: "hostname", Self.shortStringRule)
            return
        }
        hostname.name = entry.value
    }

    private mutating func checkQueueName(of configuration: Configuration) {
        let hostname = configuration.hostname.name ?? surroundings.hostname
        let name = configuration.queue.name(hostname: hostname)
        // Where neither key is written the defaults are at work, and those are short.
        let key = file.entry("prefix", in: "queue").map { ($0, "queue") }
        guard let (entry, section) = key ?? file.entry("name", in: "hostname").map({ ($0, "hostname") }) else { return }
        if name.utf8.count > 255 {
            note(entry, in: section, "the queue's name prefix.hostname would be longer than 255 bytes")
        }
        if name.hasPrefix("amq.") {
            note(entry, in: section, "the broker keeps names that start with 'amq.' for itself")
        }
    }
}

extension ConfigurationReader {
    mutating func note(_ entry: ConfigFile.Entry, in section: String, _ message: String, line: Int? = nil) {
        problems.append(
            ConfigurationProblem(
                file: path,
                line: line ?? entry.line,
                section: section,
                key: entry.key,
                message: message
            )
        )
    }

    mutating func note(variable: String, _ message: String) {
        problems.append(
            ConfigurationProblem(file: "environment", line: nil, section: nil, key: variable, message: message)
        )
    }

    private mutating func noteFaults() {
        for fault in file.faults {
            let message =
                switch fault.kind {
                case .notUTF8: "the line is not UTF-8 text"
                case .missingSectionHeader:
                    "text before the first section: a section such as [server] has to come first"
                case .notAKey: "neither [section] nor key=value"
                case .duplicateSection(let first): "the section stands in line \(first) already: join the two"
                case .duplicateKey(let first): "the key stands in line \(first) already: remove one of the two"
                }
            problems.append(
                ConfigurationProblem(
                    file: path,
                    line: fault.line,
                    section: fault.section,
                    key: fault.key,
                    message: message
                )
            )
        }
    }

    private mutating func noteUnknownNames() {
        for section in file.sections where !ConfigurationKeys.isReadElsewhere(section.name) {
            guard let keys = ConfigurationKeys.keys(of: section.name) else {
                let names = ConfigurationKeys.known.map(\.section) + ConfigurationKeys.elsewhere.sorted()
                let near = ConfigurationKeys.suggestion(for: section.name, among: names)
                problems.append(
                    ConfigurationProblem(
                        file: path,
                        line: section.line,
                        section: section.name,
                        key: nil,
                        message: "unknown section" + (near.map { "; did you mean [\($0)]?" } ?? "")
                    )
                )
                continue
            }
            for entry in section.entries where !keys.contains(entry.key) {
                let near = ConfigurationKeys.suggestion(for: entry.key, among: keys)
                note(
                    entry,
                    in: section.name,
                    "unknown key in [\(section.name)]" + (near.map { "; did you mean '\($0)'?" } ?? "")
                )
            }
        }
    }
}
