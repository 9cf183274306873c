#if Agent
import Glibc

/// The file in which other programs find the number of the daemon's process. ``AgentLock`` is what counts here.
///
/// It is put in its place whole, by renaming, so that nothing is written into a file that is there already. What is there and is
/// no pidfile stays as it is.
struct PidFile {
    let path: String
    private let identity: FileIdentity

    enum Failure: Error {
        /// Something else has the name; the words say what.
        case notAPidfile(String)
        case system(SystemError)
    }

    /// Writes the file.
    ///
    /// - Parameter staging: a folder of our own on the same file system.
    init(path: String, process: pid_t = getpid(), staging: String) throws(Failure) {
        self.path = path
        if let words = Self.obstacle(path) { throw .notAPidfile(words) }
        let draft = staging + "/pid"
        unlink(draft)
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard descriptor >= 0 else { throw .system(.last("open \(draft)")) }
        defer { close(descriptor) }
        let text = Array("\(process)\n".utf8)
        let isWritten = fchmod(descriptor, 0o644) == 0 && write(descriptor, text, text.count) == text.count
        guard isWritten, rename(draft, path) == 0, let identity = FileIdentity(of: descriptor) else {
            let failure = SystemError.last(isWritten ? "rename" : "write")
            unlink(draft)
            throw .system(failure)
        }
        self.identity = identity
    }

    /// Removes the file, if it is still the one that was written.
    func remove() {
        if FileIdentity(at: path) == identity { unlink(path) }
    }

    /// What has the name of a pidfile and is none: "is a symbolic link". Nil where there is nothing, or what was left of a pidfile.
    static func obstacle(_ path: String) -> String? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFLNK: return "is a symbolic link"
        case S_IFDIR: return "is a folder"
        default: return "is not a regular file"
        }
        guard status.st_nlink <= 1 else { return "has other names as well (hard links)" }
        guard status.st_size > 0 else { return nil }
        let words = "is a file that holds something else than a process number"
        guard status.st_size <= mostBytes, let content = content(path) else { return words }
        let text = content.drop(while: isBlank).reversed().drop(while: isBlank)
        return text.allSatisfy { (0x30...0x39).contains($0) } ? nil : words
    }

    /// The number in a pidfile; nil where there is none.
    static func number(in path: String) -> pid_t? {
        guard obstacle(path) == nil, let content = content(path) else { return nil }
        return pid_t(String(decoding: content.filter { !isBlank($0) }, as: UTF8.self))
    }

    /// A number and blanks have no more.
    private static let mostBytes = 32

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    private static func content(_ path: String) -> ArraySlice<UInt8>? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: mostBytes)
        let count = read(descriptor, &bytes, bytes.count)
        return count >= 0 ? bytes.prefix(count) : nil
    }
}
#endif
