import Glibc
import Testing

@testable import HostMetrics

@Suite struct MemoryCollectorTests {
    private func sample(_ host: String) throws -> MemorySample {
        try #require(try MemoryCollector(root: Fixture.root(host)).read())
    }

    @Test("what the kernel says is available is believed") func whatTheKernelSaysIsAvailable() throws {
        let sample = try sample("raspberry-pi")
        #expect(sample.total == 948_304 * 1_024)
        #expect(sample.available == 612_340 * 1_024)
        #expect(sample.used == (948_304 - 612_340) * 1_024)
        #expect(sample.percent == 35.4)
        #expect(sample.swap == .init(percent: 10.0, total: 102_396 * 1_024, used: 10_240 * 1_024))
    }

    @Test("a machine without swap space has no swap in its sample") func aMachineWithoutSwapSpaceHas() throws {
        #expect(try sample("many-cores").swap == nil)
    }

    @Test("a kernel that does not say what is available has it computed") func aKernelThatDoesNotSay() throws {
        // low = (41 + 7652 + 13417) pages; cache = 1804120 + 1401344 kB less low; slabs = 301232 kB less low.
        let low = UInt64(41 + 7_652 + 13_417) * UInt64(sysconf(Int32(_SC_PAGESIZE)))
        let kilobytes: UInt64 = 1_012_344 + 1_804_120 + 1_401_344 + 301_232
        #expect(try sample("old-kernel").available == kilobytes * 1_024 - 3 * low)
    }

    @Test("with no zoneinfo either, free and cached count as available; a blank after the colon is no must")
    func withNoZoneinfoEitherFreeAnd()
        throws
    {
        let sample = try sample("container")
        #expect(sample.available == (524_288 + 131_072) * 1_024)
        #expect(sample.percent == 37.5)
    }

    @Test("a guest that has more available than in all falls back to what is free") func aGuestThatHasMoreAvailable()
        throws
    {
        let sample = try sample("lxc-guest")
        #expect(sample.available == 1_572_864 * 1_024)
        #expect(sample.percent == 25)
        #expect(sample.swap?.used == 0)
    }

    @Test("percent is rounded as psutil rounds it: divided first, then multiplied")
    func percentIsRoundedAsPsutilRounds()
        throws
    {
        let tree = try HostTree()
        tree.write("proc/meminfo", "MemTotal: 10000 kB\nMemFree: 1 kB\nMemAvailable: 9965 kB\n")
        #expect(try MemoryCollector(root: tree.root).read()?.percent == 0.4)
    }

    @Test("what is wrong with a line is said as it is") func whatIsWrongWithALine() throws {
        let tree = try HostTree()
        func reason(_ text: String) throws -> String {
            tree.write("proc/meminfo", text)
            let error = #expect(throws: CollectorError.self) { try MemoryCollector(root: tree.root).read() }
            return try #require(error).reason.description
        }
        #expect(try reason("MemTotal: 0 kB\nMemFree: 18446744073708785356 kB\n") == "says that MemTotal is 0")
        #expect(try reason("MemTotal: -5 kB\nMemFree: 1 kB\n") == "says in 'MemTotal' what is no amount of memory")
        #expect(try reason("MemTotal: 5 kB\n") == "has no line 'MemFree'")
        let negative = "MemTotal: 16386136 kB\nMemFree: -766260 kB\nCached: 698016 kB\n"
        #expect(try reason(negative) == "says in 'MemFree' what is no amount of memory")
        #expect(try reason(negative + "MemAvailable: -766260 kB\n") == "says in 'MemFree' what is no amount of memory")
        // It is not needed.
        tree.write("proc/meminfo", negative + "MemAvailable: 8193068 kB\n")
        #expect(try MemoryCollector(root: tree.root).read()?.percent == 50)
    }

    @Test("without a total there is no reading") func withoutATotalThereIsNo() throws {
        let tree = try HostTree()
        tree.write("proc/meminfo", "MemFree: 12 kB\n")
        let error = #expect(throws: CollectorError.self) { try MemoryCollector(root: tree.root).read() }
        #expect(error?.reason == .malformed("has no line 'MemTotal'"))
    }

    @Test("no damage to the files ends the process") func noDamageToTheFilesEnds() throws {
        for (host, files) in [("server", ["proc/meminfo"]), ("old-kernel", ["proc/meminfo", "proc/zoneinfo"])] {
            try Damage.everyKind(host: host, files: files) { root in
                let sample = try? MemoryCollector(root: root).read()
                if let percent = sample?.percent { #expect((0...100).contains(percent)) }
            }
        }
    }
}
