#if Agent
import Glibc
import Synchronization

/// The built `psistats`, run as a process of its own.
enum Program {
    /// The executable; it stands beside the tests.
    static let path: String = {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = buffer.withUnsafeMutableBytes { memory in
            readlink("/proc/self/exe", memory.baseAddress!.assumingMemoryBound(to: CChar.self), memory.count)
        }
        let tests = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
        return tests.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 } + "/psistats"
    }()

    /// How a run ended and what came of it.
    struct Result {
        /// The exit status; nil where a signal ended it.
        var status: Int32?
        /// The signal that ended it.
        var signal: Int32?
        var output: [UInt8]
        var errors: String
        /// The most memory that it held before its input ended, in KiB.
        var peakMemory: Int

        var text: String { String(decoding: output, as: UTF8.self) }
        /// The lines of the output, without their ends.
        var lines: [String] { text.split(separator: "\n", omittingEmptySubsequences: true).map(String.init) }
    }

    struct Failure: Error {
        var call: String
        var code: Int32
    }

    /// Runs `psistats` with some octets for its input.
    static func run(
        _ arguments: [String],
        input: [UInt8] = [],
        environment: [String] = [],
        directory: String = "/"
    ) throws -> Result {
        var rest: [UInt8]? = input.isEmpty ? nil : input
        return try run(arguments, environment: environment, directory: directory) { _ in
            defer { rest = nil }
            return rest
        }
    }

    /// Runs `psistats`.
    ///
    /// - Parameters:
    ///   - ignoresBrokenPipes: start it with SIGPIPE ignored, as some supervisors do.
    ///   - outputLimit: close its output after so many octets; nil takes them all.
    ///   - keepsOutput: whether the output is part of the result.
    ///   - input: gives piece after piece of its input, and nil at the end; an empty piece to wait for more output. It is
    ///     told how many octets of output have come.
    static func run(
        _ arguments: [String],
        environment: [String] = [],
        directory: String = "/",
        ignoresBrokenPipes: Bool = false,
        outputLimit: Int? = nil,
        keepsOutput: Bool = true,
        input: (Int) -> [UInt8]?
    ) throws -> Result {
        signal(SIGPIPE, SIG_IGN)
        let (process, ends) = try starting.withLock { _ in
            let pipes = try (0..<3).map { _ in try Pipe() }
            return (try spawn(arguments, environment, directory, pipes, ignoresBrokenPipes), pipes)
        }
        var pipes = ends
        defer { for index in pipes.indices { pipes[index].close() } }
        pipes[0].close(.reading)
        pipes[1].close(.writing)
        pipes[2].close(.writing)
        _ = fcntl(pipes[0].writing, F_SETFL, O_NONBLOCK)

        var output: [UInt8] = []
        var outputCount = 0
        var errors: [UInt8] = []
        var pending = ArraySlice<UInt8>()
        var peakMemory = 0
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while pipes[0].writing >= 0 || pipes[1].reading >= 0 || pipes[2].reading >= 0 {
            if pending.isEmpty, pipes[0].writing >= 0 {
                if let next = input(outputCount) {
                    pending = next[...]
                } else {
                    peakMemory = Self.peakMemory(of: process)
                    pipes[0].close(.writing)
                }
            }
            var polled = [
                pollfd(fd: pending.isEmpty ? -1 : pipes[0].writing, events: Int16(POLLOUT), revents: 0),
                pollfd(fd: pipes[1].reading, events: Int16(POLLIN), revents: 0),
                pollfd(fd: pipes[2].reading, events: Int16(POLLIN), revents: 0),
            ]
            guard polled.contains(where: { $0.fd >= 0 }) else { continue }
            guard poll(&polled, 3, 20_000) > 0 else { throw Failure(call: "poll", code: errno) }
            if polled[0].revents != 0 {
                let count = pending.withUnsafeBytes { write(pipes[0].writing, $0.baseAddress, $0.count) }
                if count >= 0 {
                    pending = pending.dropFirst(count)
                } else if errno != EAGAIN {
                    // It reads no more.
                    pending = []
                    pipes[0].close(.writing)
                }
            }
            if polled[1].revents != 0 {
                let count = read(pipes[1].reading, &chunk, chunk.count)
                if keepsOutput { output += chunk.prefix(max(0, count)) }
                outputCount += max(0, count)
                if count <= 0 || outputCount >= outputLimit ?? .max { pipes[1].close(.reading) }
            }
            if polled[2].revents != 0 {
                let count = read(pipes[2].reading, &chunk, chunk.count)
                errors += chunk.prefix(max(0, count))
                if count <= 0 { pipes[2].close(.reading) }
            }
        }
        var ending: Int32 = 0
        while waitpid(process, &ending, 0) < 0 {
            guard errno == EINTR else { throw Failure(call: "waitpid", code: errno) }
        }
        let signal = ending & 0x7F
        return Result(
            status: signal == 0 ? ending >> 8 & 0xFF : nil,
            signal: signal == 0 ? nil : signal,
            output: output,
            errors: String(decoding: errors, as: UTF8.self),
            peakMemory: peakMemory
        )
    }

    /// Held while pipes are made and a process is started, so that it gets no other process's pipes.
    private static let starting = Mutex(())

    private static func spawn(
        _ arguments: [String],
        _ environment: [String],
        _ directory: String,
        _ pipes: [Pipe],
        _ ignoresBrokenPipes: Bool
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, pipes[0].reading, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, pipes[1].writing, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, pipes[2].writing, STDERR_FILENO)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A thread of these tests may have signals blocked, which would be inherited.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        if !ignoresBrokenPipes { sigaddset(&signals, SIGPIPE) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        // posix_spawn changes the directory in newer systems only.
        let argv = (["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", directory, path] + arguments).map { strdup($0) }
        let envp = environment.map { strdup($0) }
        defer { for text in argv + envp { free(text) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, "/bin/sh", &actions, &attributes, argv + [nil], envp + [nil])
        guard code == 0 else { throw Failure(call: "posix_spawn \(path)", code: code) }
        return process
    }

    /// What the system says of a process that runs. What `wait4` says counts the memory of the tests, too, in which a
    /// process that is spawned begins.
    private static func peakMemory(of process: pid_t) -> Int {
        guard let file = fopen("/proc/\(process)/status", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            guard text.hasPrefix("VmHWM:") else { continue }
            return Int(text.filter(\.isNumber)) ?? 0
        }
        return 0
    }
}

/// The two ends of a pipe; -1 for one that is closed.
private struct Pipe {
    enum End { case reading, writing }

    private(set) var reading: Int32
    private(set) var writing: Int32

    init() throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Program.Failure(call: "pipe", code: errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        reading = ends[0]
        writing = ends[1]
    }

    mutating func close(_ end: End) {
        switch end {
        case .reading:
            if reading >= 0 { Glibc.close(reading) }
            reading = -1
        case .writing:
            if writing >= 0 { Glibc.close(writing) }
            writing = -1
        }
    }

    mutating func close() {
        close(.reading)
        close(.writing)
    }
}
#endif
