#if Agent
import Foundation
import Glibc
import Testing

@testable import PsistatsAgent

/// Whether a user who is not root can run the agent here.
private enum PlainUser {
    /// Whether such a user need not start an agent, because one runs for the whole machine.
    static var seesAnotherAgent: Bool {
        get throws { try AgentLock.holder(of: Configuration.App().pidfile) != nil }
    }

    /// Whether that user can run the program, which may stand in root's home.
    static let isThere: Bool = {
        var template = Array("/tmp/psistats-e2e-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { return false }
        let folder = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { for name in ["/p.out", "/p.err", ""] { remove(folder + name) } }
        guard
            case .success(let process) = Result(catching: {
                try AgentProcess(TestUser.prefix + [Program.path, "--version"], files: folder + "/p")
            })
        else { return false }
        while process.ended() == nil { usleep(1_000) }
        return process.ended() == .status(0)
    }()
}

/// A user who is not root and has not configured a pidfile. Run by root it is the user `nobody`.
@Suite(
    "a user who is not root",
    .enabled(if: PlainUser.isThere, "neither a plain user nor able to become one"),
    .serialized,
    .disabled(if: try PlainUser.seesAnotherAgent, "an agent with the usual pidfile runs on this machine")
)
struct AgentUserTests {
    private func run(
        _ sandbox: AgentSandbox,
        _ arguments: [String],
        _ environment: [String: String]
    ) async throws -> (ending: AgentProcess.Ending, process: AgentProcess) {
        let process = try sandbox.launch(
            TestUser.prefix + [Program.path] + arguments + ["--config", sandbox.configPath],
            environment: environment
        )
        return (try await eventually("the end of \(arguments)") { process.ended() }, process)
    }

    @Test("its pidfile goes to $XDG_RUNTIME_DIR, or else to a private folder, which is said", arguments: [true, false])
    func places(_ hasRuntimeFolder: Bool) async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            // As that user's own.
            if let user = TestUser.other { chown(sandbox.folder, user, user) }
            sandbox.config["app"]?["pidfile"] = nil
            sandbox.logTo("class=logging.FileHandler", "filename=\(sandbox.folder)/user.log")
            try sandbox.writeConfig()
            let place = hasRuntimeFolder ? sandbox.folder : "/tmp/psistats-\(TestUser.other ?? geteuid())"
            let environment = hasRuntimeFolder ? ["XDG_RUNTIME_DIR": sandbox.folder] : [:]
            try #require(try AgentLock.holder(of: place + "/psistats.pid") == nil, "another agent of this user runs")

            let start = try await run(sandbox, ["start"], environment)
            #expect(start.ending == .status(0), "\(start.process.errors)")
            let pid = try #require(try AgentLock.holder(of: place + "/psistats.pid"))
            defer { if (try? AgentLock.holder(of: place + "/psistats.pid")) == pid { kill(pid, SIGKILL) } }
            #expect(start.process.output.hasSuffix("pidfile \(place)/psistats.pid\n"))
            let log = AgentFiles.text(sandbox.folder + "/user.log")
            #expect(log.contains("the pidfile is \(place)/psistats.pid: /var/run/psistats.pid is root's"))

            let status = try await run(sandbox, ["status"], environment)
            #expect(status.ending == .status(0))
            #expect(status.process.output.hasPrefix("running: process \(pid), version "))
            let second = try await run(sandbox, ["start"], environment)
            #expect(second.process.output == "psistats: runs already: process \(pid), pidfile \(place)/psistats.pid\n")
            let stop = try await run(sandbox, ["stop"], environment)
            #expect(stop.process.output == "psistats: process \(pid) has ended\n")
            #expect(!AgentFiles.exists(place + "/psistats.pid"))
            #expect(!AgentFiles.exists(place + "/psistats.sock"))
            // The daemon leaves its private folder for the next time.
            if !hasRuntimeFolder { #expect(rmdir(place) == 0) }
        }
    }

