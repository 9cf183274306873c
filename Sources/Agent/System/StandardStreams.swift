#if Agent
import Glibc

/// Descriptors 0 to 2.
enum StandardStreams {
    /// Opens those that are closed on /dev/null, so that no other file gets their numbers: what is written to standard error
    /// would go into it. To be called before anything else is opened.
    static func fillGaps() {
        for number in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(number, F_GETFD) < 0 {
            // The lowest number that is free is taken. Where there is no /dev, a directory keeps it taken; it cannot be written.
            if open("/dev/null", number == STDIN_FILENO ? O_RDONLY : O_WRONLY) < 0 { _ = open("/", O_RDONLY) }
        }
    }

    /// How a file is opened that a daemon's output goes to. Without O_NONBLOCK, opening a pipe waits for its reader.
    static let flags = O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_NONBLOCK
}

/// The files that a daemon's standard output and standard error lead to, opened and not taken yet.
final class OutputStreams {
    private var files: [(stream: Int32, descriptor: Int32)] = []

    /// Opens the files, which are made where they are missing.
    init(_ app: Configuration.App) throws(SystemError) {
        let paths = [(STDOUT_FILENO, "stdout_path", app.stdoutPath), (STDERR_FILENO, "stderr_path", app.stderrPath)]
        for (stream, key, path) in paths {
            let flags = StandardStreams.flags | O_CLOEXEC
            let descriptor = try retryingInterrupts("\(key), \(path)") { Int(open(path, flags, 0o644)) }
            files.append((stream, Int32(truncatingIfNeeded: descriptor)))
        }
    }

    deinit {
        for file in files { close(file.descriptor) }
    }

    /// Has the streams lead there from now on.
    func take() {
        for file in files { dup2(file.descriptor, file.stream) }
    }
}
#endif
