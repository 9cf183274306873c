#if Agent
import Foundation
import Glibc
import Testing

@testable import PsistatsAgent

/// What `start` says when there is no daemon to be had. Needs no broker.
@Suite("a daemon that cannot start")
struct AgentStartFailureTests {
    @Test("a configuration with ten mistakes gives ten lines and the status 78, detached and in the foreground")
    func tenMistakes() async throws {
        let expected = try Repository.lines("Fixtures/config/ten-mistakes.problems")
        try #require(expected.count == 10)
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            let config = try Repository.bytes("Fixtures/config/ten-mistakes.conf")
            try sandbox.writeConfig(String(decoding: config, as: UTF8.self))
            for options in [[], ["--foreground"]] {
                let result = try Program.run(
                    ["start", "--config", "psistats.conf"] + options,
                    directory: sandbox.folder
                )
                #expect(result.status == 78)
                #expect(result.text == "")
                #expect(result.errors.split(separator: "\n").map(String.init) == expected)
                #expect(!result.errors.contains("hunter2"))
            }
        }
    }

    @Test("a pidfile that cannot be written is the status 73, and the caller is told")
    func unwritablePidfile() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            sandbox.config["app"]?["pidfile"] = sandbox.folder + "/nowhere/psistats.pid"
            try sandbox.writeConfig()
            for options in [[], ["--foreground"]] {
                let result = try Program.run(["start", "--config", sandbox.configPath] + options)
                #expect(result.status == 73)
                #expect(result.errors.hasPrefix("psistats: the pidfile \(sandbox.pidfile) cannot be written ("))
                #expect(result.errors.contains("No such file or directory"))
                #expect(result.errors.hasSuffix("name another with pidfile in [app]\n"))
            }
        }
    }

    @Test("a log that cannot be opened is the status 78, with its line")
    func unopenableLog() async throws {
        try await AgentSandbox.run(url: "amqp://127.0.0.1:1") { sandbox in
            sandbox.logTo("class=logging.FileHandler", "args=('\(sandbox.folder)/nowhere/psistats.log',)")
            try sandbox.writeConfig()
            let result = try sandbox.psistats("start")
            #expect(result.status == 78)
            #expect(result.errors.hasPrefix("\(sandbox.configPath):"))
            #expect(result.errors.contains("cannot be opened: No such file or directory"))
            #expect(try sandbox.daemonPid() == nil)
            #expect(!AgentFiles.exists(sandbox.pidfile))
        }
    }
}
#endif
