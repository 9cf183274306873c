#if Agent
import AMQPWire
import ArgumentParser
import Glibc

/// `psistats check`: says whether the configuration is right and whether each broker in it can be worked with.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check the configuration, and whether the brokers can be worked with.",
        discussion: """
            Reads psistats.conf and says what is wrong with it, every problem on a line of its own: also where this user could \
            not write to the log's files; and which file systems cannot be reached, if they are reported. Then tries each broker in \
            it, stage after stage: resolver, TCP, TLS, AMQP, login, virtual host, exchange, queue, and the permissions to \
            declare, bind and publish. What fails is printed to standard error, with what to do about it, and ends the check \
            of that broker. Changes nothing on the broker.

            Exit status: 0 when all is well; that of the first failure else: 78 when the configuration is wrong or the \
            exchange or the queue exists with other settings; 77 when the broker refuses the login, the virtual host or a \
            permission; 69 when the broker cannot be reached or does not work.
            """
    )

    @OptionGroup var options: ConfigurationOption

    @Flag(help: "Check the configuration alone, connect to nothing.")
    var offline = false

    func run() throws {
        let (path, configuration, hostname) = try options.load()
        let obstacles = configuration.logging.obstacles()
        guard obstacles.isEmpty else {
            throw CommandFailure(status: .configuration, message: ConfigurationError(problems: obstacles).description)
        }
        let brokers = offline ? [] : configuration.server.brokers
        let status: ExitStatus
        do {
            status = try blocking {
                try await Self.check(brokers, path: path, configuration: configuration, hostname: hostname)
            }
        } catch let error as SystemError {
            throw CommandFailure(writing: error)
        }
        guard status == .success else { throw CommandFailure(status: status, message: nil) }
    }

    /// With what status the check ends.
    private static func check(
        _ brokers: [AMQPURI],
        path: String,
        configuration: Configuration,
        hostname: String
    ) async throws(SystemError) -> ExitStatus {
        let report = CheckReport()
        try report.passed(.configuration, path)
        try HostCheck.run(configuration, report)
        for (index, broker) in brokers.enumerated() {
            if brokers.count > 1 { try report.heading("broker \(index + 1) of \(brokers.count): \(broker)") }
            let check = BrokerCheck(configuration: configuration, hostname: hostname, broker: broker, report: report)
            try await check.run()
        }
        return report.status
    }
}
#endif
