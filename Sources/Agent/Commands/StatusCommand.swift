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
            if json { print("{\"running\":false}") }
            throw CommandFailure(status: .notRunning, message: json ? nil : "psistats: does not run")
        }
        do throws(SystemError) {
            let status = try running.status()
            print(try json ? status.line() : status.text(now: WallClock.now()))
        } catch {
            // It runs; that much is certain.
            print(json ? "{\"pid\":\(running.pid),\"running\":true}" : "running: process \(running.pid)")
            standardError("psistats: it does not tell more: \(error.context): \(error.reason)")
        }
    }
}
#endif
