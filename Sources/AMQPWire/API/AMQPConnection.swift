/// A connection to a RabbitMQ broker, or another that speaks AMQP 0-9-1.
///
/// It outlives the broker: a lost connection is made anew, with its channels, what was declared on them and their consumers,
/// while calls and publishes wait. Safe to use from any number of tasks at once. It lives until it is closed, or until neither
/// it nor one of its channels is held any more: then it is closed in the background, as by ``close()``. A program that ends
/// before that is done, at the end of `main` say, loses what was not sent yet, and nobody hears of it: call ``close()``.
///
/// ```swift
/// try await AMQPConnection.withConnection("amqp://guest:guest@localhost") { connection in
///     try await connection.withChannel { channel in
///         try await channel.publish("hello", exchange: "", routingKey: "greetings")
///     }
/// }
/// ```
public final class AMQPConnection: Sendable {
    let driver: ConnectionDriver

    private init(_ driver: ConnectionDriver) {
        self.driver = driver
    }

    deinit {
        driver.abandon()
    }

    /// Runs tasks on the one thread that serves all connections of the process.
    ///
    /// A loop that publishes one message at a time and waits for each confirm spends most of its time on changing threads.
    /// On this executor the task goes on where the confirm was read, and its steps allocate nothing:
    ///
    /// ```swift
    /// try await withTaskExecutorPreference(AMQPConnection.loopExecutor) {
    ///     for body in bodies { try await publisher.publish(body) }
    /// }
    /// ```
    ///
    /// While such a task runs, no connection of the process reads, writes or notices a deadline. So it must not block (files,
    /// locks, `sleep`), nor compute for longer than the others can wait, nor go deep: the thread's stack has 1 MiB. What
    /// waits by `await` is fine.
    public static let loopExecutor: any TaskExecutor = LoopExecutor(.shared)

    /// Connects, and returns once the broker has opened the virtual host.
    ///
    /// - Throws: ``AMQPError``: `unreachable`, `tlsFailed`, `loginRefused`, `virtualHostRefused`, `protocolMismatch`,
    ///   `timedOut`, `cancelled`. The first connection is tried once for each broker, unless
    ///   ``AMQPConfiguration/Recovery/retriesFirstConnect`` is set.
    public static func connect(_ configuration: AMQPConfiguration) async throws(AMQPError) -> AMQPConnection {
        try await connect(configuration, ConnectOptions())
    }

    static func connect(
        _ configuration: AMQPConfiguration,
        _ connecting: ConnectOptions
    ) async throws(AMQPError) -> AMQPConnection {
        let driver = ConnectionDriver(configuration, connecting: connecting)
        let connection = AMQPConnection(driver)
        try await driver.open()
        return connection
    }

    /// Connects to the broker of a URI, or to one of several with commas between them.
    ///
    /// - Throws: as ``connect(_:)-(AMQPConfiguration)``, and `invalidArgument` for a URI that cannot be read.
    public static func connect(_ uri: String) async throws(AMQPError) -> AMQPConnection {
        try await connect(AMQPConfiguration(uri))
    }

    /// Connects over a socket that the caller has connected to the broker: through a proxy, or from a socket pair.
    ///
    /// - Parameters:
    ///   - configuration: its first broker says how to log in, and whether TLS (`amqps`) is agreed on over the socket.
    ///   - socket: the descriptor of a connected stream socket. It belongs to the connection from this call on, which closes
    ///     it however the call ends.
    /// - Throws: as ``connect(_:)-(AMQPConfiguration)``, and `invalidArgument` where the descriptor is none of a connected
    ///   stream socket. A connection made so cannot be recovered; see ``AMQPConfiguration/makeSocket`` for one that can.
    public static func connect(
        _ configuration: AMQPConfiguration,
        over socket: CInt
    ) async throws(AMQPError) -> AMQPConnection {
        let socket = HandedSocket(socket)
        var configuration = configuration
        configuration.brokers = Array(configuration.brokers.prefix(1))
        configuration.recovery = nil
        configuration.makeSocket = { _ in try socket.take() }
        do throws(AMQPError) {
            return try await connect(configuration)
        } catch {
            socket.close()
            throw error
        }
    }

