import Testing

@testable import HostMetrics

@Suite struct UptimeAndLoadTests {
    @Test("uptime has the decimals of the kernel") func uptimeHasTheDecimalsOfThe() throws {
        #expect(try UptimeCollector(root: Fixture.root("raspberry-pi")).read() == 93_182.47)
        #expect(try UptimeCollector(root: Fixture.root("many-cores")).read() == 8_640_213.01)
    }

    @Test("load lists one, five and fifteen minutes") func loadListsOneFiveAndFifteen() throws {
        #expect(
            try LoadCollector(root: Fixture.root("many-cores")).read()
                == LoadSample(oneMinute: 41.20, fiveMinutes: 38.77, fifteenMinutes: 35.02)
        )
    }

    @Test("each reading reads the file again") func eachReadingReadsTheFileAgain() throws {
        let tree = try HostTree(copying: "container")
        let collector = UptimeCollector(root: tree.root)
        #expect(try collector.read() == 12)
        tree.write("proc/uptime", "13.5 0\n")
        #expect(try collector.read() == 13.5)
    }

    @Test("an empty file is an error that says so") func anEmptyFileIsAnError() throws {
        let tree = try HostTree()
        tree.write("proc/uptime", "")
        tree.write("proc/loadavg", "0.1 0.2\n")
        #expect(throws: CollectorError.self) { try UptimeCollector(root: tree.root).read() }
        #expect(throws: CollectorError.self) { try LoadCollector(root: tree.root).read() }
    }

    @Test(
        "a number of another notation, and one below 0, is no uptime",
        arguments: ["1.2e+07 1\n", "-5.12 0\n", "nan nan\n"]
    )
    func aNumberOfAnotherNotation(text: String) throws {
        let tree = try HostTree()
        tree.write("proc/uptime", text)
        #expect(throws: CollectorError.self) { try UptimeCollector(root: tree.root).read() }
    }

    @Test("no damage to the files ends the process") func noDamageToTheFilesEnds() throws {
        try Damage.everyKind(host: "server", files: ["proc/uptime", "proc/loadavg"]) { root in
            _ = try? UptimeCollector(root: root).read()
            _ = try? LoadCollector(root: root).read()
        }
    }
}
