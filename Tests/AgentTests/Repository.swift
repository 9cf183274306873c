#if Agent
import Glibc

@testable import PsistatsAgent

/// The files of this repository, and files made for one test.
enum Repository {
    /// The repository's directory.
    static let root = String(#filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 })

    /// The bytes of a file in the repository.
    static func bytes(_ path: String) throws -> [UInt8] {
        try FileReading.bytes(of: root + "/" + path, asRoot: false).get()
    }

    /// The lines of a text file in the repository, without a last empty one.
    static func lines(_ path: String) throws -> [String] {
        var lines = try String(decoding: bytes(path), as: UTF8.self).split(
            separator: "\n",
            omittingEmptySubsequences: false
        ).map(String.init)
        if lines.last == "" { lines.removeLast() }
        return lines
    }
}

/// A directory of its own, gone when the test lets go of it.
final class TemporaryDirectory {
    let path: String
    private var names: [String] = []

    init() throws {
        var template = Array("/tmp/psistats-test-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw FileFailure(path: "/tmp", reason: .system(errno)) }
        path = String(cString: made)
    }

    /// Writes a file with these permissions and returns its path.
    func write(_ name: String, _ text: String, mode: mode_t = 0o600) throws -> String {
        let file = path + "/" + name
        let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileFailure(path: file, reason: .system(errno)) }
        defer { close(descriptor) }
        names.append(file)
        var text = text
        let written = text.withUTF8 { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        guard written == text.utf8.count, fchmod(descriptor, mode) == 0 else {
            throw FileFailure(path: file, reason: .system(errno))
        }
        return file
    }

    deinit {
        for name in names { unlink(name) }
        rmdir(path)
    }
}
#endif
