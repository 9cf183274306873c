#if Agent
import Glibc

/// Which files with a password in them everybody can read.
enum ReadableSecrets {
    /// A warning for each.
    static func find(_ findings: ConfigurationFinder.Findings, directory: String) -> [ConfigurationProblem] {
        guard !findings.origins.hasURLVariable, findings.path != ConfigurationFinder.defaults else { return [] }
        guard findings.configuration.server.brokers.contains(where: { !["", "guest"].contains($0.password) }) else {
            return []
        }
        let path = findings.path.absolute(from: directory)
        let separate = findings.origins.file.entry("url_file", in: "server")
        let file = separate.map { $0.value.absolute(from: path.parentDirectory) } ?? path
        var status = stat()
        guard stat(file, &status) == 0, status.st_mode & S_IROTH != 0 else { return [] }
        let message = "holds a password, and everybody can read it: chmod o-r \(file)"
        guard separate != nil else {
            return [ConfigurationProblem(file: findings.path, line: nil, section: nil, key: nil, message: message)]
        }
        return [findings.origins.problem("server", "url_file", "\(file) \(message)")]
    }
}
#endif
