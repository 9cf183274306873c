#if Agent
import Glibc
import Testing

@testable import PsistatsAgent

@Suite("psistats")
struct PsistatsTests {
    @Test("--version prints the version and how it was built, and nothing else")
    func version() throws {
        let result = try Program.run(["--version"])
        #expect(result.status == 0)
        #expect(result.text == "psistats \(Psistats.version) (\(Psistats.build))\n")
    }

    @Test("help names the subcommands")
    func help() throws {
        let result = try Program.run(["--help"])
        #expect(result.status == 0)
        #expect(result.text.contains("\n  declare "))
        #expect(result.text.contains("\n  frames "))
    }

    @Test("an unknown subcommand or option is a usage error", arguments: [["frobnicate"], ["--frobnicate"]])
    func usage(_ arguments: [String]) throws {
        let result = try Program.run(arguments)
        #expect(result.status == ExitStatus.usage.rawValue)
        #expect(result.output.isEmpty)
        #expect(result.errors.contains("frobnicate"))
    }

    @Test(
        "a mistyped command is a usage error that says what was meant",
        arguments: [
            (["strat"], "start"), (["help", "wacth"], "watch"), (["chekc", "--config", "x"], "check"),
            (["stauts"], "status"),
            (["sensor"], "sensors"), (["hepl"], "help"),
        ]
    )
    func suggestions(_ arguments: [String], _ meant: String) throws {
        let result = try Program.run(arguments)
        #expect(result.status == ExitStatus.usage.rawValue)
        #expect(result.output.isEmpty)
        #expect(result.errors.contains("did you mean '\(meant)'?"), "\(result.errors)")
    }

    @Test("what is near no command is a usage error without a guess")
    func noSuggestion() throws {
        for arguments in [
            ["nonsense-command"], ["help", "nonsense-command"], [""], [String(repeating: "x", count: 10_000)],
        ] {
            let result = try Program.run(arguments)
            #expect(result.status == ExitStatus.usage.rawValue)
            #expect(!result.errors.contains("did you mean"))
        }
    }

    @Test("the forms of the Python psistats work, and say what they are called now")
    func oldForms() throws {
        let directory = try TemporaryDirectory()
        let wrong = try directory.write("psistats.conf", "[app]\npidfile=\(directory.path)/p.pid\n[server]\nurl=x\n")
        for (arguments, words, status) in [
            (["--start"], "'--start' is called 'psistats start' now", 78),
            (["--stop"], "'--stop' is called 'psistats stop' now", 0),
            (["--start-console"], "'--start-console' is called 'psistats start --foreground' now", 78),
            (["--restart"], "'--restart' is called 'psistats restart' now", 78), (["--status"], "psistats status", 3),
            (["start-local"], "'start-local' is called 'psistats start --foreground' now", 78),
        ] {
            for all in [arguments + ["--config", wrong], ["--config", wrong] + arguments] {
                if all[0] == "--config", arguments == ["start-local"] { continue }
                let result = try Program.run(all)
                #expect(result.errors.contains(words), "\(all): \(result.errors)")
                #expect(result.status == Int32(status), "\(all): \(result.errors)")
            }
        }
    }

    @Test("output that cannot be written ends every command with 74")
    func fullOutput() throws {
        let directory = try TemporaryDirectory()
        let config = try directory.write(
            "psistats.conf",
            "[app]\npidfile=\(directory.path)/p.pid\n[server]\nurl=amqp://127.0.0.1:1\n"
        )
        let commands = [
            ["--help"], ["--version"], ["help", "start"], ["start", "--help"],
            ["--generate-completion-script", "bash"],
            ["check", "--offline", "--config", config], ["report", "--once", "--config", config],
            ["status", "--json", "--config", config], ["stop", "--config", config],
            ["declare", "--dry-run", "--config", config],
            ["--stop", "--config", config],
        ]
        for command in commands {
            let quoted = ([Program.path] + command).map { "'\($0)'" }.joined(separator: " ")
            let process = try AgentProcess(
                ["/bin/sh", "-c", "exec \(quoted) > /dev/full"],
                files: directory.path + "/run"
            )
            let ending = try Self.waitForEnd(process)
            #expect(ending == .status(ExitStatus.ioError.rawValue), "\(command): \(process.errors)")
        }
        for name in ["run.out", "run.err"] { unlink(directory.path + "/" + name) }
    }

    private static func waitForEnd(_ process: AgentProcess) throws -> AgentProcess.Ending {
        while true {
            if let ending = process.ended() { return ending }
            var nothing = pollfd(fd: -1, events: 0, revents: 0)
            _ = poll(&nothing, 1, 5)
        }
    }

    @Test("the shell completes files behind --config")
    func completion() throws {
        let script = try Program.run(["--generate-completion-script", "bash"]).text
        #expect(script.contains("--config"))
        #expect(
            script.contains("_psistats_add_completions -f") || script.contains("compgen -f"),
            "\(script.prefix(3_000))"
        )
    }
}
#endif
