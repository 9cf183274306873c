#if Agent
import AMQPWire
import ArgumentParser
import Glibc

/// The command line of `psistats`.
@main
struct Psistats: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "psistats",
        abstract: "Sends this machine's statistics to RabbitMQ.",
        version: "psistats \(version) (\(build))",
        subcommands: [
            StartCommand.self, StopCommand.self, RestartCommand.self, ReloadCommand.self, StatusCommand.self,
            CheckCommand.self, DeclareCommand.self, ReportCommand.self, SensorsCommand.self, WatchCommand.self,
            BufferCommand.self, ConfigCommand.self, FramesCommand.self,
        ]
    )

    private static func end(_ failure: CommandFailure) -> Never {
        if let message = failure.message { standardError(message) }
        Glibc.exit(failure.status.rawValue)
    }

    /// Version of the package.
    static var version: String { PackageVersion.current }

    /// How this program was built: what a report of a fault should say.
    static var build: String {
        #if DEBUG
        let kind = "debug"
        #else
        let kind = "release"
        #endif
        #if TLS
        let tls = "with TLS"
        #else
        let tls = "without TLS"
        #endif
        #if arch(x86_64)
        let architecture = "x86_64"
        #elseif arch(arm64)
        let architecture = "aarch64"
        #elseif arch(arm)
        let architecture = "armv7"
        #else
        let architecture = "another architecture"
        #endif
        return "\(kind) build, \(tls), Linux \(architecture)"
    }

    static func main() {
        StandardStreams.fillGaps()
        do {
            let arguments = try CommandWords.translated(ProcessArguments.all) { standardError($0) }
            var command = try parseAsRoot(arguments)
            try command.run()
        } catch let failure as CommandFailure {
            end(failure)
        } catch let error as SystemError {
            // What commands do not handle themselves is writing their output.
            end(CommandFailure(writing: error))
        } catch {
            end(error)
        }
    }

    /// What ArgumentParser has to say: help, or what is wrong with the command line.
    private static func end(_ error: any Error) -> Never {
        let (code, message) = (exitCode(for: error), fullMessage(for: error))
        guard code == .success else {
            standardError(message)
            Glibc.exit(code.rawValue)
        }
        do throws(SystemError) {
            try standardOutput(message)
        } catch {
            end(CommandFailure(writing: error))
        }
        Glibc.exit(ExitStatus.success.rawValue)
    }
}
#else
/// What is built of the program without the trait Agent, so that the package builds with any traits.
@main
struct Psistats {
    static func main() {
        print("psistats was built without the package trait Agent, which is on by default")
    }
}
#endif
