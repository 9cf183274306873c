#if Agent
import ArgumentParser
import Glibc
import HostMetrics
import Logging

/// `psistats report`: prints the messages that the agent would publish.
struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Print the messages that would be published.",
        discussion: """
            Measures as the agent does and prints a JSON object a line, at the intervals of the configuration, until Ctrl-C. \
            Needs no broker.

            With --once one message with everything that is enabled, after a second: some values need two readings.
            """
    )

    @OptionGroup var options: ConfigurationOption

    @Flag(help: "Print one message with everything that is enabled.")
    var once = false

    @Option(help: ArgumentHelp("End after so many messages.", valueName: "messages"))
    var count: Int?

    @Flag(help: "Spread each object over several lines.")
    var pretty = false

    func validate() throws {
        if let count, count < 1 { throw ValidationError("--count has to be at least 1") }
        if once, count != nil { throw ValidationError("--once and --count cannot go together") }
    }

    func run() throws {
        let signals = try orFail { () throws(SystemError) -> SignalInbox in try SignalInbox([SIGINT, SIGTERM]) }
        signal(SIGPIPE, SIG_IGN)
        let (path, configuration, hostname) = try options.load(tellsOfDefaults: true)
        let reporters = Reporters.enabled(in: configuration)
        guard !reporters.isEmpty else {
            throw CommandFailure(.configuration, "\(path): no reporter is enabled, so there is nothing to report")
        }
        LoggingRouter.bootstrap()
        do throws(ConfigurationError) {
            try LoggingRouter.shared.apply(.standard(foreground: true))
        } catch {
            throw CommandFailure(.software, error.description)
        }
        let encoder = ReportEncoder(hostname: configuration.hostname.isEnabled ? hostname : nil, isPretty: pretty)
        let sampler = try orFail { () throws(SystemError) in
            try Sampler(
                reporters,
                form: once ? .combined : configuration.app.messageForm,
                log: Logger(label: "psistats"),
                worker: BlockingWorker(name: "psistats-read"),
                rhythm: once ? .once : .intervals
            )
        }
        var left = count ?? .max
        var output = OutputFile.standardOutput
        while signals.take().isEmpty {
            for report in sampler.step().prefix(left) {
                let line = String(decoding: try encoder.encode(report.fields), as: UTF8.self)
                do throws(SystemError) {
                    try output.append(line: line)
                    try output.flush()
                } catch {
                    throw CommandFailure(writing: error)
                }
                left -= 1
            }
            if left == 0 { return }
            if once, sampler.hasFinishedFirstTick {
                guard left == .max else { return }
                throw CommandFailure(
                    .unavailable,
                    "nothing could be read; what is enabled and why not stands above, if anything"
                )
            }
            wait(until: sampler.nextMoment, for: [signals.descriptor, sampler.arrivals.number])
        }
    }
}
#endif
