import Glibc
import Synchronization
import Testing

@testable import AMQPWire

/// Connections over sockets that the application makes.
@Suite("Sockets of the caller's", .timeLimit(.minutes(1)))
struct OwnSocketTests {
    let events = EventLog()

    /// A connected TCP socket, blocking as `connect` leaves it.
    private static func connected(to port: UInt16) throws -> CInt {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let outcome = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard number >= 0, outcome == 0 else { throw PeerFailure(what: "connect") }
        return number
    }

    @Test("a connection over a descriptor that is handed over works, and closes it")
    func handedOver() async throws {
        let broker = try PlayedBroker()
        let number = try Self.connected(to: broker.port)
        // The address in the configuration is not used.
        let configuration = try AMQPConfiguration("amqp://guest:guest@192.0.2.1:1/stats")
        let connection = try await AMQPConnection.connect(configuration, over: number)
        let channel = try await connection.openChannel()
        try await channel.declareQueue("q")
        #expect(broker.calls(0) == ["channel.open", "queue.declare q"])
        await connection.close()
        try await isGone { broker.hasEnded(0) }
    }

    @Test("a connection over a descriptor is not recovered")
    func lost() async throws {
        let broker = try PlayedBroker()
        let configuration = try AMQPConfiguration.quick(broker.uri, events)
        let connection = try await AMQPConnection.connect(configuration, over: Self.connected(to: broker.port))
        broker.cut()
        await events.wait(for: "closed connectionLost")
        #expect(!connection.isOpen)
        #expect(broker.connectionCount == 1)
    }

    @Test("a socket that the application makes is asked for at each attempt")
    func made() async throws {
        let broker = try PlayedBroker()
        let configuration = try AMQPConfiguration.quick("amqp://guest:guest@192.0.2.1:1", events) { configuration in
            configuration.makeSocket = { _ in try Self.connected(to: broker.port) }
        }
        try await AMQPConnection.withConnection(configuration) { connection in
            broker.cut()
            await events.wait(for: "recovered")
            _ = try await connection.openChannel()
        }
        #expect(broker.connectionCount == 2)
    }

    @Test("a Unix domain socket does as well")
    func unixDomain() async throws {
        var pair: [CInt] = [0, 0]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
        let peer = PlayedConnection(pair[1], 0, 0, { _, _ in .answer })
        _ = PosixThread.start(name: "played-connection", stackSize: 256 << 10) { peer.serve() }
        let connection = try await AMQPConnection.connect(AMQPConfiguration(), over: pair[0])
        try await connection.openChannel().declareQueue("q")
        await connection.close()
        #expect(peer.requests.contains { $0.name == "queue.declare" })
    }

    @Test("what is no connected stream socket is refused, and closed if it is open")
    func refused() async throws {
        let unconnected = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var datagrams: [CInt] = [0, 0]
        #expect(socketpair(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0, &datagrams) == 0)
        let file = open("/dev/null", O_RDWR)
        for number in [unconnected, datagrams[0], file, -1, 1 << 20] {
            let error = await #expect(throws: AMQPError.self) {
                _ = try await AMQPConnection.connect(AMQPConfiguration(), over: number)
            }
            #expect(error?.code == .invalidArgument)
        }
        close(datagrams[1])
    }

    @Test("a descriptor is closed where connecting fails before it is used")
    func unused() async throws {
        let broker = try PlayedBroker()
        let number = try Self.connected(to: broker.port)
        var configuration = AMQPConfiguration()
        configuration.brokers = []
        let error = await #expect(throws: AMQPError.self) {
            _ = try await AMQPConnection.connect(configuration, over: number)
        }
        #expect(error?.code == .invalidArgument)
        try await isGone { broker.connectionCount == 1 && broker.hasEnded(0) }
    }

    @Test("a socket that cannot be made fails the attempt")
    func failing() async throws {
        var configuration = AMQPConfiguration()
        configuration.makeSocket = { _ in throw PeerFailure(what: "no proxy", number: 0) }
        let error = await #expect(throws: AMQPError.self) { _ = try await AMQPConnection.connect(configuration) }
        #expect(error?.code == .unreachable)
        #expect(error?.message.contains("no proxy") == true)
    }

    @Test("a socket that is made too late is closed")
    func late() async throws {
        let broker = try PlayedBroker()
        let (wanted, made) = (Signal(), Signal())
        let number = Mutex<CInt>(-1)
        var configuration = AMQPConfiguration()
        configuration.connectTimeout = .milliseconds(20)
        configuration.makeSocket = { _ in
            await wanted.wait()
            let socket = try Self.connected(to: broker.port)
            number.withLock { $0 = socket }
            made.set()
            return socket
        }
        let error = await #expect(throws: AMQPError.self) { _ = try await AMQPConnection.connect(configuration) }
        #expect(error?.code == .timedOut)
        wanted.set()
        await made.wait()
        try await isGone { broker.connectionCount == 1 && broker.hasEnded(0) }
    }

    @Test("TLS is agreed on over the socket", .enabled(if: TestBroker.hasTLS, TestBroker.absence))
    func tls() async throws {
        var configuration = try AMQPConfiguration(TestBroker.tlsURI + "?cacertfile=\(TestBroker.certificates)/ca.pem")
        configuration.recovery = nil
        let number = try Self.connected(to: TestBroker.tlsPort ?? 1)
        let connection = try await AMQPConnection.connect(configuration, over: number)
        #expect(connection.isOpen)
        await connection.close()
    }
}
