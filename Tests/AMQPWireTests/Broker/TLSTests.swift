import Testing

@testable import AMQPWire

/// Encrypted connections to RabbitMQ.
@Suite(
    "TLS to the broker",
    .enabled(if: TestBroker.hasTLS, "no TLS listener: start the broker with --tls"),
    .timeLimit(.minutes(1))
)
struct TLSTests {
    private let certificates = TestBroker.certificates

    private func failure(_ uri: String) async -> AMQPError? {
        await #expect(throws: AMQPError.self) { await (try AMQPConnection.connect(uri)).close() }
    }

    @Test("with the authority's certificate it opens, and messages of many records pass")
    func encrypted() async throws {
        try await AMQPConnection.withConnection(TestBroker.tlsURI + "?cacertfile=\(certificates)/ca.pem") {
            connection in
            try await connection.withChannel { channel in
                let queue = try await channel.makeQueue()
                for size in [0, 1, 16_384, 1 << 20] {
                    try await channel.publish(pattern(size), routingKey: queue)
                    #expect(try await channel.get(queue, noAck: true)?.body == pattern(size))
                }
                for number in 0..<1_000 { try await channel.submit([UInt8(number & 255)], routingKey: queue) }
                try await channel.waitForConfirms()
                #expect(try await channel.purgeQueue(queue) == 1_000)
            }
        }
    }

    @Test("an authority that nobody trusts is refused, and the error says what to give")
    func systemStore() async throws {
        let error = await failure(TestBroker.tlsURI)
        #expect(error?.code == .tlsFailed && error?.tls == .unknownAuthority && error?.stage == .securing)
        #expect(error?.message.contains("certificate") == true)
        let stranger = await failure(TestBroker.tlsURI + "?cacertfile=\(certificates)/stranger-ca.pem")
        #expect(stranger?.code == .tlsFailed && stranger?.tls == .unknownAuthority)
    }

    @Test("verification that is off takes it")
    func unverified() async throws {
        try await AMQPConnection.withConnection(TestBroker.tlsURI + "?verify=verify_none") { #expect($0.isOpen) }
    }

    @Test("a certificate for another host is refused")
    func hostName() async throws {
        let error = await failure(
            TestBroker.tlsURI + "?cacertfile=\(certificates)/ca.pem&server_name_indication=other.example"
        )
        #expect(error?.code == .tlsFailed && error?.tls == .wrongName)
        #expect(error?.message.contains("other.example") == true)
    }

    @Test("a client certificate logs in with EXTERNAL, without a password")
    func external() async throws {
        let uri =
            TestBroker.tlsURI + "?cacertfile=\(certificates)/ca.pem&certfile=\(certificates)/client.pem"
            + "&keyfile=\(certificates)/client.key&auth_mechanism=external"
        try await AMQPConnection.withConnection(uri) { connection in
            try await connection.withChannel { channel in
                let queue = try await channel.makeQueue()
                // The broker takes only the name of the user who is logged in.
                var properties = AMQPProperties()
                properties.userID = "agent"
                try await channel.publish("x", routingKey: queue, properties: properties)
            }
        }
    }

    #if TLS
    @Test("a client certificate that RabbitMQ does not know is told as that, not as a lost connection")
    func unknownClient() async throws {
        let own = try TransportCertificates.made.get()
        let error = await failure(
            TestBroker.tlsURI + "?cacertfile=\(certificates)/ca.pem&certfile=\(own.path("client.pem"))"
                + "&keyfile=\(own.path("client.key"))"
        )
        #expect(error?.code == .tlsFailed && error?.stage == .securing)
        #expect(error?.tls == .clientCertificateRefused)
    }
    #endif

    @Test("EXTERNAL without a certificate is refused as a login")
    func externalWithout() async throws {
        let error = await failure(TestBroker.tlsURI + "?cacertfile=\(certificates)/ca.pem&auth_mechanism=external")
        #expect(error?.code == .loginRefused)
    }

    @Test("files that are not there or do not fit are named")
    func files() async throws {
        let missing = await failure(TestBroker.tlsURI + "?cacertfile=/nonexistent/ca.pem")
        #expect(missing?.message.contains("/nonexistent/ca.pem") == true)
        let noKey = await failure(
            TestBroker.tlsURI + "?cacertfile=\(certificates)/ca.pem&certfile=\(certificates)/client.pem"
                + "&keyfile=\(certificates)/server.key"
        )
        #expect(noKey != nil)
    }

    @Test("amqps to a port without TLS says so")
    func encryptedToPlain() async throws {
        let error = await failure("amqps://localhost:\(TestBroker.port ?? 1)?verify=verify_none")
        #expect(error?.code == .tlsFailed)
        #expect(error?.message.isEmpty == false)
    }

    @Test("amqp to a port with TLS says that it may want TLS")
    func plainToEncrypted() async throws {
        let error = await failure("amqp://localhost:\(TestBroker.tlsPort ?? 1)")
        #expect(error?.code == .protocolMismatch || error?.code == .connectionLost)
        #expect(error?.remedy?.contains("TLS") == true)
    }
}
