#if Agent
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

    /// What stands for the path where there is no file. None that is found looks like it: those start with `/` or `./`.
    static let defaults = "the defaults"

    /// What to tell of that.
    static let defaultsNotice = "psistats: no psistats.conf found, using the defaults"

    /// Finds, reads and checks the configuration.
    ///
    /// - Parameters:
    ///   - explicit: the file that `--config` names, or `nil` to look for one.
    ///   - surroundings: the process's environment.
    ///   - candidates: where to look instead of in the usual places.
    /// - Returns: the file's path as it was named, and what it says; ``defaults`` for the path where no file was named and
    ///   none is there.
    /// - Throws: `ConfigurationError` with every problem: a file that cannot or must not be read, and each wrong line.
    static func load(
        _ explicit: String?,
        surroundings: Surroundings = .current(),
        candidates: [String]? = nil
    ) throws(ConfigurationError) -> (path: String, configuration: Configuration) {
        let (path, configuration, problems) = try read(explicit, surroundings, candidates)
        guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
        return (path, configuration)
    }

    /// The path of the configuration, absolute or ``defaults``, and where the daemon's files are, however wrong the rest of the configuration may be meanwhile: who wants to end a daemon
    /// need not correct its configuration first.
    ///
    /// - Throws: where even that cannot be known.
    static func loadPlaces(
        _ explicit: String?,
        surroundings: Surroundings = .current(),
        candidates: [String]? = nil
    ) throws(ConfigurationError) -> (path: String, app: Configuration.App) {
        let (path, configuration, problems) = try read(explicit, surroundings, candidates)
        let fatal = problems.filter { $0.section == "app" && $0.key == "pidfile" }
        guard fatal.isEmpty else { throw ConfigurationError(problems: fatal) }
        return (path == defaults ? path : path.absolute(from: surroundings.directory), configuration.app)
    }

    /// What the first file there is says, and what is wrong with it.
    private static func read(
        _ explicit: String?,
        _ surroundings: Surroundings,
        _ candidates: [String]?
    ) throws(ConfigurationError) -> (path: String, configuration: Configuration, problems: [ConfigurationProblem]) {
        let file = { FileReading.bytes(of: $0, asRoot: surroundings.isRoot) }
        func read(_ path: String, _ bytes: [UInt8]) -> (String, Configuration, [ConfigurationProblem]) {
            var reader = ConfigurationReader(
                path: path,
                file: ConfigFile(bytes),
                surroundings: surroundings,
                readFile: file
            )
            let configuration = reader.configuration()
            return (path, configuration, reader.problems)
        }
        for path in explicit.map({ [$0] }) ?? candidates ?? Self.candidates(home: surroundings.home) {
            let absolute = path.absolute(from: surroundings.directory)
            switch file(absolute) {
            case .success(let bytes): return read(path, bytes)
            case .failure(let failure):
                if explicit == nil, failure.isAbsence || FileReading.isOutOfReach(absolute) { continue }
                throw ConfigurationError(problems: [problem(path, failure.reasonText)])
            }
        }
        return read(defaults, [])
    }

    private static func problem(_ path: String, _ message: String) -> ConfigurationProblem {
        ConfigurationProblem(file: path, line: nil, section: nil, key: nil, message: message)
    }
}
#endif
