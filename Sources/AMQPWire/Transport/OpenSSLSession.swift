#if TLS
import COpenSSL
import Glibc
import Synchronization

/// A client's `SSL_CTX`: what one ``AMQPTLSConfiguration`` comes to, its files read.
final class OpenSSLContext: SecureContext {
    // Unsafe: set up in `init` and only read afterwards; OpenSSL counts its references atomically.
    private nonisolated(unsafe) let context: OpaquePointer
    private let configuration: AMQPTLSConfiguration

    init(_ configuration: AMQPTLSConfiguration, endpoint: String) throws(TransportError) {
        copenssl_initialise()
        ERR_clear_error()
        guard let context = SSL_CTX_new(TLS_client_method()) else {
            throw TransportError(.tls, .configuration, endpoint: endpoint, detail: OpenSSLErrors.takeText())
        }
        self.context = context
        self.configuration = configuration

        func unusable(_ what: String, file: String? = nil) -> TransportError {
            TransportError(.tls, .configuration, endpoint: endpoint, detail: what, file: file)
        }
        func check(_ path: String, _ what: String) throws(TransportError) {
            guard !path.utf8.contains(0), access(path, R_OK) == 0 else {
                let number = path.utf8.contains(0) ? EINVAL : errno
                throw TransportError(
                    .tls,
                    .configuration,
                    errno: number,
                    endpoint: endpoint,
                    detail: "cannot read the \(what) \(path): \(SystemErrorText.describe(number))",
                    remedy: SystemErrorText.fileRemedy(number),
                    file: path
                )
            }
        }

        copenssl_ctx_forbid_renegotiation(context)
        let oldest =
            switch configuration.minimumVersion {
            case .tls12: TLS1_2_VERSION
            case .tls13: TLS1_3_VERSION
            }
        guard copenssl_ctx_set_min_version(context, oldest) == 1 else { throw unusable(OpenSSLErrors.takeText()) }
        copenssl_ctx_set_mode(context, Int(SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER))
        // One system call takes several records off the socket, where it would take two for each.
        copenssl_ctx_set_read_ahead(context, 1)
        SSL_CTX_set_default_read_buffer_len(context, 64 << 10)

        switch configuration.verification {
        case .disabled: SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
        case .full:
            SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
            if configuration.caFile == nil, configuration.caDirectory == nil {
                guard SSL_CTX_set_default_verify_paths(context) == 1 else {
                    throw unusable("cannot read the system's certificate authorities: \(OpenSSLErrors.takeText())")
                }
            }
            if let file = configuration.caFile {
                try check(file, "CA file")
                guard SSL_CTX_load_verify_file(context, file) == 1 else {
                    throw unusable(
                        "the CA file \(file) holds no certificate in PEM: \(OpenSSLErrors.takeText())",
                        file: file
                    )
                }
            }
            if let directory = configuration.caDirectory {
                try check(directory, "CA directory")
                guard SSL_CTX_load_verify_dir(context, directory) == 1 else {
                    throw unusable(
                        "cannot use the CA directory \(directory): \(OpenSSLErrors.takeText())",
                        file: directory
                    )
                }
            }
        }

        if let certificate = configuration.certificateFile {
            try check(certificate, "certificate file")
            guard SSL_CTX_use_certificate_chain_file(context, certificate) == 1 else {
                throw unusable(
                    "cannot use the certificate file \(certificate): \(OpenSSLErrors.takeText())",
                    file: certificate
                )
            }
            let key = configuration.keyFile ?? certificate
            try check(key, "key file")
            guard Self.useKey(context, key, configuration.keyPassphrase) else {
                throw unusable("cannot use the key file \(key): \(OpenSSLErrors.takeText())", file: key)
            }
            guard SSL_CTX_check_private_key(context) == 1 else {
                throw unusable("the key in \(key) is not that of the certificate in \(certificate)", file: key)
            }
        } else if let key = configuration.keyFile {
            throw unusable("the key file \(key) is of no use without its certificate file", file: key)
        }
    }

    deinit {
        SSL_CTX_free(context)
    }

