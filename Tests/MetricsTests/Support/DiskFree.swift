import Foundation
import Testing

/// What coreutils' df says of a file system.
enum DiskFree {
    /// All, used and free octets, all and used inodes, with blanks between them.
    static func figures(of mountPoint: String) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["df", "-B1", "--output=size,used,avail,itotal,iused", "--", mountPoint]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let octets = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        let lines = String(decoding: octets, as: UTF8.self).split(separator: "\n")
        let last = try #require(lines.last)
        return last.split(separator: " ").map { $0 == "-" ? "0" : String($0) }.joined(separator: " ")
    }
}
