#if Agent
import FoundationEssentials
import Glibc

/// The lock that tells which process is the daemon.
///
/// It is on a file that nobody but its owner may open (mode 0600), in a folder that nobody else may write (0755), so that no
/// other user can hold it or take it away. The kernel releases it with the process, however that ends, so what was left behind
/// misleads nobody. It also releases it when the process closes the file, however it was opened: the daemon must not open its
/// own lock again.
final class AgentLock {
    /// What stands in the file.
    struct Record: Codable, Hashable {
        var pid: Int32
        var pidfile: String
        /// The path of the configuration, absolute, or ``ConfigurationFinder/defaults``.
        var configuration: String
    }

    enum Failure: Error {
        /// The daemon runs already.
        case held(by: pid_t)
        /// The folder is not ours, or no folder.
        case foreign(String)
        case system(SystemError)
    }

    let folder: String
    private let descriptor: Int32

    /// The file in a folder of locks.
    static func file(in folder: String) -> String { folder + "/" + fileName }
    static let fileName = "agent"

    /// Takes the lock in a folder, which is made where it is missing.
    init(folder: String) throws(Failure) {
        self.folder = folder
        // A daemon that ends removes the file and the folder: what was opened before that and locked after it is gone.
        while true {
            try Self.makeFolder(folder)
            guard let descriptor = try Self.locked(Self.file(in: folder)) else { continue }
            if Self.isFile(descriptor, at: Self.file(in: folder)) {
                self.descriptor = descriptor
                return
            }
            close(descriptor)
        }
    }

    /// Writes down whose lock it is.
    func write(_ record: Record) throws(SystemError) {
        let bytes: [UInt8]
        do {
            bytes = Array(try JSONEncoder.lines.encode(record))
        } catch {
            throw SystemError(code: EINVAL, context: "write \(Self.file(in: folder))")
        }
        guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, bytes, bytes.count, 0) == bytes.count else {
            throw .last("write \(Self.file(in: folder))")
        }
    }

    /// Removes the file and its folder, and lets go of the lock.
    func remove() {
        // Before the lock goes, so that they cannot be a successor's.
        unlink(Self.file(in: folder))
        rmdir(folder)
        close(descriptor)
    }

    private static func makeFolder(_ folder: String) throws(Failure) {
        if mkdir(folder, 0o755) == 0 {
            // Whatever the umask says: others have to see who holds the lock.
            chmod(folder, 0o755)
        } else if errno != EEXIST {
            throw .system(.last("mkdir \(folder)"))
        }
        var status = stat()
        guard lstat(folder, &status) == 0 else {
            // Removed by a daemon that ends: the file cannot be made in it, which is tried again.
            if errno == ENOENT { return }
            throw .system(.last(folder))
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw .foreign("is not a folder") }
        if status.st_uid == geteuid() {
            guard status.st_mode & 0o022 == 0 else { throw .foreign("can be written by others") }
            return
        }
        // Left behind by an agent of another user. Root takes it away, if there is nothing else in it.
        if geteuid() == 0 {
            let pid: pid_t?
            do throws(SystemError) {
                pid = try holder(in: folder)
            } catch {
                throw .system(error)
            }
            if let pid { throw .held(by: pid) }
            unlink(file(in: folder))
            if rmdir(folder) == 0 || errno == ENOENT { return try makeFolder(folder) }
        }
        throw .foreign("belongs to \(UserName.of(status.st_uid))")
    }

    /// Opens and locks the file; nil where its folder has gone meanwhile.
    private static func locked(_ path: String) throws(Failure) -> Int32? {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw .system(.last("open \(path)"))
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(),
            fchmod(descriptor, 0o600) == 0
        else {
            close(descriptor)
            throw .foreign("holds a file '\(fileName)' that is not ours")
        }
        var lock = wholeFile(F_WRLCK)
        guard fcntl(descriptor, F_SETLK, &lock) == 0 else {
            let failure = SystemError.last("lock \(path)")
            let holder = holder(descriptor)
            close(descriptor)
            if let holder { throw .held(by: holder) }
            throw .system(failure)
        }
        return descriptor
    }

    private static func isFile(_ descriptor: Int32, at path: String) -> Bool {
        FileIdentity(of: descriptor) == FileIdentity(at: path)
    }

    // MARK: Looking on

    /// Whose lock it is, held or not; nil where there is none, or where it could be anybody's.
    static func owner(in folder: String) -> uid_t? {
        var status = stat()
        guard lstat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_mode & 0o022 == 0 else {
            return nil
        }
        let owner = status.st_uid
        guard lstat(file(in: folder), &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_uid == owner,
            status.st_mode & 0o077 == 0
        else { return nil }
        return owner
    }

    /// The process that has the lock; nil if none has, or if this user may not ask.
    static func holder(in folder: String) throws(SystemError) -> pid_t? {
        guard owner(in: folder) != nil else { return nil }
        let descriptor = open(file(in: folder), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else {
            switch errno {
            case EACCES, EPERM, ENOENT, ENOTDIR, ELOOP: return nil
            default: throw .last("open \(file(in: folder))")
            }
        }
        defer { close(descriptor) }
        guard isFile(descriptor, at: file(in: folder)), let pid = holder(descriptor), pid > 0 else { return nil }
        return pid
    }

    /// What the holder wrote down; nil where it cannot be read.
    static func record(in folder: String) -> Record? {
        let descriptor = open(file(in: folder), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 16_384)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        do {
            return try JSONDecoder().decode(Record.self, from: Data(bytes.prefix(count)))
        } catch {
            return nil
        }
    }

    private static func holder(_ descriptor: Int32) -> pid_t? {
        var lock = wholeFile(F_WRLCK)
        guard fcntl(descriptor, F_GETLK, &lock) == 0, lock.l_type != Int16(F_UNLCK) else { return nil }
        return lock.l_pid
    }

    private static func wholeFile(_ type: Int32) -> flock {
        flock(l_type: Int16(type), l_whence: Int16(SEEK_SET), l_start: 0, l_len: 0, l_pid: 0)
    }
}
#endif
