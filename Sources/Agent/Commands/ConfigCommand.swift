#if Agent
import ArgumentParser
import CSampleConfiguration

/// `psistats config`: prints the commented sample configuration, so that the program alone is enough to begin.
struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Print a sample psistats.conf, with every key and its default.",
        discussion: """
            The sample explains every key and sets it to its default. To begin with a file of one's own:

                psistats config > psistats.conf
            """
    )

    func run() throws {
        var output = OutputFile.standardOutput
        try output.append(
            UnsafeRawBufferPointer(start: csample_configuration_bytes(), count: csample_configuration_size())
        )
        try output.flush()
    }
}
#endif
