#if Agent
/// One thing that is wrong with the configuration, said so that its author can put it right.
///
/// Never holds a password: values of URLs are not repeated.
struct ConfigurationProblem: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file as it was named, or `environment`.
    var file: String
    /// From 1; `nil` where the problem concerns no line.
    var line: Int?
    /// The section, without brackets.
    var section: String?
    /// The key in small letters, or the name of an environment variable.
    var key: String?
    /// What is wrong, and what to write instead.
    var message: String

    /// `FILE:LINE: key: what is wrong`, without the parts that are missing; a section stands in brackets if the problem
    /// concerns no key.
    var description: String {
        let place = line.map { "\(file):\($0)" } ?? file
        let subject = key ?? section.map { "[\($0)]" }
        return ([place] + (subject.map { [$0] } ?? []) + [message]).joined(separator: ": ").shown
    }
}

/// A configuration that cannot be used: every problem found in it, at least one. Ends a command with code 78.
struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    var problems: [ConfigurationProblem]

    /// A problem a line.
    var description: String {
        problems.map(\.description).joined(separator: "\n")
    }
}
#endif
