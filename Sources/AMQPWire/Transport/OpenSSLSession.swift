#if TLS
import COpenSSL
import Glibc
import Synchronization

/// The far side of a session's BIO: the socket, what is to be sent over it, and how the last call on it ended.
///
/// What OpenSSL writes is always taken, into a buffer that is sent after the call. OpenSSL is thus never left with a record
/// sent by half, which it cannot cope with when the peer asks for new keys just then (SSL_read fails with "bad length");
/// and several records go out by one system call. Whoever writes stops at a bound, and so does reading that provokes
/// answers.
struct OpenSSLLink {
    struct State: ~Copyable {
        var number: Int32 = -1
        var output = AMQPWireBuffer()
        var readFailure: Int32 = 0
        var sawEnd = false
    }

    let bio: OpaquePointer
    let state: UnsafeMutablePointer<State>

    // Unsafe: made once, under the runtime's lock, and only read afterwards.
    private nonisolated(unsafe) static let method: OpaquePointer? = {
        let kind = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK
        guard let method = BIO_meth_new(kind, "amqpwire") else { return nil }
        BIO_meth_set_read(method) { bio, buffer, count in
            guard let bio, let buffer, count > 0, let state = OpenSSLLink.state(bio) else { return -1 }
            copenssl_bio_clear_retry(bio)
            let target = UnsafeMutableRawBufferPointer(start: buffer, count: Int(count))
            switch SystemCall.receive(state.pointee.number, into: target) {
            case .done(let count):
                if count == 0 { state.pointee.sawEnd = true }
                return Int32(count)
            case .wouldBlock:
                copenssl_bio_retry_read(bio)
                return -1
            case .failed(let failure):
                state.pointee.readFailure = failure
                return -1
            }
        }
        BIO_meth_set_write(method) { bio, buffer, count in
            guard let bio, let buffer, count > 0, let state = OpenSSLLink.state(bio) else { return -1 }
            state.pointee.output.append(UnsafeRawBufferPointer(start: buffer, count: Int(count)))
            return count
        }
        BIO_meth_set_ctrl(method) { _, command, _, _ in
            command == BIO_CTRL_FLUSH ? 1 : 0
        }
        BIO_meth_set_create(method) { bio in
            BIO_set_init(bio, 1)
            return 1
        }
        return method
    }()

    static func make() -> OpenSSLLink? {
        guard let method, let bio = BIO_new(method) else { return nil }
        let state = UnsafeMutablePointer<State>.allocate(capacity: 1)
        state.initialize(to: State())
        BIO_set_data(bio, state)
        return OpenSSLLink(bio: bio, state: state)
    }

    private static func state(_ bio: OpaquePointer) -> UnsafeMutablePointer<State>? {
        BIO_get_data(bio)?.assumingMemoryBound(to: State.self)
    }
}

/// An `SSL` and what is known of it. One thread at a time.
// Unchecked: an `SSL` may go from thread to thread, and this noncopyable value alone refers to it.
struct OpenSSLEngine: ~Copyable, @unchecked Sendable {
    let ssl: OpaquePointer
    let link: UnsafeMutablePointer<OpenSSLLink.State>
    let host: String
    let isVerified: Bool
    /// OpenSSL refers to it as long as there is the `SSL`.
    let verifier: OpenSSLVerifier?
    var isEstablished = false
    /// Octets that were encrypted but reported as not written, because some of the output was left: 0 or 1.
    var withheld = 0
    /// An error that ended this direction. OpenSSL must not be called again after one of its own; after one of the socket
    /// in writing, reading may go on: what the broker said last is often the reason.
    var readFailure: TransportError?
    var writeFailure: TransportError?

    init(
        ssl: OpaquePointer,
        link: UnsafeMutablePointer<OpenSSLLink.State>,
        host: String,
        isVerified: Bool,
        verifier: OpenSSLVerifier?
    ) {
        self.verifier = verifier
        self.ssl = ssl
        self.link = link
        self.host = host
        self.isVerified = isVerified
    }

    deinit {
        SSL_free(ssl)
        link.deinitialize(count: 1)
        link.deallocate()
    }

    var hasOutput: Bool { !link.pointee.output.isEmpty }

    /// Sends what the kernel takes of the output.
    mutating func flush(endpoint: String) {
        while hasOutput, writeFailure == nil {
            switch link.pointee.output.withUnsafeBytes({ SystemCall.send(link.pointee.number, $0) }) {
            case .done(let count): link.pointee.output.removeFirst(count)
            case .wouldBlock: return
            case .failed(let number): writeFailure = TransportError(.write, errno: number, endpoint: endpoint)
            }
        }
    }

    /// How a call that returned no success ended.
    enum Ending {
        case needsReadable, needsWritable, closed
        case failed(TransportError)
    }

