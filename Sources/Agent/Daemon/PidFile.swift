import Glibc

/// The file that says which process is the daemon. Its lock says so for certain: the kernel takes it away with the process,
/// however that ends, so a file that was left behind misleads nobody. It also takes it away when the process closes the file,
/// however it was opened: the daemon must not open its own pidfile again.
final class PidFile {
    let path: String
    private let descriptor: Int32

    /// Takes the file for this process and writes the process's number into it.
    ///
    /// - Throws: ``Failure/held(by:)`` where another process has it.
    init(path: String) throws(Failure) {
        self.path = path
        var locked = try Self.locked(path)
        // A daemon that ends removes the file: what was opened before that and locked after it is no longer the file.
        while !Self.isFile(locked, at: path) {
            close(locked)
            locked = try Self.locked(path)
        }
        descriptor = locked
        let text = Array("\(getpid())\n".utf8)
        guard ftruncate(descriptor, 0) == 0, write(descriptor, text, text.count) == text.count else {
            let failure = SystemError.last("write")
            close(descriptor)
            throw .system(failure)
        }
    }

    private static func locked(_ path: String) throws(Failure) -> Int32 {
        // Not emptied at opening: it may be another's.
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o644)
        guard descriptor >= 0 else { throw .system(.last("open")) }
        var lock = wholeFile(F_WRLCK)
        guard fcntl(descriptor, F_SETLK, &lock) == 0 else {
            let failure = SystemError.last("lock")
            let holder = holder(descriptor)
            close(descriptor)
            if let holder { throw .held(by: holder) }
            throw .system(failure)
        }
        return descriptor
    }

    private static func isFile(_ descriptor: Int32, at path: String) -> Bool {
        var (opened, named) = (stat(), stat())
        guard fstat(descriptor, &opened) == 0, lstat(path, &named) == 0 else { return false }
        return opened.st_dev == named.st_dev && opened.st_ino == named.st_ino
    }

    /// Removes the file and lets go of it.
    func remove() {
        // Before the lock goes, so that it cannot be a successor's.
        unlink(path)
        close(descriptor)
    }

    /// The process that has the file now; nil if none has, or there is no such file.
    static func holder(_ path: String) throws(SystemError) -> pid_t? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw .last("open \(path)")
        }
        defer { close(descriptor) }
        return holder(descriptor)
    }

    private static func holder(_ descriptor: Int32) -> pid_t? {
        var lock = wholeFile(F_WRLCK)
        guard fcntl(descriptor, F_GETLK, &lock) == 0, lock.l_type != Int16(F_UNLCK) else { return nil }
        return lock.l_pid
    }

    private static func wholeFile(_ type: Int32) -> flock {
        flock(l_type: Int16(type), l_whence: Int16(SEEK_SET), l_start: 0, l_len: 0, l_pid: 0)
    }

    enum Failure: Error {
        /// The daemon runs already.
        case held(by: pid_t)
        case system(SystemError)
    }
}
