#if Agent
import ArgumentParser
import Glibc

/// `--config`, which most commands take, and the configuration that comes of it.
struct ConfigurationOption: ParsableArguments {
    @Option(
        help: ArgumentHelp("The configuration, instead of the first psistats.conf found.", valueName: "file"),
        completion: .file()
    )
    var config: String?

    /// The configuration and the name under which this machine reports.
    ///
    /// - Parameters:
    ///   - tellsOfDefaults: whether to say on standard error that there is no file.
    ///   - isStarting: whether what would keep a daemon from starting is a problem, too.
    /// - Returns: for the path the file's as it was named, or ``ConfigurationFinder/defaults``.
    /// - Throws: every problem found, with the exit status 78.
    func load(
        tellsOfDefaults: Bool = false,
        isStarting: Bool = false
    ) throws(CommandFailure) -> (path: String, configuration: Configuration, hostname: String) {
        let surroundings = Surroundings.current()
        do throws(ConfigurationError) {
            let (path, configuration) =
                try isStarting
                ? ConfigurationFinder.loadForStart(config, surroundings: surroundings)
                : ConfigurationFinder.load(config, surroundings: surroundings)
            if tellsOfDefaults, path == ConfigurationFinder.defaults {
                standardError(ConfigurationFinder.defaultsNotice)
            }
            return (path, configuration, configuration.hostname.name ?? surroundings.hostname)
        } catch {
            throw CommandFailure(status: .configuration, message: error.description)
        }
    }

    /// The configuration, what is wrong with it, and what may be.
    ///
    /// - Throws: where no file can be read, with the exit status 78.
    func survey(_ surroundings: Surroundings) throws(CommandFailure) -> ConfigurationFinder.Findings {
        do throws(ConfigurationError) {
            return try ConfigurationFinder.survey(config, surroundings: surroundings)
        } catch {
            throw CommandFailure(status: .configuration, message: error.description)
        }
    }

    /// The configuration's path, absolute or ``ConfigurationFinder/defaults``, and where the daemon's files are, even if the
    /// configuration is wrong otherwise.
    func loadPlaces() throws(CommandFailure) -> (path: String, app: Configuration.App) {
        do throws(ConfigurationError) {
            return try ConfigurationFinder.loadPlaces(config)
        } catch {
            throw CommandFailure(status: .configuration, message: error.description)
        }
    }
}

extension CommandFailure {
    /// A system call failed.
    init(_ error: SystemError, remedy: String = "") {
        let isRefusal = error.code == EPERM || error.code == EACCES
        let hint = remedy.isEmpty && isRefusal ? "; try it as root or as the daemon's user" : remedy
        self.init(isRefusal ? .noPermission : .osError, "\(error.context): \(error.reason)\(hint)")
    }
}

extension RunningAgent {
    /// The daemon of the configuration that these options name; nil if none runs.
    ///
    /// - Parameter isStarting: whether to find what keeps this user from starting one.
    static func find(
        _ options: ConfigurationOption,
        isStarting: Bool = false
    ) throws(CommandFailure) -> RunningAgent? {
        let (path, app) = try options.loadPlaces()
        return try orFail { () throws(SystemError) in
            try find(app, configuration: path, isStarting: isStarting)
        }
    }
}

/// Runs system calls whose failure ends the command.
func orFail<Value: ~Copyable>(_ body: () throws(SystemError) -> Value) throws(CommandFailure) -> Value {
    do throws(SystemError) {
        return try body()
    } catch {
        throw CommandFailure(error)
    }
}
#endif
