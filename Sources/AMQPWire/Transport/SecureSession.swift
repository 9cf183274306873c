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
/// TLS speaks in both directions whatever its user does, so reading may leave something to send, and either may have to wait
/// for the other. The four flags tell the loop what to watch the socket for besides what its user wants.
protocol SecureSession: AnyObject, Sendable {
    func handshake() -> HandshakeStep
    func read(into buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome
    func write(_ buffer: UnsafeRawBufferPointer) -> WriteOutcome
    /// Looks at the first byte that ``read(into:)`` will give.
    func peek() -> PeekOutcome
    /// Sends what is left to send, as far as the kernel takes it. Failures show in the next write.
    func flush()
    /// Tells the peer that no more follows, as far as that can be said without waiting.
    func sendCloseNotify()
    /// Whether there is input that is no longer in the socket.
    var hasBufferedInput: Bool { get }
    /// Whether there is output that the kernel has not taken yet: ``flush()`` once the socket is writable.
    var hasUnsentOutput: Bool { get }
    /// Whether reading has to wait until output has been sent.
    var readNeedsWritable: Bool { get }
    /// Whether writing has to wait until something has been read.
    var writeNeedsReadable: Bool { get }
    /// Known once the handshake is done.
    var facts: TLSFacts { get }
}

/// A ``AMQPTLSConfiguration`` with its files read, from which sessions are made.
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
        _ configuration: AMQPTLSConfiguration,
        endpoint: String
    ) throws(TransportError) -> any SecureContext {
        #if TLS
        try OpenSSLContext(configuration, endpoint: endpoint)
        #else
        throw TransportError(
            .tls,
            .configuration,
            endpoint: endpoint,
            detail: "AMQPWire was built without TLS",
            remedy: "build it with the package trait TLS, which is on by default"
        )
        #endif
    }
}
