import ArgumentParser

/// The command line of `psistats`.
@main
struct Psistats: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "psistats",
        abstract: "Sends this machine's statistics to RabbitMQ."
    )
}
