#if Agent
import ArgumentParser
import Glibc

/// `psistats status`: how the daemon does.
struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Say how the daemon does.",
        discussion: """
            Prints whether it runs and since when, the broker it is connected to, how many messages it has sent, how many \
            are confirmed, buffered and dropped, and what went wrong last.

            Exit status: 0 when it runs, 3 when it does not.
            """
    )

    @OptionGroup var options: ConfigurationOption

    @Flag(help: "Print a JSON object.")
    var json = false

    func run() throws {
        guard let running = try RunningAgent.find(options) else {
            if json { try standardOutput("{\"running\":false}") }
            throw CommandFailure(status: .notRunning, message: json ? nil : "psistats: does not run")
        }
        let status: AgentStatus
        do throws(SystemError) {
            status = try running.status()
        } catch {
            // It runs; that much is certain.
            try standardOutput(json ? "{\"pid\":\(running.pid),\"running\":true}" : "running: process \(running.pid)")
            return standardError("psistats: it does not tell more: \(error.context): \(error.reason)")
        }
        try standardOutput(try json ? status.line() : status.text(now: WallClock.now()))
    }
}
#endif
