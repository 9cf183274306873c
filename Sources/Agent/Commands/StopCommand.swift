#if Agent
import ArgumentParser
import Glibc

/// `psistats stop`: ends the daemon.
struct StopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "End the daemon.",
        discussion: """
            Asks the daemon to end, which publishes what it has buffered first. Where it has not ended after \
            pidfile_timeout ([app]), it is killed.

            Exit status: 0 when it has ended or did not run; 77 when it is another user's.
            """
    )

    @OptionGroup var options: ConfigurationOption

    func run() throws {
        try standardOutput("psistats: " + (try Self.stop(options)))
    }

    /// Ends the daemon of a configuration, and says how that went.
    static func stop(_ options: ConfigurationOption) throws(CommandFailure) -> String {
        let (path, app) = try options.loadPlaces()
        let outcome = try orFail { () throws(SystemError) -> String? in
            guard let agent = try RunningAgent.find(app, configuration: path), try agent.send(SIGTERM) else {
                return "does not run"
            }
            let progress = { standardError("psistats: waiting for process \(agent.pid) to end ...") }
            if try agent.waitForEnd(atMost: app.pidfileTimeout, progress: progress) {
                return "process \(agent.pid) has ended"
            }
            guard try agent.send(SIGKILL) else { return "process \(agent.pid) has ended" }
            guard try agent.waitForEnd(atMost: .seconds(5), progress: {}) else { return nil }
            return "process \(agent.pid) did not end in time and was killed"
        }
        guard let outcome else {
            throw CommandFailure(
                .temporaryFailure,
                "the daemon was killed and has not ended yet: it waits for a device that does not answer"
            )
        }
        return outcome
    }
}

/// `psistats restart`: ends the daemon, if it runs, and starts it.
struct RestartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart",
        abstract: "End the daemon and start it again.",
        discussion: "The configuration is checked first: a daemon that works is not ended for one that cannot start."
    )

    @OptionGroup var options: ConfigurationOption

    func run() throws {
        _ = try options.load(isStarting: true)
        try standardOutput("psistats: " + (try StopCommand.stop(options)))
        var start = try StartCommand.parse([])
        start.options = options
        try start.run()
    }
}
#endif
