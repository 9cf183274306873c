#if Agent
/// Where the values of a configuration are written, for problems that show only when they are used.
struct ConfigurationOrigins: Sendable {
    /// The file as problems show it.
    var path = ConfigurationFinder.defaults
    var file = ConfigFile()
    /// Whether the environment names the brokers.
    var hasURLVariable = false

    /// A problem with a key, at its line where it is written.
    func problem(_ section: String, _ key: String, _ message: String) -> ConfigurationProblem {
        ConfigurationProblem(
            file: path,
            line: file.entry(key, in: section)?.line,
            section: section,
            key: key,
            message: message
        )
    }

    /// A problem with what names the brokers.
    func serverProblem(_ message: String) -> ConfigurationProblem {
        if hasURLVariable {
            let variable = ConfigurationReader.urlVariable
            return ConfigurationProblem(file: "environment", line: nil, section: nil, key: variable, message: message)
        }
        let key = ["url", "url_file", "host"].first { file.entry($0, in: "server") != nil }
        return problem("server", key ?? "url", message)
    }
}
#endif
