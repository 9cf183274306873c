#if Agent
import Foundation
import Glibc
import Testing

@testable import PsistatsAgent

/// Odd shells and odd limits: descriptors that are closed, inherited or run out, threads that run out, no /proc.
@Suite("what the system does not give")
struct AgentResourceTests {
    /// Runs `psistats` behind a line of shell: `exec "$@"` with something before or after it.
    private func shell(_ line: String, _ arguments: [String], in sandbox: AgentSandbox) throws -> AgentProcess {
        try sandbox.launch(["/bin/sh", "-c", line, "sh", Program.path] + arguments + ["--config", sandbox.configPath])
    }

    // MARK: Descriptors 0 to 2

    @Test(
        "started with its streams closed it comes up all the same, and no file takes their places",
        arguments: ["<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"]
    )
    func closedStreams(_ redirections: String) async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            try sandbox.writeConfig()
            let start = try shell("exec \"$@\" \(redirections)", ["start"], in: sandbox)
            #expect(try await eventually("the end of start") { start.ended() } == .status(0))
            let daemon = try #require(try sandbox.daemonPid())
            #expect(AgentFiles.text(sandbox.pidfile) == "\(daemon)\n")
            #expect(try sandbox.psistats("stop").status == 0)

            let agent = try shell("exec \"$@\" \(redirections)", ["start", "--foreground"], in: sandbox)
            try await eventually("a pidfile") { AgentFiles.text(sandbox.pidfile) == "\(agent.pid)\n" }
            try await eventually("an agent that is up") { sandbox.logCount("started: process \(agent.pid)") == 1 }
            for number in 0...2 where redirections.contains(number == 0 ? "<&-" : number == 1 ? " >&-" : "2>&-") {
                #expect(LinkTarget.of("/proc/\(agent.pid)/fd/\(number)") == "/dev/null")
            }
            agent.send(SIGTERM)
            #expect(try await eventually("the end") { agent.ended() } == .status(0))
        }
    }

    @Test("what the caller has open is not kept open by the daemon")
    func inherited() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            try sandbox.writeConfig()
            let file = sandbox.folder + "/locked-by-cron"
            let start = try shell("exec 7>'\(file)' 9>&7; exec \"$@\"", ["start"], in: sandbox)
            #expect(try await eventually("the end of start") { start.ended() } == .status(0), "\(start.errors)")
            let daemon = try #require(try sandbox.daemonPid())
            let targets = DirectoryListing.names(in: "/proc/\(daemon)/fd").compactMap {
                LinkTarget.of("/proc/\(daemon)/fd/\($0)")
            }
            #expect(!targets.isEmpty)
            #expect(!targets.contains(file))
        }
    }

    // MARK: Too few of them

    @Test(
        "with too few descriptors it says so and what to do, detached and in the foreground",
        arguments: [4, 6, 9, 13, 20, 31]
    )
    func fewDescriptors(_ limit: Int) async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            try sandbox.writeConfig()
            for options in [["start"], ["start", "--foreground"]] {
                let start = try shell("ulimit -n \(limit); exec \"$@\"", options, in: sandbox)
                #expect(try await eventually("the end of start") { start.ended() } == .status(71), "\(start.errors)")
                #expect(start.errors.contains("Too many open files"), "\(start.errors)")
            }
            #expect(!AgentFiles.exists(sandbox.pidfile))
        }
    }

    @Test("a low limit that may be raised is raised")
    func softLimit() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            try sandbox.writeConfig()
            let start = try shell("ulimit -S -n 16; exec \"$@\"", ["start"], in: sandbox)
            #expect(try await eventually("the end of start") { start.ended() } == .status(0), "\(start.errors)")
        }
    }

    @Test("with as many descriptors as it asks for it does all its work", .enabled(if: Broker.isThere, Broker.absence))
    func leastDescriptors() async throws {
        try await AgentSandbox.run { sandbox in
            for section in ["load", "hddspace", "hddio", "net", "hddtemp", "sensors", "os", "processes", "ipaddr"] {
                sandbox.config[section] = ["enabled": "yes", "interval": "0.2"]
            }
            sandbox.config["cpu_temp"] = ["enabled": "yes", "interval": "0.2"]
            try sandbox.writeConfig()
            // What the check counts, the streams, and what signals come through; nothing of this process's.
            let script = """
                import os, resource, sys
                os.closerange(3, 65536)
                limit = int(sys.argv[1])
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
                os.execv(sys.argv[2], sys.argv[2:])
                """
            let agent = try sandbox.launch(
                ["/usr/bin/python3", "-c", script, "\(StartingAgent.leastDescriptors + 4)", Program.path]
                    + ["start", "--foreground", "--config", sandbox.configPath]
            )
            try await sandbox.awaitLog("connected to")
            try await sandbox.awaitStatus("confirmed messages") { $0["confirmed"].number ?? 0 >= 10 }
            try sandbox.psistats("reload")
            try await sandbox.awaitStatus("a reload") { $0["reloads"].number == 1 && $0["reloadError"] == .null }
            #expect(!(sandbox.log + agent.errors).contains("Too many open files"))
            print("descriptors open with all reporters: \(DirectoryListing.names(in: "/proc/\(agent.pid)/fd").count)")
        }
    }

    /// Leaves a process no descriptor but those that it has.
    private func starve(_ pid: pid_t, in sandbox: AgentSandbox) async throws {
        let taken = Set(DirectoryListing.names(in: "/proc/\(pid)/fd").compactMap { Int($0) })
        try await limit(pid, try #require((0...).first { !taken.contains($0) }), in: sandbox)
    }

    private func limit(_ pid: pid_t, _ number: Int, in sandbox: AgentSandbox) async throws {
        let prlimit = try sandbox.launch(["/usr/bin/prlimit", "--pid", "\(pid)", "--nofile=\(number):"])
        #expect(try await eventually("prlimit") { prlimit.ended() } == .status(0), "\(prlimit.errors)")
    }

    @Test(
        "with no descriptor left it goes on publishing, says what it cannot do, and does it when there are some again",
        .enabled(if: AgentMessages.isThere, AgentMessages.absence)
    )
    func noDescriptors() async throws {
        try await AgentSandbox.run { sandbox in
            let messages = try await sandbox.reader()
            sandbox.config["os"] = ["enabled": "yes", "interval": "0.2"]
            let agent = try sandbox.startInForeground()
            try await messages.wait(for: 5)
            try await starve(agent.pid, in: sandbox)
            // Files that are open are read on.
            let seen = try messages.all.count
            try await messages.wait(for: seen + 20)
            agent.send(SIGHUP)
            try await sandbox.awaitLog("the configuration stays as it was")
            #expect(sandbox.log.contains("Too many open files"))
            #expect(try messages.all.suffix(5).allSatisfy { $0.body["uptime"] != nil })
            #expect(agent.ended() == nil)
            try await limit(agent.pid, 1_024, in: sandbox)
            agent.send(SIGHUP)
            try await sandbox.awaitLog("the configuration was read again")
            try await messages.wait(for: 3) { $0.body["os"] != nil }
            #expect(gap(in: try messages.numbers) == nil)
        }
    }

    @Test(
        "with no descriptor left to connect with it keeps what it measures, and sends it when there are some again",
        .enabled(if: AgentMessages.isThere, AgentMessages.absence)
    )
    func noDescriptorsToConnect() async throws {
        try await AgentSandbox.run { sandbox in
            let messages = try await sandbox.reader()
            sandbox.config["server"]?["url"] = "amqp://127.0.0.1:1"
            sandbox.config["app"]?["retry_timer"] = "0.02"
            let agent = try sandbox.startInForeground()
            try await sandbox.awaitLog("will go on trying")
            // More than once: a socket may be open that it is just connecting with.
            try await eventually("an attempt without a descriptor") {
                try await starve(agent.pid, in: sandbox)
                return sandbox.log.lowercased().contains("too many open files")
            }
            sandbox.config["server"]?["url"] = Broker.url
            try sandbox.writeConfig()
            agent.send(SIGHUP)
            try await sandbox.awaitLog("the configuration stays as it was")
            #expect(agent.ended() == nil)
            try await limit(agent.pid, 1_024, in: sandbox)
            agent.send(SIGHUP)
            try await messages.wait(for: 10)
            #expect(gap(in: try messages.numbers) == nil)
        }
    }

    @Test(
        "tasks run on a thread of our own: the process has none that libdispatch made",
        .enabled(if: Broker.isThere, Broker.absence)
    )
    func threads() async throws {
        try await AgentSandbox.run { sandbox in
            let agent = try sandbox.startInForeground()
            try await sandbox.awaitLog("connected to")
            let names = DirectoryListing.names(in: "/proc/\(agent.pid)/task").map {
                AgentFiles.text("/proc/\(agent.pid)/task/\($0)/comm")
            }
            // The main thread, and those that were given a name.
            #expect(names.filter { $0 == "psistats\n" }.count == 1, "\(names)")
            #expect(names.filter { $0 == "psistats-tasks\n" }.count == 1)
        }
    }

    // MARK: No threads

    @Test(
        "where no thread can be started, commands say so instead of waiting for ever",
        arguments: [["start", "--foreground"], ["start"], ["declare"], ["check"], ["watch"]]
    )
    func noThreads(_ command: [String]) async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            if let user = TestUser.other { chown(sandbox.folder, user, user) }
            sandbox.logTo("class=logging.NullHandler")
            try sandbox.writeConfig()
            let process = try sandbox.launch(
                TestUser.prefix + ["/usr/bin/prlimit", "--nproc=1", Program.path] + command
                    + ["--config", sandbox.configPath]
            )
            let ending = try await eventually("the end of \(command)") { process.ended() }
            #expect(ending == .status(71), "\(process.errors)")
            #expect(process.errors.contains("Resource temporarily unavailable"), "\(process.errors)")
        }
    }

    // MARK: No /proc

    @Test("the arguments are found on the stack, too, or not at all where the environment was moved")
    func argumentsOnStack() {
        let found = ProcessArguments.onStack()
        #expect(found == CommandLine.arguments || found.isEmpty)
        #expect(ProcessArguments.all == Array(CommandLine.arguments.dropFirst()))
    }

    @Test(
        "without /proc commands do what they are asked, or say what is wrong",
        .enabled(if: geteuid() == 0, "needs root")
    )
    func noProc() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            try sandbox.writeConfig()
            func run(_ command: String) async throws -> (ending: AgentProcess.Ending, process: AgentProcess) {
                let process = try sandbox.launch(
                    ["/usr/bin/unshare", "-m", "/bin/sh", "-c", "mount -t tmpfs none /proc && exec \"$@\"", "sh"]
                        + [Program.path, command, "--config", sandbox.configPath]
                )
                return (try await eventually("the end of \(command)") { process.ended() }, process)
            }
            let status = try await run("status")
            #expect(status.ending == .status(3))
            #expect(status.process.errors == "psistats: does not run\n")
            let mistyped = try await run("strat")
            #expect(mistyped.ending == .status(64))
            let start = try await run("start")
            #expect(start.ending == .status(0), "\(start.process.errors)")
            let pid = try #require(try sandbox.daemonPid())
            let stop = try await run("stop")
            #expect(stop.process.output == "psistats: process \(pid) has ended\n")
        }
    }
}
#endif
