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
        /// The peer ended the connection where it should have gone on.
        case ended
        /// The stream had been closed on this side.
        case closed
    }

    var phase: Phase
    var reason: Reason
    /// The error number of the system call, where one failed.
    var errno: Int32?
    /// What happened.
    var detail: String
    /// What to do about it, where that is known.
    var remedy: String?
    /// The file that cannot be used.
    var file: String?
    /// Why TLS failed.
    var tls: AMQPError.TLSFailure?
    /// The host and port, or the address, that this is about.
    var endpoint: String

    init(
        _ phase: Phase,
        _ reason: Reason,
        errno: Int32? = nil,
        endpoint: String,
        detail: String,
        remedy: String? = nil,
        file: String? = nil,
        tls: AMQPError.TLSFailure? = nil
    ) {
        self.phase = phase
        self.reason = reason
        self.errno = errno
        self.detail = detail
        self.remedy = remedy
        self.file = file
        self.tls = tls
        self.endpoint = endpoint
    }

    /// A failed system call, in the system's words and with a remedy where one is known.
    init(_ phase: Phase, errno: Int32, endpoint: String, doing action: String? = nil) {
        var detail = SystemErrorText.describe(errno)
        if let action { detail = "\(action): \(detail)" }
        self.init(
            phase,
            .system,
            errno: errno,
            endpoint: endpoint,
            detail: detail,
            remedy: SystemErrorText.remedy(errno)
        )
    }
}

extension TransportError: CustomStringConvertible {
    var description: String { remedy.map { "\(message): \($0)" } ?? message }

    /// What happened, and to what.
    var message: String {
        switch phase {
        case .resolve: "cannot resolve \(endpoint): \(detail)"
        case .connect: "cannot connect to \(endpoint): \(detail)"
        // A setting of ours has nothing to do with the peer.
        case .tls where reason == .configuration: detail
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

    /// What to do about a file, where that is known.
    static func fileRemedy(_ number: Int32) -> String? {
        switch number {
        case ENOENT, ENOTDIR: "correct the path, or put the file there"
        case EACCES, EPERM: "let the user that this runs as read it"
        default: remedy(number)
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
