#if Agent
import Glibc

/// systemd's journal, by its own protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): a datagram of fields.
///
/// The fields are those of Python's `systemd.journal.JournalHandler`. A message longer than the socket takes is cut.
struct JournalSink: LogSink {
    private let path: String
    private let identifier: String
    private var socket: LogSocket?
    private static let cutLength = 32_768

    init(identifier: String, path: String = "/run/systemd/journal/socket") {
        self.identifier = identifier
        self.path = path
    }

    mutating func write(_ record: borrowing LogRecord, _ text: inout [UInt8]) throws(SystemError) {
        do {
            try send(fields(of: record, text))
        } catch {
            guard error.code == EMSGSIZE, text.count > Self.cutLength else { throw error }
            LogText.cut(&text, to: Self.cutLength)
            try send(fields(of: record, text))
        }
    }

    private func fields(of record: borrowing LogRecord, _ text: [UInt8]) -> [UInt8] {
        var octets: [UInt8] = []
        octets.reserveCapacity(text.count + 256)
        Self.append("MESSAGE", text, to: &octets)
        Self.append("PRIORITY", "\(record.level.severity)".utf8, to: &octets)
        Self.append("LOGGER", record.name.utf8, to: &octets)
        Self.append("SYSLOG_IDENTIFIER", identifier.utf8, to: &octets)
        if !record.path.isEmpty {
            Self.append("CODE_FILE", record.path.utf8, to: &octets)
            Self.append("CODE_LINE", "\(record.line)".utf8, to: &octets)
            Self.append("CODE_FUNC", record.function.utf8, to: &octets)
        }
        return octets
    }

    /// `NAME=value`, or where the value has line feeds `NAME`, its length as 64 bits little-endian, and the value.
    private static func append(_ name: StaticString, _ value: some Collection<UInt8>, to octets: inout [UInt8]) {
        name.withUTF8Buffer { octets.append(contentsOf: $0) }
        if value.contains(0x0A) {
            octets.append(0x0A)
            withUnsafeBytes(of: UInt64(value.count).littleEndian) { octets.append(contentsOf: $0) }
        } else {
            octets.append(UInt8(ascii: "="))
        }
        octets.append(contentsOf: value)
        octets.append(0x0A)
    }

    private mutating func send(_ octets: [UInt8]) throws(SystemError) {
        if let socket {
            guard let code = socket.send(octets).code else { return }
            // Only a journal that was started anew is a reason to connect anew.
            guard code == ECONNREFUSED || code == ENOTCONN || code == ECONNRESET else {
                throw SystemError(code: code, context: path)
            }
            self.socket = nil
        }
        let fresh = try LogSocket(path: path, isStream: false)
        if let code = fresh.send(octets).code { throw SystemError(code: code, context: path) }
        socket = fresh
    }

    mutating func reopen() {
        socket = nil
    }
}
#endif
