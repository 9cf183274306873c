/// How a connection is encrypted, whom it trusts and who it says it is.
///
/// The defaults verify the broker's certificate and host name against the system's certificate authorities. Files are read
/// anew for each connection, so renewed certificates need no restart. Needs the package trait `TLS`, which is on by default.
public struct AMQPTLSConfiguration: Hashable, Sendable {
    /// What of the broker's certificate is checked.
    public enum Verification: Hashable, Sendable {
        /// The chain up to a trusted authority, the dates, and that it names the host connected to.
        case full
        /// Nothing: encrypted, but to whoever answers. For trying things out.
        case disabled
    }

    /// A version of TLS.
    public enum Version: Hashable, Sendable {
        case tls12
        case tls13
    }

    /// What of the broker's certificate is checked.
    public var verification: Verification = .full

    /// A file of trusted authorities in PEM. With this or ``caDirectory`` the system's are not used.
    public var caFile: String?

    /// A directory of trusted authorities in PEM, as `openssl rehash` prepares it.
    public var caDirectory: String?

    /// A file with our own certificate and those between it and its authority, in PEM, for brokers that ask for one.
    public var certificateFile: String?

    /// A file with the key of our certificate, in PEM. Without it, the key is looked for in ``certificateFile``.
    public var keyFile: String?

    /// What the key is encrypted with, where it is.
    public var keyPassphrase: AMQPSecret?

    /// The name, or the IP address, that the certificate must have and that the broker is asked for, where it is not the
    /// host connected to.
    public var serverName: String?

    /// The oldest version that is accepted.
    public var minimumVersion: Version = .tls12

    /// The defaults, with the authorities of a file where one is given.
    public init(caFile: String? = nil) {
        self.caFile = caFile
    }
}
