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
            Reads psistats.conf and says what is wrong with it, every problem on a line of its own: also what would keep \
            psistats start from starting, as files that this user cannot write. What works and may not be what was meant is \
            noted: what Python 3 would read otherwise than Python 2.7, whose format the file has, keys that have no effect, \
            a password that everybody can read. Says which reporters are on, and which file systems \
            cannot be reached, if they are reported. Then tries each broker in \
            it, stage after stage: resolver, TCP, TLS, AMQP, login, virtual host, exchange, queue, the permissions to \
            declare, bind and publish, and whether the broker takes messages now. What fails is printed to standard error, with \
            what to do about it, and ends the check of that broker. Changes nothing on the broker.

            Exit status: 0 when all is well; that of the first failure else: 78 when the configuration is wrong or the \
            exchange or the queue exists with other settings; 77 when the broker refuses the login, the virtual host or a \
            permission; 69 when the broker cannot be reached, does not work or takes no messages.
            """
    )

    @OptionGroup var options: ConfigurationOption

    @Flag(help: "Check the configuration alone, connect to nothing.")
    var offline = false

    func run() throws {
        let surroundings = Surroundings.current()
        let findings = try options.survey(surroundings)
        let configuration = findings.configuration
        let hostname = configuration.hostname.name ?? surroundings.hostname
        let problems = findings.problems.isEmpty ? StartObstacles.find(findings) : findings.problems
        let warnings = findings.warnings + ReadableSecrets.find(findings, directory: surroundings.directory)
        guard problems.isEmpty else {
            for warning in warnings { standardError("\(warning) (this is a note)") }
            throw CommandFailure(status: .configuration, message: ConfigurationError(problems: problems).description)
        }
        let brokers = offline ? [] : configuration.server.brokers
        let status: ExitStatus
        do {
            status = try blocking {
                try await Self.check(brokers, findings, warnings, hostname: hostname)
            }
        } catch let error as SystemError {
            throw CommandFailure(writing: error)
        }
        guard status == .success else { throw CommandFailure(status: status, message: nil) }
    }

    /// With what status the check ends.
    private static func check(
        _ brokers: [AMQPURI],
        _ findings: ConfigurationFinder.Findings,
        _ warnings: [ConfigurationProblem],
        hostname: String
    ) async throws(SystemError) -> ExitStatus {
        let report = CheckReport()
        try report.passed(.configuration, findings.path)
        for warning in warnings { try report.noted(.configuration, "\(warning)") }
        let reporters = findings.configuration.reporters
        let (on, off) = (reporters.sections(enabled: true), reporters.sections(enabled: false))
        try report.noted(
            .reporters,
            (on.isEmpty ? "none is on" : "on: " + on.joined(separator: ", "))
                + (off.isEmpty ? "" : "; off: " + off.joined(separator: ", "))
        )
        try HostCheck.run(findings.configuration, report)
        for (index, broker) in brokers.enumerated() {
            if brokers.count > 1 { try report.heading("broker \(index + 1) of \(brokers.count): \(broker)") }
            let check = BrokerCheck(
                configuration: findings.configuration,
                hostname: hostname,
                broker: broker,
                report: report
            )
            try await check.run()
        }
        return report.status
    }
}
#endif
