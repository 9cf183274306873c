#if Agent
/// Which sections and keys exist, and what a misspelt one may have meant.
enum ConfigurationKeys {
    /// The sections whose keys are all known, and these keys. Every other key in them is a problem.
    static let known: [(section: String, keys: [String])] =
        [
            ("server", ["url", "url_file", "url_credential", "host", "port", "path", "user", "pass"]),
            ("queue", ["prefix", "exclusive", "durable", "autodelete", "ttl", "type", "expires", "max_length"]),
            ("exchange", ["name", "type", "durable", "autodelete"]),
            ("hostname", ["enabled", "name"]),
            (
                "app",
                [
                    "retry_timer", "retry_max", "message", "pidfile", "pidfile_timeout", "stdin_path", "stdout_path",
                    "stderr_path",
                ]
            ),
            ("buffer", ["max_messages", "path", "fsync", "max_bytes"]),
            ("system", ["proc", "sys", "etc", "root"]),
        ] + reporters.map { ($0.section, ["enabled", "interval", "timeout"] + $0.keys) }

    /// The sections that are named after reporters, and the keys that each has besides those of all.
    private static let reporters: [(section: String, keys: [String])] = [
        ("cpu", ["percpu"]),
        ("mem", ["details"]),
        ("cpu_temp", ["sensor"]),
        ("uptime", []),
        ("ipaddr", ["devices[]", "loopback", "link_local"]),
        ("load", []),
        ("hddspace", ["include[]", "exclude[]", "include_types[]", "exclude_types[]", "details"]),
        ("hddio", ["devices[]"]),
        ("net", ["devices[]"]),
        ("hddtemp", ["hostname", "port"]),
        ("sensors", ["devices[]"]),
        ("os", []),
        ("processes", []),
    ]

    /// The sections of logging, which have a reader of their own. Passed over here, whatever they hold.
    static let logging = ["formatters", "handlers", "loggers", "logging"]

    /// What the names of those sections of logging start with that are there for one of several.
    static let loggingPrefixes = ["formatter_", "handler_", "logger_"]

    /// The keys of a section whose keys are all known.
    static func keys(of section: String) -> [String]? {
        known.first { $0.section == section }?.keys
    }

    /// Whether the section is one of logging.
    static func isLogging(_ section: String) -> Bool {
        logging.contains(section) || loggingPrefixes.contains { section.hasPrefix($0) }
    }

    /// The candidate nearest to a misspelt word, if one is near enough to be meant.
    static func suggestion(for word: String, among candidates: [String]) -> String? {
        let lowered = word.lowercased()
        // Longer words cannot be near any key, and the distance costs their length.
        guard lowered.utf8.count <= 64 else { return nil }
        let ranked = candidates.map { ($0, editDistance(lowered, $0)) }
        guard let (best, distance) = ranked.min(by: { $0.1 < $1.1 }) else { return nil }
        return distance <= max(1, best.utf8.count / 3) ? best : nil
    }

    /// What to put behind a message about a misspelt word: `; did you mean 'ttl'?`, or nothing.
    static func hint(for word: String, among candidates: [String]) -> String {
        suggestion(for: word, among: candidates).map { "; did you mean '\($0)'?" } ?? ""
    }

    /// How many letters have to be inserted, removed, replaced or swapped with their neighbour to get from one to the other.
    static func editDistance(_ from: String, _ to: String) -> Int {
        let (source, target) = (Array(from.utf8), Array(to.utf8))
        var beforePrevious: [Int] = []
        var previous = Array(0...target.count)
        for row in source.indices {
            var current = [row + 1]
            for column in target.indices {
                let replaced = previous[column] + (source[row] == target[column] ? 0 : 1)
                var best = min(replaced, previous[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, source[row] == target[column - 1], source[row - 1] == target[column] {
                    best = min(best, beforePrevious[column - 1] + 1)
                }
                current.append(best)
            }
            (beforePrevious, previous) = (previous, current)
        }
        return previous[target.count]
    }
}
#endif
