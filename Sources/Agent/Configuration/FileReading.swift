#if Agent
import Glibc

/// Reads whole files, and refuses those that root must not trust. Nothing but this file and `Surroundings` calls libc here.
enum FileReading {
    /// The longest file that is read, in bytes: 64 MiB.
    static let limit = 64 << 20

    /// The bytes of a regular file, links followed. Never waits, as for a pipe's other end.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - asRoot: refuse a file that anyone but root can write.
    static func bytes(of path: String, asRoot: Bool) -> Result<[UInt8], FileFailure> {
        func failure(_ reason: FileFailure.Reason) -> Result<[UInt8], FileFailure> {
            .failure(FileFailure(path: path, reason: reason))
        }
        guard !path.utf8.contains(0) else { return failure(.system(EINVAL)) }
        let descriptor = retrying { open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
        guard descriptor >= 0 else { return failure(.system(errno)) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return failure(.system(errno)) }
        guard status.st_mode & S_IFMT == S_IFREG else { return failure(.notAFile) }
        if asRoot, let writer = writer(mode: status.st_mode, owner: status.st_uid, group: status.st_gid) {
            return failure(.writable(by: writer))
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = retrying { read(descriptor, &chunk, chunk.count) }
            guard count >= 0 else { return failure(.system(errno)) }
            if count == 0 { return .success(bytes) }
            bytes += chunk.prefix(count)
            guard bytes.count <= limit else { return failure(.tooLong) }
        }
    }

    /// Who but root can write a file; `nil` if nobody can.
    static func writer(mode: mode_t, owner: uid_t, group: gid_t) -> FileFailure.Writer? {
        if owner != 0 { return .owner(owner) }
        if mode & S_IWGRP != 0, group != 0 { return .group(group) }
        if mode & S_IWOTH != 0 { return .everyone }
        return nil
    }

    /// Whether a file is in a folder that this process may not search, so that it cannot even be known whether it is there.
    static func isOutOfReach(_ path: String) -> Bool {
        faccessat(AT_FDCWD, path.parentDirectory, X_OK, AT_EACCESS) != 0 && errno == EACCES
    }

    private static func retrying<T: SignedInteger>(_ call: () -> T) -> T {
        while true {
            let result = call()
            if result != -1 || errno != EINTR { return result }
        }
    }
}

/// Why a file was not read.
struct FileFailure: Error, Hashable, Sendable, CustomStringConvertible {
    var path: String
    var reason: Reason

    enum Reason: Hashable, Sendable {
        /// The system's error number.
        case system(Int32)
        /// A directory, a device, a pipe or a socket.
        case notAFile
        /// Longer than `FileReading.limit`.
        case tooLong
        /// Running as root, and somebody else can write it.
        case writable(by: Writer)
    }

    enum Writer: Hashable, Sendable {
        case owner(UInt32)
        case group(UInt32)
        case everyone
    }

    /// Whether a search may go on: there is no such file.
    var isAbsence: Bool {
        reason == .system(ENOENT) || reason == .system(ENOTDIR) || reason == .notAFile
    }

    var reasonText: String {
        switch reason {
        case .system(let code): "cannot be read: " + SystemError(code: code, context: "read").reason
        case .notAFile: "cannot be read: not a regular file"
        case .tooLong: "cannot be read: longer than 64 MiB"
        case .writable(.owner(let user)):
            "refused: psistats runs as root, and the file belongs to user \(user), who can change it: chown root it"
        case .writable(.group(let group)):
            "refused: psistats runs as root, and group \(group) can write the file: chmod g-w it"
        case .writable(.everyone):
            "refused: psistats runs as root, and everyone can write the file: chmod o-w it"
        }
    }

    var description: String { "\(path): \(reasonText)" }
}
#endif
