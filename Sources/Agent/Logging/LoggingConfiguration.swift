#if Agent
import Glibc

/// What is logged, in which form, and where to: what Python's `logging.config.fileConfig` makes of a file.
///
/// Holds checked values only, and opens nothing: `LoggingReader` fills it, `LoggingRouter` puts it to work.
struct LoggingConfiguration: Hashable, Sendable {
    /// The root is the one whose name is empty. No name stands here twice.
    var loggers: [Logger]
    /// Every handler that a logger names is among these.
    var handlers: [Handler]
    /// Whether somebody wrote this configuration; `standard` and `unspecified` are not.
    var isWritten = true
    /// The handler that is there for those records only that no other handler takes to where standard error leads.
    var standIn: String?

    /// A file without any section about logging. Logs nothing; see ``resolved(foreground:)``.
    static let unspecified = LoggingConfiguration(loggers: [], handlers: [], isWritten: false)

    /// A name in the hierarchy, `psistats.cpu` below `psistats`, and what is set for it.
    struct Logger: Hashable, Sendable {
        /// Empty for the root.
        var name: String
        /// What is less serious is dropped. Nil: as the next logger above.
        var level: LogLevel?
        /// Names of handlers.
        var handlers: [String] = []
        /// Whether the handlers of the loggers above get its records as well.
        var propagates = true
    }

    /// A place that records go to.
    struct Handler: Hashable, Sendable {
        var name: String
        var level = LogLevel.notSet
        var format = LogFormat.message
        var target: Target
        var origin: Origin?
    }

    /// Where a handler was described, for messages about it.
    struct Origin: Hashable, Sendable {
        var file: String
        var line: Int
        var section: String
    }

    /// A class of handlers, with its own keys.
    enum Target: Hashable, Sendable {
        case stream(Stream)
        case file(File)
        /// Opened anew when something else has the file's name.
        case watchedFile(File)
        case rotatingFile(File, Size)
        case timedRotatingFile(File, Schedule)
        case syslog(Syslog)
        case journal(identifier: String)
        case nothing
    }

    enum Stream: Hashable, Sendable {
        case standardOutput, standardError
    }

    struct File: Hashable, Sendable {
        /// Absolute.
        var path: String
        var mode = Mode.append
        /// Opened with the first record only.
        var isDelayed = false
        /// Nil for UTF-8.
        var encoding: LogEncoding?

        enum Mode: Hashable, Sendable {
            case append
            /// Emptied when it is opened first.
            case truncate
            /// Must not exist when it is opened first.
            case create
        }
    }

    /// When a `RotatingFileHandler` starts a new file.
    struct Size: Hashable, Sendable {
        /// The file would reach so many octets; 0 for never.
        var limit = 0
        /// How many old files are kept; 0 for never starting a new one.
        var backups = 0
    }

    /// When a `TimedRotatingFileHandler` starts a new file.
    struct Schedule: Hashable, Sendable {
        var unit = Unit.hours
        /// So many units from one file to the next; 1...10000.
        var interval = 1
        /// How many old files are kept; 0 for all.
        var backups = 0
        var isUTC = false
        /// The second of the day for `midnight` and `weekday`; nil for the day's end.
        var secondOfDay: Int?

        enum Unit: Hashable, Sendable {
            case seconds, minutes, hours, days, midnight
            /// 0 is Monday.
            case weekday(Int)
        }
    }

    struct Syslog: Hashable, Sendable {
        enum Address: Hashable, Sendable {
            case socket(path: String)
            case host(String, port: UInt16)
        }

        enum SocketKind: Hashable, Sendable {
            /// Datagrams, or a stream where those are refused.
            case either
            case datagram, stream
        }

        var address = Address.host("localhost", port: 514)
        /// 0...23; 1 is `user`.
        var facility = 1
        var kind = SocketKind.either
        /// Stands before each message.
        var identity = ""
    }
}

extension LoggingConfiguration {
    /// What happens where nothing is configured: INFO and above, in the foreground to standard error, else to syslog, or
    /// nowhere if there is none.
    static func standard(foreground: Bool) -> LoggingConfiguration {
        standard(foreground: foreground, hasSyslog: access("/dev/log", F_OK) == 0)
    }

    static func standard(foreground: Bool, hasSyslog: Bool) -> LoggingConfiguration {
        let handlers =
            if foreground {
                [terminal]
            } else if hasSyslog, let format = try? LogFormat("psistats[%(process)d]: %(name)s: %(message)s") {
                [
                    Handler(
                        name: "syslog",
                        format: format,
                        target: .syslog(Syslog(address: .socket(path: "/dev/log"), facility: 3))
                    )
                ]
            } else {
                [Handler]()
            }
        let root = Logger(name: "", level: .info, handlers: handlers.map(\.name))
        return LoggingConfiguration(loggers: [root], handlers: handlers, isWritten: false)
    }

    /// What to apply: the standard where nothing was written; and in the foreground, standard error besides what was
    /// written, for every logger whose records would not all reach it.
    func resolved(foreground: Bool) -> LoggingConfiguration {
        guard isWritten else { return .standard(foreground: foreground) }
        guard foreground else { return self }
        var result = self
        var terminal = Self.terminal
        while handlers.contains(where: { $0.name == terminal.name }) { terminal.name += "+" }
        let shown = completelyShownHandlers
        for index in result.loggers.indices {
            let logger = result.loggers[index]
            let isTop = logger.name.isEmpty || !logger.propagates
            guard isTop, shown.isDisjoint(with: logger.handlers) else { continue }
            result.loggers[index].handlers.append(terminal.name)
            result.standIn = terminal.name
        }
        if result.standIn != nil { result.handlers.append(terminal) }
        return result
    }

    /// The names of the handlers that write to where standard error leads.
    var shownHandlers: Set<String> {
        Set(handlers.filter { $0.target.reaches(STDERR_FILENO) }.map(\.name))
    }

    /// Those of them that leave out nothing that a logger passes on.
    var completelyShownHandlers: Set<String> {
        let least = loggers.map { $0.level ?? .critical }.min() ?? .notSet
        let shown = shownHandlers
        return Set(handlers.filter { shown.contains($0.name) && $0.level <= least }.map(\.name))
    }

    private static var terminal: Handler {
        let format = try? LogFormat("%(asctime)s %(levelname)s %(name)s: %(message)s")
        return Handler(name: "terminal", format: format ?? .message, target: .stream(.standardError))
    }
}
#endif
