import Glibc
import Testing

@testable import AMQPWire

/// What recovery gives up for good, and what it goes on trying.
@Suite("Recovery", .timeLimit(.minutes(1)))
struct PermanenceTests {
    let events = EventLog()

    /// What stands in for a broker that restarts may do to a connection.
    enum Stranger: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case hangsUp, resets, hangsUpOnHello, resetsOnHello, http, garbage, alert
        var testDescription: String { rawValue }

        @Sendable func play(_ peer: PeerSocket) throws {
            switch self {
            case .hangsUp: return
            case .resets: return peer.reset()
            case .hangsUpOnHello: _ = try peer.read(8)
            case .resetsOnHello:
                _ = try peer.read(8)
                peer.reset()
            case .http:
                _ = try peer.read(8)
                try peer.write(Array("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n".utf8))
            case .garbage: try peer.write([UInt8](repeating: 0x7F, count: 64))
            // A fatal alert of TLS: internal error.
            case .alert: try peer.write([0x15, 3, 3, 0, 2, 2, 80])
            }
        }
    }

    @Test(
        "goes on where something stands in for the broker and hangs up or speaks something else",
        arguments: Stranger.allCases
    )
    func strangers(_ stranger: Stranger) async throws {
        let broker = try PlayedBroker()
        let proxy = try ScriptedPeer { peer in try stranger.play(peer) }
        let fault = NetworkFault(to: broker.port)
        let connection = try await AMQPConnection.connect(
            .quick(fault.uri, events) { $0.recovery?.permanentFailures = 1 }
        )
        let channel = try await connection.openChannel()
        fault.lead(to: proxy.port)
        broker.cut()
        await events.wait(for: "reconnecting 6")
        fault.lead(to: broker.port)
        await events.wait(for: "recovered")
        try await channel.publish("after", routingKey: "q")
        await connection.close()
    }

    @Test(
        "goes on over TLS as well",
        .enabled(if: TestBroker.hasTLS, "no TLS listener: start the broker with --tls"),
        arguments: Stranger.allCases
    )
    func strangersOverTLS(_ stranger: Stranger) async throws {
        let proxy = try ScriptedPeer { peer in try stranger.play(peer) }
        let fault = NetworkFault(to: TestBroker.tlsPort ?? 1)
        let uri = "amqps://guest:guest@localhost:\(fault.port)?cacertfile=\(TestBroker.certificates)/ca.pem"
        let connection = try await AMQPConnection.connect(.quick(uri, events) { $0.recovery?.permanentFailures = 1 })
        let channel = try await connection.openChannel()
        fault.lead(to: proxy.port)
        fault.end(reset: true)
        await events.wait(for: "reconnecting 6")
        fault.lead(to: TestBroker.tlsPort ?? 1)
        await events.wait(for: "recovered")
        try await channel.publish("after", routingKey: "nowhere")
        await connection.close()
    }

    #if TLS
    @Test(
        "gives up where the certificate is another's",
        .enabled(if: TestBroker.hasTLS, "no TLS listener: start the broker with --tls")
    )
    func wrongCertificate() async throws {
        let fault = NetworkFault(to: TestBroker.tlsPort ?? 1)
        let uri = "amqps://guest:guest@localhost:\(fault.port)?cacertfile=\(TestBroker.certificates)/ca.pem"
        let connection = try await AMQPConnection.connect(.quick(uri, events) { $0.recovery?.permanentFailures = 2 })
        let listener = try LoopbackListener()
        let certificates = try TransportCertificates.made.get()
        let server = Task {
            try await onThread {
                for _ in 0..<2 { _ = try? TransportTLSPeer.accept(listener, certificates) }
            }
        }
        fault.lead(to: listener.address.port)
        fault.end(reset: true)
        await events.wait(for: "closed tlsFailed")
        #expect(events.lines.count { $0.hasPrefix("reconnecting") } == 2)
        await connection.close()
        try await server.value
    }
    #endif

    @Test("gives no broker up for another that fails for good, and all where all do")
    func severalBrokers() async throws {
        @Sendable func refuse(_ connection: Int, _ request: PlayedRequest) -> PlayedBroker.Reaction {
            request.name == "connection.start-ok"
                ? .closeConnection(403, "ACCESS_REFUSED - Login was refused") : .answer
        }
        let good = try PlayedBroker()
        let refusing = try PlayedBroker { connection, request in refuse(connection, request) }
        let uri = "\(good.uri),\(refusing.uri)"
        let connection = try await AMQPConnection.connect(.quick(uri, events) { $0.recovery?.permanentFailures = 1 })
        good.stopListening()
        good.cut()
        await events.wait(for: "reconnecting 5")
        try good.listenAgain()
        await events.wait(for: "recovered")
        await connection.close()

        let events = EventLog()
        let turning = try PlayedBroker { connection, request in connection == 0 ? .answer : refuse(connection, request)
        }
        let both = try await AMQPConnection.connect(
            .quick("\(turning.uri),\(refusing.uri)", events) { $0.recovery?.permanentFailures = 2 }
        )
        turning.cut()
        await events.wait(for: "closed loginRefused")
        #expect(events.lines.count { $0.hasPrefix("reconnecting") } == 2)
        await both.close()
    }

    @Test(
        "leaves out a channel or consumer at which the broker ends the connection, after some attempts",
        arguments: ["basic.qos", "basic.consume", "channel.open"]
    )
    func fatalOnes(_ name: String) async throws {
        let broker = try PlayedBroker { connection, request in
            guard connection > 0, request.channel == 2, request.name == name else { return .answer }
            return .closeConnection(541, "INTERNAL_ERROR")
        }
        let connection = try await AMQPConnection.connect(.quick(broker.uri, events))
        let good = try await connection.openChannel()
        let bad = try await connection.openChannel()
        let reader = Task { for try await _ in bad.consume("q", consumerTag: "c") {} }
        try await bad.awaitConsumer("c")
        broker.cut()
        let error = await #expect(throws: AMQPError.self) { try await reader.value }
        #expect(error?.replyCode == 541)
        await events.wait(for: "recovered")
        #expect(broker.connectionCount == 5)
        #expect(events.lines.count { $0.hasPrefix("failed") } == 1)
        #expect(bad.isOpen == (name == "basic.consume"))
        try await good.publish("x", routingKey: "q")
        await connection.close()
    }
}
