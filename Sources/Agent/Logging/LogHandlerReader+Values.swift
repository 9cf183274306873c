#if Agent
/// The parameters of the classes of handlers. What is unfit is noted as a problem.
extension LogHandlerReader {
    /// Text on one line, without NUL.
    mutating func text(_ parameter: String) -> String? {
        guard let (value, entry) = given(parameter) else { return nil }
        guard case .text(let text) = value, !text.utf8.contains(0), !text.utf8.contains(0x0A) else {
            fault(parameter, entry, "has to be text on one line, without NUL")
            return nil
        }
        return text
    }

    mutating func flag(_ parameter: String) -> Bool {
        guard let (value, entry) = given(parameter) else { return false }
        switch value {
        case .bool(let flag): return flag
        case .integer(let number): return number != 0
        case .text(let text):
            if let flag = ConfigurationReader.flag(text) { return flag }
        case .none, .real, .name, .tuple, .dictionary, .call: break
        }
        fault(parameter, entry, "has to be yes or no")
        return false
    }

    mutating func number(_ parameter: String, _ range: ClosedRange<Int>, _ unit: String, into number: inout Int) {
        guard let (value, entry) = given(parameter) else { return }
        var literal = value
        if case .text(let text) = value { literal = PythonLiteral(text) ?? value }
        guard let given = literal.wholeNumber, range.contains(given) else {
            let end = range.upperBound < Int.max / 2 ? " to \(range.upperBound)" : " up"
            fault(parameter, entry, "has to be a number of \(unit) from \(range.lowerBound)\(end)")
            return
        }
        number = given
    }

    mutating func stream() -> LoggingConfiguration.Stream? {
        guard let (value, entry) = given("stream") else { return .standardError }
        switch value {
        case .text("ext://sys.stdout"), .text("sys.stdout"), .name("sys.stdout"), .name("sys.__stdout__"),
            .name("stdout"):
            return .standardOutput
        case .text("ext://sys.stderr"), .text("sys.stderr"), .name("sys.stderr"), .name("sys.__stderr__"),
            .name("stderr"):
            return .standardError
        case .none, .bool, .integer, .real, .text, .name, .tuple, .dictionary, .call:
            fault("stream", entry, "has to be ext://sys.stdout or ext://sys.stderr")
            return nil
        }
    }

    mutating func logFile() -> LoggingConfiguration.File? {
        let encoding = encoding()
        let isDelayed = flag("delay")
        let mode = mode()
        guard given("filename") != nil else {
            note(nil, "lacks the key 'filename', the file to write to")
            return nil
        }
        guard let name = text("filename") else { return nil }
        return LoggingConfiguration.File(
            path: name.absolute(from: directory),
            mode: mode,
            isDelayed: isDelayed,
            encoding: encoding
        )
    }

    private mutating func mode() -> LoggingConfiguration.File.Mode {
        guard let text = text("mode"), let entry = given("mode")?.entry else { return .append }
        switch text.filter({ $0 != "t" && $0 != "+" }) {
        case "a": return .append
        case "w": return .truncate
        case "x": return .create
        default:
            fault("mode", entry, "has to be a (append), w (empty the file first) or x (the file must not exist)")
            return .append
        }
    }

    /// Nil for UTF-8.
    private mutating func encoding() -> LogEncoding? {
        let errors = text("errors") ?? ""
        guard let text = text("encoding"), let entry = given("encoding")?.entry else { return nil }
        guard let encoding = LogEncoding(text, errors: errors) else {
            fault(
                "encoding",
                entry,
                "has to be an encoding that the system knows, as utf-8 or latin-1 (iconv -l lists them)"
            )
            return nil
        }
        return encoding.isPlain ? nil : encoding
    }

    mutating func schedule() -> LoggingConfiguration.Schedule {
        var schedule = LoggingConfiguration.Schedule()
        if let text = text("when"), let entry = given("when")?.entry {
            switch text.uppercased() {
            case "S": schedule.unit = .seconds
            case "M": schedule.unit = .minutes
            case "H": schedule.unit = .hours
            case "D": schedule.unit = .days
            case "MIDNIGHT": schedule.unit = .midnight
            case let day where day.utf8.count == 2 && day.hasPrefix("W") && ("0"..."6").contains(day.suffix(1)):
                schedule.unit = .weekday(Int(day.suffix(1)) ?? 0)
            default:
                fault("when", entry, "has to be S, M, H, D, midnight, or W0 (Monday) to W6 (Sunday)")
            }
        }
        number("interval", 1...10_000, "units", into: &schedule.interval)
        number("backupcount", 0...10_000, "files", into: &schedule.backups)
        schedule.isUTC = flag("utc")
        if let (value, entry) = given("attime") {
            schedule.secondOfDay = Self.secondOfDay(value)
            if schedule.secondOfDay == nil { fault("attime", entry, "has to be a time of day, as 03:30 or 03:30:00") }
        }
        return schedule
    }

    /// `03:30`, `03:30:15`, or `datetime.time(3, 30)`.
    private static func secondOfDay(_ value: PythonLiteral) -> Int? {
        let parts: [Int?]
        switch value {
        case .text(let text):
            if case .call(let name, let arguments)? = PythonLiteral(text) {
                return secondOfDay(.call(name, arguments))
            }
            parts = text.split(separator: ":", omittingEmptySubsequences: false).map {
                ConfigurationReader.number(String($0), as: Int.self)
            }
            guard parts.count >= 2 else { return nil }
        case .call("datetime.time", let arguments), .call("time", let arguments):
            parts = arguments.map { if case .integer(let number) = $0 { number } else { nil } }
        case .none, .bool, .integer, .real, .name, .tuple, .dictionary, .call: return nil
        }
        guard (1...3).contains(parts.count) else { return nil }
        var result = 0
        for (index, part) in parts.enumerated() {
            guard let part, (0..<(index == 0 ? 24 : 60)).contains(part) else { return nil }
            result += part * [3_600, 60, 1][index]
        }
        return result
    }
}
#endif
