#if Agent
import ArgumentParser

/// The command line before it is parsed: forms of old releases, and words that are no command.
enum CommandWords {
    /// What the forms of the Python psistats are called now.
    private static let oldForms: [(old: String, words: [String])] = [
        ("--start", ["start"]), ("--stop", ["stop"]), ("--restart", ["restart"]), ("--status", ["status"]),
        ("--start-console", ["start", "--foreground"]), ("--sensors", ["sensors"]),
        ("start-local", ["start", "--foreground"]),
    ]

    /// Names of the commands with their aliases, and what ArgumentParser adds.
    private static var commands: [String] {
        // No key paths: a property of a metatype by one crashes Swift 6.3.1.
        Psistats.configuration.subcommands.flatMap { command in
            (command.configuration.commandName.map { [$0] } ?? []) + command.configuration.aliases
        } + ["help"]
    }

    /// The command line as it is called today.
    ///
    /// - Parameter notice: is told where it was called otherwise.
    /// - Throws: where a word stands in a command's place and is none.
    static func translated(_ arguments: [String], notice: (String) -> Void) throws(CommandFailure) -> [String] {
        var arguments = arguments
        // Python's argparse took its options in any order: --config FILE --start.
        if let position = position(of: oldForms.map(\.old), in: arguments) {
            let word = arguments.remove(at: position)
            let form = oldForms.first { $0.old == word }
            let words = form?.words ?? []
            notice("psistats: '\(word)' is called 'psistats \(words.joined(separator: " "))' now")
            arguments.insert(contentsOf: words, at: 0)
        }
        try check(arguments.first)
        if arguments.first == "help" { try check(arguments.dropFirst().first) }
        return arguments
    }

    private static func position(of forms: [String], in arguments: [String]) -> Int? {
        if let first = arguments.first, forms.contains(first) { return 0 }
        // Behind a command a word of these is the command's.
        guard arguments.first?.hasPrefix("--config") == true else { return nil }
        return arguments.firstIndex { forms.contains($0) && $0.hasPrefix("--") }
    }

    private static func check(_ word: String?) throws(CommandFailure) {
        guard let word, !word.hasPrefix("-"), !commands.contains(word) else { return }
        let near = ConfigurationKeys.suggestion(for: word, among: commands)
        let hint = near.map { "; did you mean '\($0)'?" } ?? ";"
        throw CommandFailure(
            .usage,
            "there is no command '\(String(word.prefix(40)).printable)'\(hint) 'psistats help' lists them all"
        )
    }
}
#endif
