#if Agent
import Glibc

/// A syslog daemon: messages as Python's `SysLogHandler` sends them, `<PRI>`, identity, text, NUL.
///
/// That there is no daemon yet is no error until something is logged. A message that is too long is cut.
struct SyslogSink: LogSink {
    private let syslog: LoggingConfiguration.Syslog
    private let host: LogHost?
    private var socket: LogSocket?
    /// What a long message is cut to, in octets.
    private static let cutLength = 8_192

    init(_ syslog: LoggingConfiguration.Syslog) {
        self.syslog = syslog
        switch syslog.address {
        case .socket: host = nil
        case .host(let name, let port): host = LogHost(host: name, port: port)
        }
    }

    mutating func write(_ record: borrowing LogRecord, _ text: inout [UInt8]) throws(SystemError) {
        let head = "<\(syslog.facility << 3 | record.level.severity)>\(syslog.identity)"
        text.insert(contentsOf: head.utf8, at: 0)
        // More does not fit into any datagram to a host.
        if host != nil, text.count > 65_000 { LogText.cut(&text, to: Self.cutLength) }
        text.append(0)
        do {
            try send(text, now: record.time.seconds)
        } catch {
            guard error.code == EMSGSIZE, text.count > Self.cutLength else { throw error }
            LogText.cut(&text, to: Self.cutLength)
            text.append(0)
            try send(text, now: record.time.seconds)
        }
    }

    private mutating func send(_ octets: [UInt8], now: Int) throws(SystemError) {
        switch syslog.address {
        case .host: try host?.send(octets, now: now)
        case .socket(let path): try send(octets, path)
        }
    }

    private mutating func send(_ octets: [UInt8], _ path: String) throws(SystemError) {
        if let socket {
            let (sent, code) = socket.send(octets)
            switch code {
            case nil: return
            // A daemon that is busy is no reason to connect anew, and a datagram that is too long is none either.
            case EAGAIN where sent == 0: throw SystemError(code: EAGAIN, context: path)
            case EMSGSIZE, ENOBUFS: throw SystemError(code: code ?? EAGAIN, context: path)
            default: self.socket = nil
            }
        }
        let fresh = try connect(path)
        if let code = fresh.send(octets).code { throw SystemError(code: code, context: path) }
        socket = fresh
    }

    private func connect(_ path: String) throws(SystemError) -> LogSocket {
        switch syslog.kind {
        case .datagram: return try LogSocket(path: path, isStream: false)
        case .stream: return try LogSocket(path: path, isStream: true)
        case .either:
            do {
                return try LogSocket(path: path, isStream: false)
            } catch {
                guard error.code == EPROTOTYPE else { throw error }
                return try LogSocket(path: path, isStream: true)
            }
        }
    }

    mutating func reopen() {
        socket = nil
    }
}

/// What is done with text in octets.
enum LogText {
    /// Cuts UTF-8 to a length at most, between two characters.
    static func cut(_ text: inout [UInt8], to length: Int) {
        guard text.count > length else { return }
        var end = length
        while end > 0, text[end] & 0xC0 == 0x80 { end -= 1 }
        text.removeSubrange(end...)
    }
}
#endif
