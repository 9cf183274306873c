import Glibc
import Synchronization
import Testing

@testable import AMQPWire

@Suite("Connecting", .timeLimit(.minutes(1)))
struct TransportConnectTests {
    @Test("a port that nobody listens on is refused, and the error says where and what to check")
    func refused() async throws {
        let taken = try LoopbackListener(backlog: nil)
        let error = try #require(await connectFailure(to: taken.target))
        #expect(error.phase == .connect)
        #expect(error.reason == .system)
        #expect(error.errno == ECONNREFUSED)
        let address = "127.0.0.1:\(taken.address.port)"
        #expect(
            error.description == "cannot connect to \(address): connection refused by \(address):"
                + " check that the broker runs and listens on that port"
        )
    }

    @Test("all addresses that failed are in one message")
    func allRefused() async throws {
        let six = try LoopbackListener("::1", backlog: nil)
        let four = try LoopbackListener("127.0.0.1", port: six.address.port, backlog: nil)
        let options = ConnectOptions(resolver: .answering([six.address, four.address, six.address]))
        let target = ConnectTarget(host: "broker.test", port: six.address.port)
        let error = try #require(await connectFailure(to: target, options: options))
        let port = six.address.port
        #expect(error.detail == "connection refused by [::1]:\(port) and 127.0.0.1:\(port)" && error.remedy != nil)
        #expect(error.endpoint == "broker.test:\(port)")
    }

    @Test("an address that does not answer costs no more than the deadline")
    func blackHole() async throws {
        let (listener, filling) = try LoopbackListener.blackHole()
        let begun = EventLoop.now()
        let deadline = begun.advanced(by: .milliseconds(120))
        let error = try #require(await connectFailure(to: listener.target, deadline: deadline))
        #expect(EventLoop.now() >= deadline)
        #expect(error.phase == .connect)
        #expect(error.reason == .deadline)
        #expect(error.detail == "no answer from 127.0.0.1:\(listener.address.port)" && error.remedy != nil)
        withExtendedLifetime(filling) {}
    }

    @Test("a deadline that has passed already connects nowhere")
    func passedDeadline() async throws {
        let listener = try LoopbackListener()
        let error = await connectFailure(to: listener.target, deadline: EventLoop.now())
        #expect(error?.reason == .deadline)
    }

    @Test(
        "an address that does not answer is overtaken by one that does",
        arguments: [["::1", "127.0.0.1"], ["127.0.0.1", "::1"]]
    )
    func overtaken(_ hosts: [String]) async throws {
        let (dead, filling) = try LoopbackListener.blackHole(hosts[0])
        let alive = try LoopbackListener(hosts[1])
        var options = ConnectOptions(resolver: .answering([dead.address, alive.address]))
        options.attemptDelay = .milliseconds(60)
        let begun = EventLoop.now()
        let target = ConnectTarget(host: "broker.test", port: 1)
        let stream = try await Connector.connect(to: target, deadline: soon(), options: options)
        #expect(EventLoop.now().since(begun) >= .milliseconds(60))
        #expect(stream.peer == alive.address.description)
        stream.close()
        withExtendedLifetime(filling) {}
    }

    @Test(
        "after a refusal the next address is tried at once",
        arguments: [["::1", "127.0.0.1"], ["127.0.0.1", "::1"]]
    )
    func nextAtOnce(_ hosts: [String]) async throws {
        let dead = try LoopbackListener(hosts[0], backlog: nil)
        let alive = try LoopbackListener(hosts[1])
        var options = ConnectOptions(resolver: .answering([dead.address, alive.address]))
        options.attemptDelay = .seconds(3600)
        let target = ConnectTarget(host: "broker.test", port: 1)
        let stream = try await Connector.connect(to: target, deadline: soon(), options: options)
        #expect(stream.peer == alive.address.description)
        stream.close()
    }

    @Test("families take turns, each address once, beginning with the system's choice")
    func interleaving() throws {
        func addresses(_ hosts: [String]) throws -> [SocketAddress] {
            try hosts.map { try #require(Resolver.literal($0, port: 5672)) }
        }
        let given = try addresses(["::1", "::2", "::1", "::3", "127.0.0.1", "127.0.0.2"])
        let expected = try addresses(["::1", "127.0.0.1", "::2", "127.0.0.2", "::3"])
        #expect(SocketAddress.interleaved(given) == expected)
        #expect(SocketAddress.interleaved([]).isEmpty)
    }

    @Test("a host that does not exist is an error of the name, not of the connection")
    func unknownHost() async throws {
        let target = ConnectTarget(host: "nonexistent.invalid", port: 5672)
        let error = try #require(await connectFailure(to: target))
        #expect(error.phase == .resolve)
        #expect(error.reason == .name)
        #expect(error.description.hasPrefix("cannot resolve nonexistent.invalid:5672: "))
    }

    @Test("what cannot be a host name is said to be none", arguments: ["", "127.0.0.1\0.example"])
    func impossibleHost(_ host: String) async throws {
        let error = try #require(await connectFailure(to: ConnectTarget(host: host, port: 5672)))
        #expect(error.phase == .resolve)
        #expect(error.reason == .configuration)
    }

    @Test("addresses are read with and without brackets, and with a zone")
    func literals() throws {
        #expect(Resolver.literal("127.0.0.1", port: 1)?.description == "127.0.0.1:1")
        #expect(Resolver.literal("::1", port: 2)?.description == "[::1]:2")
        #expect(Resolver.literal("[::1]", port: 3)?.description == "[::1]:3")
        #expect(Resolver.literal("fe80::1%lo", port: 4)?.description == "[fe80::1%lo]:4")
        #expect(Resolver.literal("localhost", port: 5) == nil)
        #expect(Resolver.literal("", port: 5) == nil)
        #expect(Resolver.literal("[]", port: 5) == nil)
    }

    @Test("the system's resolver knows localhost")
    func localhost() async throws {
        let listener = try LoopbackListener()
        let target = ConnectTarget(host: "localhost", port: listener.address.port)
        let stream = try await Connector.connect(to: target, deadline: soon())
        #expect(stream.peer == "127.0.0.1:\(listener.address.port)")
        #expect(!stream.isEncrypted)
        #expect(stream.tls == nil)
        stream.close()
    }

    @Test("sockets do not block, are not inherited, do not delay, and probe a silent peer")
    func socketOptions() async throws {
        let listener = try LoopbackListener()
        let stream = try await Connector.connect(to: listener.target, deadline: soon())
        defer { stream.close() }
        let number = try #require(stream.descriptor.beginUse())
        defer { stream.descriptor.endUse() }
        #expect(fcntl(number, F_GETFL) & O_NONBLOCK != 0)
        #expect(fcntl(number, F_GETFD) & FD_CLOEXEC != 0)
        for (level, name) in [(Int32(IPPROTO_TCP), TCP_NODELAY), (SOL_SOCKET, SO_KEEPALIVE)] {
            var value: Int32 = 0
            var length = socklen_t(MemoryLayout<Int32>.size)
            #expect(getsockopt(number, level, name, &value, &length) == 0)
            #expect(value != 0)
        }
        #expect(stream.local == SocketAddress.local(number)?.description)
    }

    @Test("a socket that has connected to itself is a refusal")
    func selfConnection() throws {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let descriptor = Descriptor(owning: number)
        let any = try #require(Resolver.literal("127.0.0.1", port: 0))
        #expect(any.withSystemAddress { bind(number, $0, $1) } == 0)
        let own = try #require(SocketAddress.local(number))
        #expect(own.withSystemAddress { connect(number, $0, $1) } == 0)
        #expect(descriptor.connectOutcome() == ECONNREFUSED)
        descriptor.close()
    }

    /// A resolver that hangs until it is let go.
    private struct HangingResolver {
        let gate = Watched(false)
        let entered = Watched(0)
        private let held = ThreadGate()

        var resolver: Resolver {
            let (entered, held) = (entered, held)
            return Resolver { _, port in
                entered.update { $0 += 1 }
                held.wait()
                return .success([SocketAddress.v4(sockaddr_in())])
            }
        }

        func release() { held.open() }
    }

    @Test("a name service that hangs holds up neither the deadline nor the thread count for good")
    func hangingResolverDeadline() async throws {
        let hanging = HangingResolver()
        let pool = ErrandPool(limit: 2)
        let options = ConnectOptions(resolver: hanging.resolver, errands: pool)
        let target = ConnectTarget(host: "slow.test", port: 5672)
        let error = try #require(
            await connectFailure(to: target, deadline: soon(.milliseconds(50)), options: options)
        )
        #expect(error.phase == .resolve)
        #expect(error.reason == .deadline)
        #expect(pool.threadCount == 1)
        hanging.release()
        try await emptied(pool)
    }

    @Test("cancelling while the name service hangs returns at once")
    func hangingResolverCancelled() async throws {
        let hanging = HangingResolver()
        let pool = ErrandPool(limit: 2)
        let options = ConnectOptions(resolver: hanging.resolver, errands: pool)
        let task = Task { await connectFailure(to: ConnectTarget(host: "slow.test", port: 5672), options: options) }
        try await hanging.entered.wait { $0 == 1 }
        task.cancel()
        let error = try #require(await task.value)
        #expect(error.phase == .resolve)
        #expect(error.reason == .cancelled)
        hanging.release()
        try await emptied(pool)
    }

    @Test("no more lookups run at once than the limit, and the others wait their turn")
    func boundedLookups() async throws {
        let hanging = HangingResolver()
        let pool = ErrandPool(limit: 2)
        let options = ConnectOptions(resolver: hanging.resolver, errands: pool)
        let tasks = (0..<6).map { _ in
            Task { await connectFailure(to: ConnectTarget(host: "slow.test", port: 5672), options: options) }
        }
        try await hanging.entered.wait { $0 == 2 }
        #expect(pool.threadCount == 2)
        for task in tasks { task.cancel() }
        for task in tasks { #expect(await task.value?.reason == .cancelled) }
        #expect(hanging.entered.value == 2)
        hanging.release()
        try await emptied(pool)
        #expect(hanging.entered.value == 2)
    }

    /// Waits until the threads of a pool have done their work.
    private func emptied(_ pool: ErrandPool) async throws {
        while pool.threadCount > 0 {
            try Task.checkCancellation()
            await Task.yield()
        }
    }

    @Test("a task that was cancelled before connects nowhere")
    func cancelledBefore() async throws {
        let listener = try LoopbackListener()
        let start = Watched(false)
        let target = listener.target
        let task = Task {
            _ = try? await start.wait { $0 }
            return await connectFailure(to: target)
        }
        task.cancel()
        start.update { $0 = true }
        #expect(await task.value?.reason == .cancelled)
    }

    @Test("cancelling while an address does not answer returns at once")
    func cancelledConnecting() async throws {
        let (listener, filling) = try LoopbackListener.blackHole()
        let resolved = Watched(false)
        let address = listener.address
        let resolver = Resolver { _, _ in
            resolved.update { $0 = true }
            return .success([address])
        }
        let options = ConnectOptions(resolver: resolver)
        let task = Task { await connectFailure(to: ConnectTarget(host: "a.test", port: 1), options: options) }
        try await resolved.wait { $0 }
        task.cancel()
        #expect(await task.value?.reason == .cancelled)
        withExtendedLifetime(filling) {}
    }

    #if !TLS
    @Test("without the trait TLS, asking for it is an error that says how to get it")
    func noTLS() async throws {
        let listener = try LoopbackListener()
        let error = try #require(await connectFailure(to: listener.target, tls: AMQPTLSConfiguration()))
        #expect(error.phase == .tls)
        #expect(error.remedy?.contains("package trait TLS") == true)
    }
    #endif
}

/// Holds threads until it is opened. Blocks: for threads that are meant to hang.
final class ThreadGate: Sendable {
    private let ends: [Int32]

    init() {
        var pair: [Int32] = [-1, -1]
        precondition(pipe(&pair) == 0, "no pipe for the test")
        ends = pair
    }

    deinit {
        for end in ends { close(end) }
    }

    func wait() {
        var waiting = pollfd(fd: ends[0], events: Int16(POLLIN), revents: 0)
        _ = poll(&waiting, 1, 20_000)
    }

    func open() {
        var one: UInt8 = 1
        _ = write(ends[1], &one, 1)
    }
}
