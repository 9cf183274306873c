#if Agent
import ArgumentParser
import Glibc

/// `psistats reload`, or `force-reload` as init scripts call it: has the daemon read its configuration again.
struct ReloadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Have the daemon read its configuration again.",
        discussion: """
            The daemon takes over all of its configuration, or nothing where something in it is wrong, which is told. It opens \
            its log files and the files of its output again in any case.

            What only a new start can change is told.

            Exit status: 3 when the daemon does not run; 75 when it does not answer; 78 when the configuration cannot be used.
            """,
        aliases: ["force-reload"]
    )

    @OptionGroup var options: ConfigurationOption

    func run() throws {
        let found = try RunningAgent.find(options)
        let (agent, before) = try orFail { () throws(SystemError) -> (RunningAgent?, AgentStatus?) in
            guard let agent = found else { return (nil, nil) }
            let before = try agent.status()
            return try agent.send(SIGHUP) ? (agent, before) : (nil, nil)
        }
        guard let agent, let before else { throw CommandFailure(.notRunning, "does not run") }
        let end = SuspendingClock.now.advanced(by: .seconds(5))
        while SuspendingClock.now < end {
            let status = try orFail { () throws(SystemError) in try agent.status() }
            if status.reloads != before.reloads {
                if let error = status.reloadError {
                    throw CommandFailure(status: .configuration, message: error)
                }
                for note in status.reloadNotes ?? [] { standardError("psistats: \(note)") }
                return try standardOutput(
                    "psistats: process \(agent.pid) has read its configuration again: \(status.configuration)"
                )
            }
            wait(until: .now.advanced(by: .milliseconds(20)), for: [])
        }
        throw CommandFailure(
            .temporaryFailure,
            "process \(agent.pid) was told, and has not done so yet; 'psistats status' tells when it has"
        )
    }
}
#endif
