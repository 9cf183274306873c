/// How a connection is encrypted, whom it trusts and who it says it is.
///
/// The defaults verify the broker's certificate and host name against the system's certificate authorities. Files are read
/// again for each connection, so renewed certificates need no restart. Whatever is listed as an authority is trusted as it is: an
/// intermediate without its root, and a certificate that is nobody's authority for itself. Needs the package trait `TLS`.
public struct AMQPTLSConfiguration: Hashable, Sendable {
    /// What of the broker's certificate is checked. Default ``Verification/full``.
    public var verification: Verification = .full

    /// The path of a file of trusted authorities in PEM. With any of ``caFile``, ``caDirectory`` and ``caCertificates`` the
    /// system's are not used.
    public var caFile: String?

    /// The path of a directory of trusted authorities in PEM, as `openssl rehash` prepares it.
    public var caDirectory: String?

    /// Trusted authorities in PEM, in memory. Empty for none.
    public var caCertificates: [UInt8] = []

    /// The path of a file with our own certificate and those between it and its authority, in PEM, for brokers that ask for
    /// one. Only one of this, ``certificate``, ``pkcs12File`` and ``pkcs12`` can be given.
    public var certificateFile: String?

    /// What ``certificateFile`` would hold, in memory. Empty for none.
    public var certificate: [UInt8] = []

    /// The path of a file with the key of our certificate, in PEM. Without it and ``key``, the key is looked for where the
    /// certificate is.
    public var keyFile: String?

    /// What ``keyFile`` would hold, in memory. Empty for none.
    public var key = AMQPSecret()

    /// The path of a file with our certificate, its key and those between it and its authority, in PKCS#12 (`.p12`, `.pfx`).
    public var pkcs12File: String?

    /// What ``pkcs12File`` would hold, in memory. Empty for none.
    public var pkcs12 = AMQPSecret()

    /// What the key, or the PKCS#12 file, is encrypted with, where it is.
    public var keyPassphrase: AMQPSecret?

    /// The name, or the IP address, that the certificate must have and that the broker is asked for, where it is not the
    /// host connected to.
    public var serverName: String?

    /// The oldest version that is accepted. Default 1.2.
    public var minimumVersion: Version = .tls12

    /// The defaults, with the authorities of a file where one is given.
    public init(caFile: String? = nil) {
        self.caFile = caFile
    }
}

extension AMQPTLSConfiguration {
    /// What of the broker's certificate is checked.
    public struct Verification: Hashable, Sendable {
        private enum Kind: Hashable, Sendable {
            case full, disabled
            case custom(Decision)
        }

        private let kind: Kind

        private init(_ kind: Kind) { self.kind = kind }

        /// The chain up to a trusted authority, the dates, and that it names the host connected to.
        public static var full: Verification { Verification(.full) }
        /// Nothing: encrypted, but to whoever answers. For trying things out.
        public static var disabled: Verification { Verification(.disabled) }

        /// What the program makes of it: a pinned key, a certificate seen before.
        ///
        /// - Parameter accepts: is given what ``full`` would have found, and decides alone. It runs in the middle of the
        ///   handshake on the thread that serves all connections, so it must not block. Two values of this are equal only if
        ///   one is a copy of the other.
        public static func custom(_ accepts: @escaping @Sendable (AMQPPeerCertificates) -> Bool) -> Verification {
            Verification(.custom(Decision(accepts)))
        }

        var isOff: Bool { kind == .disabled }

        var decision: (@Sendable (AMQPPeerCertificates) -> Bool)? {
            if case .custom(let decision) = kind { decision.accepts } else { nil }
        }
    }

    private final class Decision: Hashable, Sendable {
        let accepts: @Sendable (AMQPPeerCertificates) -> Bool

        init(_ accepts: @escaping @Sendable (AMQPPeerCertificates) -> Bool) {
            self.accepts = accepts
        }

        static func == (left: Decision, right: Decision) -> Bool { left === right }

        func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
    }

    /// A version of TLS.
    public struct Version: Hashable, Sendable, Comparable {
        private let minor: UInt8

        /// TLS 1.2 (RFC 5246).
        public static var tls12: Version { Version(minor: 2) }
        /// TLS 1.3 (RFC 8446).
        public static var tls13: Version { Version(minor: 3) }

        /// Whether `left` is the older one.
        public static func < (left: Version, right: Version) -> Bool { left.minor < right.minor }
    }
}

/// The certificates that a broker showed, for a verification of the program's own.
public struct AMQPPeerCertificates: Hashable, Sendable {
    /// The name or address that the certificate should have.
    public var host: String
    /// The certificates in DER (X.690), the broker's own first.
    public var certificates: [[UInt8]]
    /// Whether ``AMQPTLSConfiguration/Verification/full`` would accept them.
    public var isTrusted: Bool
    /// Why it would not, in words; nil where it would.
    public var problem: String?
}
