import ArgumentParser
import Glibc

/// The command line of `psistats`.
@main
struct Psistats: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "psistats",
        abstract: "Sends this machine's statistics to RabbitMQ.",
        version: version,
        subcommands: [DeclareCommand.self, FramesCommand.self]
    )

    /// Version of the package.
    static let version = "1.0.0"

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let failure as CommandFailure {
            if let message = failure.message {
                var output = OutputFile(descriptor: STDERR_FILENO)
                try? output.append(line: message)
                try? output.flush()
            }
            Glibc.exit(failure.status.rawValue)
        } catch {
            exit(withError: error)
        }
    }
}
