import Foundation
import Glibc
import Testing

@testable import PsistatsAgent

/// Somebody who is not root; `nobody`, where root runs the tests.
private enum PlainUser {
    /// Who that is; nil where the tests are not root's.
    static let user: uid_t? = geteuid() == 0 ? 65_534 : nil

    /// Whether such a user need not start an agent, because one runs for the whole machine.
    static var seesAnotherAgent: Bool {
        get throws { try PidFile.holder(Configuration.App().pidfile) != nil }
    }

    /// What makes a program run as a user who is not root.
    static let prefix =
        geteuid() == 0
        ? ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--"] : []

    /// Whether that user can run the program, which may stand in root's home.
    static let isThere: Bool = {
        var template = Array("/tmp/psistats-e2e-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { return false }
        let folder = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { for name in ["/p.out", "/p.err", ""] { remove(folder + name) } }
        guard
            case .success(let process) = Result(catching: {
                try AgentProcess(prefix + [Program.path, "--version"], files: folder + "/p")
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
    .disabled(if: try PlainUser.seesAnotherAgent, "an agent with the usual pidfile runs on this machine")
)
struct AgentUserTests {
    private func run(
        _ sandbox: AgentSandbox,
        _ arguments: [String],
        _ environment: [String: String]
    ) async throws -> (ending: AgentProcess.Ending, process: AgentProcess) {
        let process = try sandbox.launch(
            PlainUser.prefix + [Program.path] + arguments + ["--config", sandbox.configPath],
            environment: environment
        )
        return (try await eventually("the end of \(arguments)") { process.ended() }, process)
    }

    @Test("its pidfile goes to $XDG_RUNTIME_DIR, or else to a private folder, which is said", arguments: [true, false])
    func places(_ hasRuntimeFolder: Bool) async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            // As that user's own.
            if let user = PlainUser.user { chown(sandbox.folder, user, user) }
            sandbox.config["app"]?["pidfile"] = nil
            sandbox.logTo("class=logging.FileHandler", "filename=\(sandbox.folder)/user.log")
            try sandbox.writeConfig()
            let place = hasRuntimeFolder ? sandbox.folder : "/tmp/psistats-\(PlainUser.user ?? geteuid())"
            let environment = hasRuntimeFolder ? ["XDG_RUNTIME_DIR": sandbox.folder] : [:]
            try #require(try PidFile.holder(place + "/psistats.pid") == nil, "another agent of this user runs")

            let start = try await run(sandbox, ["start"], environment)
            #expect(start.ending == .status(0), "\(start.process.errors)")
            let pid = try #require(try PidFile.holder(place + "/psistats.pid"))
            defer { if (try? PidFile.holder(place + "/psistats.pid")) == pid { kill(pid, SIGKILL) } }
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
}
