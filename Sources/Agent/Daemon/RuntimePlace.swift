import Glibc

/// Where the pidfile and the control socket of a configuration are.
struct RuntimePlace: Hashable, Sendable {
    var pidfile: String
    /// Whether this is not the place that the configuration names, because a user may not write there.
    var isFallback = false

    /// The socket that tells how the daemon does: the pidfile's path with `.sock` for `.pid`.
    var socket: String {
        (pidfile.hasSuffix(".pid") ? String(pidfile.dropLast(4)) : pidfile) + ".sock"
    }

    /// Where a daemon that this user starts puts its files.
    ///
    /// The default pidfile is root's. For others it is `psistats.pid` in `$XDG_RUNTIME_DIR`, or else in a folder of their own
    /// in `/tmp`, which is made where it is missing.
    static func forStarting(_ app: Configuration.App) throws(SystemError) -> RuntimePlace {
        guard app.pidfile == Configuration.App().pidfile, !isWritable(app.pidfile) else {
            return RuntimePlace(pidfile: app.pidfile)
        }
        if let folder = sessionFolder { return fallback(folder) }
        let folder = temporaryFolder
        if mkdir(folder, 0o700) != 0, errno != EEXIST { throw .last("mkdir \(folder)") }
        guard isOwn(folder) else {
            throw SystemError(
                code: EACCES,
                context: "\(folder), which belongs to somebody else or can be written by others"
            )
        }
        return fallback(folder)
    }

    /// Where a running daemon's files may be, the likeliest first. Nothing that somebody else could have put there is believed.
    static func forFinding(_ app: Configuration.App) -> [RuntimePlace] {
        let configured = RuntimePlace(pidfile: app.pidfile)
        guard app.pidfile == Configuration.App().pidfile, geteuid() != 0 else { return [configured] }
        // A daemon that was started in a session is also looked for from outside of it, and the other way round.
        let usualSession = "/run/user/\(geteuid())"
        let own = [sessionFolder, usualSession, temporaryFolder].compactMap { $0 }.filter(isOwn)
        var folders: [String] = []
        for folder in own where !folders.contains(folder) { folders.append(folder) }
        return folders.map(fallback) + [configured]
    }

    private static func fallback(_ folder: String) -> RuntimePlace {
        RuntimePlace(pidfile: folder + "/psistats.pid", isFallback: true)
    }

    /// `$XDG_RUNTIME_DIR`, if there is such a folder and it is this user's.
    private static var sessionFolder: String? {
        guard let folder = getenv("XDG_RUNTIME_DIR").map({ String(cString: $0) }), folder.hasPrefix("/"), isOwn(folder)
        else { return nil }
        return folder
    }

    private static var temporaryFolder: String { "/tmp/psistats-\(geteuid())" }

    /// Whether it is a folder of this user's that nobody else can write.
    private static func isOwn(_ folder: String) -> Bool {
        var status = stat()
        guard lstat(folder, &status) == 0 else { return false }
        return status.st_mode & S_IFMT == S_IFDIR && status.st_uid == geteuid() && status.st_mode & 0o022 == 0
    }

    private static func isWritable(_ path: String) -> Bool {
        if access(path, W_OK) == 0 { return true }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/") else { return false }
        return access(slash == path.startIndex ? "/" : String(path[..<slash]), W_OK) == 0
    }
}
