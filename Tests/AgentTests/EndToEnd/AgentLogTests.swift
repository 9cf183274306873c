#if Agent
import Foundation
import Glibc
import Testing

@testable import PsistatsAgent

/// The log's files while the daemon runs. What is written does not depend on a broker, and none is there.
@Suite("the daemon's log files")
struct AgentLogTests {
    @Test("a RotatingFileHandler starts new files at its size and keeps as many as it is told")
    func rotation() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            sandbox.logTo(
                "class=logging.handlers.RotatingFileHandler",
                "filename=\(sandbox.logPath)",
                "maxBytes=2000",
                "backupCount=2"
            )
            let pid = try sandbox.start()
            let files = [sandbox.logPath, sandbox.logPath + ".1", sandbox.logPath + ".2"]
            var first: String?
            try await eventually("a file that was there first is gone") {
                // Has it write its status.
                kill(pid, SIGUSR1)
                let oldest = AgentFiles.text(files[2])
                guard let first else {
                    if !oldest.isEmpty { first = oldest }
                    return false
                }
                return oldest != first
            }
            #expect(!AgentFiles.exists(sandbox.logPath + ".3"))
            for file in files.dropFirst() {
                let size = AgentFiles.text(file).utf8.count
                #expect((1_000...2_000).contains(size), "\(file) has \(size) octets")
            }
            #expect(try sandbox.psistats("stop").status == 0)
        }
    }

    @Test("a WatchedFileHandler goes on in a new file when the old one was renamed; a FileHandler does at reload")
    func renaming() async throws {
        for (handler, needsReload) in [("logging.handlers.WatchedFileHandler", false), ("logging.FileHandler", true)] {
            try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
                sandbox.logTo("class=\(handler)", "filename=\(sandbox.logPath)")
                let pid = try sandbox.start()
                try await sandbox.awaitLog("started: process \(pid)")
                try #require(rename(sandbox.logPath, sandbox.logPath + ".old") == 0)
                if needsReload {
                    kill(pid, SIGUSR1)
                    try await eventually("a line in the renamed file") {
                        AgentFiles.text(sandbox.logPath + ".old").contains("running: process")
                    }
                    #expect(!AgentFiles.exists(sandbox.logPath))
                    try sandbox.psistats("reload")
                    try await eventually("a new file") { AgentFiles.exists(sandbox.logPath) }
                }
                kill(pid, SIGUSR1)
                try await sandbox.awaitLog("running: process \(pid)")
                #expect(sandbox.logCount("started: process") == 0)
            }
        }
    }

    @Test("a log that takes nothing any more does not stop the agent", .enabled(if: Broker.isThere, Broker.absence))
    func fullDisk() async throws {
        try await AgentSandbox.run { sandbox in
            sandbox.logTo("class=logging.FileHandler", "filename=/dev/full", level: "DEBUG")
            let pid = try sandbox.start()
            kill(pid, SIGUSR1)
            try await sandbox.awaitStatus("confirmed messages") { $0["confirmed"].number ?? 0 >= 5 }
            #expect(try sandbox.psistats("reload").status == 0)
            let confirmed = try sandbox.status()["confirmed"].number ?? 0
            try await sandbox.awaitStatus("more of them") { $0["confirmed"].number ?? 0 >= confirmed + 5 }
            #expect(try sandbox.psistats("stop").text == "psistats: process \(pid) has ended\n")
        }
    }

    @Test("a folder for logs that has become unwritable keeps a reload from being applied, and says why")
    func unwritableAtReload() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            let pid = try sandbox.start()
            try await sandbox.awaitLog("started: process \(pid)")
            let config = sandbox.config
            sandbox.logTo("class=logging.FileHandler", "filename=\(sandbox.folder)/nowhere/psistats.log")
            try sandbox.writeConfig()
            let refused = try sandbox.psistats("reload")
            #expect(refused.status == 78)
            let reason = "nowhere/psistats.log cannot be opened: No such file or directory"
            #expect(refused.errors.contains(reason))
            #expect(sandbox.log.contains("the configuration stays as it was"))
            #expect(sandbox.logCount(reason) == 1)
            sandbox.config = config
            try sandbox.writeConfig()
            #expect(try sandbox.psistats("reload").status == 0)
            try await sandbox.awaitLog("the configuration was read again")
        }
    }
}
#endif
