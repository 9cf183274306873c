#if Agent
import Glibc

/// What would keep a file from being opened for writing. Makes and changes nothing.
enum WritableFile {
    /// How many symbolic links are followed, as many as the system does.
    private static let mostLinks = 40

    /// The system's number for why the file could not be opened to append to it; nil if it seems that it can.
    ///
    /// - Parameter isNew: there must be none.
    static func obstacle(_ path: String, isNew: Bool = false) -> Int32? {
        var status = stat()
        if isNew, lstat(path, &status) == 0 { return EEXIST }
        guard stat(path, &status) == 0 else {
            guard errno == ENOENT else { return errno }
            guard let target = target(of: path) else { return ELOOP }
            return creationObstacle(target)
        }
        switch status.st_mode & S_IFMT {
        case S_IFDIR: return EISDIR
        case S_IFSOCK: return ENXIO
        case S_IFIFO: return pipeObstacle(path)
        default: return accessObstacle(path, W_OK)
        }
    }

    /// Why the file could not be renamed, nor another made in its place.
    static func renamingObstacle(_ path: String) -> Int32? {
        var status = stat()
        // Devices and pipes are never renamed.
        if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG { return nil }
        return accessObstacle(path.parentDirectory, W_OK | X_OK)
    }

    /// Why this process may not use a path so.
    static func accessObstacle(_ path: String, _ mode: Int32) -> Int32? {
        faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0 ? nil : errno
    }

    private static func creationObstacle(_ path: String) -> Int32? {
        accessObstacle(path.parentDirectory, W_OK | X_OK)
    }

    /// A pipe without a reader cannot be opened without waiting for one.
    private static func pipeObstacle(_ path: String) -> Int32? {
        let descriptor = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else { return errno }
        close(descriptor)
        return nil
    }

    /// What would be made: the path, or what its symbolic links lead to. Nil where that cannot be told.
    private static func target(of path: String) -> String? {
        var path = path
        for _ in 0..<mostLinks {
            var text = [CChar](repeating: 0, count: Int(PATH_MAX))
            let count = readlink(path, &text, text.count)
            guard count > 0 else { return path }
            let link = String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
            path = link.absolute(from: path.parentDirectory)
        }
        return nil
    }
}
#endif
