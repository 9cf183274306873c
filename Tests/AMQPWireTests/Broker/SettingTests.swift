import Testing

@testable import AMQPWire

/// What settings mean at their edges.
@Suite("Settings", .timeLimit(.minutes(1)))
struct SettingTests {
    @Test("what can mean nothing is refused before anything is opened, and named")
    func refused() async throws {
        let changes: [(String, (inout AMQPConfiguration) -> Void)] = [
            ("highWaterMark", { $0.highWaterMark = 0 }),
            ("deliveryHighWaterMark", { $0.deliveryHighWaterMark = -1 }),
            ("maxMessageSize", { $0.maxMessageSize = 0 }),
            ("connectTimeout", { $0.connectTimeout = .zero }),
            ("callTimeout", { $0.callTimeout = .seconds(-1) }),
            ("confirmTimeout", { $0.confirmTimeout = .zero }),
            ("recovery.firstPause", { $0.recovery?.firstPause = .seconds(-1) }),
            ("recovery.longestPause", { $0.recovery?.longestPause = .seconds(-1) }),
            ("no broker", { $0.brokers = [] }),
        ]
        for (name, change) in changes {
            var configuration = try AMQPConfiguration("amqp://127.0.0.1:1")
            change(&configuration)
            let settings = configuration
            let error = await #expect(throws: AMQPError.self) { await (try AMQPConnection.connect(settings)).close() }
            #expect(error?.code == .invalidArgument)
            #expect(error?.message.contains(name) == true)
        }
    }

    @Test("connection_timeout=0 is as if it was not given: what fails is told as what it is")
    func noTimeout() async throws {
        let error = await #expect(throws: AMQPError.self) {
            await (try AMQPConnection.connect("amqp://127.0.0.1:1?connection_timeout=0")).close()
        }
        #expect(error?.code == .unreachable && error?.stage == .connecting)
        #expect(try AMQPURI("amqp://h?connection_timeout=0").connectionTimeout == nil)
        var configuration = try AMQPConfiguration("amqp://127.0.0.1:1")
        configuration.brokers[0].connectionTimeout = .zero
        let settings = configuration
        let same = await #expect(throws: AMQPError.self) { await (try AMQPConnection.connect(settings)).close() }
        #expect(same?.code == .unreachable)
    }

    @Test(
        "RabbitMQ sends no heartbeats to a client that wants none, and what it says itself to one that leaves it to it",
        .enabled(if: TestBroker.isThere, TestBroker.absence)
    )
    func heartbeats() async throws {
        var connections: [(wanted: UInt16?, agreed: UInt16, connection: AMQPConnection)] = []
        for (wanted, agreed) in [(0, 0), (nil, 60), (7, 7), (65_535, 60)] as [(UInt16?, UInt16)] {
            var configuration = try TestBroker.rabbitmq.configuration
            configuration.limits.heartbeat = wanted
            connections.append((wanted, agreed, try await AMQPConnection.connect(configuration)))
        }
        let listing = try await TestBroker.ctl("list_connections", "peer_port", "timeout").split(separator: "\n")
        for (_, agreed, connection) in connections {
            #expect(connection.driver.state.withLock { $0.core.outcome?.limits.heartbeat ?? nil } == agreed)
            let port = try #require(connection.localPort)
            #expect(listing.contains { $0.split(separator: "\t").map(String.init) == ["\(port)", "\(agreed)"] })
            await connection.close()
        }
    }

    @Test(
        "RabbitMQ: a login above its frame size before one is agreed on is an argument, told at once",
        .enabled(if: TestBroker.isThere, TestBroker.absence)
    )
    func largeLogin() async throws {
        let password = String(repeating: "p", count: 5_000)
        let error = await #expect(throws: AMQPError.self) {
            let uri = "amqp://guest:\(password)@127.0.0.1:\(TestBroker.port ?? 1)"
            await (try AMQPConnection.connect(uri)).close()
        }
        #expect(error?.code == .invalidArgument && error?.stage == .greeting)
        #expect(error?.description.contains(password) == false)
    }

    @Test(
        "RabbitMQ: a URI that ends in '/' opens the virtual host '/'",
        .enabled(if: TestBroker.isThere, TestBroker.absence)
    )
    func slash() async throws {
        try await AMQPConnection.withConnection(TestBroker.uri + "/") { #expect($0.isOpen) }
    }

    @Test(
        "RabbitMQ: an error has the stage that the connection reached, and the reply that was parsed",
        .enabled(if: TestBroker.isThere, TestBroker.absence)
    )
    func stages() async throws {
        func failure(_ uri: String) async -> AMQPError? {
            await #expect(throws: AMQPError.self) { await (try AMQPConnection.connect(uri)).close() }
        }
        let port = TestBroker.port ?? 1
        #expect(await failure("amqp://no-such-host.invalid")?.stage == .resolving)
        #expect(await failure("amqp://127.0.0.1:1")?.stage == .connecting)
        #expect(await failure("amqps://127.0.0.1:\(port)?verify=verify_none")?.stage == .securing)
        let login = await failure("amqp://guest:wrong@127.0.0.1:\(port)")
        #expect(login?.stage == .login && login?.reply?.kind == .loginRefused)
        let missing = await failure(TestBroker.uri + "/nowhere")
        #expect(missing?.stage == .virtualHost && missing?.reply?.kind == .notFound)
        #expect(missing?.reply?.resource == AMQPError.Reply.Resource(kind: .virtualHost, name: "nowhere"))
        let forbidden = await failure("amqp://limited:limited@127.0.0.1:\(port)/stats")
        #expect(forbidden?.reply?.kind == .accessRefused && forbidden?.reply?.user == "limited")
        try await TestBroker.rabbitmq.withChannel { connection, channel in
            let queue = try await channel.makeQueue()
            let locked = await #expect(throws: AMQPError.self) {
                try await connection.withChannel { try await $0.declareQueue(queue, durable: true, exclusive: false) }
            }
            #expect(locked?.stage == .open && locked?.scope == .channel && locked?.channel == 2)
            #expect(locked?.reply?.resource?.name == queue)
            let unknown = await #expect(throws: AMQPError.self) {
                _ = try await connection.withChannel { try await $0.declareQueuePassively("no-such-queue") }
            }
            #expect(unknown?.reply?.kind == .notFound && unknown?.reply?.resource?.name == "no-such-queue")
        }
    }
}