    mutating func ending(of result: Int32, _ phase: TransportError.Phase, endpoint: String) -> Ending {
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: return .needsReadable
        case SSL_ERROR_WANT_WRITE: return .needsWritable
        case SSL_ERROR_ZERO_RETURN: return .closed
        case SSL_ERROR_SYSCALL where link.pointee.readFailure != 0:
            let failure = TransportError(phase, errno: link.pointee.readFailure, endpoint: endpoint)
            readFailure = failure
            return .failed(failure)
        case SSL_ERROR_SYSCALL where link.pointee.sawEnd:
            // Without close_notify. AMQP says goodbye in its own words, so a cut-off stream is told from a finished one.
            return .closed
        default:
            let failure = OpenSSLErrors.take(phase, ssl, host: host, endpoint: endpoint)
            readFailure = readFailure ?? failure
            writeFailure = writeFailure ?? failure
            return .failed(failure)
        }
    }
}

/// TLS over one socket by OpenSSL.
///
/// An `SSL` is for one thread at a time, so a lock is held during each call. The calls never wait: their length is that of
/// encrypting a bounded number of octets and copying them to the kernel.
final class OpenSSLSession: SecureSession {
    private let engine: Mutex<OpenSSLEngine>
    private let descriptor: Descriptor
    private let endpoint: String
    private let holdsInput = Atomic<Bool>(false)
    private let holdsOutput = Atomic<Bool>(false)
    private let readWaitsForWritable = Atomic<Bool>(false)
    private let writeWaitsForReadable = Atomic<Bool>(false)
    /// What one call encrypts at most, so that the reader's turn at the lock comes.
    private static let octetsPerWrite = 256 << 10
    /// What is encrypted before it is sent: four records of the greatest size.
    private static let octetsPerSend = 64 << 10
    /// With more output than this waiting nothing is read. A writer alone never leaves so much: these are answers to
    /// somebody who asks and asks and does not listen.
    private static let outputLimit = 256 << 10

    init(_ engine: consuming OpenSSLEngine, descriptor: Descriptor, endpoint: String) {
        self.engine = Mutex(engine)
        self.descriptor = descriptor
        self.endpoint = endpoint
    }

    var hasBufferedInput: Bool { holdsInput.load(ordering: .acquiring) }
    var hasUnsentOutput: Bool { holdsOutput.load(ordering: .acquiring) }
    var readNeedsWritable: Bool { readWaitsForWritable.load(ordering: .acquiring) }
    var writeNeedsReadable: Bool { writeWaitsForReadable.load(ordering: .acquiring) }

    var facts: TLSFacts {
        engine.withLock { engine in
            let certificate = SSL_get0_peer_certificate(engine.ssl)
            return TLSFacts(
                version: String(cString: SSL_get_version(engine.ssl)),
                cipher: SSL_CIPHER_get_name(SSL_get_current_cipher(engine.ssl)).map { String(cString: $0) } ?? "?",
                peerSubject: certificate.map { OpenSSLText.subject($0) },
                isVerified: engine.isVerified
            )
        }
    }

    /// Runs `body` with the engine on the socket, and sends what it left; nil where the socket has been closed.
    private func run<Outcome>(_ body: (inout OpenSSLEngine) -> Outcome) -> Outcome? {
        descriptor.use { number in
            engine.withLock { engine in
                engine.link.pointee.number = number
                engine.link.pointee.readFailure = 0
                ERR_clear_error()
                let outcome = body(&engine)
                engine.flush(endpoint: endpoint)
                holdsOutput.store(engine.hasOutput && engine.writeFailure == nil, ordering: .releasing)
                if engine.link.pointee.output.count <= Self.outputLimit || engine.writeFailure != nil {
                    readWaitsForWritable.store(false, ordering: .releasing)
                }
                return outcome
            }
        }
    }

    func handshake() -> HandshakeStep {
        let step = run { engine -> HandshakeStep in
            let result = SSL_do_handshake(engine.ssl)
            // Before anything is said of it: the last words of a failed handshake tell the peer why.
            engine.flush(endpoint: endpoint)
            guard result != 1 else {
                engine.isEstablished = true
                holdsInput.store(SSL_has_pending(engine.ssl) == 1, ordering: .releasing)
                return engine.hasOutput ? .needsWritable : .done
            }
            switch engine.ending(of: result, .tls, endpoint: endpoint) {
            case .needsReadable: return engine.hasOutput ? .needsWritable : .needsReadable
            case .needsWritable: return .needsWritable
            case .failed(let error): return .failed(error)
            case .closed:
                return .failed(
                    TransportError(
                        .tls,
                        .ended,
                        endpoint: endpoint,
                        detail: "the peer closed the connection during the handshake",
                        remedy: "check that the port speaks TLS and that the broker behind it runs"
                    )
                )
            }
        }
        return step ?? .failed(closedHere(.tls))
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome {
        let outcome = run { engine -> ReadOutcome in
            if let failure = engine.readFailure { return finishRead(0, .failed(failure)) }
            guard engine.link.pointee.output.count <= Self.outputLimit else {
                readWaitsForWritable.store(true, ordering: .releasing)
                return .wouldBlock
            }
            var total = 0
            // One record a call; more only as far as they have been taken off the socket.
            while total < buffer.count, total == 0 || SSL_has_pending(engine.ssl) == 1 {
                var count = 0
                let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[total...])
                let result = SSL_read_ex(engine.ssl, rest.baseAddress, rest.count, &count)
                guard result != 1 else {
                    total += count
                    continue
                }
                return finishRead(total, engine.ending(of: result, .read, endpoint: endpoint))
            }
            holdsInput.store(SSL_has_pending(engine.ssl) == 1, ordering: .releasing)
            return .received(total)
        }
        return outcome ?? .closed
    }

