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
    /// What works, and may not be what was meant: what Python 3 would read in another way, keys without effect.
    private(set) var warnings: [ConfigurationProblem] = []

    init(
        path: String,
        file: ConfigFile,
        surroundings: Surroundings,
        readFile: @escaping (String) -> Result<[UInt8], FileFailure>
    ) {
        self.path = path
        directory = path.absolute(from: surroundings.directory).parentDirectory
        // Only these mean something with such a line in them: a format, and expressions of Python.
        self.file = file.withoutComments(except: ["format", "args", "kwargs"])
        self.surroundings = surroundings
        self.readFile = readFile
    }

    /// Where things are written.
    var origins: ConfigurationOrigins {
        ConfigurationOrigins(path: path, file: file, hasURLVariable: surroundings.url?.isEmpty == false)
    }

    /// Reads everything. What is wrong keeps its default, and `problems` tells of it, in the order of the lines.
    mutating func configuration() -> Configuration {
        var result = Configuration()
        noteFaults()
        noteDifferences()
        noteUnknownNames()
        noteOldNames()
        readServer(into: &result.server)
        readQueue(into: &result.queue)
        readExchange(into: &result.exchange)
        readHostname(into: &result.hostname)
        readApp(into: &result.app)
        readBuffer(into: &result.buffer)
        readSystem(into: &result.system)
        if OldRelease.isVersion02(file) { startWithoutReporters(&result.reporters) }
        readReporters(into: &result.reporters)
        readLogging(into: &result.logging)
        checkQueueName(of: result)
        problems = Self.sorted(problems)
        warnings = Self.sorted(warnings)
        return result
    }

    private static func sorted(_ problems: [ConfigurationProblem]) -> [ConfigurationProblem] {
        problems.enumerated().sorted { ($0.element.line ?? 0, $0.offset) < ($1.element.line ?? 0, $1.offset) }
            .map(\.element)
    }

    private mutating func readLogging(into logging: inout LoggingConfiguration) {
        let findings = LoggingReader(file: file, path: path, directory: directory).findings()
        logging = findings.0
        problems += findings.problems
        warnings += findings.warnings
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

    mutating func warn(_ entry: ConfigFile.Entry, in section: String, _ message: String) {
        warn(section: section, key: entry.key, line: entry.line, message)
    }

    mutating func warn(section: String?, key: String?, line: Int?, _ message: String) {
        warnings.append(ConfigurationProblem(file: path, line: line, section: section, key: key, message: message))
    }

    mutating func warn(variable: String, _ message: String) {
        warnings.append(
            ConfigurationProblem(file: "environment", line: nil, section: nil, key: variable, message: message)
        )
    }

    private mutating func noteFaults() {
        for fault in file.faults {
            let message =
                switch fault.kind {
                case .missingSectionHeader:
                    "text before the first section: a section such as [server] has to come first"
                case .notAKey: "neither [section] nor key=value"
                }
            problems.append(
                ConfigurationProblem(
                    file: path,
                    line: fault.line,
                    section: fault.section,
                    key: nil,
                    message: message
                )
            )
        }
    }

    private mutating func noteUnknownNames() {
        let everywhere = Set(
            ConfigurationKeys.known.flatMap(\.keys) + LoggingReader.keys + OldRelease.keys.values.joined()
        )
        for entry in file.defaults.entries
        where !everywhere.contains(entry.key) && !file.refers(to: entry.key, in: file.defaults.name) {
            let hint = ConfigurationKeys.hint(for: entry.key, among: everywhere.sorted())
            note(entry, in: file.defaults.name, "no section has such a key" + hint)
        }
        for section in file.sections
        where !ConfigurationKeys.isLogging(section.name) && section.name != OldRelease.diskSection {
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
            let old = OldRelease.keys[section.name] ?? []
            for entry in section.entries where !keys.contains(entry.key) && !old.contains(entry.key) {
                let hint = ConfigurationKeys.hint(for: entry.key, among: keys)
                note(entry, in: section.name, "unknown key in [\(section.name)]" + hint)
            }
        }
    }
}
#endif
