#if Agent
import Glibc

/// A log file by its name, opened when that is wanted, and what is done with such a name: renaming, removing.
///
/// Decides nothing about when a new file begins: `RotatingFileSink` and `TimedRotatingFileSink` do.
struct LogFile: Sendable {
    let path: String
    private let encoding: LogEncoding?
    private var opening: Opening
    private var open: OpenFile?

    /// What is to be done with the file's content when it is opened first.
    private enum Opening {
        case append, truncate, create
    }

    /// An open descriptor; closed with the last who holds it.
    private final class OpenFile: Sendable {
        let number: Int32
        let device: dev_t
        let inode: ino_t
        let isRegular: Bool

        init(path: String, flags: Int32) throws(SystemError) {
            // Without O_NONBLOCK, opening a pipe waits for its reader.
            let all = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags
            number = Int32(truncatingIfNeeded: try retryingInterrupts(path) { Int(Glibc.open(path, all, 0o644)) })
            var status = stat()
            guard fstat(number, &status) == 0 else {
                let code = errno
                Glibc.close(number)
                throw SystemError(code: code, context: path)
            }
            device = status.st_dev
            inode = status.st_ino
            isRegular = status.st_mode & S_IFMT == S_IFREG
        }

        deinit { Glibc.close(number) }
    }

    private var line: LogLine?

    /// - Parameter isKnown: this process wrote to the file before, so it is neither emptied nor expected to be absent.
    init(_ file: LoggingConfiguration.File, isKnown: Bool) throws(SystemError) {
        path = file.path
        encoding = file.encoding
        opening =
            switch file.mode {
            case .append: .append
            case .truncate: isKnown ? .append : .truncate
            case .create: isKnown ? .append : .create
            }
        if !file.isDelayed { try openIfClosed() }
    }

    /// Opens the file if it is not open. It is emptied by ``begin()`` only.
    mutating func openIfClosed() throws(SystemError) {
        guard open == nil else { return }
        let file = try OpenFile(path: path, flags: opening == .create ? O_EXCL : 0)
        if opening == .create { opening = .append }
        open = file
        line = LogLine(LogStream(file.number), encoding: encoding)
    }

    /// Empties the file if that was asked for.
    mutating func begin() throws(SystemError) {
        guard opening == .truncate else { return }
        if open == nil { return }
        try empty()
    }

    private mutating func empty() throws(SystemError) {
        opening = .append
        guard let open, open.isRegular else { return }
        _ = try retryingInterrupts(path) { Int(ftruncate(open.number, 0)) }
    }

    /// Appends a line.
    mutating func append(_ text: inout [UInt8]) throws(SystemError) {
        try openIfClosed()
        if opening == .truncate { try empty() }
        do {
            let mark = encoding.map { $0.mark.isEmpty || size() != 0 ? [] : $0.mark } ?? []
            try line?.write(&text, behind: mark)
        } catch {
            throw SystemError(code: error.code, context: path)
        }
    }

    /// How many bytes a line of this text has in the file, its end included.
    func length(of text: [UInt8]) -> Int {
        encoding.map { $0.encode(text + [0x0A]).count } ?? text.count + 1
    }

    mutating func close() {
        open = nil
        line = nil
    }

    /// Opens the name anew. The old file stays if that fails.
    mutating func reopen() throws(SystemError) {
        guard open != nil else { return }
        let file = try OpenFile(path: path, flags: 0)
        open = file
        line = LogLine(LogStream(file.number), encoding: encoding)
    }

    /// Opens the name anew if it is gone or means another file now.
    mutating func reopenIfReplaced() throws(SystemError) {
        guard let open else { return }
        var status = stat()
        if stat(path, &status) == 0, status.st_dev == open.device, status.st_ino == open.inode { return }
        try reopen()
    }

    /// The octets that the open file has; nil if it is no regular file.
    func size() -> Int? {
        guard let open, open.isRegular else { return nil }
        var status = stat()
        return fstat(open.number, &status) == 0 ? Int(status.st_size) : nil
    }

    /// When the file that has the name was written to last; nil if there is none.
    func modification() -> Int? {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mtim.tv_sec : nil
    }

    /// Whether the name means a regular file or nothing: no other is ever renamed.
    var mayBeRenamed: Bool {
        var status = stat()
        return stat(path, &status) != 0 || status.st_mode & S_IFMT == S_IFREG
    }

    /// Whether a name is taken.
    static func exists(_ path: String) -> Bool {
        access(path, F_OK) == 0
    }

    /// Renames a file, over another if need be. That there is none is no error.
    static func rename(_ from: String, _ to: String) throws(SystemError) {
        guard Glibc.rename(from, to) != 0, errno != ENOENT else { return }
        throw .last("\(from) to \(to)")
    }

    /// Removes a file. That there is none is no error.
    static func remove(_ path: String) throws(SystemError) {
        guard unlink(path) != 0, errno != ENOENT else { return }
        throw .last(path)
    }

    /// The names in the file's directory that begin with the file's name and a dot, without that.
    func suffixes() -> [String] {
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let directory = slash.map { String(path[..<path.utf8.index(after: $0)]) } ?? "."
        let prefix = (slash.map { String(path[path.utf8.index(after: $0)...]) } ?? path) + "."
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var result: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { memory in
                String(validating: memory.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let name, name.hasPrefix(prefix) { result.append(String(name.dropFirst(prefix.count))) }
        }
        return result
    }
}
#endif
