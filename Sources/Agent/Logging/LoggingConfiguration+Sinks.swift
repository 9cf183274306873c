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

    private func remedy(_ error: SystemError) -> String {
        guard target.file != nil else { return "" }
        return error.code == ENOENT
            ? ": make the directory, or name another file with filename"
            : ": name another file with filename, or see to it that this one can be written"
    }
}

extension LoggingConfiguration {
    /// What would keep the files from being opened. Opens and makes none; asks for what this process may do.
    func obstacles() -> [ConfigurationProblem] {
        handlers.compactMap { handler in
            guard let file = handler.target.file, !file.isDelayed, let code = file.obstacle() else { return nil }
            return handler.problem(SystemError(code: code, context: file.path))
        }
    }
}

extension LoggingConfiguration.File {
    /// The system's number for why the file could not be opened for writing; nil if it seems that it can.
    fileprivate func obstacle() -> Int32? {
        var status = stat()
        if stat(path, &status) == 0 {
            if status.st_mode & S_IFMT == S_IFDIR { return EISDIR }
            if mode == .create { return EEXIST }
            return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0 ? nil : errno
        }
        guard errno == ENOENT else { return errno }
        return faccessat(AT_FDCWD, path.parentDirectory, W_OK | X_OK, AT_EACCESS) == 0 ? nil : errno
    }
}
#endif
