#if Agent
/// The parameters of `SysLogHandler`.
extension LogHandlerReader {
    /// The facilities by Python's names for them (RFC 5424, section 6.2.1).
    private static let facilities: [(name: String, number: Int)] = [
        ("kern", 0), ("user", 1), ("mail", 2), ("daemon", 3), ("auth", 4), ("syslog", 5), ("lpr", 6), ("news", 7),
        ("uucp", 8), ("cron", 9), ("authpriv", 10), ("ftp", 11), ("ntp", 12), ("security", 13), ("console", 14),
        ("solaris-cron", 15), ("solcron", 15), ("local0", 16), ("local1", 17), ("local2", 18), ("local3", 19),
        ("local4", 20), ("local5", 21), ("local6", 22), ("local7", 23),
    ]

    mutating func syslog() -> LoggingConfiguration.Syslog {
        var syslog = LoggingConfiguration.Syslog()
        if let (value, entry) = given("address") {
            if let address = Self.address(value) {
                syslog.address = address
            } else {
                fault("address", entry, "has to be the path of a socket, as /dev/log, or ('HOST', PORT)")
            }
        }
        readFacility(into: &syslog)
        readSocketKind(into: &syslog)
        let identity = text("ident") ?? ""
        // In quotes, so that it can end with a blank.
        syslog.identity = if case .text(let quoted)? = PythonLiteral(identity) { quoted } else { identity }
        return syslog
    }

    private mutating func readFacility(into syslog: inout LoggingConfiguration.Syslog) {
        guard let (value, entry) = given("facility") else { return }
        var number: Int?
        switch value {
        case .integer(let given): number = given
        case .text(let text), .name(let text):
            // handlers.SysLogHandler.LOG_DAEMON, LOG_DAEMON and daemon mean the same.
            var name = text.split(separator: ".").last.map { $0.lowercased() } ?? ""
            if name.hasPrefix("log_") { name.removeFirst(4) }
            number =
                Self.facilities.first { $0.name == name }?.number
                ?? ConfigurationReader.number(text, as: Int.self)
        case .none, .bool, .real, .tuple, .dictionary, .call: break
        }
        guard let number, (0...23).contains(number) else {
            var message = "has to be a name such as user, daemon or local0, or a number from 0 to 23"
            if case .text(let text) = value,
                let near = ConfigurationKeys.suggestion(for: text, among: Self.facilities.map(\.name))
            {
                message += "; did you mean '\(near)'?"
            }
            fault("facility", entry, message)
            return
        }
        syslog.facility = number
    }

    private mutating func readSocketKind(into syslog: inout LoggingConfiguration.Syslog) {
        guard let (value, entry) = given("socktype") else { return }
        switch value {
        case .text(let text), .name(let text):
            let name = text.split(separator: ".").last.map(String.init) ?? ""
            if name == "SOCK_DGRAM" {
                syslog.kind = .datagram
                return
            }
            if name == "SOCK_STREAM" {
                syslog.kind = .stream
                if case .host = syslog.address { break }
                return
            }
        case .none, .bool, .integer, .real, .tuple, .dictionary, .call: break
        }
        fault("socktype", entry, "has to be socket.SOCK_DGRAM, or for a socket's path socket.SOCK_STREAM")
    }

    /// A path, `('host', 514)`, `host:514` or `[::1]:514`.
    private static func address(_ value: PythonLiteral) -> LoggingConfiguration.Syslog.Address? {
        switch value {
        case .tuple(let items):
            guard items.count == 2, let host = word(items[0]) else { return nil }
            if case .integer(let number) = items[1] { return address(host, number) }
            // Python looks a service's name up; the one that makes sense here is syslog's own.
            return word(items[1]) == "syslog" ? address(host, 514) : nil
        case .text(let text):
            if text.hasPrefix("/") { return text.utf8.count <= 107 ? .socket(path: text) : nil }
            if let literal = PythonLiteral(text), case .tuple = literal { return address(literal) }
            guard let colon = text.lastIndex(of: ":"),
                let port = ConfigurationReader.number(String(text[text.index(after: colon)...]), as: Int.self)
            else { return nil }
            var host = text[..<colon]
            if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
            return address(String(host), port)
        case .none, .bool, .integer, .real, .name, .dictionary, .call: return nil
        }
    }

    private static func address(_ host: String, _ port: Int) -> LoggingConfiguration.Syslog.Address? {
        guard let port = UInt16(exactly: port), port > 0, !host.isEmpty, host.utf8.count <= 255,
            !host.utf8.contains(where: { $0 <= 0x20 })
        else { return nil }
        return .host(host, port: port)
    }

    private static func word(_ value: PythonLiteral) -> String? {
        switch value {
        case .text(let text): text
        case .name("handlers.SYSLOG_UDP_PORT"), .name("logging.handlers.SYSLOG_UDP_PORT"), .name("SYSLOG_UDP_PORT"):
            "syslog"
        case .name(let name): name
        case .none, .bool, .integer, .real, .tuple, .dictionary, .call: nil
        }
    }
}
#endif
