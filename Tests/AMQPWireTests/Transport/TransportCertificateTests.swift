#if TLS
import COpenSSL
import Glibc
import Testing

@testable import AMQPWire

/// Who is trusted, who we say we are, and what a program makes of it itself.
extension TransportTLSTests {
    private func contents(_ name: String) throws -> [UInt8] {
        let file = try #require(fopen(certificates.path(name), "rb"))
        defer { fclose(file) }
        var octets = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&octets, 1, octets.count, file)
        return Array(octets.prefix(count))
    }

    @Test("an intermediate alone is an authority, and so is the broker's own certificate")
    func partialChain() async throws {
        let setup = TransportTLSPeer.Setup(certificate: "below")
        for file in ["intermediate.pem", "below-alone.pem", "ca.pem"] {
            let (outcome, _) = try await attempt(trusting(file), setup)
            try outcome.get().close()
        }
        #expect(try await refusal(trusting("other-ca.pem"), setup).tls == .unknownAuthority)
        // The name is verified as ever.
        #expect(try await refusal(trusting("below-alone.pem"), host: "127.0.0.1", setup).tls == .wrongName)
    }

    @Test("authorities, certificate and key in memory serve as files of them do")
    func memory() async throws {
        var tls = AMQPTLSConfiguration()
        tls.caCertificates = try contents("other-ca.pem") + contents("ca.pem")
        tls.certificate = try contents("client.pem")
        tls.key = AMQPSecret(octets: try contents("client-locked.key"))
        tls.keyPassphrase = AMQPSecret("sesame")
        let setup = TransportTLSPeer.Setup(requiresClient: true)
        let (outcome, accepted) = try await attempt(tls, setup)
        #expect(try accepted.get().hasClientCertificate)
        try outcome.get().close()
        // Certificate and key in one text.
        tls.certificate = try contents("client-both.pem")
        tls.key = AMQPSecret()
        let (both, _) = try await attempt(tls, setup)
        try both.get().close()
    }

    @Test("a PKCS#12 container gives certificate and key, from a file and from memory")
    func pkcs12() async throws {
        let setup = TransportTLSPeer.Setup(requiresClient: true)
        var tls = trusting()
        tls.keyPassphrase = AMQPSecret("sesame")
        tls.pkcs12File = certificates.path("client.p12")
        let (outcome, accepted) = try await attempt(tls, setup)
        #expect(try accepted.get().hasClientCertificate)
        try outcome.get().close()
        tls.pkcs12File = nil
        tls.pkcs12 = AMQPSecret(octets: try contents("client.p12"))
        let (fromMemory, _) = try await attempt(tls, setup)
        try fromMemory.get().close()
    }

    @Test("what cannot be used in memory is told, and holds no secret")
    func unusableMemory() async throws {
        let listener = try LoopbackListener()
        func detail(_ change: (inout AMQPTLSConfiguration) throws -> Void) async throws -> String {
            var tls = trusting()
            try change(&tls)
            let error = try #require(await connectFailure(to: listener.target, tls: tls))
            #expect(error.phase == .tls && error.reason == .configuration)
            return error.detail
        }
        #expect(try await detail { $0.caCertificates = Array("nothing".utf8) }.contains("caCertificates"))
        #expect(try await detail { $0.certificate = [1, 2, 3] }.contains("no certificate in PEM"))
        #expect(try await detail { $0.key = AMQPSecret("k") }.contains("without its certificate"))
        #expect(
            try await detail {
                $0.certificate = try contents("client.pem")
                $0.key = AMQPSecret(octets: try contents("server.key"))
            }.contains("not the key of the certificate")
        )
        #expect(try await detail { $0.pkcs12 = AMQPSecret("nothing") }.contains("PKCS#12"))
        let wrong = try await detail {
            $0.pkcs12 = AMQPSecret(octets: try contents("client.p12"))
            $0.keyPassphrase = AMQPSecret("hunter2")
        }
        #expect(wrong.contains("cannot open pkcs12") && !wrong.contains("hunter2"))
        let missing = certificates.path("missing.p12")
        #expect(try await detail { $0.pkcs12File = missing }.contains(missing))
        #expect(
            try await detail {
                $0.certificateFile = certificates.path("client-both.pem")
                $0.pkcs12File = certificates.path("client.p12")
            }.contains("given twice")
        )
    }

    @Test("a verification of the program's own decides alone, and is told what the usual one finds")
    func ownVerification() async throws {
        let asked = Watched<[AMQPPeerCertificates]>([])
        func tls(_ file: String, accepting isAccepted: Bool) -> AMQPTLSConfiguration {
            var tls = trusting(file)
            tls.verification = .custom { peer in
                asked.update { $0.append(peer) }
                return isAccepted
            }
            return tls
        }
        let (trusted, _) = try await attempt(tls("ca.pem", accepting: true))
        try trusted.get().close()
        let (untrusted, _) = try await attempt(tls("other-ca.pem", accepting: true))
        try untrusted.get().close()
        let refused = try await refusal(tls("ca.pem", accepting: false))
        #expect(refused.tls == .certificateRefused && refused.reason == .certificate)
        #expect(refused.detail == "the program did not accept the certificate of localhost")
        #expect(try await refusal(tls("other-ca.pem", accepting: false)).tls == .unknownAuthority)
        let peers = asked.value
        #expect(peers.map(\.isTrusted) == [true, false, true, false])
        #expect(peers.map { $0.problem == nil } == [true, false, true, false])
        #expect(peers.allSatisfy { $0.host == "localhost" && $0.certificates.first?.first == 0x30 })
    }

    @Test(
        "a client's certificate that is missing, unknown or expired is told as that, at the stage of TLS, and for good",
        arguments: [nil, "stranger", "client-expired"] as [String?],
        [TLS1_2_VERSION, TLS1_3_VERSION]
    )
    func refusedClient(_ certificate: String?, _ version: Int32) async throws {
        let listener = try LoopbackListener()
        let certificates = certificates
        async let served: Void = onThread {
            // One attempt is all: it is no failure that may pass.
            let setup = TransportTLSPeer.Setup(requiresClient: true, highestVersion: version)
            _ = try? TransportTLSPeer.accept(listener, certificates, setup)
        }
        var configuration = AMQPConfiguration(
            brokers: [AMQPURI(scheme: .amqps, host: "localhost", port: listener.address.port)]
        )
        configuration.tls = trusting()
        configuration.tls.certificateFile = certificate.map { certificates.path("\($0).pem") }
        configuration.tls.keyFile = certificate.map { certificates.path("\($0).key") }
        let settings = configuration
        let error = await #expect(throws: AMQPError.self) {
            await (try AMQPConnection.connect(settings)).close()
        }
        #expect(error?.code == .tlsFailed)
        #expect(error?.stage == .securing)
        // TLS 1.2 has no word for a missing certificate: its alert may mean anything, also what passes.
        #expect(error?.isPermanent == (error?.tls != .handshakeRefused))
        switch (certificate, version) {
        case (nil, TLS1_2_VERSION): #expect(error?.tls == .handshakeRefused)
        case (nil, _): #expect(error?.tls == .clientCertificateRequired)
        default: #expect(error?.tls == .clientCertificateRefused)
        }
        #expect(error?.remedy?.contains("certfile") == true)
        try await served
    }

    @Test("a peer that never answers TLS is told at that stage, and so is one that hangs up, which may pass")
    func silence() async throws {
        let silent = try LoopbackListener()
        func failure(_ listener: LoopbackListener) async -> AMQPError? {
            await #expect(throws: AMQPError.self) {
                let uri = "amqps://localhost:\(listener.address.port)?connection_timeout=500"
                await (try AMQPConnection.connect(uri)).close()
            }
        }
        let late = await failure(silent)
        #expect(late?.code == .timedOut && late?.stage == .securing && late?.isPermanent == false)
        let proxy = try LoopbackListener()
        async let served: Void = onThread {
            let peer = try proxy.accept()
            let header = try peer.read(5)
            _ = try peer.read(Int(header[3]) << 8 | Int(header[4]))
            peer.close()
        }
        let ended = await failure(proxy)
        #expect(ended?.code == .connectionLost && ended?.stage == .securing && ended?.isPermanent == false)
        try await served
    }

    @Test("a file that is missing is an argument that is invalid: it names the file, and nothing was connected to")
    func missingFiles() async throws {
        for parameter in ["cacertfile", "certfile"] {
            let path = certificates.path("missing.pem")
            let error = await #expect(throws: AMQPError.self) {
                await (try AMQPConnection.connect("amqps://localhost:1?\(parameter)=\(path)")).close()
            }
            #expect(error?.code == .invalidArgument && error?.stage == .securing)
            #expect(error?.file == path && error?.errno == ENOENT)
            #expect(error?.message.contains(path) == true && error?.remedy != nil)
        }
    }
}
#endif
