import Glibc
import Testing

@testable import AMQPWire

/// Runs other programs.
enum Shell {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// What a program printed. Waits on a thread of its own, so that no task is held up.
    ///
    /// - Throws: ``Failure`` with its output where it did not end well.
    static func run(_ arguments: [String]) async throws -> String {
        let line = arguments.map {
            "'" + $0.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
        }
        .joined(separator: " ")
        let result: Result<String, Failure> = await withCheckedContinuation { continuation in
            let failure = PosixThread.start(name: "test-shell", stackSize: 256 << 10) {
                continuation.resume(returning: output(of: line))
            }
            if failure != 0 { continuation.resume(returning: .failure(Failure(description: "no thread: \(failure)"))) }
        }
        return try result.get()
    }

    private static func output(of line: String) -> Result<String, Failure> {
        guard let stream = popen(line + " 2>&1", "r") else { return .failure(Failure(description: "no process")) }
        var octets: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = fread(&buffer, 1, buffer.count, stream)
            if count == 0 { break }
            octets += buffer[..<count]
        }
        let status = pclose(stream)
        let text = String(decoding: octets, as: UTF8.self)
        return status == 0 ? .success(text) : .failure(Failure(description: "\(line) ended with \(status):\n\(text)"))
    }
}
