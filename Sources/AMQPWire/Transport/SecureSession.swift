/// What TLS settled with the peer.
struct TLSFacts: Hashable, Sendable {
    /// As OpenSSL names it: "TLSv1.3".
    var version: String
    /// As OpenSSL names it: "TLS_AES_256_GCM_SHA384".
    var cipher: String
    /// The subject of the peer's certificate, as RFC 2253 writes it; nil where it showed none.
    var peerSubject: String?
    /// Whether chain and host name were verified.
    var isVerified: Bool
}

/// How far a TLS handshake has come.
enum HandshakeStep {
    case done
    case needsReadable
    case needsWritable
    case failed(TransportError)
}

/// The encryption of one connected socket. Never blocks; any thread.
///
/// Reading and writing each may have to wait for the socket to become readable *or* writable, whichever of the two TLS needs
/// next: `readNeedsWritable` and `writeNeedsReadable` say when it is the unexpected one.
protocol SecureSession: AnyObject, Sendable {
    func handshake() -> HandshakeStep
    func read(into buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome
    func write(_ buffer: UnsafeRawBufferPointer) -> WriteOutcome
    /// Tells the peer that no more follows, where that can be said without waiting.
    func sendCloseNotify()
    var hasBufferedInput: Bool { get }
    var readNeedsWritable: Bool { get }
    var writeNeedsReadable: Bool { get }
    /// Known once the handshake is done.
    var facts: TLSFacts { get }
}

/// A ``TLSConfiguration`` with its files read, from which sessions are made.
protocol SecureContext: AnyObject, Sendable {
    /// A session on a connected socket; `host` is whom the certificate must name.
    func makeSession(
        on descriptor: Descriptor,
        host: String,
        endpoint: String
    ) throws(TransportError) -> any SecureSession
}

/// Where TLS comes from: OpenSSL, or nowhere where the package was built without it.
enum TLSProvider {
    /// Whether this build has TLS.
    static var isAvailable: Bool {
        #if TLS
        true
        #else
        false
        #endif
    }

    /// Reads the files that the configuration names. Blocks on the disk.
    static func makeContext(
        _ configuration: TLSConfiguration,
        endpoint: String
    ) throws(TransportError) -> any SecureContext {
        #if TLS
        try OpenSSLContext(configuration, endpoint: endpoint)
        #else
        throw TransportError(
            .tls,
            .configuration,
            endpoint: endpoint,
            detail: "AMQPWire was built without TLS: build it with the package trait TLS, which is on by default"
        )
        #endif
    }
}
