#if Agent
import AMQPWire
import ArgumentParser
import Glibc

/// `psistats watch`: shows what agents publish, as it comes.
struct WatchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Show what agents publish: a live table in a terminal, else a line for each message.",
        discussion: """
            Subscribes to the exchange of psistats.conf and draws a row for each host that is heard of. Where standard \
            output is no terminal, and with --json, it prints a line for each message instead.

            It has a queue of its own at the broker, which only its connection can use and which goes with it; the queues \
            of agents are not touched. It creates no exchange: where that is not there, it waits until an agent declares it.

            Keys: q quits; h, a, c, m and t sort by hostname, age, cpu, mem and temperature, and pressed again the other \
            way round; p shows a bar for each core instead of the last values; the arrows and page keys scroll.

            An exchange of type direct gives messages only to queues that name their routing key, so --key is needed \
            there, once for each host: --key psistats.HOSTNAME. With type topic a key may be a pattern of words with dots \
            between them, in which * stands for one word and # for any number; the default is '#', everything.

            Colours are left out with --no-color, and where NO_COLOR is set.

            Exit status: 69 when the broker cannot be reached, 77 when it refuses the login, the virtual host or the \
            binding, 78 when the configuration cannot be used.
            """
    )

    @OptionGroup var options: ConfigurationOption

    @Option(
        help: ArgumentHelp(
            "The broker, instead of the configuration's; amqp:// or amqps://. Others on this machine can see it.",
            valueName: "uri"
        )
    )
    var url: String?

    @Option(help: ArgumentHelp("A routing key to watch; can be given several times.", valueName: "key"))
    var key: [String] = []

    @Flag(help: "Print each message as it is, a line of JSON each.")
    var json = false

    @Flag(help: "No colours.")
    var noColor = false

    /// How long the broker may take to say goodbye.
    private static let farewell: Int32 = 2_000

    func run() throws {
        let configuration = try loadConfiguration()
        let subscription = WatchFeed.Subscription(
            exchange: configuration.exchange.name,
            routingKeys: try routingKeys(for: configuration.exchange),
            prefix: configuration.queue.prefix,
            takesLines: json
        )
        var amqp = AMQPConfiguration(brokers: configuration.server.brokers)
        amqp.connectionName = "psistats watch"
        let terminal = json || Self.variable("TERM") == "dumb" ? nil : Terminal(of: STDOUT_FILENO)

        // Before there are other threads, which would get the signals otherwise.
        let signals = try orFail {
            () throws(SystemError) in try SignalInbox(terminal == nil ? WatchPrinter.signals : WatchTable.signals)
        }
        let mailbox = try orFail { () throws(SystemError) in try WatchMailbox() }
        let feed = WatchFeed(amqp, subscription, mailbox: mailbox)
        try TaskThread.startShared()
        let task = Task.detached(executorPreference: TaskThread.shared) { await feed.run() }
        defer { Self.end(task, mailbox) }
        guard let terminal else {
            var printer = WatchPrinter(signals: signals, mailbox: mailbox)
            return try printer.run()
        }
        var table = WatchTable(
            terminal: terminal,
            signals: signals,
            mailbox: mailbox,
            subject: Self.subject(configuration),
            usesColor: !noColor && (Self.variable("NO_COLOR") ?? "").isEmpty,
            usesUnicode: Self.usesUnicode
        )
        try table.run()
    }

    /// Ends the feed and waits for it, but not for long.
    private static func end(_ task: Task<Void, Never>, _ mailbox: WatchMailbox) {
        task.cancel()
        mailbox.close()
        var polled = pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0)
        while !mailbox.hasEnded, poll(&polled, 1, farewell) > 0 { _ = mailbox.take() }
    }

    private func loadConfiguration() throws(CommandFailure) -> Configuration {
        guard let url else { return try options.load().configuration }
        var configuration = Configuration()
        do throws(CommandFailure) {
            configuration = try options.load().configuration
        } catch {
            // With a broker on the command line it works without a file, unless one was named.
            guard options.config == nil else { throw error }
            standardError((error.message ?? "") + "\npsistats: using the defaults instead, with the broker of --url")
        }
        Secrets.shared.learnURLs(in: url)
        var problems: [String] = []
        do throws(AMQPURIError) {
            configuration.server.brokers = try ConfigurationReader.brokers(
                url,
                filesIn: Surroundings.current().directory
            ) { remark in
                if case .problem(let text) = remark { problems.append(text) }
            }
        } catch {
            problems.append(error.description)
        }
        guard problems.isEmpty else {
            throw CommandFailure(.usage, problems.map { "--url: \($0.shown)" }.joined(separator: "\npsistats: "))
        }
        return configuration
    }

    private func routingKeys(for exchange: Configuration.Exchange) throws(CommandFailure) -> [String] {
        if let long = key.first(where: { $0.utf8.count > 255 }) {
            throw CommandFailure(.usage, "--key: '\(String(long.prefix(20)).shown)…' is longer than 255 bytes")
        }
        if !key.isEmpty { return key }
        switch exchange.type {
        case "direct":
            throw CommandFailure(
                .usage,
                """
                the exchange '\(exchange.name)' is of type direct, which gives a message only to queues that are bound \
                with its very routing key: name each host's with --key psistats.HOSTNAME, or use an exchange of type topic
                """
            )
        case "fanout", "headers": return [""]
        default: return ["#"]
        }
    }

    private static func subject(_ configuration: Configuration) -> String {
        guard let broker = configuration.server.brokers.first else { return "" }
        let host = broker.host.contains(":") ? "[\(broker.host)]" : broker.host
        let others = configuration.server.brokers.count > 1 ? " and others" : ""
        let vhost = broker.vhost == "/" ? "" : " vhost \(broker.vhost)"
        return "\(host):\(broker.port)\(others)\(vhost) exchange \(configuration.exchange.name)"
    }

    /// Whether the locale says that the terminal takes UTF-8. One that says nothing is taken to be of today.
    private static var usesUnicode: Bool {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap(variable).first { !$0.isEmpty }
        guard let locale else { return true }
        let name = locale.lowercased()
        return name.contains("utf-8") || name.contains("utf8")
    }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}
#endif
