#if Agent
import Foundation
import Glibc
import Testing

@testable import PsistatsAgent

@Suite("the daemon: start, status, reload, stop", .enabled(if: Broker.isThere, Broker.absence))
struct AgentLifecycleTests {
    @Test("start detaches; a second start says that it runs; status tells how it does; stop drains and ends it")
    func life() async throws {
        try await AgentSandbox.run { sandbox in
            try sandbox.writeConfig()
            let before = try sandbox.psistats("status")
            #expect(before.status == 3)
            #expect(before.errors == "psistats: does not run\n")
            let beforeJSON = try sandbox.psistats("status", "--json")
            #expect(beforeJSON.status == 3)
            #expect(beforeJSON.text == "{\"running\":false}\n")

            let start = try sandbox.psistats("start")
            #expect(start.status == 0, "\(start.errors)")
            #expect(start.errors == "")
            let pid = try #require(try sandbox.daemonPid())
            #expect(
                start.text
                    == "psistats: process \(pid), configuration \(sandbox.configPath), pidfile \(sandbox.pidfile)\n"
            )
            #expect(AgentFiles.text(sandbox.pidfile) == "\(pid)\n")
            // Apart from us: in a session of its own, in no directory that it keeps busy.
            #expect(getsid(pid) == pid)
            #expect(AgentFiles.text("/proc/\(pid)/comm") == "psistats\n")
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/cwd") == "/")

            let second = try sandbox.psistats("start")
            #expect(second.status == 0)
            #expect(second.text == "psistats: runs already: process \(pid), pidfile \(sandbox.pidfile)\n")
            #expect(try sandbox.psistats("start", "--foreground").text == second.text)
            #expect(try sandbox.daemonPid() == pid)

            let json = try await sandbox.awaitStatus("confirmed messages") { $0["confirmed"].number ?? 0 >= 3 }
            #expect(json["running"] == .boolean(true))
            #expect(json["pid"].number == Double(pid))
            #expect(json["configuration"].text == sandbox.configPath)
            #expect(json["broker"].text?.hasPrefix("127.0.0.1:\(Broker.port) (RabbitMQ ") == true, "\(json)")
            #expect(json["dropped"].number == 0)
            #expect(json["lastError"] == .null)
            let text = try sandbox.psistats("status")
            #expect(text.status == 0)
            #expect(
                text.lines.first?.hasPrefix("running: process \(pid), version \(Psistats.version), started ") == true
            )
            #expect(text.text.contains("\nbroker: connected to 127.0.0.1:\(Broker.port) (RabbitMQ "))
            #expect(text.text.contains(" buffered, 0 dropped"))

