#if TLS
import COpenSSL
import Glibc
import Testing

@testable import AMQPWire

@Suite("TLS", .timeLimit(.minutes(1)))
struct TransportTLSTests {
    let certificates: TransportCertificates

    init() throws {
        certificates = try TransportCertificates.made.get()
    }

    func trusting(_ file: String = "ca.pem") -> AMQPTLSConfiguration {
        AMQPTLSConfiguration(caFile: certificates.path(file))
    }

    /// Connects to a server made for it; what came of it on both sides.
    func attempt(
        _ tls: AMQPTLSConfiguration,
        host: String = "localhost",
        listening: String = "127.0.0.1",
        _ setup: TransportTLSPeer.Setup = TransportTLSPeer.Setup()
    ) async throws -> (Result<ByteStream, TransportError>, Result<TransportTLSPeer, any Error>) {
        let listener = try LoopbackListener(listening)
        let certificates = certificates
        async let accepted = onThread {
            Result { try TransportTLSPeer.accept(listener, certificates, setup) }
        }
        let target = ConnectTarget(host: host, port: listener.address.port)
        let connected = await Task {
            do throws(TransportError) {
                return Result<ByteStream, TransportError>.success(
                    try await Connector.connect(to: target, tls: tls, deadline: soon())
                )
            } catch {
                return .failure(error)
            }
        }.value
        return (connected, try await accepted)
    }

    private func connected(pieceSize: Int = 64 << 10) async throws -> (Collector, TransportTLSPeer) {
        let (stream, peer) = try await attempt(trusting())
        return (try Collector(try stream.get(), pieceSize: pieceSize), try peer.get())
    }

    func refusal(
        _ tls: AMQPTLSConfiguration,
        host: String = "localhost",
        listening: String = "127.0.0.1",
        _ setup: TransportTLSPeer.Setup = TransportTLSPeer.Setup()
    ) async throws -> TransportError {
        let (outcome, _) = try await attempt(tls, host: host, listening: listening, setup)
        guard case .failure(let error) = outcome else { throw PeerFailure(what: "it was accepted") }
        return error
    }

    @Test("a certificate of a known authority is accepted, and the stream tells what was settled")
    func accepted() async throws {
        let (outcome, accepted) = try await attempt(trusting())
        let (stream, peer) = (try outcome.get(), try accepted.get())
        #expect(stream.isEncrypted)
        let facts = try #require(stream.tls)
        #expect(facts.version == "TLSv1.3")
        #expect(facts.cipher.hasPrefix("TLS_"))
        #expect(facts.peerSubject == "CN=localhost,O=Test")
        #expect(facts.isVerified)
        #expect(peer.askedName == "localhost")
        #expect(!peer.hasClientCertificate)
        stream.close()
    }

    @Test("addresses are verified as addresses, and not asked for by name", arguments: ["127.0.0.1", "::1", "[::1]"])
    func addresses(_ host: String) async throws {
        let listening = host == "127.0.0.1" ? host : "::1"
        let (outcome, accepted) = try await attempt(trusting(), host: host, listening: listening)
        let stream = try outcome.get()
        #expect(try accepted.get().askedName == nil)
        stream.close()
    }

    @Test("a directory of authorities serves as a file of them does")
    func caDirectory() async throws {
        var tls = AMQPTLSConfiguration()
        tls.caDirectory = certificates.path("authorities")
        let (outcome, _) = try await attempt(tls)
        try outcome.get().close()
    }

    @Test("TLS 1.2 is good enough, unless 1.3 is asked for")
    func versions() async throws {
        let setup = TransportTLSPeer.Setup(highestVersion: TLS1_2_VERSION)
        let (outcome, _) = try await attempt(trusting(), setup)
        let stream = try outcome.get()
        #expect(stream.tls?.version == "TLSv1.2")
        stream.close()
        var strict = trusting()
        strict.minimumVersion = .tls13
        let error = try await refusal(strict, setup)
        #expect(error.reason == .secureProtocol)
    }

    @Test("an unknown authority is refused, with what to do about it")
    func unknownAuthority() async throws {
        for tls in [trusting("other-ca.pem"), AMQPTLSConfiguration()] {
            let error = try await refusal(tls)
            #expect(error.phase == .tls)
            #expect(error.reason == .certificate)
            #expect(error.tls == .unknownAuthority)
            #expect(error.detail == "the certificate of localhost is signed by an unknown authority (CN=Test ca)")
            #expect(error.remedy == "give its CA with cacertfile")
        }
    }

