#if Agent
import Testing

@testable import PsistatsAgent

@Suite("psistats config")
struct ConfigCommandTests {
    @Test("prints the sample of the repository, byte for byte")
    func sample() throws {
        let result = try Program.run(["config"])
        #expect(result.status == 0)
        #expect(result.output == (try Repository.bytes("psistats.conf")))
        #expect(result.errors == "")
    }

    @Test("what it prints is a configuration that can be used")
    func usable() throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("psistats.conf", try Program.run(["config"]).text)
        let result = try Program.run(["report", "--once", "--config", file])
        #expect(result.status == 0, "\(result.errors)")
    }
}
#endif
