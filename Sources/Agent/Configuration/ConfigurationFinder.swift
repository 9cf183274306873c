/// Which file is the configuration, and what it says.
enum ConfigurationFinder {
    /// Where `psistats.conf` is looked for, in this order, unless the command line names a file.
    static func candidates(home: String?) -> [String] {
        ["./psistats.conf", "./etc/psistats.conf"]
            + (home.map { [$0 + "/.psistats/psistats.conf"] } ?? [])
            + [
                "/etc/psistats.conf", "/usr/etc/psistats.conf", "/usr/local/share/psistats/psistats.conf",
                "/usr/share/psistats/psistats.conf",
            ]
    }

    /// Finds, reads and checks the configuration.
    ///
    /// - Parameters:
    ///   - explicit: the file that `--config` names, or `nil` to look for one.
    ///   - surroundings: the process's environment.
    ///   - candidates: where to look instead of in the usual places.
    /// - Returns: the file's path and what it says.
    /// - Throws: `ConfigurationError` with every problem: no file, one that cannot or must not be read, and each wrong
    ///   line.
    static func load(
        _ explicit: String?,
        surroundings: Surroundings = .current(),
        candidates: [String]? = nil
    ) throws(ConfigurationError) -> (path: String, configuration: Configuration) {
        let read = { FileReading.bytes(of: $0, asRoot: surroundings.isRoot) }
        let candidates = explicit.map { [$0] } ?? candidates ?? Self.candidates(home: surroundings.home)
        for path in candidates {
            switch read(path) {
            case .success(let bytes):
                var reader = ConfigurationReader(
                    path: path,
                    file: ConfigFile(bytes),
                    surroundings: surroundings,
                    readFile: read
                )
                let configuration = reader.configuration()
                guard reader.problems.isEmpty else { throw ConfigurationError(problems: reader.problems) }
                return (path, configuration)
            case .failure(let failure):
                if explicit == nil, failure.isAbsence { continue }
                throw ConfigurationError(problems: [problem(path, failure.reasonText)])
            }
        }
        let places = candidates.joined(separator: ", ")
        throw ConfigurationError(
            problems: [problem("psistats.conf", "not found; looked for \(places). Name a file with --config")]
        )
    }

    private static func problem(_ path: String, _ message: String) -> ConfigurationProblem {
        ConfigurationProblem(file: path, line: nil, section: nil, key: nil, message: message)
    }
}
