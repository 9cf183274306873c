#if Agent
import Foundation
import Glibc
import Testing

@testable import PsistatsAgent

/// Python 3 as it is on this machine: the one that `make test` sets up, else the first on the path.
enum LivePython {
    /// Runs a script of the repository and returns what it prints.
    static func run(_ script: String, _ arguments: [String] = []) throws -> String {
        let python = getenv("PSISTATS_TEST_PYTHON").map { String(cString: $0) }
        let words = (python.map { [$0] } ?? ["/usr/bin/env", "python3"]) + [Repository.root + "/" + script] + arguments
        let process = Process()
        process.executableURL = URL(fileURLWithPath: words[0])
        process.arguments = Array(words.dropFirst())
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(words) ended with \(process.terminationStatus)")
        return text
    }
}
#endif
