#if Agent
import Glibc

/// The files that the daemon's standard streams are to lead to.
enum StreamObstacles {
    /// What would keep the files from being opened when the daemon starts. Opens nothing but a pipe's end.
    static func find(_ app: Configuration.App) -> [(key: String, error: SystemError)] {
        let codes = [
            ("stdin_path", app.stdinPath, readingObstacle(app.stdinPath)),
            ("stdout_path", app.stdoutPath, WritableFile.obstacle(app.stdoutPath)),
            ("stderr_path", app.stderrPath, WritableFile.obstacle(app.stderrPath)),
        ]
        return codes.compactMap { key, path, code in code.map { (key, SystemError(code: $0, context: path)) } }
    }

    private static func readingObstacle(_ path: String) -> Int32? {
        var status = stat()
        guard stat(path, &status) == 0 else { return errno }
        switch status.st_mode & S_IFMT {
        case S_IFDIR: return EISDIR
        // Opening it would wait for somebody who writes.
        case S_IFIFO, S_IFSOCK: return ENXIO
        default: return WritableFile.accessObstacle(path, R_OK)
        }
    }
}
#endif