    /// Connects, runs `body`, and closes the connection however `body` ends.
    ///
    /// - Throws: what connecting throws, or what `body` throws.
    public static func withConnection<Value>(
        _ uri: String,
        isolation: isolated (any Actor)? = #isolation,
        _ body: (AMQPConnection) async throws -> Value
    ) async throws -> Value {
        try await withConnection(AMQPConfiguration(uri), body)
    }

    /// Connects, runs `body`, and closes the connection however `body` ends.
    ///
    /// - Throws: what connecting throws, or what `body` throws.
    public static func withConnection<Value>(
        _ configuration: AMQPConfiguration,
        isolation: isolated (any Actor)? = #isolation,
        _ body: (AMQPConnection) async throws -> Value
    ) async throws -> Value {
        let connection = try await connect(configuration)
        do {
            let value = try await body(connection)
            await connection.close()
            return value
        } catch {
            await connection.close()
            throw error
        }
    }

    /// Closes the connection: sends everything that was accepted (what `send` and `submit` returned for, acknowledgements),
    /// waits for the broker's answer, which says that it has read all of it. Gives up after five seconds in which the broker
    /// took nothing, and after thirty in all. Everything that waits fails with `closed`. Closing twice is harmless.
    ///
    /// This is the one wait that a cancelled task does not end: programs close their connections in tasks that are cancelled.
    public func close() async {
        await driver.close()
    }

    /// Opens a channel. It stays open until it is closed, by either side, or nobody holds it any more.
    ///
    /// - Parameter confirmWindow: unconfirmed publishes that may be outstanding before publishers wait.
    /// - Throws: ``AMQPError``: `tooManyChannels`, `closed`, `timedOut`, `cancelled`.
    public func openChannel(confirmWindow: Int = 1_000) async throws(AMQPError) -> AMQPChannel {
        let record = ChannelRecord(confirmWindow: confirmWindow)
        try await driver.openChannel(record)
        return AMQPChannel(self, record)
    }

    /// Opens a channel, runs `body`, and closes the channel however `body` ends.
    ///
    /// - Throws: what opening throws, or what `body` throws.
    public func withChannel<Value>(
        confirmWindow: Int = 1_000,
        isolation: isolated (any Actor)? = #isolation,
        _ body: (AMQPChannel) async throws -> Value
    ) async throws -> Value {
        let channel = try await openChannel(confirmWindow: confirmWindow)
        do {
            let value = try await body(channel)
            try await channel.close()
            return value
        } catch {
            try? await channel.close()
            throw error
        }
    }

    /// Gives the broker a fresh credential before the one in use expires. RabbitMQ's extension, for OAuth 2 tokens.
    ///
    /// - Throws: ``AMQPError``, `connectionClosed` where the broker refuses it.
    public func updateSecret(_ secret: String, reason: String = "token refresh") async throws(AMQPError) {
        try await driver.updateSecret(AMQPSecret(secret), reason: reason)
    }

    /// Counts since the connection was first opened.
    public var statistics: AMQPConnectionStatistics {
        driver.state.withLock { $0.core.wholeStatistics }
    }

    /// What the broker said of itself: product, version, cluster name, capabilities. Empty while there is no connection.
    public var serverProperties: AMQPTable {
        driver.state.withLock { $0.core.outcome?.serverProperties ?? [:] }
    }

    /// The limits agreed on with the broker, nil while there is no connection.
    public var limits: AMQPConnectionLimits? {
        driver.state.withLock { $0.core.outcome?.limits }
    }

    /// Whether the connection is open now; it is not while it is being recovered.
    public var isOpen: Bool {
        driver.state.withLock { if case .open = $0.mode { true } else { false } }
    }

    /// Why the broker reads no publishes at present, or nil if it does.
    public var blockedReason: String? {
        driver.state.withLock { $0.core.blockedReason }
    }
}
