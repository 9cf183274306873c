/// How to reach brokers, and how to behave with them.
///
/// | property | unit | default | 0 means |
/// |---|---|---|---|
/// | `limits.channelMax` | channels | 2,047 | what the broker says |
/// | `limits.frameMax` | bytes | 131,072 | what the broker says |
/// | `limits.heartbeat` | seconds | 60; nil is what the broker says | no heartbeats |
/// | `initialFrameMax` | bytes | what the broker's version has | no limit |
/// | `connectTimeout` | duration | 30 s | refused |
/// | `callTimeout` | duration | 30 s | refused |
/// | `confirmTimeout` | duration | 30 s | refused |
/// | `highWaterMark` | bytes | 1 MiB | refused |
/// | `deliveryHighWaterMark` | bytes | 64 MiB | refused |
/// | `maxMessageSize` | bytes | 512 MiB | refused |
///
/// What is refused fails the connect with the code `invalidArgument`, before anything is opened.
public struct AMQPConfiguration: Sendable {
    /// Pauses and patience of recovery, and what it restores.
    public struct Recovery: Sendable {
        /// The pause before the first attempt. Each later one is twice as long. Default 0.5 s.
        public var firstPause: Duration
        /// The longest pause. Default 30 s.
        public var longestPause: Duration
        /// How much each pause is varied, so that clients do not come back all at once: 0.2 is 20 % up or down.
        public var jitter: Double
        /// Pauses of your own, in place of the three properties above: how long to wait before an attempt, the first of which
        /// is number 1, and why the one before failed. A negative pause is none. Default nil.
        public var pause: (@Sendable (_ attempt: Int, _ because: AMQPError) -> Duration)?
        /// Attempts in a row that may fail, for whatever reason, before the connection is closed for good; nil, the default,
        /// for as many as it takes. At least 1.
        public var maxAttempts: Int?
        /// Attempts in a row that may fail at all brokers for a reason that will not go away by itself (certificate, login or
        /// virtual host refused), and attempts that may fail at a declaration, a channel or a consumer at which the broker
        /// closes the connection, before that one is left out. Default 3, at least 1. Nil to never give the connection up; a
        /// declaration and the like are then left out after 3.
        public var permanentFailures: Int?
        /// Whether the first connection is tried as often, and with the same pauses, as a lost one, instead of once for each
        /// broker. What cannot become right by itself, a file that is missing say (`invalidArgument`), still fails at once.
        /// Default false.
        public var retriesFirstConnect: Bool
        /// Which exchanges, queues and bindings are declared again. Default all.
        public var topology: AMQPTopologyRecovery
        /// Whether a message whose confirm was lost with the connection is sent again, by `publish` as well as for receipts of
        /// `submit`; it may then arrive twice. Those of `submit` are kept until they are confirmed, `confirmWindow` a channel
        /// at most. Default false: `publish`, the receipt and `waitForConfirms` throw, and the error's `delivery` is `unknown`.
        public var resendsUnconfirmed: Bool
        /// Connections in a row that the broker may close with the same hard error (501 to 541), because of a publish or of
        /// nothing that it names, while a message is unconfirmed on them, before that message fails with this error instead of
        /// being sent again. Other ends of a connection begin the count anew. Default 3, at least 1.
        public var resendLimit: Int

        /// Recovery; what is left out has its default.
        public init(
            firstPause: Duration = .milliseconds(500),
            longestPause: Duration = .seconds(30),
            jitter: Double = 0.2,
            pause: (@Sendable (_ attempt: Int, _ because: AMQPError) -> Duration)? = nil,
            maxAttempts: Int? = nil,
            permanentFailures: Int? = 3,
            retriesFirstConnect: Bool = false,
            topology: AMQPTopologyRecovery = .all,
            resendsUnconfirmed: Bool = false,
            resendLimit: Int = 3
        ) {
            self.firstPause = firstPause
            self.longestPause = longestPause
            self.jitter = jitter
            self.pause = pause
            self.maxAttempts = maxAttempts
            self.permanentFailures = permanentFailures
            self.retriesFirstConnect = retriesFirstConnect
            self.topology = topology
            self.resendsUnconfirmed = resendsUnconfirmed
            self.resendLimit = resendLimit
        }
    }

