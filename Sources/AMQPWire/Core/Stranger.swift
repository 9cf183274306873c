/// What a peer that does not speak AMQP seems to be, by the first octets that it sent. A guess, for errors only.
enum Stranger: Hashable, Sendable {
    case webServer, tlsServer, sshServer, unknown

    /// Octets that tell.
    static let telling = 5

    init(_ start: some Sequence<UInt8>) {
        let start = Array(start.prefix(Self.telling))
        if start == Array("HTTP/".utf8) {
            self = .webServer
        } else if start.count >= 2, start[0] == 0x15 || start[0] == 0x16, start[1] == 3 {
            // An alert or a handshake record of TLS, whose version begins with 3.
            self = .tlsServer
        } else if start.starts(with: "SSH-".utf8) {
            self = .sshServer
        } else {
            self = .unknown
        }
    }

    /// What it looks like, and what to do.
    var advice: String {
        switch self {
        case .webServer:
            "this looks like an HTTP server, the broker's management UI (port 15672) maybe: check host and port, "
                + "AMQP is on 5672 as a rule"
        case .tlsServer: "this looks like a TLS port: use amqps://, whose port is 5671 as a rule"
        case .sshServer: "this looks like an SSH server: check host and port"
        case .unknown: "check host and port, and whether it wants TLS"
        }
    }
}
