#if Agent
import Foundation
import Glibc

/// A process that runs beside a test: `psistats` in the foreground, or a script. Its output goes to files.
///
/// It is ended with the value, if it has not ended by itself.
final class AgentProcess {
    let pid: pid_t
    let outputPath: String
    private let errorPath: String
    private var ending: Ending?

    enum Ending: Equatable {
        case status(Int32)
        case signal(Int32)
    }

    /// - Parameters:
    ///   - command: the program, with its whole path, and its arguments.
    ///   - files: where the output goes: this path with `.out` and `.err`.
    init(_ command: [String], files: String, environment: [String: String] = [:]) throws {
        outputPath = files + ".out"
        errorPath = files + ".err"
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        for (number, path) in [(STDOUT_FILENO, outputPath), (STDERR_FILENO, errorPath)] {
            posix_spawn_file_actions_addopen(&actions, number, path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A thread of these tests may have signals blocked or ignored, which would be inherited.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGPIPE, SIGHUP, SIGINT, SIGTERM] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        let argv = command.map { strdup($0) }
        let envp = environment.map { strdup("\($0)=\($1)") }
        defer { for text in argv + envp { free(text) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, command[0], &actions, &attributes, argv + [nil], envp + [nil])
        guard code == 0 else { throw Program.Failure(call: "posix_spawn \(command[0])", code: code) }
        self.pid = pid
    }

    deinit {
        guard ended() == nil else { return }
        kill(pid, SIGKILL)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    }

    var output: String { AgentFiles.text(outputPath) }
    var errors: String { AgentFiles.text(errorPath) }

    /// Sends a signal, unless it has ended.
    func send(_ signal: Int32) {
        // Not waited for yet, so that the number cannot be another's.
        if ended() == nil { kill(pid, signal) }
    }

    /// How it ended; nil while it runs.
    func ended() -> Ending? {
        if let ending { return ending }
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
        let signal = status & 0x7F
        ending = signal == 0 ? .status(status >> 8 & 0xFF) : .signal(signal)
        return ending
    }
}

/// Files that other processes write.
enum AgentFiles {
    /// What stands in a file; nothing where there is none.
    static func text(_ path: String) -> String {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    static func lines(_ path: String) -> [String] {
        text(path).split(separator: "\n").map(String.init)
    }

    static func exists(_ path: String) -> Bool {
        access(path, F_OK) == 0
    }
}

/// What was awaited has not come.
struct Overdue: Error, CustomStringConvertible {
    var description: String
}

/// Waits until `body` gives a value; what it waits for is done by other processes.
func eventually<Value>(
    _ what: String,
    within limit: Duration = .seconds(20),
    _ body: () async throws -> Value?
) async throws -> Value {
    let end = ContinuousClock.now.advanced(by: limit)
    while true {
        if let value = try await body() { return value }
        guard ContinuousClock.now < end else { throw Overdue(description: "\(what) within \(limit)") }
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// Waits until `body` is true.
func eventually(
    _ what: String,
    within limit: Duration = .seconds(20),
    _ body: () async throws -> Bool
) async throws {
    let _: Void = try await eventually(what, within: limit) { try await body() ? () : nil }
}
#endif
