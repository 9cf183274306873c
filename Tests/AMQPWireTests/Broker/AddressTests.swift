import Glibc
import Testing

@testable import AMQPWire

/// Hosts with several addresses, of which one takes connections and is no broker: a broken forward, another program.
@Suite(
    "An address that is no broker",
    .enabled(if: TestBroker.isThere, TestBroker.absence),
    .timeLimit(.minutes(1))
)
struct AddressTests {
    enum Bad: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case closes, resets, closesOnHello, silent, http, garbage
        var testDescription: String { rawValue }

        fileprivate func play(_ peer: PeerSocket) throws {
            switch self {
            case .closes: break
            case .resets: peer.reset()
            case .closesOnHello: _ = try peer.read(8)
            case .silent: peer.waitForEnd()
            case .http:
                _ = try peer.read(8)
                try peer.write(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
                peer.waitForEnd()
            case .garbage:
                try peer.write([UInt8](repeating: 0x7F, count: 100))
                peer.waitForEnd()
            }
        }
    }

    /// Something that listens at a loopback address of its own, at a broker's port, as long as it is held.
    private final class BadAddress: Sendable {
        let listener: LoopbackListener
        private static let count = Shared(1)

        init(_ bad: Bad, port: UInt16) throws {
            let number = Self.count.withLock { (count: inout Int) -> Int in
                count += 1
                return count
            }
            let listener = try LoopbackListener("127.0.2.\(number)", port: port)
            self.listener = listener
            let socket = dup(listener.number)
            _ = PosixThread.start(name: "bad-address", stackSize: 256 << 10) {
                while case let connection = accept(socket, nil, nil), connection >= 0 {
                    _ = PosixThread.start(name: "bad-connection", stackSize: 256 << 10) {
                        let peer = PeerSocket(connection)
                        try? bad.play(peer)
                        if !peer.isClosed { close(connection) }
                    }
                }
                close(socket)
            }
        }

        /// Itself first, and then a broker.
        var options: ConnectOptions {
            get throws {
                let broker = try #require(Resolver.literal("127.0.0.1", port: listener.address.port))
                return AddressTests.options([listener.address, broker])
            }
        }

        deinit { shutdown(listener.number, Int32(SHUT_RDWR)) }
    }

    private static func options(_ addresses: [SocketAddress]) -> ConnectOptions {
        var options = ConnectOptions(resolver: .answering(addresses))
        options.answerDelay = .milliseconds(100)
        return options
    }

    @Test("gives way to the one that is", arguments: Bad.allCases)
    func plain(_ bad: Bad) async throws {
        let port = TestBroker.port ?? 1
        let stranger = try BadAddress(bad, port: port)
        var configuration = try AMQPConfiguration("amqp://guest:guest@localhost:\(port)")
        configuration.recovery = nil
        let connection = try await AMQPConnection.connect(configuration, stranger.options)
        let channel = try await connection.openChannel()
        try await channel.publish("x", routingKey: "nowhere")
        await connection.close()
        withExtendedLifetime(stranger) {}
    }

    @Test("gives way over TLS as well", .enabled(if: TestBroker.hasTLS, "no TLS listener"), arguments: Bad.allCases)
    func encrypted(_ bad: Bad) async throws {
        let port = TestBroker.tlsPort ?? 1
        let stranger = try BadAddress(bad, port: port)
        let uri = "amqps://guest:guest@localhost:\(port)?cacertfile=\(TestBroker.certificates)/ca.pem"
        var configuration = try AMQPConfiguration(uri)
        configuration.recovery = nil
        let connection = try await AMQPConnection.connect(configuration, stranger.options)
        let channel = try await connection.openChannel()
        try await channel.publish("x", routingKey: "nowhere")
        await connection.close()
        withExtendedLifetime(stranger) {}
    }

    @Test("gives way after TLS was agreed on, too", .enabled(if: TestBroker.hasTLS, "no TLS listener"))
    func behindTLS() async throws {
        #if TLS
        // A broken forward behind a proxy that ends TLS: it hangs up, or never answers.
        let certificates = try TransportCertificates.made.get()
        for isSilent in [false, true] {
            let bad = try LoopbackListener("127.0.3.\(isSilent ? 1 : 2)")
            let good = try LoopbackListener("127.0.0.1", port: bad.address.port)
            var options = Self.options([bad.address, good.address])
            options.opening = [1, 2, 3]
            options.isAnswer = { $0 == 7 }
            async let dead = onThread {
                let peer = try TransportTLSPeer.accept(bad, certificates)
                if isSilent { _ = try? peer.read(4) }
            }
            async let alive = onThread {
                let peer = try TransportTLSPeer.accept(good, certificates)
                let opening = try peer.read(3)
                try peer.write([7, 8])
                return (opening, peer)
            }
            let target = ConnectTarget(host: "localhost", port: 1)
            let tls = AMQPTLSConfiguration(caFile: certificates.path("ca.pem"))
            let stream = try await Connector.connect(to: target, tls: tls, deadline: soon(), options: options)
            #expect(stream.isOpened && stream.peer == good.address.description)
            let (opening, peer) = try await alive
            #expect(opening == [1, 2, 3])
            let end = try Collector(stream)
            #expect(try await end.contents.wait { $0.octets.count == 2 }.octets == [7, 8])
            end.finish()
            try await dead
            withExtendedLifetime(peer) {}
        }
        #endif
    }

    @Test("is told of where there is no other, in the words for what it is")
    func onlyStrangers() async throws {
        let free = try LoopbackListener("127.0.0.1", backlog: nil)
        let port = free.address.port
        for (bad, code) in [(Bad.http, AMQPError.Code.protocolMismatch), (.closesOnHello, .connectionLost)] {
            let stranger = try BadAddress(bad, port: port)
            var configuration = try AMQPConfiguration("amqp://guest:guest@localhost:\(port)")
            configuration.recovery = nil
            let error = await #expect(throws: AMQPError.self) {
                try await AMQPConnection.connect(configuration, stranger.options)
            }
            #expect(error?.code == code)
            withExtendedLifetime(stranger) {}
        }
    }

    @Test("nothing is left open of addresses that gave way")
    func nothingLeft() async {
        await #expect(processExitsWith: .success) {
            let port = TestBroker.port ?? 1
            func round(_ bad: Bad) async throws {
                let stranger = try BadAddress(bad, port: port)
                var configuration = try AMQPConfiguration("amqp://guest:guest@localhost:\(port)")
                configuration.recovery = nil
                await (try AMQPConnection.connect(configuration, stranger.options)).close()
                withExtendedLifetime(stranger) {}
            }
            try await round(.http)
            let before = entryCount("/proc/self/fd")
            for bad in [Bad.closes, .silent, .http, .closesOnHello] { try await round(bad) }
            guard await comesTrue({ entryCount("/proc/self/fd") <= before }) else { exit(1) }
        }
    }
}
