#if Agent
import Foundation
import Glibc
import Testing

@testable import PsistatsAgent

/// The pidfile, the lock and the socket beside it, and what else may have their names. Needs no broker.
@Suite("the daemon's files")
struct AgentFilesTests {
    /// Holds a lock on a file until it is ended: `python3 -c lockScript FILE sh|ex`.
    private static let lockScript = """
        import fcntl, sys, time
        file = open(sys.argv[1], "r" if sys.argv[2] == "sh" else "r+")
        fcntl.lockf(file, fcntl.LOCK_SH if sys.argv[2] == "sh" else fcntl.LOCK_EX)
        print("locked", flush=True)
        time.sleep(600)
        """

    private func lock(
        _ path: String,
        _ kind: String,
        in sandbox: AgentSandbox,
        as user: [String] = [],
        python: String = "/usr/bin/python3"
    ) async throws -> AgentProcess {
        let holder = try sandbox.launch(user + [python, "-c", Self.lockScript, path, kind])
        try await eventually("a lock on \(path)") {
            guard holder.ended() == nil else { throw Overdue(description: "no lock: \(holder.errors)") }
            return holder.output == "locked\n"
        }
        return holder
    }

    /// What may stand where the pidfile should be.
    enum Obstacle: String, CaseIterable {
        case configuration, hardLink, symbolicLink, danglingLink, folder, fifo, socket, text, numberAndText, longNumber
    }

