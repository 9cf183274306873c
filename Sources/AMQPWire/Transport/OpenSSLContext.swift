#if TLS
import COpenSSL
import Glibc

/// A client's `SSL_CTX`: what one ``AMQPTLSConfiguration`` comes to, its files read.
final class OpenSSLContext: SecureContext {
    // Unsafe: set up in `init` and only read afterwards; OpenSSL counts its references atomically.
    private nonisolated(unsafe) let context: OpaquePointer
    private let configuration: AMQPTLSConfiguration
    private let endpoint: String

    init(_ configuration: AMQPTLSConfiguration, endpoint: String) throws(TransportError) {
        copenssl_initialise()
        ERR_clear_error()
        guard let context = SSL_CTX_new(TLS_client_method()) else {
            throw TransportError(.tls, .configuration, endpoint: endpoint, detail: OpenSSLErrors.takeText())
        }
        self.context = context
        self.configuration = configuration
        self.endpoint = endpoint

        copenssl_ctx_forbid_renegotiation(context)
        guard copenssl_ctx_set_min_version(context, configuration.minimumVersion.number) == 1 else {
            throw unusable(OpenSSLErrors.takeText())
        }
        copenssl_ctx_set_mode(context, Int(SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER))
        // One system call takes several records off the socket, where it would take two for each.
        copenssl_ctx_set_read_ahead(context, 1)
        SSL_CTX_set_default_read_buffer_len(context, 64 << 10)
        if configuration.verification.isOff {
            SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
        } else {
            SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
            // A listed intermediate, or the broker's own certificate, is an authority by itself.
            X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), UInt(X509_V_FLAG_PARTIAL_CHAIN))
            try loadAuthorities()
        }
        try loadCertificate()
    }

    deinit {
        SSL_CTX_free(context)
    }

    private func unusable(_ what: String, file: String? = nil) -> TransportError {
        TransportError(.tls, .configuration, endpoint: endpoint, detail: what, file: file)
    }

    private func check(_ path: String, _ what: String) throws(TransportError) {
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

    // MARK: Whom to trust

    private func loadAuthorities() throws(TransportError) {
        let configuration = configuration
        if configuration.caFile == nil, configuration.caDirectory == nil, configuration.caCertificates.isEmpty {
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
        guard !configuration.caCertificates.isEmpty else { return }
        let certificates = OpenSSLMemory.certificates(configuration.caCertificates)
        defer { certificates.forEach(X509_free) }
        guard !certificates.isEmpty else {
            throw unusable("caCertificates holds no certificate in PEM: \(OpenSSLErrors.takeText())")
        }
        for certificate in certificates where X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate) != 1 {
            throw unusable("a certificate in caCertificates cannot be used: \(OpenSSLErrors.takeText())")
        }
    }

    // MARK: Who we are

    private func loadCertificate() throws(TransportError) {
        let sources = [
            configuration.certificateFile != nil, !configuration.certificate.isEmpty, configuration.pkcs12File != nil,
            !configuration.pkcs12.octets.isEmpty,
        ]
        guard sources.count(where: { $0 }) < 2 else {
            throw unusable(
                "our certificate is given twice: only one of certificateFile, certificate, pkcs12File and pkcs12"
            )
        }
        if let file = configuration.certificateFile {
            try loadCertificate(file)
        } else if !configuration.certificate.isEmpty {
            try loadCertificateFromMemory()
        } else if let file = configuration.pkcs12File {
            try check(file, "PKCS#12 file")
            try loadPKCS12(BIO_new_file(file, "rb"), "the PKCS#12 file \(file)", file: file)
        } else if !configuration.pkcs12.octets.isEmpty {
            try loadPKCS12(OpenSSLMemory.source(configuration.pkcs12.octets), "pkcs12")
        } else if let key = configuration.keyFile {
            throw unusable("the key file \(key) is of no use without its certificate file", file: key)
        } else if !configuration.key.octets.isEmpty {
            throw unusable("a key is of no use without its certificate")
        }
    }

    private func loadCertificate(_ file: String) throws(TransportError) {
        try check(file, "certificate file")
        guard SSL_CTX_use_certificate_chain_file(context, file) == 1 else {
            throw unusable("cannot use the certificate file \(file): \(OpenSSLErrors.takeText())", file: file)
        }
        if !configuration.key.octets.isEmpty, configuration.keyFile == nil { return try loadKey("that in \(file)") }
        let key = configuration.keyFile ?? file
        try check(key, "key file")
        try loadKey(BIO_new_file(key, "rb"), "the key file \(key)", of: "the certificate in \(file)", file: key)
    }

    private func loadCertificateFromMemory() throws(TransportError) {
        let certificates = OpenSSLMemory.certificates(configuration.certificate)
        defer { certificates.forEach(X509_free) }
        guard let own = certificates.first, SSL_CTX_use_certificate(context, own) == 1 else {
            throw unusable("certificate holds no certificate in PEM: \(OpenSSLErrors.takeText())")
        }
        for other in certificates.dropFirst() where copenssl_ctx_add_chain_certificate(context, other) != 1 {
            throw unusable("a certificate in certificate cannot be used: \(OpenSSLErrors.takeText())")
        }
        if let file = configuration.keyFile {
            try check(file, "key file")
            try loadKey(BIO_new_file(file, "rb"), "the key file \(file)", of: "the certificate", file: file)
        } else {
            try loadKey("the certificate")
        }
    }

    /// Takes the key from memory; from the certificate's own text, if none was given.
    private func loadKey(_ certificate: String) throws(TransportError) {
        let octets = configuration.key.octets.isEmpty ? configuration.certificate : configuration.key.octets
        try loadKey(OpenSSLMemory.source(octets), "key", of: certificate)
    }

    /// Takes a key in PEM. Always with a callback: without one OpenSSL would ask the terminal for the passphrase.
    private func loadKey(
        _ source: OpaquePointer?,
        _ what: String,
        of certificate: String,
        file: String? = nil
    ) throws(TransportError) {
        defer { BIO_free(source) }
        let key = (configuration.keyPassphrase?.octets ?? []).withUnsafeBytes { octets in
            var octets = octets
            return PEM_read_bio_PrivateKey(
                source,
                nil,
                { buffer, size, _, given in
                    guard let buffer, let given = given?.assumingMemoryBound(to: UnsafeRawBufferPointer.self).pointee,
                        !given.isEmpty, given.count <= Int(size)
                    else { return -1 }
                    UnsafeMutableRawBufferPointer(start: buffer, count: Int(size)).copyMemory(from: given)
                    return Int32(given.count)
                },
                &octets
            )
        }
        guard let key else { throw unusable("cannot use \(what): \(OpenSSLErrors.takeText())", file: file) }
        defer { EVP_PKEY_free(key) }
        // Compares it with the certificate, which was given before.
        guard SSL_CTX_use_PrivateKey(context, key) == 1, SSL_CTX_check_private_key(context) == 1 else {
            ERR_clear_error()
            throw unusable("\(what) is not the key of \(certificate)", file: file)
        }
    }

    private func loadPKCS12(_ source: OpaquePointer?, _ what: String, file: String? = nil) throws(TransportError) {
        defer { BIO_free(source) }
        guard let container = d2i_PKCS12_bio(source, nil) else {
            throw unusable("\(what) is not in PKCS#12: \(OpenSSLErrors.takeText())", file: file)
        }
        defer { PKCS12_free(container) }
        var key: OpaquePointer?
        var certificate: OpaquePointer?
        var others: OpaquePointer?
        let passphrase = (configuration.keyPassphrase?.octets ?? []).map { CChar(bitPattern: $0) } + [0]
        guard PKCS12_parse(container, passphrase, &key, &certificate, &others) == 1 else {
            throw unusable("cannot open \(what): \(OpenSSLErrors.takeText())", file: file)
        }
        defer {
            EVP_PKEY_free(key)
            X509_free(certificate)
            copenssl_chain_free(others)
        }
        guard let key, let certificate, SSL_CTX_use_certificate(context, certificate) == 1,
            SSL_CTX_use_PrivateKey(context, key) == 1
        else { throw unusable("\(what) holds no certificate with its key", file: file) }
        for index in 0..<copenssl_chain_count(others) {
            _ = copenssl_ctx_add_chain_certificate(context, copenssl_chain_certificate(others, index))
        }
    }

    // MARK: Sessions

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
        let isVerified = !configuration.verification.isOff
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
            let verifier = configuration.verification.decision.map { OpenSSLVerifier(host: name, $0) }
            verifier?.install(in: context)
            return OpenSSLSession(
                OpenSSLEngine(ssl: ssl, link: link.state, host: name, isVerified: isVerified, verifier: verifier),
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

extension AMQPTLSConfiguration.Version {
    fileprivate var number: Int32 { self == .tls13 ? TLS1_3_VERSION : TLS1_2_VERSION }
}

/// Certificates and keys that are in memory.
private enum OpenSSLMemory {
    /// A BIO with a copy of the bytes, to be freed.
    static func source(_ octets: [UInt8]) -> OpaquePointer? {
        guard let bio = BIO_new(BIO_s_mem()) else { return nil }
        let count = Int32(clamping: octets.count)
        guard octets.isEmpty || BIO_write(bio, octets, count) == count else {
            BIO_free(bio)
            return nil
        }
        return bio
    }

    /// The certificates in PEM, each to be freed.
    static func certificates(_ octets: [UInt8]) -> [OpaquePointer] {
        guard let bio = source(octets) else { return [] }
        defer { BIO_free(bio) }
        var certificates: [OpaquePointer] = []
        while let certificate = PEM_read_bio_X509(bio, nil, nil, nil) { certificates.append(certificate) }
        // The end is an error of its own; one that ends before the first is told.
        if !certificates.isEmpty { ERR_clear_error() }
        return certificates
    }
}

/// Asks the application about a certificate in the middle of a handshake.
final class OpenSSLVerifier: Sendable {
    private let host: String
    private let decision: @Sendable (AMQPPeerCertificates) -> Bool

    init(host: String, _ decision: @escaping @Sendable (AMQPPeerCertificates) -> Bool) {
        self.host = host
        self.decision = decision
    }

    /// Has OpenSSL ask it, as long as it is kept.
    func install(in context: OpaquePointer) {
        SSL_CTX_set_cert_verify_callback(
            context,
            { store, argument in
                guard let store, let argument else { return 0 }
                return Unmanaged<OpenSSLVerifier>.fromOpaque(argument).takeUnretainedValue().accepts(store) ? 1 : 0
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
    }

    private func accepts(_ store: OpaquePointer) -> Bool {
        let isTrusted = X509_verify_cert(store) == 1
        let code = X509_STORE_CTX_get_error(store)
        let shown = X509_STORE_CTX_get0_untrusted(store)
        var certificates: [[UInt8]] = []
        for index in 0..<copenssl_chain_count(shown) {
            guard let certificate = copenssl_chain_certificate(shown, index) else { continue }
            let size = Int(i2d_X509(certificate, nil))
            guard size > 0 else { continue }
            certificates.append(
                [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                    var next = buffer.baseAddress
                    count = max(0, Int(i2d_X509(certificate, &next)))
                }
            )
        }
        let problem = isTrusted ? nil : X509_verify_cert_error_string(Int(code)).map { String(cString: $0) }
        let peer = AMQPPeerCertificates(host: host, certificates: certificates, isTrusted: isTrusted, problem: problem)
        guard decision(peer) else {
            X509_STORE_CTX_set_error(store, isTrusted ? X509_V_ERR_APPLICATION_VERIFICATION : code)
            return false
        }
        X509_STORE_CTX_set_error(store, X509_V_OK)
        return true
    }
}
#endif
