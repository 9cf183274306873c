#if Agent
import AMQPWire
import Glibc

/// What would keep `psistats start` from starting, although the configuration is well: files that are missing, are something
/// else, or may not be used. Changes nothing.
enum StartObstacles {
    /// All of them, at the lines to blame.
    static func find(_ findings: ConfigurationFinder.Findings) -> [ConfigurationProblem] {
        let app = findings.configuration.app
        return findBeforeStart(findings) + pidfile(app, findings.origins) + findings.configuration.logging.obstacles()
    }

    /// Those that starting does not meet by itself, or too late to say at which line.
    ///
    /// - Parameter isForeground: it keeps the streams that it has.
    static func findBeforeStart(
        _ findings: ConfigurationFinder.Findings,
        isForeground: Bool = false
    ) -> [ConfigurationProblem] {
        certificates(findings.configuration.server, findings.origins)
            + (isForeground ? [] : streams(findings.configuration.app, findings.origins))
    }

    // MARK: TLS

    private static let certificateFiles: [(parameter: String, path: KeyPath<AMQPURI, String?> & Sendable)] = [
        ("cacertfile", \.caCertificateFile), ("certfile", \.certificateFile), ("keyfile", \.keyFile),
    ]

    private static func certificates(
        _ server: Configuration.Server,
        _ origins: ConfigurationOrigins
    ) -> [ConfigurationProblem] {
        var told: Set<String> = []
        var problems: [ConfigurationProblem] = []
        for broker in server.brokers where broker.scheme == .amqps {
            for (parameter, path) in certificateFiles {
                guard let path = broker[keyPath: path], told.insert(parameter + path).inserted else { continue }
                guard let reason = unreadable(path) else { continue }
                problems.append(
                    origins.serverProblem(
                        "\(parameter)=\(path): \(reason): correct the path, or make the file readable"
                    )
                )
            }
        }
        return problems
    }

    private static func unreadable(_ path: String) -> String? {
        var status = stat()
        guard stat(path, &status) == 0 else { return SystemError.last(path).reason }
        guard status.st_mode & S_IFMT == S_IFREG else { return "not a regular file" }
        return WritableFile.accessObstacle(path, R_OK).map { SystemError(code: $0, context: path).reason }
    }

    // MARK: Streams

    private static func streams(
        _ app: Configuration.App,
        _ origins: ConfigurationOrigins
    ) -> [ConfigurationProblem] {
        StreamObstacles.find(app).map { key, error in
            let remedy =
                switch error.code {
                case ENOENT: "make it, and its directory, or name another file"
                case ENXIO: "the other end of the pipe is not open; name a file"
                default: "name another file, or see to it that this one can be used"
                }
            return origins.problem("app", key, "\(error.context) cannot be opened: \(error.reason): \(remedy)")
        }
    }

    // MARK: Pidfile

    private static func pidfile(
        _ app: Configuration.App,
        _ origins: ConfigurationOrigins
    ) -> [ConfigurationProblem] {
        // Where the default cannot be written there is another.
        guard app.pidfile != Configuration.App().pidfile || geteuid() == 0 else { return [] }
        guard let reason = pidfileObstacle(app.pidfile) else { return [] }
        return [origins.problem("app", "pidfile", "\(app.pidfile) \(reason)")]
    }

    private static func pidfileObstacle(_ path: String) -> String? {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            guard errno == ENOENT else {
                return "cannot be written: \(SystemError.last(path).reason): name another file"
            }
            return WritableFile.accessObstacle(path.parentDirectory, W_OK | X_OK).map {
                let advice =
                    $0 == ENOENT ? "make the directory, or name another file" : "name a file in another directory"
                return "cannot be made: \(SystemError(code: $0, context: path).reason): \(advice)"
            }
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFLNK: return "is a symbolic link: name a file"
        case S_IFDIR: return "is a directory: name a file in it"
        default: return "is no file: name one"
        }
        if let code = WritableFile.accessObstacle(path, W_OK) {
            return "cannot be written: \(SystemError(code: code, context: path).reason): name another file"
        }
        guard status.st_size <= 64, case .success(let bytes) = FileReading.bytes(of: path, asRoot: false) else {
            return "is no pidfile, and would be overwritten: name another file"
        }
        let text = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        let isPidfile =
            text.isEmpty || (text.count == 1 && ConfigurationReader.number(String(text[0]), as: Int32.self) != nil)
        return isPidfile ? nil : "is no pidfile, and would be overwritten: name another file"
    }
}
#endif
