#if Agent
import AMQPWire

/// Turns a `ConfigFile` into a `Configuration` and collects every problem on the way.
///
/// A further section gets a struct in `Configuration`, a row in `ConfigurationKeys.known`, and a function that reads it.
///
/// Opens no file but `url_file`, and that through `readFile`.
struct ConfigurationReader {
    /// The file's name as problems show it.
    let path: String
    /// The directory that the file is in: relative paths in it count from there.
    let directory: String
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
        directory = path.absolute(from: surroundings.directory).parentDirectory
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
        readHostname(into: &result.hostname)
        readApp(into: &result.app)
        readBuffer(into: &result.buffer)
        readSystem(into: &result.system)
        readReporters(into: &result.reporters)
        readLogging(into: &result.logging)
        checkQueueName(of: result)
        let unordered = problems.enumerated()
        problems = unordered.sorted { ($0.element.line ?? 0, $0.offset) < ($1.element.line ?? 0, $1.offset) }
            .map(\.element)
        return result
    }

    private mutating func readLogging(into logging: inout LoggingConfiguration) {
        let (found, faults) = LoggingReader(file: file, path: path, directory: directory).read()
        logging = found
        problems += faults
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
        let everywhere = Set(ConfigurationKeys.known.flatMap(\.keys) + LoggingReader.keys)
        for entry in file.defaults.entries where !everywhere.contains(entry.key) {
            let hint = ConfigurationKeys.hint(for: entry.key, among: everywhere.sorted())
            note(entry, in: file.defaults.name, "no section has such a key" + hint)
        }
        for section in file.sections where !ConfigurationKeys.isLogging(section.name) {
            guard let keys = ConfigurationKeys.keys(of: section.name) else {
                let names = ConfigurationKeys.known.map(\.section) + ConfigurationKeys.logging
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
                let hint = ConfigurationKeys.hint(for: entry.key, among: keys)
                note(entry, in: section.name, "unknown key in [\(section.name)]" + hint)
            }
        }
    }
}
#endif
