#if Agent
import Glibc

/// Where the pidfile of a configuration is, and what stands beside it: the lock and the control socket.
struct RuntimePlace: Hashable, Sendable {
    var pidfile: String
    /// Whether this is not the place that the configuration names, because a user may not write there.
    var isFallback = false

    /// The socket that tells how the daemon does: the pidfile's path with `.sock` for `.pid`.
    var socket: String { base + ".sock" }
    /// The folder of the lock: the pidfile's path with `.lock` for `.pid`.
    var lockFolder: String { base + ".lock" }

    private var base: String { pidfile.hasSuffix(".pid") ? String(pidfile.dropLast(4)) : pidfile }

    /// Where a daemon that this user starts puts its files.
    ///
    /// The default pidfile is root's. Under systemd it is `psistats.pid` in `$RUNTIME_DIRECTORY`; for users it is in
    /// `$XDG_RUNTIME_DIR`, or else in a folder of their own in `/tmp`, which is made where it is missing.
    static func forStarting(_ app: Configuration.App) throws(SystemError) -> RuntimePlace {
        guard app.pidfile == Configuration.App().pidfile else { return RuntimePlace(pidfile: app.pidfile) }
        if let folder = serviceFolder { return RuntimePlace(pidfile: folder + "/psistats.pid") }
        if canBeMade(app.pidfile) { return RuntimePlace(pidfile: app.pidfile) }
        if let folder = sessionFolder { return fallback(folder) }
        let folder = temporaryFolder
        // Others may see who runs.
        if mkdir(folder, 0o755) != 0, errno != EEXIST { throw .last("mkdir \(folder)") }
        guard belongs(folder, to: geteuid()) else {
            throw SystemError(
                code: EACCES,
                context: "\(folder), which belongs to somebody else or can be written by others"
            )
        }
        return fallback(folder)
    }

    /// Where a running daemon's files may be, the likeliest first: where one of this user's puts them, one of the whole machine's,
    /// and those of other users, as far as this one may look. No folder is believed that somebody else could have made.
    ///
    /// - Parameter isStarting: leaves out, for all but root, other users' own daemons: one user's is no reason for another not
    ///   to start one.
    static func forFinding(_ app: Configuration.App, isStarting: Bool = false) -> [RuntimePlace] {
        let configured = RuntimePlace(pidfile: app.pidfile)
        guard app.pidfile == Configuration.App().pidfile else { return [configured] }
        let user = geteuid()
        var places = [serviceFolder].compactMap { $0 }.map { RuntimePlace(pidfile: $0 + "/psistats.pid") }
        if user != 0 {
            // A daemon that was started in a session is also looked for from outside of it, and the other way round.
            let own = [sessionFolder, "/run/user/\(user)", temporaryFolder].compactMap { $0 }
            places += own.filter { belongs($0, to: user) }.map(fallback)
        }
        places.append(configured)
        // Where systemd has RuntimeDirectory=psistats.
        places.append(RuntimePlace(pidfile: "/run/psistats/psistats.pid"))
        if user == 0 || !isStarting { places += othersFolders(except: user).map(fallback) }
        var seen: Set<RuntimePlace> = []
        return places.filter { seen.insert($0).inserted }
    }

    /// The folders in which other users' daemons put their files, as far as this one may look.
    private static func othersFolders(except user: uid_t) -> [String] {
        func folders(_ parent: String, _ prefix: String) -> [String] {
            DirectoryListing.names(in: parent).filter { $0.hasPrefix(prefix) }.sorted().compactMap { name in
                guard let owner = uid_t(name.dropFirst(prefix.count)), owner != user else { return nil }
                let folder = parent + "/" + name
                return belongs(folder, to: owner) ? folder : nil
            }
        }
        return folders("/run/user", "") + folders("/tmp", "psistats-")
    }

    private static func fallback(_ folder: String) -> RuntimePlace {
        RuntimePlace(pidfile: folder + "/psistats.pid", isFallback: true)
    }

    /// `$XDG_RUNTIME_DIR`, if there is such a folder and it is this user's.
    private static var sessionFolder: String? {
        variable("XDG_RUNTIME_DIR").flatMap { belongs($0, to: geteuid()) ? $0 : nil }
    }

    /// `$RUNTIME_DIRECTORY`, which systemd makes for a unit with `RuntimeDirectory=`; the first where there are several.
    private static var serviceFolder: String? {
        variable("RUNTIME_DIRECTORY").map { String($0.prefix { $0 != ":" }) }
    }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.hasPrefix("/") ? $0 : nil }
    }

    private static var temporaryFolder: String { "/tmp/psistats-\(geteuid())" }

    /// Whether it is a folder of a user's that nobody else can write.
    private static func belongs(_ folder: String, to user: uid_t) -> Bool {
        var status = stat()
        guard lstat(folder, &status) == 0 else { return false }
        return status.st_mode & S_IFMT == S_IFDIR && status.st_uid == user && status.st_mode & 0o022 == 0
    }

    /// Whether this user may make files beside it.
    private static func canBeMade(_ path: String) -> Bool {
        access(path.parentDirectory, W_OK) == 0
    }
}
#endif