    @Test("a private folder that is somebody else's is refused", .enabled(if: geteuid() == 0))
    func strangersFolder() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            sandbox.config["app"]?["pidfile"] = nil
            sandbox.logTo("class=logging.NullHandler")
            try sandbox.writeConfig()
            chmod(sandbox.folder, 0o755)
            let process = try sandbox.launch(
                ["/usr/bin/setpriv", "--reuid=65533", "--regid=65534", "--clear-groups", "--", Program.path]
                    + ["start", "--config", sandbox.configPath]
            )
            // Made by root.
            let folder = "/tmp/psistats-65533"
            try #require(mkdir(folder, 0o755) == 0 || errno == EEXIST)
            defer { rmdir(folder) }
            let ending = try await eventually("the end") { process.ended() }
            #expect(ending != .status(0))
            #expect(process.errors.contains("\(folder), which belongs to somebody else"))
        }
    }

    @Test("root's daemon is seen, but not ended", .enabled(if: geteuid() == 0))
    func rootsDaemon() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            let pid = try sandbox.start()
            chmod(sandbox.folder, 0o755)
            let status = try await run(sandbox, ["status"], [:])
            #expect(status.ending == .status(0), "\(status.process.errors)")
            #expect(status.process.output.hasPrefix("running: process \(pid), version "))
            let stop = try await run(sandbox, ["stop"], [:])
            #expect(stop.ending == .status(77))
            #expect(stop.process.errors.contains("Operation not permitted; try it as root or as the daemon's user"))
            #expect(try sandbox.daemonPid() == pid)
        }
    }

    @Test(
        "another user's daemon is found by root: status shows it, start does not begin a second one, stop ends it",
        .enabled(if: geteuid() == 0)
    )
    func othersDaemon() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            // Of nobody's, so that no other agent is in the way; before those of other tests in the order of the search.
            let user = Int.random(in: 60_001..<65_000)
            let place = RuntimePlace(pidfile: "/tmp/psistats-\(user)/psistats.pid")
            sandbox.config["app"]?["pidfile"] = nil
            sandbox.logTo("class=logging.NullHandler")
            try sandbox.writeConfig()
            chmod(sandbox.folder, 0o755)
            let start = try sandbox.launch(
                ["/usr/bin/setpriv", "--reuid=\(user)", "--regid=65534", "--clear-groups", "--", Program.path]
                    + ["start", "--config", sandbox.configPath]
            )
            #expect(try await eventually("the end of start") { start.ended() } == .status(0), "\(start.errors)")
            let pid = try #require(try AgentLock.holder(of: place.pidfile))
            defer {
                if (try? AgentLock.holder(of: place.pidfile)) == pid { kill(pid, SIGKILL) }
                rmdir("/tmp/psistats-\(user)")
            }
            #expect(try sandbox.psistats("status").text.hasPrefix("running: process \(pid), version "))
            for options in [[], ["--foreground"]] {
                let second = try Program.run(["start", "--config", sandbox.configPath] + options)
                #expect(second.status == 0)
                #expect(
                    second.text
                        == "psistats: runs already: process \(pid) of user \(user), pidfile \(place.pidfile)\n"
                )
            }
            let nobody = try await run(sandbox, ["status"], [:])
            #expect(nobody.process.output.hasPrefix("running: process "))
            #expect(try sandbox.psistats("stop").text == "psistats: process \(pid) has ended\n")
            #expect(!AgentFiles.exists(place.pidfile))
        }
    }

    @Test("what claims to be another user's daemon and is not is not believed", .enabled(if: geteuid() == 0))
    func pretender() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            try sandbox.writeConfig()
            chmod(sandbox.folder, 0o755)
            // A lock that anybody can open, in a folder of a user's: held by this process, which is root's.
            let folder = RuntimePlace(pidfile: sandbox.pidfile).lockFolder
            let path = AgentLock.file(in: folder)
            #expect(mkdir(folder, 0o755) == 0)
            try Data().write(to: URL(fileURLWithPath: path))
            for name in [folder, path] { chown(name, 65_534, 65_534) }
            for mode in [0o644, 0o666, 0o600] as [mode_t] {
                chmod(path, mode)
                let python = sandbox.folder + "/psistats"
                if !AgentFiles.exists(python) {
                    try FileManager.default.copyItem(
                        atPath: URL(fileURLWithPath: "/usr/bin/python3").resolvingSymlinksInPath().path,
                        toPath: python
                    )
                }
                let user = mode == 0o600 ? 65_534 : 65_533
                let script = """
                    import fcntl, os, sys, time
                    file = open(sys.argv[1], "r" if sys.argv[2] == "65533" else "r+")
                    fcntl.lockf(file, fcntl.LOCK_SH if sys.argv[2] == "65533" else fcntl.LOCK_EX)
                    print("locked", flush=True)
                    time.sleep(600)
                    """
                let holder = try sandbox.launch(
                    ["/usr/bin/setpriv", "--reuid=\(user)", "--regid=65534", "--clear-groups", "--", python]
                        + ["-c", script, path, "\(user)"]
                )
                try await eventually("a lock") {
                    guard holder.ended() == nil else { throw Overdue(description: holder.errors) }
                    return holder.output == "locked\n"
                }
                // Only a process of the owner's that bears our name is taken for an agent; to send it a signal does no harm.
                #expect(try sandbox.psistats("status").status == (mode == 0o600 ? 0 : 3), "\(mode)")
                holder.send(SIGKILL)
                _ = try await eventually("its end") { holder.ended() }
            }
        }
    }

    @Test("under a service manager the files are in $RUNTIME_DIRECTORY; they are found from outside as well")
    func runtimeDirectory() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            let folder = sandbox.folder + "/run"
            #expect(mkdir(folder, 0o755) == 0)
            sandbox.config["app"]?["pidfile"] = nil
            sandbox.logTo("class=logging.NullHandler")
            let agent = try sandbox.startInForeground(environment: ["RUNTIME_DIRECTORY": folder + ":/elsewhere"])
            try await eventually("a pidfile") { AgentFiles.text(folder + "/psistats.pid") == "\(agent.pid)\n" }
            let inside = try sandbox.psistats("status", environment: ["RUNTIME_DIRECTORY=\(folder)"])
            #expect(inside.text.hasPrefix("running: process \(agent.pid), "))
            // By its configuration, unless an agent of the whole machine runs.
            if try sandbox.psistats("status", "--json", environment: ["XDG_RUNTIME_DIR=/nonexistent"]).status == 0 {
                agent.send(SIGTERM)
            }
            #expect(try await eventually("the end") { agent.ended() } == .status(0))
            #expect(!AgentFiles.exists(folder + "/psistats.pid"))
        }
    }

    @Test(
        "a folder that may not be searched is passed over in the search for psistats.conf; a file that may not be read is not",
        .enabled(if: geteuid() == 0)
    )
    func unsearchable() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            try sandbox.writeConfig()
            func status() async throws -> (ending: AgentProcess.Ending, errors: String) {
                let command = ["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", sandbox.folder] + TestUser.prefix
                let process = try sandbox.launch(
                    command + [Program.path, "status"],
                    environment: ["HOME": sandbox.folder]
                )
                return (try await eventually("the end of status") { process.ended() }, process.errors)
            }
            chmod(sandbox.folder, 0o700)
            let hidden = try await status()
            #expect(hidden.ending == .status(3) || hidden.ending == .status(0), "\(hidden.errors)")
            chmod(sandbox.folder, 0o755)
            chmod(sandbox.configPath, 0o600)
            let unreadable = try await status()
            #expect(unreadable.ending == .status(78))
            #expect(unreadable.errors == "./psistats.conf: cannot be read: Permission denied\n")
        }
    }
}
#endif
