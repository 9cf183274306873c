#if Agent
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
}
#endif