    /// The brokers, tried in this order until one answers. All are taken to be of one cluster.
    public var brokers: [AMQPURI]
    /// Whether the brokers are tried in a random order, a new one at each attempt, so that many clients spread over a cluster.
    /// Default false.
    public var shufflesBrokers = false
    /// Supplies user and password at each connect, in place of those of the URI: for tokens that expire. Nil, the default, for
    /// the URI's.
    ///
    /// Asked before each attempt to connect to a broker, the attempts of recovery included; its answer has to come within
    /// `connectTimeout`. What it throws fails the attempt: an ``AMQPError`` as it is, anything else as `credentialsUnavailable`. Where the
    /// credentials have a lifetime, it is asked again after four fifths of it, and the broker is given the new password over the
    /// connection that is up (`updateSecret`); a failure of that is told as `credentialsFailed`, and it is tried again.
    public var credentials: (@Sendable (_ broker: AMQPURI) async throws -> AMQPCredentials)?
    /// Makes the connection to a broker, in place of resolving and connecting: through a proxy or a tunnel, or over a Unix domain
    /// socket. Nil, the default, for TCP to the URI's host and port.
    ///
    /// Returns the descriptor of a connected stream socket, which belongs to the connection from then on. It is asked at each
    /// attempt to connect, those of recovery included, and its answer has to come within `connectTimeout`. With `amqps` TLS is
    /// agreed on over the socket. What it throws fails the attempt: an ``AMQPError`` as it is, anything else as `unreachable`.
    public var makeSocket: (@Sendable (_ broker: AMQPURI) async throws -> CInt)?
    /// What the broker's management UI shows as the connection's name.
    public var connectionName: String?
    /// What this side proposes; a URI's parameters take precedence.
    public var limits = AMQPConnectionLimits()
    /// Bytes in the largest frame that the broker takes before a size is agreed on, which the login has to fit into: one with a
    /// long token or long client properties may not. nil: 4,096 for RabbitMQ up to 4.0, 8,192 since 4.1, which is what its
    /// setting `initial_frame_max` has by default; no limit for other brokers. 0: no limit.
    public var initialFrameMax: UInt32?
    /// The ways to log in, the preferred one first; a URI's parameters take precedence.
    public var mechanisms: [AMQPSASLMechanism] = [.plain, .amqplain]
    /// More of what the broker shows of this client.
    public var clientProperties: AMQPTable = [:]
    /// How `amqps` connections are encrypted and verified; a URI's parameters take precedence.
    public var tls = AMQPTLSConfiguration()
    /// How long resolving, connecting, TLS and login may take together, for one broker.
    public var connectTimeout = Duration.seconds(30)
    /// How long a call may wait for its answer.
    public var callTimeout = Duration.seconds(30)
    /// How long a publish may wait for room and then for its confirm.
    public var confirmTimeout = Duration.seconds(30)
    /// Octets waiting for the socket above which publishers wait.
    public var highWaterMark = 1024 * 1024
    /// Octets delivered and not taken by the readers of consumers above which the connection reads no more, until half of them
    /// are taken. It bounds what consumers hold whose broker is faster than they are: with `noAck`, or many unacknowledged
    /// deliveries. It is not kept to while anybody waits for an answer, a confirm or another consumer's delivery, which stand
    /// behind what is not read. The end of a connection that is not read is not noticed before reading goes on.
    public var deliveryHighWaterMark = 64 * 1024 * 1024
    /// Octets of the largest message taken from a broker.
    public var maxMessageSize = 512 * 1024 * 1024
    /// Whether `setQoS` with `global` is sent to RabbitMQ 4.3 and later as well, because their configuration has
    /// `deprecated_features.permit.global_qos = true`. Default false: it is an error there.
    public var permitsGlobalQoS = false
    /// How to come back from a lost connection; nil to stay closed.
    public var recovery: Recovery? = Recovery()
    /// See what is published, taken and lived through, for metrics and tracing. Default none.
    public var observers: [any AMQPObserver] = []
    /// Hears what happens to the connection: one event at a time, in order, on whichever thread it happened. Do little in it,
    /// and do not block.
    public var onEvent: (@Sendable (AMQPEvent) -> Void)?

    /// A configuration for one or several brokers.
    public init(brokers: [AMQPURI] = [AMQPURI()]) {
        self.brokers = brokers
    }

    /// A configuration for the brokers of a URI, or of several with commas between them.
    ///
    /// - Throws: ``AMQPError`` with the code `invalidArgument`.
    public init(_ uri: String) throws(AMQPError) {
        do throws(AMQPURIError) {
            brokers = try AMQPURI.list(uri)
        } catch {
            throw AMQPError(.invalidArgument, "the broker's address cannot be read: \(error)")
        }
    }
}

extension AMQPConfiguration {
    /// - Throws: ``AMQPError`` with the code `invalidArgument`, naming the property that cannot be used.
    func validate() throws(AMQPError) {
        guard !brokers.isEmpty else { throw AMQPError(.invalidArgument, "the configuration names no broker") }
        for (name, value) in [
            ("connectTimeout", connectTimeout), ("callTimeout", callTimeout), ("confirmTimeout", confirmTimeout),
        ] {
            guard value > .zero else { throw Self.unusable(name, "\(value)", "has to be longer than nothing") }
        }
        for (name, value) in [
            ("highWaterMark", highWaterMark), ("deliveryHighWaterMark", deliveryHighWaterMark),
            ("maxMessageSize", maxMessageSize),
        ] {
            guard value > 0 else { throw Self.unusable(name, "\(value)", "has to be at least 1 byte") }
        }
        if let recovery {
            for (name, value) in [("firstPause", recovery.firstPause), ("longestPause", recovery.longestPause)] {
                guard value >= .zero else { throw Self.unusable("recovery.\(name)", "\(value)", "cannot be negative") }
            }
        }
    }

    private static func unusable(_ name: String, _ value: String, _ rule: String) -> AMQPError {
        AMQPError(.invalidArgument, "\(name) is \(value): it \(rule)", remedy: "leave it out for its default")
    }
}
