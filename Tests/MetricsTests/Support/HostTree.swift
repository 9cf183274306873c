import Foundation
import Testing

@testable import HostMetrics

/// A directory with the files of a made-up machine, which a test may change. Removed with the value.
final class HostTree {
    let path: String

    /// An empty tree with `proc`, `sys` and `etc`, or a copy of the fixtures of a host.
    init(copying host: String? = nil) throws {
        var template = Array("/tmp/psistats-host.XXXXXX".utf8CString)
        let made = try #require(mkdtemp(&template))
        path = String(cString: made)
        if let host {
            // Not by FileManager, which would give the copies to the originals' owner.
            for file in try Fixture.files(in: Fixture.path(host)) {
                write(file, try Fixture.octets(at: "\(Fixture.path(host))/\(file)"))
            }
        }
        for folder in ["proc", "sys", "etc"] { makeFolder(folder) }
    }

    deinit {
        // A test that could not clean up has said what went wrong already.
        try? FileManager.default.removeItem(atPath: path)
    }

    var root: SystemRoot { SystemRoot(prefix: path) }

    /// Writes a file, and the folders that it is in.
    func write(_ file: String, _ text: String) {
        write(file, Array(text.utf8))
    }

    /// Writes a file, and the folders that it is in.
    func write(_ file: String, _ octets: [UInt8]) {
        if let slash = file.lastIndex(of: "/") { makeFolder(String(file[..<slash])) }
        let stream = fopen("\(path)/\(file)", "w")
        #expect(stream != nil)
        guard let stream else { return }
        #expect(fwrite(octets, 1, octets.count, stream) == octets.count)
        #expect(fclose(stream) == 0)
    }

    /// Makes a symbolic link.
    func link(_ file: String, to target: String) {
        if let slash = file.lastIndex(of: "/") { makeFolder(String(file[..<slash])) }
        #expect(symlink(target, "\(path)/\(file)") == 0)
    }

    func remove(_ file: String) {
        #expect(unlink("\(path)/\(file)") == 0)
    }

    func makeFolder(_ folder: String) {
        var made = path
        for part in folder.split(separator: "/") {
            made += "/" + part
            #expect(mkdir(made, 0o755) == 0 || errno == EEXIST)
        }
    }
}

/// The trees in `Fixtures/hosts`.
enum Fixture {
    /// The folder that the package is in.
    static var repository: String {
        // Tests/MetricsTests/Support/HostTree.swift, counted back. Not an argument's default, which would be the caller's file.
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4).joined(separator: "/")
    }

    /// The folder of a host.
    static func path(_ host: String) -> String { repository + "/Fixtures/hosts/" + host }

    static func root(_ host: String) -> SystemRoot { SystemRoot(prefix: path(host)) }

    /// The paths of all regular files below a folder, without that of the folder.
    static func files(in folder: String) throws -> [String] {
        let all = try #require(FileManager.default.subpaths(atPath: folder))
        return all.filter { path in
            var status = stat()
            return stat("\(folder)/\(path)", &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        }.sorted()
    }

    static func octets(at path: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    }
}