            let stop = try sandbox.psistats("stop")
            #expect(stop.status == 0)
            #expect(stop.text == "psistats: process \(pid) has ended\n")
            #expect(!AgentFiles.exists(sandbox.pidfile))
            #expect(!AgentFiles.exists(sandbox.folder + "/psistats.sock"))
            #expect(sandbox.log.contains("ended; all messages are confirmed"))
            #expect(try sandbox.psistats("status").status == 3)
            let again = try sandbox.psistats("stop")
            #expect(again.status == 0)
            #expect(again.text == "psistats: does not run\n")
            let reload = try sandbox.psistats("reload")
            #expect(reload.status == 3)
            #expect(reload.errors == "psistats: does not run\n")
        }
    }

    @Test(
        "stop sends first what is buffered: the last message measured is at the broker",
        .enabled(if: AgentMessages.isThere)
    )
    func drains() async throws {
        try await AgentSandbox.run { sandbox in
            let messages = try await sandbox.reader()
            for section in ["cpu", "mem", "uptime"] { sandbox.config[section]?["interval"] = "0.02" }
            try sandbox.start()
            try await messages.wait(throughNumber: 20)
            let status = try sandbox.status()
            try sandbox.psistats("stop")
            #expect(sandbox.log.contains("ended; all messages are confirmed"))
            // One by one, up to at least what had been sent when we asked.
            let numbers = try await messages.wait(throughNumber: Int(status["sent"].number ?? 0)).compactMap(\.number)
            #expect(gap(in: numbers) == nil)
        }
    }

    @Test("restart ends one and starts another; a daemon that works is not ended for a configuration that does not")
    func restart() async throws {
        try await AgentSandbox.run { sandbox in
            let first = try sandbox.start()
            let restart = try sandbox.psistats("restart")
            #expect(restart.status == 0, "\(restart.errors)")
            let second = try #require(try sandbox.daemonPid())
            #expect(second != first)
            #expect(restart.lines.first == "psistats: process \(first) has ended")
            #expect(restart.lines.last?.hasPrefix("psistats: process \(second), ") == true)

            try sandbox.writeConfig("[queue]\nexclusive=perhaps\n[app]\npidfile=\(sandbox.pidfile)\n")
            let refused = try sandbox.psistats("restart")
            #expect(refused.status == 78)
            #expect(refused.errors == "\(sandbox.configPath):2: exclusive: has to be yes or no\n")
            #expect(try sandbox.daemonPid() == second)
        }
    }

    @Test("reload applies the configuration; one that is wrong changes nothing and is refused")
    func reload() async throws {
        try await AgentSandbox.run { sandbox in
            let pid = try sandbox.start()
            try await sandbox.awaitLog("connected to 127.0.0.1")
            sandbox.config["app"]?["message"] = "separate"
            try sandbox.writeConfig()
            let reload = try sandbox.psistats("reload")
            #expect(reload.status == 0)
            #expect(reload.text == "psistats: process \(pid) has read its configuration again: \(sandbox.configPath)\n")
            try await sandbox.awaitLog("the configuration was read again: \(sandbox.configPath)")

            // Half a file, as an editor leaves it that does not write to another one first.
            try sandbox.writeConfig("[app]\npidfile=\(sandbox.pidfile)\n[server]\nurl=amqp://gu\n[exch")
            let refused = try sandbox.psistats("reload")
            #expect(refused.status == 78)
            #expect(refused.errors.contains("psistats.conf:5: "))
            #expect(sandbox.logCount("ERROR psistats: \(sandbox.configPath):5: ") == 1)
            #expect(sandbox.logCount("the configuration stays as it was") == 1)
            // Whoever asks how it does is answered all the same.
            let confirmed = try sandbox.status()["confirmed"].number ?? 0
            try await sandbox.awaitStatus("more confirmed") { $0["confirmed"].number ?? 0 > confirmed + 2 }
            // It is as before, so the same queue is used.
            #expect(sandbox.logCount("connected to") == 1)
            // It can be ended, too, without putting the file right first.
            #expect(try sandbox.psistats("stop").text == "psistats: process \(pid) has ended\n")
        }
    }

    @Test("status and stop go wrong only where the configuration is wrong about the pidfile")
    func unknownPlace() async throws {
        try await AgentSandbox.run { sandbox in
            try sandbox.writeConfig("[queue]\nexclusive=perhaps\n[app]\npidfile=/tmp/one\n  /tmp/two\n")
            for command in ["status", "stop"] {
                let result = try sandbox.psistats(command)
                #expect(result.status == 78)
                #expect(result.errors.hasPrefix("\(sandbox.configPath):4: pidfile: "))
                #expect(result.errors.split(separator: "\n").count == 1)
            }
        }
    }

    @Test("of several that are started at the same moment one runs, and the others say so")
    func race() async throws {
        try await AgentSandbox.run { sandbox in
            try sandbox.writeConfig()
            let starts = try (1...5).map { _ in
                try sandbox.launch([Program.path, "start", "--config", sandbox.configPath])
            }
            for start in starts {
                let ending = try await eventually("the end of start") { start.ended() }
                #expect(ending == .status(0), "\(start.errors)")
            }
            let pid = try #require(try sandbox.daemonPid())
            for start in starts { #expect(start.output.contains("process \(pid), "), "\(start.output)") }
            #expect(starts.filter { $0.output.hasPrefix("psistats: runs already: ") }.count == 4)
            #expect(sandbox.logCount("started: process") == 1)
        }
    }

    @Test("a relative pidfile is in the folder where the daemon was started, and goes with it")
    func relativePidfile() async throws {
        try await AgentSandbox.run { sandbox in
            let pidfile = sandbox.pidfile
            sandbox.config["app"]?["pidfile"] = "psistats.pid"
            try sandbox.writeConfig()
            let start = try sandbox.psistats("start")
            #expect(start.status == 0)
            #expect(start.text.hasSuffix("pidfile \(pidfile)\n"))
            let pid = try #require(try AgentLock.holder(of: pidfile))
            #expect(try sandbox.psistats("stop").text == "psistats: process \(pid) has ended\n")
            #expect(!AgentFiles.exists(pidfile))
            #expect(!AgentFiles.exists(sandbox.folder + "/psistats.sock"))
        }
    }

    @Test(
        "in the foreground the log goes to standard error as well, and SIGTERM and SIGINT end it",
        arguments: [SIGTERM, SIGINT]
    )
    func foreground(_ signal: Int32) async throws {
        try await AgentSandbox.run { sandbox in
            let agent = try sandbox.startInForeground()
            try await eventually("connected, on standard error") { agent.errors.contains("connected to 127.0.0.1") }
            #expect(try sandbox.daemonPid() == agent.pid)
            try await sandbox.awaitLog("connected to 127.0.0.1")
            agent.send(SIGUSR1)
            try await sandbox.awaitLog("running: process \(agent.pid), version ")
            agent.send(signal)
            let ending = try await eventually("the end") { agent.ended() }
            #expect(ending == .status(0))
            #expect(agent.output == "")
            #expect(agent.errors.contains("ended; all messages are confirmed"))
            #expect(!AgentFiles.exists(sandbox.pidfile))
        }
    }

    @Test("what a killed daemon left behind misleads nobody, even when its number is another's now")
    func stalePidfile() async throws {
        try await AgentSandbox.run { sandbox in
            let first = try sandbox.start()
            kill(first, SIGKILL)
            try await eventually("its lock has gone") { try sandbox.daemonPid() == nil }
            #expect(AgentFiles.text(sandbox.pidfile) == "\(first)\n")
            #expect(AgentFiles.exists(sandbox.folder + "/psistats.sock"))
            // Somebody else has the number now: this process, which must survive the stop.
            try Data("\(getpid())\n".utf8).write(to: URL(fileURLWithPath: sandbox.pidfile))
            #expect(try sandbox.psistats("status").status == 3)
            #expect(try sandbox.psistats("stop").text == "psistats: does not run\n")
            #expect(try sandbox.psistats("reload").status == 3)
            let second = try sandbox.start()
            #expect(AgentFiles.text(sandbox.pidfile) == "\(second)\n")
            try await sandbox.awaitStatus("confirmed messages") { $0["confirmed"].number ?? 0 >= 1 }
        }
    }

    @Test("a daemon that does not end in time is killed")
    func killed() async throws {
        try await AgentSandbox.run { sandbox in
            sandbox.config["app"]?["pidfile_timeout"] = "0.5"
            let pid = try sandbox.start()
            kill(pid, SIGSTOP)
            let stop = try sandbox.psistats("stop")
            #expect(stop.status == 0)
            #expect(stop.text == "psistats: process \(pid) did not end in time and was killed\n")
            #expect(try sandbox.daemonPid() == nil)
        }
    }

    @Test("a daemon that hangs is known to run")
    func hanging() async throws {
        try await AgentSandbox.run { sandbox in
            let pid = try sandbox.start()
            kill(pid, SIGSTOP)
            let status = try sandbox.psistats("status")
            #expect(status.status == 0)
            #expect(status.text == "running: process \(pid)\n")
            #expect(status.errors.hasPrefix("psistats: it does not tell more: "))
            #expect(try sandbox.psistats("status", "--json").text == "{\"pid\":\(pid),\"running\":true}\n")
            kill(pid, SIGCONT)
        }
    }
}
#endif
