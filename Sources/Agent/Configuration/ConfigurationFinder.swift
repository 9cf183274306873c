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
        let findings = try survey(explicit, surroundings: surroundings, candidates: candidates)
        guard findings.problems.isEmpty else { throw ConfigurationError(problems: findings.problems) }
        return (findings.path, findings.configuration)
    }

    /// The same for a daemon that is about to start: with what would keep it from that.
    static func loadForStart(
        _ explicit: String?,
        surroundings: Surroundings = .current(),
        isForeground: Bool = false
    ) throws(ConfigurationError) -> (path: String, configuration: Configuration) {
        let findings = try survey(explicit, surroundings: surroundings)
        let problems =
            findings.problems.isEmpty
            ? StartObstacles.findBeforeStart(findings, isForeground: isForeground) : findings.problems
        guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
        return (findings.path, findings.configuration)
    }

    /// What a configuration says, what is wrong with it, and what may be.
    struct Findings {
        /// As it was named, or ``defaults``.
        var path: String
        var configuration: Configuration
        var problems: [ConfigurationProblem] = []
        var warnings: [ConfigurationProblem] = []
        /// Where things are written, for those who find them unfit.
        var origins = ConfigurationOrigins()
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
        let findings = try survey(explicit, surroundings: surroundings, candidates: candidates)
        let fatal = findings.problems.filter { $0.section == "app" && $0.key == "pidfile" }
        guard fatal.isEmpty else { throw ConfigurationError(problems: fatal) }
        let path = findings.path == defaults ? defaults : findings.path.absolute(from: surroundings.directory)
        return (path, findings.configuration.app)
    }

    /// What the first file there is says, and what is wrong with it. From now on its passwords are hidden.
    ///
    /// - Throws: where no file can be read.
    static func survey(
        _ explicit: String?,
        surroundings: Surroundings = .current(),
        candidates: [String]? = nil
    ) throws(ConfigurationError) -> Findings {
        let file = { FileReading.bytes(of: $0, asRoot: surroundings.isRoot) }
        func read(_ path: String, _ bytes: [UInt8]) -> Findings {
            let file = ConfigFile(bytes)
            var reader = ConfigurationReader(
                path: path,
                file: file,
                surroundings: surroundings,
                readFile: { path in
                    let result = FileReading.bytes(of: path, asRoot: surroundings.isRoot)
                    if case .success(let bytes) = result { Self.hide(bytes) }
                    return result
                }
            )
            let configuration = reader.configuration()
            Self.hideSecrets(of: configuration, file, surroundings)
            return Findings(
                path: path,
                configuration: configuration,
                problems: reader.problems,
                warnings: reader.warnings,
                origins: reader.origins
            )
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

    /// Hides the passwords that stand anywhere in the file, in the environment or among the brokers.
    private static func hideSecrets(of configuration: Configuration, _ file: ConfigFile, _ surroundings: Surroundings) {
        let brokers = configuration.server.brokers
        let names = [configuration.queue.prefix, configuration.exchange.name, configuration.hostname.name ?? ""]
        let shown =
            brokers.flatMap { [$0.user, $0.host, $0.vhost] } + names.filter { !$0.utf8.contains(UInt8(ascii: "@")) }
        for broker in brokers { Secrets.shared.learn(broker.password, public: shown) }
        let values = [surroundings.url].compactMap(\.self) + surroundings.hostDirectories.values
        for text in values { Secrets.shared.learnURLs(in: text, public: shown) }
        for section in file.sections + [file.defaults] {
            for entry in section.entries {
                for item in entry.lines { Secrets.shared.learnURLs(in: item.text, public: shown) }
                if entry.key == "pass" { Secrets.shared.learn(entry.value, public: shown) }
            }
        }
    }

    private static func hide(_ file: [UInt8]) {
        Secrets.shared.learnURLs(in: String(decoding: file.prefix { $0 != 0x0A }, as: UTF8.self))
    }

    private static func problem(_ path: String, _ message: String) -> ConfigurationProblem {
        ConfigurationProblem(file: path, line: nil, section: nil, key: nil, message: message)
    }
}
#endif