    @Test("a certificate for another host is refused, and the error lists the names it has")
    func otherHost() async throws {
        let setup = TransportTLSPeer.Setup(certificate: "elsewhere")
        let error = try await refusal(trusting(), setup)
        #expect(error.reason == .certificate)
        #expect(error.tls == .wrongName)
        #expect(
            error.detail == "host name does not match: the certificate is not for localhost but for"
                + " DNS:broker.example, DNS:mq.example"
        )
        let byAddress = try await refusal(trusting(), host: "127.0.0.1", setup)
        #expect(byAddress.detail.hasPrefix("host name does not match: the certificate is not for 127.0.0.1 but for "))
    }

    @Test("the name to verify and to ask for can be given")
    func serverName() async throws {
        var tls = trusting()
        tls.serverName = "broker.example"
        let (outcome, accepted) = try await attempt(tls, TransportTLSPeer.Setup(certificate: "elsewhere"))
        let stream = try outcome.get()
        #expect(try accepted.get().askedName == "broker.example")
        stream.close()
    }

    @Test("an expired certificate is refused, with its date")
    func expired() async throws {
        let error = try await refusal(trusting(), TransportTLSPeer.Setup(certificate: "expired"))
        #expect(error.reason == .certificate)
        #expect(error.detail.hasPrefix("the certificate CN=localhost of localhost expired on "))
        #expect(error.detail.hasSuffix(" GMT"))
        #expect(error.remedy == "renew it")
        #expect(error.tls == .expired)
    }

    @Test("with verification disabled anyone is accepted, and the stream says that nobody was verified")
    func unverified() async throws {
        var tls = trusting("other-ca.pem")
        tls.verification = .disabled
        let (outcome, _) = try await attempt(tls, TransportTLSPeer.Setup(certificate: "elsewhere"))
        let stream = try outcome.get()
        #expect(stream.tls?.isVerified == false)
        #expect(stream.tls?.peerSubject == "CN=elsewhere")
        stream.close()
    }

    @Test("our certificate is shown where it is asked for", arguments: ["client.key", "client-locked.key", nil])
    func clientCertificate(_ key: String?) async throws {
        var tls = trusting()
        tls.certificateFile = certificates.path(key == nil ? "client-both.pem" : "client.pem")
        tls.keyFile = key.map { certificates.path($0) }
        tls.keyPassphrase = AMQPSecret("sesame")
        let (outcome, accepted) = try await attempt(tls, TransportTLSPeer.Setup(requiresClient: true))
        #expect(try accepted.get().hasClientCertificate)
        try outcome.get().close()
    }

    @Test("without a certificate where one is required, the error says which settings give one")
    func clientCertificateMissing() async throws {
        // TLS 1.3 tells it after the handshake, with the first read; 1.2 within.
        let (outcome, _) = try await attempt(trusting(), TransportTLSPeer.Setup(requiresClient: true))
        let end = try Collector(try outcome.get())
        guard case .failed(let error) = try await end.contents.wait(until: { $0.end != nil }).end else {
            Issue.record("reading should have failed")
            return
        }
        #expect(error.phase == .tls)
        #expect(error.reason == .certificate)
        #expect(error.tls == .clientCertificateRequired)
        #expect(error.remedy?.contains("certfile") == true)
        end.finish()
        let setup = TransportTLSPeer.Setup(requiresClient: true, highestVersion: TLS1_2_VERSION)
        let early = try await refusal(trusting(), setup)
        #expect(early.phase == .tls)
        #expect(early.tls == .handshakeRefused)
        #expect(early.remedy?.contains("certfile") == true)
    }

    @Test("files that cannot be used are named, and no terminal is asked for a passphrase")
    func unusableFiles() async throws {
        let listener = try LoopbackListener()
        func detail(
            _ file: String,
            _ change: (inout AMQPTLSConfiguration) -> Void
        ) async throws -> String {
            var tls = trusting()
            change(&tls)
            let error = try #require(await connectFailure(to: listener.target, tls: tls))
            #expect(error.phase == .tls)
            #expect(error.reason == .configuration)
            #expect(error.file == file)
            return error.detail
        }
        let missing = certificates.path("missing.pem")
        #expect(
            try await detail(missing) { $0.caFile = missing }
                == "cannot read the CA file \(missing): No such file or directory"
        )
        let empty = certificates.path("empty.pem")
        #expect(
            try await detail(empty) { $0.caFile = empty }.hasPrefix("the CA file \(empty) holds no certificate in PEM")
        )
        let certificate = certificates.path("client.pem")
        let locked = certificates.path("client-locked.key")
        for passphrase in [nil, AMQPSecret("wrong"), AMQPSecret("")] {
            let text = try await detail(locked) {
                $0.certificateFile = certificate
                $0.keyFile = locked
                $0.keyPassphrase = passphrase
            }
            #expect(text.hasPrefix("cannot use the key file \(locked): "))
            #expect(!text.contains("wrong"))
        }
        let foreign = certificates.path("server.key")
        let text = try await detail(foreign) {
            $0.certificateFile = certificate
            $0.keyFile = foreign
        }
        #expect(text.contains(foreign))
        #expect(try await detail(foreign) { $0.keyFile = foreign }.contains("without its certificate"))
    }

    @Test("a server that says nothing costs no more than the deadline, and cancelling no time at all")
    func silentServer() async throws {
        let listener = try LoopbackListener()
        let error = try #require(
            await connectFailure(to: listener.target, tls: trusting(), deadline: soon(.milliseconds(300)))
        )
        #expect(error.phase == .tls)
        #expect(error.reason == .deadline)
        let (target, tls) = (listener.target, trusting())
        let task = Task { await connectFailure(to: target, tls: tls) }
        // The first two octets of a ClientHello: the handshake is under way. The connection before this one comes first.
        try await onThread {
            _ = try listener.accept()
            let peer = try listener.accept()
            guard try peer.read(2) == [0x16, 0x03] else { throw PeerFailure(what: "no ClientHello") }
            task.cancel()
            // The end of the rest shows that the client has closed.
            _ = try peer.read(1 << 20)
        }
        let cancelled = try #require(await task.value)
        #expect(cancelled.phase == .tls)
        #expect(cancelled.reason == .cancelled)
    }

    @Test("a server that has nothing newer than TLS 1.1 is refused")
    func tooOld() async throws {
        let error = try await refusal(trusting(), TransportTLSPeer.Setup(highestVersion: TLS1_1_VERSION))
        #expect(error.phase == .tls)
        #expect(error.reason == .secureProtocol)
        #expect(error.tls == .noCommonVersion && error.remedy?.contains("TLS 1.2 or later") == true)
    }

    @Test(
        "a port that speaks no TLS is told apart",
        arguments: [Array("AMQP".utf8) + [0, 0, 9, 1], Array("HTTP/1.1 400\r\n".utf8)]
    )
    func noTLSThere(_ answer: [UInt8]) async throws {
        let listener = try LoopbackListener()
        async let peer = onThread {
            let peer = try listener.accept()
            _ = try peer.read(6)
            try peer.write(answer)
            _ = try? peer.read(1 << 20)
        }
        let error = try #require(await connectFailure(to: listener.target, tls: trusting()))
        #expect(error.reason == .secureProtocol)
        #expect(error.tls == .notTLS)
        #expect(error.detail.contains("does not speak TLS on this port"))
        try await peer
    }

    @Test("a server that closes within the handshake is told as that")
    func closedInHandshake() async throws {
        let listener = try LoopbackListener()
        async let peer: Void = onThread {
            let peer = try listener.accept()
            // All of the ClientHello, so that closing ends the connection without a reset.
            let header = try peer.read(5)
            _ = try peer.read(Int(header[3]) << 8 | Int(header[4]))
            peer.close()
        }
        let error = try #require(await connectFailure(to: listener.target, tls: trusting()))
        #expect(error.phase == .tls)
        #expect(error.reason == .ended)
        #expect(error.detail == "the peer closed the connection during the handshake")
        try await peer
    }

    @Test("input that was taken off the socket but not read is announced again")
    func bufferedInput() async throws {
        let (end, peer) = try await connected(pieceSize: 1000)
        let octets = pattern(300_000)
        try await onThread { try peer.write(octets) }
        let contents = try await end.contents.wait { $0.octets.count == octets.count }
        #expect(contents.octets == octets)
        end.finish()
    }

    @Test("the peer's goodbye is the end, even on an open connection, and behind what was written before it")
    func goodbye() async throws {
        let (end, peer) = try await connected()
        try await onThread {
            try peer.write([1, 2, 3])
            peer.sayGoodbye()
        }
        let contents = try await end.contents.wait { $0.end != nil }
        #expect(contents.octets == [1, 2, 3])
        #expect(contents.end == .closed)
        end.finish()
    }

    @Test("half-closed: the peer hears our goodbye, and its answer still arrives")
    func halfClosed() async throws {
        let (end, peer) = try await connected()
        try await end.write([1, 2])
        end.stream.shutdownWrite()
        let heard = try await onThread {
            let heard = try peer.read(100)
            try peer.write([9])
            peer.sayGoodbye()
            return heard
        }
        #expect(heard == [1, 2])
        let contents = try await end.contents.wait { $0.end != nil }
        #expect(contents.octets == [9])
        #expect(contents.end == .closed)
        end.finish()
    }

    @Test("closing says goodbye; a peer that goes without one is the end, one that resets an error")
    func endings() async throws {
        let (polite, politePeer) = try await connected()
        polite.finish()
        #expect(try await onThread { try politePeer.read(1) }.isEmpty)

        let (abrupt, abruptPeer) = try await connected()
        abruptPeer.peer.shutdownWrite()
        #expect(try await abrupt.contents.wait { $0.end != nil }.end == .closed)
        abrupt.finish()

        let (broken, brokenPeer) = try await connected()
        brokenPeer.peer.reset()
        let end = try await broken.contents.wait { $0.end != nil }.end
        #expect(end == .failed(TransportError(.read, errno: ECONNRESET, endpoint: "localhost:\(port(broken))")))
        broken.finish()
    }

    private func port(_ end: Collector) -> String { String(end.stream.peer.split(separator: ":").last ?? "") }

    @Test(
        "large amounts pass in both directions at once, with changing keys",
        arguments: [TLS1_2_VERSION, TLS1_3_VERSION]
    )
    func bothDirections(_ version: Int32) async throws {
        let setup = TransportTLSPeer.Setup(highestVersion: version)
        let (outcome, accepted) = try await attempt(trusting(), setup)
        let (end, peer) = (try Collector(try outcome.get()), try accepted.get())
        let (block, blocks) = (1 << 18, 64)
        let ours = pattern(block * blocks, seed: 7)
        let theirs = pattern(block * blocks, seed: 11)
        async let heard = onThread {
            var heard: [UInt8] = []
            for index in 0..<blocks {
                if version == TLS1_3_VERSION, index % 8 == 0 { try peer.updateKeys() }
                try peer.write(Array(theirs[index * block..<(index + 1) * block]))
                heard += try peer.read(block)
            }
            return heard
        }
        try await end.write(ours)
        #expect(try await heard == ours)
        #expect(try await end.contents.wait { $0.octets.count == theirs.count }.octets == theirs)
        end.finish()
    }

    @Test("nothing is left of encrypted connections, made or refused")
    func nothingAfter() async {
        await #expect(processExitsWith: .success) {
            let certificates = try TransportCertificates.made.get()
            let listener = try LoopbackListener()
            func round(_ index: Int) async throws {
                let isTrusted = index % 3 != 0
                let tls = AMQPTLSConfiguration(caFile: certificates.path(isTrusted ? "ca.pem" : "other-ca.pem"))
                async let peer = onThread { Result { try TransportTLSPeer.accept(listener, certificates) } }
                let target = ConnectTarget(host: "localhost", port: listener.address.port)
                if isTrusted {
                    let stream = try await Connector.connect(to: target, tls: tls, deadline: soon())
                    let end = try Collector(stream)
                    let accepted = try await peer.get()
                    try await onThread { try accepted.write([1]) }
                    try await end.contents.wait { $0.octets == [1] }
                    end.finish()
                } else {
                    guard await connectFailure(to: target, tls: tls)?.reason == .certificate else { exit(1) }
                    _ = try await peer
                }
            }
            for index in 0..<6 { try await round(index) }
            let descriptors = entryCount("/proc/self/fd")
            for index in 0..<300 { try await round(index) }
            guard await comesTrue({ entryCount("/proc/self/fd") <= descriptors }) else { exit(2) }
        }
    }
}
#endif
