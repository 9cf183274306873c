#if Agent
import AMQPWire

/// What the agent is to do, as `psistats.conf` says it. Its defaults are those of a file that says nothing.
///
/// Holds checked values only. Knows nothing of files: `ConfigurationReader` fills it.
struct Configuration: Hashable, Sendable {
    var server = Server()
    var queue = Queue()
    var exchange = Exchange()
    var app = App()
    var hostname = Hostname()
    var reporters = Reporters()
    var buffer = Buffer()
    var system = System()
    /// `[loggers]`, `[handlers]`, `[formatters]` and the sections that they name.
    var logging = LoggingConfiguration.unspecified

    /// `[server]`: the brokers.
    struct Server: Hashable, Sendable {
        /// In the order in which they are tried, at least one. The empty vhost does not occur.
        var brokers = [AMQPURI(user: "guest", password: "guest", host: "localhost", port: 5672, vhost: "/")]
    }

    /// `[queue]`: how this machine's queue is declared.
    struct Queue: Hashable, Sendable {
        /// The name's part before `.hostname`.
        var prefix = "psistats"
        /// Only the agent's own connection may use the queue.
        var isExclusive = true
        /// The queue outlives a restart of the broker.
        var isDurable = false
        /// The broker removes the queue with its last consumer.
        var deletesItself = true
        /// How long a message waits in the queue, in milliseconds (`x-message-ttl`). 0: only a consumer that is ready gets it.
        var timeToLive: UInt32 = 10_000
        /// `x-queue-type`: `classic` or `quorum`; nil for the broker's default.
        var type: String?
        /// How long the queue may be unused before the broker removes it, in milliseconds (`x-expires`), at least 1; nil for ever.
        var expires: UInt32?
        /// How many messages wait in the queue, the oldest dropped first (`x-max-length`); nil for any number.
        var maxLength: UInt32?

        /// The queue's name and the routing key: `prefix.hostname`.
        func name(hostname: String) -> String {
            prefix + "." + hostname
        }
    }

    /// `[exchange]`: how the exchange is declared.
    struct Exchange: Hashable, Sendable {
        /// 1...255 bytes.
        var name = "psistats"
        /// `direct`, `fanout`, `topic`, `headers`, or a plugin's type that starts with `x-`.
        var type = "topic"
        /// The exchange outlives a restart of the broker.
        var isDurable = false
        /// The broker removes the exchange with its last binding.
        var deletesItself = false
    }

    /// `[app]`: the process.
    struct App: Hashable, Sendable {
        /// The pause before the first attempt to connect again. 0: at once; later pauses grow.
        var retryPause = Duration.seconds(5)
        /// What the pauses between attempts grow to; one that is not longer than the first keeps them all the same. Nil: a
        /// minute.
        var longestRetryPause: Duration?
        /// Where the process number is kept.
        var pidfile = "/var/run/psistats.pid"
        /// How long to wait for the daemon to start, and to end before it is killed; more than 0.
        var pidfileTimeout = Duration.seconds(5)
        /// Whether what is due at a time goes into one message, or into one for each reporter.
        var messageForm = MessageForm.combined
        var stdinPath = "/dev/null"
        var stdoutPath = "/dev/null"
        var stderrPath = "/dev/null"
    }

    /// `[app] message`
    enum MessageForm: String, Hashable, Sendable, CaseIterable {
        case combined, separate
    }

    /// `[hostname]`: the name under which this machine reports.
    struct Hostname: Hashable, Sendable {
        /// Whether messages carry `hostname`.
        var isEnabled = true
        /// Instead of the machine's own. `nil`: the machine's own.
        var name: String?
    }
}
#endif
