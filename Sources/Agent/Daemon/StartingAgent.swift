#if Agent
import Glibc
import HostMetrics
import Logging

/// Brings the agent up in this process: descriptors, configuration, lock and pidfile, log, control socket; and runs it.
struct StartingAgent {
    /// The file that `--config` names.
    var explicitPath: String?
    var surroundings: Surroundings
    /// Whether the agent stays in the terminal.
    var isForeground: Bool

    /// How many descriptors have to be free at the start. Connected to a broker, with all reporters enabled and a log file,
    /// the agent has some twenty open, and a few more while it connects, reads and rotates logs.
    static let leastDescriptors = 32

    /// Why there is nothing to do: such an agent runs.
    struct AlreadyRunning: Error {
        var pid: pid_t
        var pidfile: String
        /// Whose it is, where that is another user's: " of user 'bob'".
        var ownerWords: String

        init(_ agent: RunningAgent) {
            pid = agent.pid
            pidfile = agent.place.pidfile
            ownerWords = agent.ownerWords
        }
    }

    /// Runs the agent until it is told to end.
    ///
    /// - Parameter whenUp: called with a line about it once it is up.
    /// - Throws: ``AlreadyRunning``, or ``CommandFailure`` with what is wrong.
    func run(whenUp: (String) -> Void) throws {
        // Before any thread is started, so that all of them hold the signals back.
        // Whoever started it may have had them ignored, as nohup does; then a reload would do nothing.
        for signal in Agent.handledSignals { Glibc.signal(signal, SIG_DFL) }
        let signals = try orFail { () throws(SystemError) -> SignalInbox in try SignalInbox(Agent.handledSignals) }
        signal(SIGPIPE, SIG_IGN)
        try prepareResources()
        let (path, configuration) = try loaded()
        if let running = try orFail({ () throws(SystemError) in
            try RunningAgent.find(configuration.app, configuration: path, isStarting: true)
        }) {
            throw AlreadyRunning(running)
        }
        let place = try orFail { () throws(SystemError) in try RuntimePlace.forStarting(configuration.app) }
        let claim = try AgentClaim(place, configuration: path)
        defer { claim.remove() }
        LoggingRouter.bootstrap()
        do throws(ConfigurationError) {
            try LoggingRouter.shared.apply(configuration.logging.resolved(foreground: isForeground))
        } catch {
            throw CommandFailure(status: .configuration, message: error.description)
        }
        let log = Logger(label: "psistats")
        if place.isFallback { log.notice("the pidfile is \(place.pidfile): \(configuration.app.pidfile) is root's") }
        let journal = try configuration.buffer.journal.map(openJournal)
        let control = controlSocket(place, log)
        defer { control?.remove() }
        let surroundings = surroundings
        let agent: Agent
        do throws(SystemError) {
            agent = try Agent(
                configuration: configuration,
                path: path,
                machineName: surroundings.hostname,
                log: log,
                signals: signals,
                control: control,
                service: ServiceNotification(),
                journal: journal,
                isForeground: isForeground
            ) { () throws(ConfigurationError) in
                let file = path == ConfigurationFinder.defaults ? nil : path
                return try ConfigurationFinder.load(file, surroundings: surroundings).configuration
            }
        } catch {
            throw CommandFailure(error)
        }
        let line = "process \(getpid()), configuration \(path), pidfile \(place.pidfile)"
        log.info("started: \(line)")
        whenUp(line)
        agent.run()
    }

    /// The configuration, under a path that stays right wherever the process goes.
    private func loaded() throws(CommandFailure) -> (String, Configuration) {
        do throws(ConfigurationError) {
            let (path, configuration) = try ConfigurationFinder.loadForStart(
                explicitPath,
                surroundings: surroundings,
                isForeground: isForeground
            )
            guard path != ConfigurationFinder.defaults else {
                if isForeground { standardError(ConfigurationFinder.defaultsNotice) }
                return (path, configuration)
            }
            return (path.absolute(from: surroundings.directory), configuration)
        } catch {
            throw CommandFailure(status: .configuration, message: error.description)
        }
    }

    /// What cannot be had later where it cannot be had now: descriptors and the thread for tasks.
    private func prepareResources() throws(CommandFailure) {
        DescriptorSupply.raiseLimit()
        do throws(SystemError) {
            try DescriptorSupply.require(Self.leastDescriptors)
        } catch {
            throw CommandFailure(error, remedy: ": raise the limit (ulimit -n, or LimitNOFILE= in the unit)")
        }
        try TaskThread.startShared()
    }

    private func openJournal(_ settings: Journal.Settings) throws(CommandFailure) -> Journal {
        let words: String
        do throws(Journal.Failure) {
            return try Journal(settings)
        } catch {
            switch error {
            case .inUse(let pid): words = "is used by another agent" + (pid.map { ", process \($0)" } ?? "")
            case .foreign(let reason): words = reason
            case .system(let error): words = "cannot be used (\(error.context): \(error.reason))"
            }
        }
        throw CommandFailure(.cannotCreate, "\(settings.folder) \(words); name another folder with path in [buffer]")
    }

    /// Without it the agent still works; only `psistats status` knows less.
    private func controlSocket(_ place: RuntimePlace, _ log: Logger) -> ControlSocket? {
        do throws(SystemError) {
            return try ControlSocket(path: place.socket)
        } catch {
            log.warning("'psistats status' will not know much: \(error.context): \(error.reason)")
            return nil
        }
    }
}
#endif