    @Test(
        "a pidfile that names something else is refused, detached and in the foreground, and that stays as it is",
        arguments: Obstacle.allCases
    )
    func obstacle(_ obstacle: Obstacle) async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            let path = sandbox.folder + "/other.pid"
            var content: String? = "4711\n"
            var words = "is a file that holds something else than a process number"
            sandbox.config["app"]?["pidfile"] = path
            switch obstacle {
            case .configuration:
                sandbox.config["app"]?["pidfile"] = sandbox.configPath
                content = nil
            case .hardLink:
                try Data("4711\n".utf8).write(to: URL(fileURLWithPath: sandbox.folder + "/named"))
                #expect(link(sandbox.folder + "/named", path) == 0)
                words = "has other names as well (hard links)"
            case .symbolicLink:
                try Data("4711\n".utf8).write(to: URL(fileURLWithPath: sandbox.folder + "/named"))
                #expect(symlink(sandbox.folder + "/named", path) == 0)
                words = "is a symbolic link"
            case .danglingLink:
                #expect(symlink(sandbox.folder + "/named", path) == 0)
                (words, content) = ("is a symbolic link", nil)
            case .folder:
                #expect(mkdir(path, 0o755) == 0)
                (words, content) = ("is a folder", nil)
            case .fifo:
                #expect(mkfifo(path, 0o644) == 0)
                (words, content) = ("is not a regular file", nil)
            case .socket:
                _ = try ControlSocket(path: path)
                (words, content) = ("is not a regular file", nil)
            case .text, .numberAndText, .longNumber:
                content = ["text": "enabled\n", "numberAndText": "4711 psistats\n"][obstacle.rawValue]
                content = content ?? String(repeating: "1", count: 40)
                try Data((content ?? "").utf8).write(to: URL(fileURLWithPath: path))
            }
            try sandbox.writeConfig()
            let before = FileIdentity(at: sandbox.pidfile)
            content = content ?? (obstacle == .configuration ? AgentFiles.text(sandbox.configPath) : nil)
            let names = DirectoryListing.names(in: sandbox.folder).sorted()
            for options in [[], ["--foreground"]] {
                let result = try Program.run(["start", "--config", sandbox.configPath] + options)
                #expect(result.status == 73)
                #expect(
                    result.errors
                        == "psistats: the pidfile \(sandbox.pidfile) \(words), which is left as it is; "
                        + "name another with pidfile in [app]\n"
                )
            }
            #expect(try sandbox.psistats("status").status == 3)
            #expect(try sandbox.psistats("stop").text == "psistats: does not run\n")
            #expect(FileIdentity(at: sandbox.pidfile) == before)
            if let content { #expect(AgentFiles.text(sandbox.pidfile) == content) }
            #expect(DirectoryListing.names(in: sandbox.folder).sorted() == names)
        }
    }

    @Test(
        "a pidfile that holds a number, or nothing, is taken over",
        arguments: ["", "4711\n", " 12 \n\n", "99999999"]
    )
    func leftover(_ content: String) async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            try Data(content.utf8).write(to: URL(fileURLWithPath: sandbox.pidfile))
            let pid = try sandbox.start()
            #expect(AgentFiles.text(sandbox.pidfile) == "\(pid)\n")
            try sandbox.psistats("stop")
            #expect(!AgentFiles.exists(sandbox.pidfile))
        }
    }

    @Test(
        "a lock of somebody else's on a pidfile that was left behind means nothing, whatever its program is called",
        arguments: ["sh", "ex"]
    )
    func strangersLock(_ kind: String) async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            try sandbox.writeConfig()
            try Data("4711\n".utf8).write(to: URL(fileURLWithPath: sandbox.pidfile))
            chmod(sandbox.pidfile, 0o666)
            // Called as ours is.
            let python = sandbox.folder + "/psistats"
            try FileManager.default.copyItem(
                atPath: URL(fileURLWithPath: "/usr/bin/python3").resolvingSymlinksInPath().path,
                toPath: python
            )
            chmod(sandbox.folder, 0o755)
            let holder = try await lock(sandbox.pidfile, kind, in: sandbox, as: TestUser.prefix, python: python)
            #expect(try sandbox.psistats("status").status == 3)
            #expect(try sandbox.psistats("stop").text == "psistats: does not run\n")
            let pid = try sandbox.start()
            #expect(try sandbox.psistats("start").text.hasPrefix("psistats: runs already: process \(pid), "))
            #expect(try sandbox.psistats("stop").text == "psistats: process \(pid) has ended\n")
            #expect(holder.ended() == nil)
        }
    }

    @Test("nobody but its owner can open the lock, and nobody else can put another in its place")
    func modes() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            let old = umask(0)
            defer { umask(old) }
            let pid = try sandbox.start()
            let folder = RuntimePlace(pidfile: sandbox.pidfile).lockFolder
            for (path, mode) in [(folder, 0o755), (AgentLock.file(in: folder), 0o600), (sandbox.pidfile, 0o644)] {
                var status = stat()
                #expect(lstat(path, &status) == 0)
                #expect(status.st_mode & 0o777 == mode_t(mode), "\(path)")
                #expect(status.st_uid == geteuid())
            }
            let record = try #require(AgentLock.record(in: folder))
            #expect(
                record
                    == AgentLock.Record(pid: pid, pidfile: sandbox.pidfile, configuration: sandbox.configPath)
            )
        }
    }

    @Test("a lock that another program of this user has is not taken for a daemon's, and that program is left alone")
    func foreignLock() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            try sandbox.writeConfig()
            let folder = RuntimePlace(pidfile: sandbox.pidfile).lockFolder
            #expect(mkdir(folder, 0o755) == 0)
            let path = AgentLock.file(in: folder)
            try Data().write(to: URL(fileURLWithPath: path))
            chmod(path, 0o600)
            let holder = try await lock(path, "ex", in: sandbox)
            for options in [[], ["--foreground"]] {
                let result = try Program.run(["start", "--config", sandbox.configPath] + options)
                #expect(result.status == 73)
                #expect(result.text == "")
                #expect(
                    result.errors
                        == "psistats: \(path) is held by process \(holder.pid), which is no psistats; "
                        + "name another with pidfile in [app]\n"
                )
            }
            #expect(try sandbox.psistats("status").status == 3)
            #expect(try sandbox.psistats("stop").text == "psistats: does not run\n")
            #expect(try sandbox.psistats("reload").status == 3)
            #expect(holder.ended() == nil)
        }
    }

    @Test("a file where the lock's folder should be is left alone, and so is a folder that others can write")
    func noFolder() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            try sandbox.writeConfig()
            let folder = RuntimePlace(pidfile: sandbox.pidfile).lockFolder
            try Data("mine".utf8).write(to: URL(fileURLWithPath: folder))
            let file = try sandbox.psistats("start")
            #expect(file.status == 73)
            #expect(file.errors.contains("\(folder), where the daemon's lock has to be, is not a folder"))
            #expect(AgentFiles.text(folder) == "mine")
            #expect(unlink(folder) == 0 && mkdir(folder, 0o755) == 0 && chmod(folder, 0o777) == 0)
            let open = try sandbox.psistats("start")
            #expect(open.status == 73)
            #expect(open.errors.contains("can be written by others"))
        }
    }

    @Test(
        "a folder that another user's agent left behind does not keep root from starting",
        .enabled(if: geteuid() == 0)
    )
    func othersFolder() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            let folder = RuntimePlace(pidfile: sandbox.pidfile).lockFolder
            let path = AgentLock.file(in: folder)
            #expect(mkdir(folder, 0o755) == 0)
            try Data("{}".utf8).write(to: URL(fileURLWithPath: path))
            for name in [folder, path] { chown(name, 65_534, 65_534) }
            chmod(path, 0o600)
            let pid = try sandbox.start()
            var status = stat()
            #expect(lstat(folder, &status) == 0 && status.st_uid == 0)
            #expect(try sandbox.psistats("stop").text == "psistats: process \(pid) has ended\n")
        }
    }

    @Test("what is no socket and has the socket's name is left alone")
    func socketName() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            let path = RuntimePlace(pidfile: sandbox.pidfile).socket
            try Data("mine".utf8).write(to: URL(fileURLWithPath: path))
            let pid = try sandbox.start()
            #expect(sandbox.log.contains("'psistats status' will not know much"))
            #expect(try sandbox.psistats("status").text == "running: process \(pid)\n")
            try sandbox.psistats("stop")
            #expect(AgentFiles.text(path) == "mine")
        }
    }

    @Test("who finds the daemon is not misled by a socket of another process's")
    func strangersSocket() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            let pid = try sandbox.start()
            let path = RuntimePlace(pidfile: sandbox.pidfile).socket
            #expect(unlink(path) == 0)
            let own = try ControlSocket(path: path)
            defer { own.remove() }
            let status = try sandbox.psistats("status")
            #expect(status.text == "running: process \(pid)\n")
            #expect(status.errors.contains("\(path) is another process's, \(getpid()): Operation not permitted"))
        }
    }

    @Test("a pidfile that is another in the configuration now: the daemon is found, and reload says what becomes of it")
    func changedPidfile() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            let pid = try sandbox.start()
            let old = sandbox.pidfile
            sandbox.config["app"]?["pidfile"] = sandbox.folder + "/new.pid"
            try sandbox.writeConfig()
            #expect(try sandbox.psistats("status").text.hasPrefix("running: process \(pid), "))
            #expect(try sandbox.psistats("start").text == "psistats: runs already: process \(pid), pidfile \(old)\n")
            let reload = try sandbox.psistats("reload")
            let note = "pidfile in [app] is changed by a start only; until then it is \(old)"
            #expect(reload.status == 0)
            #expect(reload.errors == "psistats: \(note)\n")
            #expect(sandbox.logCount(note) == 1)
            #expect(try sandbox.psistats("status").text.contains("\nconfiguration: \(note)\n"))
            // By another name of the same file, too.
            #expect(symlink(sandbox.configPath, sandbox.folder + "/link.conf") == 0)
            let status = try Program.run(["status", "--config", sandbox.folder + "/link.conf"])
            #expect(status.text.hasPrefix("running: process \(pid), "))
            #expect(try sandbox.psistats("stop").text == "psistats: process \(pid) has ended\n")
            #expect(!AgentFiles.exists(old))
            #expect(try sandbox.psistats("status").status == 3)
        }
    }

    @Test("an agent with another configuration and another pidfile is none of this one's business")
    func neighbour() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { first in
            let pid = try first.start()
            try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { second in
                try second.writeConfig()
                #expect(try second.psistats("status").status == 3)
                #expect(try second.psistats("stop").text == "psistats: does not run\n")
                #expect(try second.start() != pid)
            }
            #expect(try first.daemonPid() == pid)
        }
    }

    @Test("output files that were moved away are opened again by a reload, and where they lead to can be changed by it")
    func outputFiles() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            let (old, moved, new) = (sandbox.folder + "/err", sandbox.folder + "/err.1", sandbox.folder + "/new")
            sandbox.logTo("class=StreamHandler")
            sandbox.config["app"]?["stderr_path"] = old
            sandbox.config["app"]?["stdout_path"] = sandbox.folder + "/out"
            let pid = try sandbox.start()
            try await eventually("a log on standard error") { AgentFiles.text(old).contains("started: process \(pid)") }
            #expect(rename(old, moved) == 0)
            #expect(try sandbox.psistats("reload").status == 0)
            #expect(AgentFiles.text(old).contains("the configuration was read again"))
            #expect(!AgentFiles.text(moved).contains("the configuration was read again"))
            #expect(AgentFiles.exists(sandbox.folder + "/out"))

            sandbox.config["app"]?["stderr_path"] = new
            try sandbox.writeConfig()
            #expect(try sandbox.psistats("reload").status == 0)
            #expect(AgentFiles.text(new).contains("the configuration was read again"))

            sandbox.config["app"]?["stderr_path"] = sandbox.folder + "/nowhere/err"
            try sandbox.writeConfig()
            let refused = try sandbox.psistats("reload")
            #expect(refused.status == 78)
            #expect(refused.errors == "stderr_path, \(sandbox.folder)/nowhere/err: No such file or directory\n")
            #expect(AgentFiles.text(new).contains("the configuration stays as it was"))
            sandbox.config["app"]?["stderr_path"] = new
            try sandbox.writeConfig()
        }
    }

    @Test("force-reload is what init scripts call it")
    func forceReload() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            let pid = try sandbox.start()
            let reload = try sandbox.psistats("force-reload")
            #expect(reload.status == 0)
            #expect(reload.text.hasPrefix("psistats: process \(pid) has read its configuration again"))
        }
    }
}
#endif
