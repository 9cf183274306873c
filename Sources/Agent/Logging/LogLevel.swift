#if Agent
import Logging

/// How serious a record is, on Python's scale: higher is more serious.
struct LogLevel: Hashable, Comparable, Sendable {
    /// `DEBUG` is 10, `CRITICAL` 50; numbers in between are allowed.
    var number: Int

    /// Passes everything on; on a logger: as its parent.
    static let notSet = LogLevel(number: 0)
    static let debug = LogLevel(number: 10)
    static let info = LogLevel(number: 20)
    static let warning = LogLevel(number: 30)
    static let error = LogLevel(number: 40)
    static let critical = LogLevel(number: 50)

    /// The names that a configuration may use.
    static let named: [(name: String, level: LogLevel)] = [
        ("NOTSET", notSet), ("DEBUG", debug), ("INFO", info), ("WARN", warning), ("WARNING", warning), ("ERROR", error),
        ("CRITICAL", critical), ("FATAL", critical),
    ]

    init(number: Int) {
        self.number = number
    }

    /// A name in letters of any case, or a number from 0 to 1000.
    init?(_ text: String) {
        let upper = text.uppercased()
        if let known = Self.named.first(where: { $0.name == upper }) {
            self = known.level
        } else if let number = ConfigurationReader.number(text, as: Int.self), number <= 1_000 {
            self.number = number
        } else {
            return nil
        }
    }

    /// What Python calls the level: `Level 15` where it has no name for it.
    var name: String {
        switch number {
        case 0: "NOTSET"
        case 10: "DEBUG"
        case 20: "INFO"
        case 30: "WARNING"
        case 40: "ERROR"
        case 50: "CRITICAL"
        default: "Level \(number)"
        }
    }

    /// The severity in the sense of syslog (RFC 5424, section 6.2.1), as Python's `SysLogHandler` maps it.
    var severity: Int {
        switch number {
        case 10: 7
        case 20: 6
        case 40: 3
        case 50: 2
        default: 4
        }
    }

    static func < (first: LogLevel, second: LogLevel) -> Bool {
        first.number < second.number
    }
}

extension LogLevel {
    /// The levels of swift-log that Python has no name for go with their neighbours.
    init(_ level: Logger.Level) {
        switch level {
        case .trace, .debug: self = .debug
        case .info, .notice: self = .info
        case .warning: self = .warning
        case .error: self = .error
        case .critical: self = .critical
        }
    }

    /// The least of swift-log's levels that passes this one.
    var leastPassed: Logger.Level {
        switch number {
        case ...10: .trace
        case ...20: .info
        case ...30: .warning
        case ...40: .error
        default: .critical
        }
    }
}
#endif
