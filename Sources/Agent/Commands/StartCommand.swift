#if Agent
import ArgumentParser
import CLinux
import Glibc

/// `psistats start`: starts the daemon, or with `--foreground` is it.
struct StartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Start sending this machine's statistics.",
        discussion: """
            Starts the daemon, waits until it is up, and prints its process number and the configuration in use. Where it \
            runs already, says so; that is no failure. A broker that cannot be reached is none either: the daemon goes on \
            trying, and keeps what it measures meanwhile.

            With --foreground it stays in the terminal and writes its log to standard error as well; Ctrl-C ends it.

            Exit status: 0 when it is up or was already; 71 when descriptors or threads run out; 73 when the pidfile cannot \
            be written, or is something else; 75 when it was not up in time; 78 when the configuration cannot be used.
            """
    )

    @OptionGroup var options: ConfigurationOption

    @Flag(help: "Stay in the terminal, for service managers and containers.")
    var foreground = false

    /// Given by the launcher to the daemon: the pipe that waits for word from it.
    @Option(help: .private)
    var readyPipe: Int32?

    func run() throws {
        if let readyPipe { return try runDaemon(readyPipe) }
        if foreground { return try runInForeground() }
        try launch()
    }

    private func runInForeground() throws {
        do {
            try StartingAgent(explicitPath: options.config, surroundings: .current(), isForeground: true).run { _ in }
        } catch let running as StartingAgent.AlreadyRunning {
            try standardOutput(running.line)
        }
    }

    /// In the daemon: whatever goes wrong is told to the launcher, who is still there.
    private func runDaemon(_ pipe: Int32) throws {
        func tell(_ text: String) {
            var output = OutputFile(descriptor: pipe)
            do throws(SystemError) {
                try output.append(text)
                try output.flush()
            } catch {
                // The launcher has gone; the log has it all.
            }
            close(pipe)
        }
        _ = fcntl(pipe, F_SETFD, FD_CLOEXEC)
        // What the caller had open is none of the daemon's business: a lock or a pipe would stay as long as it runs.
        clinux_close_from(UInt32(Launcher.pipeNumber) + 1)
        // Started by way of /proc/self/exe it would be called "exe".
        clinux_name_thread("psistats")
        // Apart from the terminal and whatever happens to it.
        setsid()
        do {
            try StartingAgent(explicitPath: options.config, surroundings: .current(), isForeground: false).run { line in
                // So that no file system is kept busy.
                chdir("/")
                tell("+\(line)\n")
            }
        } catch let running as StartingAgent.AlreadyRunning {
            tell("+" + running.line.dropFirst("psistats: ".count) + "\n")
        } catch let failure as CommandFailure {
            tell((failure.message ?? "") + "\n")
            throw CommandFailure(status: failure.status, message: nil)
        }
    }

    private func launch() throws {
        let (path, configuration, _) = try options.load(tellsOfDefaults: true, isStarting: true)
        if let running = try RunningAgent.find(options, isStarting: true) {
            try standardOutput(StartingAgent.AlreadyRunning(running).line)
            return
        }
        // The daemon begins in the directory of this process, where it will find no file either.
        let file = path == ConfigurationFinder.defaults ? [] : ["--config", path]
        let launcher = Launcher(
            arguments: ["start"] + file + ["--ready-pipe", "\(Launcher.pipeNumber)"],
            app: configuration.app
        )
        let outcome = try orFail { () throws(SystemError) in
            try launcher.launch { standardError("psistats: waiting for the daemon to come up ...") }
        }
        try report(outcome)
    }

    private func report(_ outcome: Launcher.Outcome) throws {
        switch outcome {
        case .up(_, let line): try standardOutput("psistats: " + line)
        case .failed(let status, let words):
            let text = words.hasSuffix("\n") ? String(words.dropLast()) : words
            throw CommandFailure(
                status: ExitStatus(rawValue: status) ?? .software,
                message: text.isEmpty ? "psistats: the daemon ended with status \(status) and said nothing" : text
            )
        case .late(let pid):
            throw CommandFailure(
                .temporaryFailure,
                "the daemon, process \(pid), is not up yet; 'psistats status' tells when it is (pidfile_timeout in [app])"
            )
        }
    }
}

extension StartingAgent.AlreadyRunning {
    var line: String { "psistats: runs already: process \(pid)\(ownerWords), pidfile \(pidfile)" }
}
#endif
