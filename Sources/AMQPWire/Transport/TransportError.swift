import Glibc

/// Why a byte stream could not be opened, read or written, in words for whoever runs the program.
///
/// Says nothing of AMQP: what was lost with the connection is for the driver to tell.
struct TransportError: Error, Hashable, Sendable {
    /// What was being done.
    enum Phase: String, Hashable, Sendable, CaseIterable {
        case resolve, connect, tls, read, write
    }

    /// What kind of thing went wrong, for code that must decide whether to try again.
    enum Reason: Hashable, Sendable {
        /// A system call failed; `errno` says how.
        case system
        /// The name service answered that there is no such host, or gave no usable answer.
        case name
        /// The deadline passed first.
        case deadline
        /// The calling task was cancelled.
        case cancelled
        /// A certificate was refused, by us or by the peer.
        case certificate
        /// The peer did not keep to TLS, or has no version or cipher in common with us.
        case secureProtocol
        /// A file, a name or an option given by the user cannot be used.
        case configuration
        /// The stream had been closed on this side.
        case closed
    }

    var phase: Phase
    var reason: Reason
    /// The error number of the system call, where one failed.
    var errno: Int32?
    /// What happened and what to do about it.
    var detail: String
    /// The host and port, or the address, that this is about.
    var endpoint: String

    init(_ phase: Phase, _ reason: Reason, errno: Int32? = nil, endpoint: String, detail: String) {
        self.phase = phase
        self.reason = reason
        self.errno = errno
        self.detail = detail
        self.endpoint = endpoint
    }

    /// A failed system call, in the system's words and with a remedy where one is known.
    init(_ phase: Phase, errno: Int32, endpoint: String, doing action: String? = nil) {
        var detail = SystemErrorText.describe(errno)
        if let action { detail = "\(action): \(detail)" }
        if let remedy = SystemErrorText.remedy(errno) { detail += ": \(remedy)" }
        self.init(phase, .system, errno: errno, endpoint: endpoint, detail: detail)
    }
}

extension TransportError: CustomStringConvertible {
    var description: String {
        switch phase {
        case .resolve: "cannot resolve \(endpoint): \(detail)"
        case .connect: "cannot connect to \(endpoint): \(detail)"
        case .tls: "no TLS with \(endpoint): \(detail)"
        case .read: "reading from \(endpoint) failed: \(detail)"
        case .write: "writing to \(endpoint) failed: \(detail)"
        }
    }
}

/// Words for the error numbers that an operator meets.
enum SystemErrorText {
    /// What happened.
    static func describe(_ number: Int32) -> String {
        switch number {
        case ECONNREFUSED: "connection refused"
        case ECONNRESET: "connection reset by the peer"
        case EPIPE: "the peer has closed the connection"
        case ETIMEDOUT: "no answer"
        case EHOSTUNREACH: "no route to the host"
        case ENETUNREACH: "network unreachable"
        case EADDRNOTAVAIL: "no local address or port free for it"
        case EMFILE, ENFILE: "too many open files"
        case EACCES, EPERM: "not permitted"
        // glibc's strerror keeps its text per thread.
        default: strerror(number).map { String(cString: $0) } ?? "error \(number)"
        }
    }

    /// What to do about it, where that is known.
    static func remedy(_ number: Int32) -> String? {
        switch number {
        case ECONNREFUSED: "check that the broker runs and listens on that port"
        case ETIMEDOUT: "check the address, the broker's host and the firewalls between"
        case EHOSTUNREACH, ENETUNREACH: "check the address and this host's network and routes"
        case EMFILE, ENFILE: "raise the limit of open files (ulimit -n, LimitNOFILE=)"
        case EACCES, EPERM: "check this host's firewall and security policy"
        case EADDRNOTAVAIL: "check the address, and for connections opened and closed in quick succession"
        default: nil
        }
    }
}