    func peek() -> PeekOutcome {
        let outcome = run { engine -> PeekOutcome in
            guard engine.readFailure == nil else { return .ended }
            var byte: UInt8 = 0
            var count = 0
            let result = SSL_peek_ex(engine.ssl, &byte, 1, &count)
            if result == 1 {
                holdsInput.store(true, ordering: .releasing)
                return .byte(byte)
            }
            switch engine.ending(of: result, .read, endpoint: endpoint) {
            case .needsReadable, .needsWritable: return .wouldBlock
            case .closed, .failed:
                // Reading tells, though the kernel may have nothing more to report.
                holdsInput.store(true, ordering: .releasing)
                return .ended
            }
        }
        return outcome ?? .ended
    }

    /// Ends a read after `total` octets. An end or an error that comes behind octets is told next time, so there must be a
    /// next time: the kernel may have nothing more to report.
    private func finishRead(_ total: Int, _ ending: OpenSSLEngine.Ending) -> ReadOutcome {
        let outcome: ReadOutcome
        var isFinal = false
        switch ending {
        case .needsReadable, .needsWritable: outcome = .wouldBlock
        case .closed: (outcome, isFinal) = (.closed, true)
        case .failed(let error): (outcome, isFinal) = (.failed(error), true)
        }
        holdsInput.store(isFinal && total > 0, ordering: .releasing)
        return total > 0 ? .received(total) : outcome
    }

    func write(_ buffer: UnsafeRawBufferPointer) -> WriteOutcome {
        let outcome = run { engine -> WriteOutcome in
            writeWaitsForReadable.store(false, ordering: .releasing)
            engine.flush(endpoint: endpoint)
            if let failure = engine.writeFailure { return .failed(failure) }
            guard !engine.hasOutput else { return .wouldBlock }
            var total = engine.withheld
            engine.withheld = 0
            let limit = min(buffer.count, total + Self.octetsPerWrite)
            while total < limit, !engine.hasOutput {
                let end = min(limit, total + Self.octetsPerSend)
                guard let ending = encrypt(&engine, buffer, &total, upTo: end) else {
                    engine.flush(endpoint: endpoint)
                    if let failure = engine.writeFailure { return .failed(failure) }
                    continue
                }
                switch ending {
                case .needsWritable: break
                case .needsReadable: writeWaitsForReadable.store(true, ordering: .releasing)
                case .closed: return .failed(TransportError(.write, errno: EPIPE, endpoint: endpoint))
                case .failed(let error): return .failed(error)
                }
                break
            }
            // Whoever has written everything does not come again; but somebody has to, to send what is left.
            if engine.hasOutput, total == buffer.count {
                engine.withheld = 1
                total -= 1
            }
            return total > 0 ? .sent(total) : .wouldBlock
        }
        return outcome ?? .failed(closedHere(.write))
    }

    /// Encrypts octets from `total` on into the output; nil where all of them went.
    private func encrypt(
        _ engine: inout OpenSSLEngine,
        _ buffer: UnsafeRawBufferPointer,
        _ total: inout Int,
        upTo end: Int
    ) -> OpenSSLEngine.Ending? {
        while total < end {
            var count = 0
            let rest = UnsafeRawBufferPointer(rebasing: buffer[total..<end])
            let result = SSL_write_ex(engine.ssl, rest.baseAddress, rest.count, &count)
            guard result == 1 else { return engine.ending(of: result, .write, endpoint: endpoint) }
            total += count
        }
        return nil
    }

    func flush() {
        // What `run` does after anything.
        _ = run { _ in }
    }

    func sendCloseNotify() {
        _ = run { engine in
            guard engine.isEstablished, engine.readFailure == nil, engine.writeFailure == nil else { return }
            // Once, and where the kernel does not take it the peer learns it from the end of the connection.
            if SSL_shutdown(engine.ssl) < 0 { ERR_clear_error() }
        }
    }

    private func closedHere(_ phase: TransportError.Phase) -> TransportError {
        TransportError(phase, .closed, endpoint: endpoint, detail: "the connection was closed on this side")
    }
}
#endif
