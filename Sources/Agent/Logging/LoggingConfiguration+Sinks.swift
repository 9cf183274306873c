#if Agent
import Glibc

extension LoggingConfiguration.Target {
    /// The file that is written to, if it is one.
    var file: LoggingConfiguration.File? {
        switch self {
        case .file(let file), .watchedFile(let file), .rotatingFile(let file, _), .timedRotatingFile(let file, _): file
        case .stream, .syslog, .journal, .nothing: nil
        }
    }

    /// Whether records come out where a descriptor leads: at the same terminal, say, or in the same file.
    func reaches(_ descriptor: Int32) -> Bool {
        var (own, other) = (stat(), stat())
        switch self {
        case .stream(.standardError): if descriptor == STDERR_FILENO { return true }
        case .stream(.standardOutput): if descriptor == STDOUT_FILENO { return true }
        case .file, .watchedFile, .rotatingFile, .timedRotatingFile, .syslog, .journal, .nothing: break
        }
        guard fstat(descriptor, &other) == 0 else { return false }
        switch self {
        case .stream(.standardError): guard fstat(STDERR_FILENO, &own) == 0 else { return false }
        case .stream(.standardOutput): guard fstat(STDOUT_FILENO, &own) == 0 else { return false }
        case .file(let file), .watchedFile(let file), .rotatingFile(let file, _), .timedRotatingFile(let file, _):
            guard stat(file.path, &own) == 0 else { return false }
            // The terminal by its other name.
            if own.st_mode & S_IFMT == S_IFCHR, other.st_mode & S_IFMT == S_IFCHR,
                own.st_rdev == Self.controllingTerminal
            {
                return isatty(descriptor) == 1 && tcgetsid(descriptor) == getsid(0)
            }
        case .syslog, .journal, .nothing: return false
        }
        // What goes nowhere comes out nowhere.
        if own.st_mode & S_IFMT == S_IFCHR, own.st_rdev == Self.nullDevice { return false }
        if own.st_mode & S_IFMT == S_IFCHR { return other.st_mode & S_IFMT == S_IFCHR && own.st_rdev == other.st_rdev }
        return own.st_dev == other.st_dev && own.st_ino == other.st_ino
    }

    /// `/dev/tty` and `/dev/null` (Linux, `devices.txt`).
    private static var controllingTerminal: dev_t { 5 << 8 }
    private static var nullDevice: dev_t { 1 << 8 | 3 }

    /// Opens what the records go to.
    func sink(now: LogTime, knownFiles: Set<String>) throws(SystemError) -> any LogSink {
        func open(_ file: LoggingConfiguration.File) throws(SystemError) -> LogFile {
            try LogFile(file, isKnown: knownFiles.contains(file.path))
        }
        switch self {
        case .stream(let stream): return StreamSink(stream)
        case .file(let file): return FileSink(try open(file), isWatched: false)
        case .watchedFile(let file): return FileSink(try open(file), isWatched: true)
        case .rotatingFile(var file, let size):
            // As Python: a file that is rotated is never emptied.
            if size.limit > 0 { file.mode = .append }
            return RotatingFileSink(try open(file), size)
        case .timedRotatingFile(var file, let schedule):
            file.mode = .append
            return TimedRotatingFileSink(try open(file), schedule, now: now)
        case .syslog(let syslog): return SyslogSink(syslog)
        case .journal(let identifier): return JournalSink(identifier: identifier)
        case .nothing: return NullSink()
        }
    }
}

extension LoggingConfiguration.Handler {
    /// What to tell of a handler that could not be opened.
    func problem(_ error: SystemError) -> ConfigurationProblem {
        ConfigurationProblem(
            file: origin?.file ?? "logging",
            line: origin?.line,
            section: origin?.section ?? "handler_\(name)",
            key: target.file == nil ? nil : "filename",
            message: "\(error.context) cannot be opened: \(error.reason)" + remedy(error)
        )
    }

    /// What to tell of one whose file cannot be renamed when a new one is to begin.
    func renamingProblem(_ error: SystemError) -> ConfigurationProblem {
        var problem = problem(error)
        problem.message =
            "the old file could not be renamed in \(error.context): \(error.reason): make the directory writable for this user, "
            + "or name another file with filename"
        return problem
    }

    private func remedy(_ error: SystemError) -> String {
        guard target.file != nil else { return "" }
        if error.code == ENXIO {
            return ": nobody reads the pipe, or it is a socket: start its reader, or name another file"
        }
        return error.code == ENOENT
            ? ": make the directory, or name another file with filename"
            : ": name another file with filename, or see to it that this one can be written"
    }
}

extension LoggingConfiguration {
    /// What would keep the files from being opened, or from being renamed when it is time. Opens and makes none but a pipe's
    /// end; asks for what this process may do.
    func obstacles() -> [ConfigurationProblem] {
        handlers.compactMap { handler in
            guard let file = handler.target.file else { return nil }
            if !file.isDelayed, let code = WritableFile.obstacle(file.path, isNew: file.mode == .create) {
                return handler.problem(SystemError(code: code, context: file.path))
            }
            guard handler.target.isRenamed, let code = WritableFile.renamingObstacle(file.path) else { return nil }
            return handler.renamingProblem(SystemError(code: code, context: file.path.parentDirectory))
        }
    }
}

extension LoggingConfiguration.Target {
    /// Whether the file is renamed from time to time.
    fileprivate var isRenamed: Bool {
        switch self {
        case .rotatingFile(_, let size): size.limit > 0 && size.backups > 0
        case .timedRotatingFile: true
        case .stream, .file, .watchedFile, .syslog, .journal, .nothing: false
        }
    }
}
#endif