    /// Loads a key. Always with a callback: without one OpenSSL would ask the terminal for the passphrase.
    private static func useKey(_ context: OpaquePointer, _ path: String, _ passphrase: AMQPSecret?) -> Bool {
        (passphrase?.octets ?? []).withUnsafeBytes { octets in
            var octets = octets
            return withUnsafeMutablePointer(to: &octets) { pointer in
                SSL_CTX_set_default_passwd_cb_userdata(context, pointer)
                SSL_CTX_set_default_passwd_cb(context) { buffer, size, _, given in
                    guard let buffer, let given = given?.assumingMemoryBound(to: UnsafeRawBufferPointer.self).pointee,
                        !given.isEmpty, given.count <= Int(size)
                    else { return -1 }
                    UnsafeMutableRawBufferPointer(start: buffer, count: Int(size)).copyMemory(from: given)
                    return Int32(given.count)
                }
                defer {
                    SSL_CTX_set_default_passwd_cb_userdata(context, nil)
                    SSL_CTX_set_default_passwd_cb(context, nil)
                }
                return SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) == 1
            }
        }
    }

    func makeSession(
        on descriptor: Descriptor,
        host: String,
        endpoint: String
    ) throws(TransportError) -> any SecureSession {
        let name = Self.bareName(configuration.serverName ?? host)
        ERR_clear_error()
        func unusable(_ what: String) -> TransportError {
            TransportError(.tls, .configuration, endpoint: endpoint, detail: "\(what): \(OpenSSLErrors.takeText())")
        }
        guard let ssl = SSL_new(context) else { throw unusable("cannot begin") }
        let isVerified = configuration.verification == .full
        do throws(TransportError) {
            let parameters = SSL_get0_param(ssl)
            if let address = Resolver.literal(name, port: 0) {
                let text = String(address.host.prefix { $0 != "%" })
                guard !isVerified || X509_VERIFY_PARAM_set1_ip_asc(parameters, text) == 1 else {
                    throw unusable("cannot verify the address \(name)")
                }
            } else {
                guard !name.isEmpty, !name.utf8.contains(0), copenssl_set_server_name(ssl, name) == 1 else {
                    throw unusable("cannot ask for the server name '\(name)'")
                }
                X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
                guard !isVerified || X509_VERIFY_PARAM_set1_host(parameters, name, name.utf8.count) == 1 else {
                    throw unusable("cannot verify the name '\(name)'")
                }
            }
            SSL_set_connect_state(ssl)
            guard let link = OpenSSLLink.make() else { throw unusable("cannot begin") }
            SSL_set_bio(ssl, link.bio, link.bio)
            return OpenSSLSession(
                OpenSSLEngine(ssl: ssl, link: link.state, host: name, isVerified: isVerified),
                descriptor: descriptor,
                endpoint: endpoint
            )
        } catch {
            SSL_free(ssl)
            throw error
        }
    }

    /// Without the dot that ends a fully qualified name, and without the brackets of a literal.
    private static func bareName(_ host: String) -> String {
        if host.first == "[", host.last == "]" { return String(host.dropFirst().dropLast()) }
        return host.last == "." ? String(host.dropLast()) : host
    }
}

/// The far side of a session's BIO: the socket, what is to be sent over it, and how the last call on it ended.
///
/// What OpenSSL writes is always taken, into a buffer that is sent after the call. OpenSSL is thus never left with a record
/// sent by half, which it cannot cope with when the peer asks for new keys just then (SSL_read fails with "bad length");
/// and several records go out by one system call. Whoever writes stops at a bound, and so does reading that provokes
/// answers.
private struct OpenSSLLink {
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
private struct OpenSSLEngine: ~Copyable, @unchecked Sendable {
    let ssl: OpaquePointer
    let link: UnsafeMutablePointer<OpenSSLLink.State>
    let host: String
    let isVerified: Bool
    var isEstablished = false
    /// Octets that were encrypted but reported as not written, because some of the output was left: 0 or 1.
    var withheld = 0
    /// An error that ended this direction. OpenSSL must not be called again after one of its own; after one of the socket
    /// in writing, reading may go on: what the broker said last is often the reason.
    var readFailure: TransportError?
    var writeFailure: TransportError?

