#if Agent
/// Which outlets a logger's records go to, and from which level on: the dotted names below each other.
///
/// `pika`, the client of the Python psistats, is an old name of `amqpwire`.
struct LoggerTree: Sendable {
    private var loggers: [String: LoggingConfiguration.Logger] = [:]
    /// See ``LoggingConfiguration/standIn``; those that it stands in for, and those beside which it is not needed at all.
    let standIn: String?
    let shown: Set<String>
    private let completelyShown: Set<String>

    init(_ configuration: LoggingConfiguration) {
        standIn = configuration.standIn
        let standIns = Set([configuration.standIn].compactMap(\.self))
        shown = configuration.shownHandlers.subtracting(standIns)
        completelyShown = configuration.completelyShownHandlers.subtracting(standIns)
        let loggers = configuration.loggers
        for logger in loggers {
            let name = Self.canonical(logger.name)
            // Where both names are described, the new one holds.
            if name != logger.name, loggers.contains(where: { $0.name == name }) { continue }
            self.loggers[name] = logger
        }
    }

    /// A logger's level, nil where none is set up to the root, and the names of its handlers. Python's rules: the level
    /// is the nearest one that is set, and handlers are asked up to a logger that does not propagate.
    func route(for name: String) -> (level: LogLevel?, handlers: [String]) {
        var level: LogLevel?
        var handlers: [String] = []
        var propagates = true
        var name = Self.canonical(name)
        while true {
            if let logger = loggers[name] {
                if level == nil, logger.level != .notSet { level = logger.level }
                if propagates {
                    handlers += logger.handlers
                    propagates = logger.propagates
                }
            }
            if name.isEmpty {
                return (
                    level, completelyShown.isDisjoint(with: handlers) ? handlers : handlers.filter { $0 != standIn }
                )
            }
            name = name.utf8.lastIndex(of: UInt8(ascii: ".")).map { String(name[..<$0]) } ?? ""
        }
    }

    /// The name under which a logger is known here.
    static func canonical(_ name: String) -> String {
        guard name == "pika" || name.hasPrefix("pika.") else { return name }
        return "amqpwire" + name.dropFirst(4)
    }
}
#endif