    init(ssl: OpaquePointer, link: UnsafeMutablePointer<OpenSSLLink.State>, host: String, isVerified: Bool) {
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

    fileprivate init(_ engine: consuming OpenSSLEngine, descriptor: Descriptor, endpoint: String) {
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

/// OpenSSL's error queue in words for operators.
private enum OpenSSLErrors {
    /// The first error of the queue as OpenSSL words it. Empties the queue.
    static func takeText() -> String {
        let code = ERR_get_error()
        ERR_clear_error()
        return text(code)
    }

    private static func text(_ code: UInt) -> String {
        guard code != 0 else { return "no reason given" }
        if let reason = ERR_reason_error_string(code) { return String(cString: reason) }
        return "OpenSSL error \(code)"
    }

    /// The error that ended a call on an `SSL`. Empties the queue.
    static func take(
        _ phase: TransportError.Phase,
        _ ssl: OpaquePointer,
        host: String,
        endpoint: String
    ) -> TransportError {
        let code = ERR_get_error()
        ERR_clear_error()
        let words = text(code)
        func error(
            _ reason: TransportError.Reason,
            _ tls: AMQPError.TLSFailure,
            _ detail: String,
            _ remedy: String? = nil
        ) -> TransportError {
            // With TLS 1.3 the peer refuses our certificate only after the handshake, in what is read then.
            TransportError(
                reason == .certificate ? .tls : phase,
                reason,
                endpoint: endpoint,
                detail: detail,
                remedy: remedy,
                tls: tls
            )
        }
        switch ERR_GET_REASON(code) {
        case SSL_R_CERTIFICATE_VERIFY_FAILED:
            let (tls, detail, remedy) = verification(ssl, host: host)
            return error(.certificate, tls, detail, remedy)
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_PACKET_LENGTH_TOO_LONG, SSL_R_BAD_RECORD_TYPE:
            let advice = "connect to its TLS port (5671 by default), or without TLS (amqp://)"
            return error(.secureProtocol, .notTLS, "the peer does not speak TLS on this port (\(words))", advice)
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, SSL_R_VERSION_TOO_LOW:
            let what = "the peer has no version of TLS that is allowed here (\(words))"
            return error(.secureProtocol, .noCommonVersion, what, "enable TLS 1.2 or later on it")
        case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
            let what = "the peer requires a certificate of ours"
            return error(.certificate, .clientCertificateRequired, what, "give one with certfile and keyfile")
        case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
            let advice = "it may require a certificate of ours (certfile, keyfile), or share no cipher with us"
            return error(.secureProtocol, .handshakeRefused, "the peer refused the handshake", advice)
        case SSL_R_TLSV1_ALERT_UNKNOWN_CA, SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
            SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
            SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, SSL_R_TLSV1_ALERT_ACCESS_DENIED,
            SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
            let advice = "check certfile, its dates, and that the peer knows its authority"
            return error(.certificate, .clientCertificateRefused, "the peer refused our certificate (\(words))", advice)
        case SSL_R_TLSV1_UNRECOGNIZED_NAME:
            let what = "the peer does not know the name \(host)"
            return error(.secureProtocol, .unknownServerName, what, "give server_name_indication")
        default:
            return error(.secureProtocol, .other, words)
        }
    }

    /// Why a certificate was not accepted, and what to do about it.
    private static func verification(
        _ ssl: OpaquePointer,
        host: String
    ) -> (AMQPError.TLSFailure, detail: String, remedy: String?) {
        // Kept after a failure too: as much of the chain as could be built, the peer's own certificate first.
        let chain = SSL_get0_verified_chain(ssl)
        let count = copenssl_chain_count(chain)
        let certificates = (0..<count).compactMap { copenssl_chain_certificate(chain, $0) }
        let code = SSL_get_verify_result(ssl)
        switch Int32(truncatingIfNeeded: code) {
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_CERT_UNTRUSTED:
            let authority = certificates.last.map { " (\(OpenSSLText.issuer($0)))" } ?? ""
            let what = "the certificate of \(host) is signed by an unknown authority\(authority)"
            return (.unknownAuthority, what, "give its CA with cacertfile")
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            let names = certificates.first.map { OpenSSLText.names($0) } ?? "another host"
            let what = "host name does not match: the certificate is not for \(host) but for \(names)"
            return (.wrongName, what, "connect by a name it has, or give that with server_name_indication")
        case X509_V_ERR_CERT_HAS_EXPIRED:
            let expired = certificates.first { X509_cmp_current_time(X509_get0_notAfter($0)) < 0 }
            guard let expired else { return (.expired, "the certificate of \(host) has expired", "renew it") }
            let when = OpenSSLText.time(X509_get0_notAfter(expired))
            return (
                .expired, "the certificate \(OpenSSLText.subject(expired)) of \(host) expired on \(when)", "renew it"
            )
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return (.notYetValid, "the certificate of \(host) is not valid yet", "check the clocks of both hosts")
        default:
            let words = X509_verify_cert_error_string(code).map { String(cString: $0) } ?? "error \(code)"
            return (.certificateRefused, "the certificate of \(host) is not accepted: \(words)", nil)
        }
    }
}

/// Parts of certificates as text that is fit for a log: one line, no control characters, of bounded length.
private enum OpenSSLText {
    static func subject(_ certificate: OpaquePointer) -> String {
        printed { X509_NAME_print_ex($0, X509_get_subject_name(certificate), 0, nameFlags) >= 0 }
    }

    static func issuer(_ certificate: OpaquePointer) -> String {
        printed { X509_NAME_print_ex($0, X509_get_issuer_name(certificate), 0, nameFlags) >= 0 }
    }

    /// The names in the certificate, its subject where it has none.
    static func names(_ certificate: OpaquePointer) -> String {
        let index = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1)
        guard index >= 0, let part = X509_get_ext(certificate, index) else { return subject(certificate) }
        return printed { X509V3_EXT_print($0, part, 0, 0) == 1 }
    }

    static func time(_ time: UnsafePointer<ASN1_TIME>?) -> String {
        printed { ASN1_TIME_print($0, time) == 1 }
    }

    private static let nameFlags = copenssl_name_flags

    private static func printed(_ print: (OpaquePointer) -> Bool) -> String {
        guard let bio = BIO_new(BIO_s_mem()) else { return "?" }
        defer { BIO_free(bio) }
        guard print(bio) else { return "?" }
        var start: UnsafeMutablePointer<CChar>?
        let length = copenssl_bio_memory(bio, &start)
        guard let start, length > 0 else { return "?" }
        let octets = UnsafeRawBufferPointer(start: start, count: min(length, 300))
        return String(decoding: octets.map { $0 < 0x20 || $0 == 0x7F ? UInt8(ascii: "?") : $0 }, as: UTF8.self)
    }
}
#endif
