import Testing

@testable import HostMetrics

@Suite struct CPUCollectorTests {
    @Test("the first reading has nothing to compare with") func theFirstReadingHasNothingTo() throws {
        #expect(try CPUCollector(root: Fixture.root("server")).read() == nil)
    }

    @Test("steal, irq and softirq are busy; idle and iowait are not") func stealIrqAndSoftirqAreBusy() throws {
        let tree = try HostTree()
        tree.write("proc/stat", "cpu 0 0 0 0 0 0 0 0 0 0\n")
        let collector = CPUCollector(root: tree.root)
        #expect(try collector.read() == nil)
        tree.write("proc/stat", "cpu 10 10 10 40 30 10 10 80 0 0\n")
        #expect(try collector.read()?.percent == 65)
    }

    @Test("the time of guests is not counted twice") func theTimeOfGuestsIsNot() throws {
        let tree = try HostTree()
        tree.write("proc/stat", "cpu 0 0 0 0 0 0 0 0 0 0\n")
        let collector = CPUCollector(root: tree.root)
        _ = try collector.read()
        // 50 of the 60 user ticks and all 10 of nice are guests'.
        tree.write("proc/stat", "cpu 60 10 0 30 0 0 0 0 50 10\n")
        #expect(try collector.read()?.percent == 70)
    }

    @Test("a counter that goes backwards adds nothing and takes nothing") func aCounterThatGoesBackwardsAdds() throws {
        let tree = try HostTree()
        tree.write("proc/stat", "cpu 100 0 100 1000 500 0 0 0 0 0\n")
        let collector = CPUCollector(root: tree.root)
        _ = try collector.read()
        tree.write("proc/stat", "cpu 125 0 100 1075 400 0 0 0 0 0\n")
        #expect(try collector.read()?.percent == 25)
        tree.write("proc/stat", "cpu 0 0 0 0 0 0 0 0 0 0\n")
        #expect(try collector.read()?.percent == 0)
    }

    @Test("no time passed is 0 percent") func noTimePassedIs0Percent() throws {
        let collector = CPUCollector(root: Fixture.root("raspberry-pi"), perCore: true)
        _ = try collector.read()
        let sample = try #require(try collector.read())
        #expect(sample.percent == 0)
        #expect(sample.cores.map(\.number) == [0, 1, 2, 3])
    }

    @Test("cores are matched by number, whichever are unplugged between two readings")
    func coresAreMatchedByNumberWhichever() throws {
        let tree = try HostTree()
        tree.write("proc/stat", "cpu 0 0 0 0\ncpu0 0 0 0 0\ncpu1 0 0 0 0\ncpu3 0 0 0 0\nintr 1\n")
        let collector = CPUCollector(root: tree.root, perCore: true)
        _ = try collector.read()
        tree.write("proc/stat", "cpu 50 0 0 150\ncpu0 10 0 0 90\ncpu2 70 0 0 30\ncpu3 40 0 0 60\nintr 1\n")
        let sample = try #require(try collector.read())
        #expect(sample.percent == 25)
        #expect(sample.cores == [.init(number: 0, percent: 10), .init(number: 3, percent: 40)])
    }

    @Test("a machine with holes between its cores lists those it has") func aMachineWithHolesBetweenIts() throws {
        let collector = CPUCollector(root: Fixture.root("many-cores"), perCore: true)
        _ = try collector.read()
        let numbers = try #require(try collector.read()).cores.map(\.number)
        #expect(numbers == (0..<64).filter { ![2, 3].contains($0) && !(40...47).contains($0) })
    }

    @Test("forgetting the baseline means no value for the next reading") func forgettingTheBaselineMeansNoValue() throws
    {
        let collector = CPUCollector(root: Fixture.root("server"), perCore: true)
        _ = try collector.read()
        #expect(try collector.read() != nil)
        collector.discardBaseline()
        #expect(try collector.read() == nil)
        #expect(try collector.read() != nil)
    }

    @Test("a failed reading is no baseline for the next") func aFailedReadingIsNoBaseline() throws {
        let tree = try HostTree(copying: "server")
        let collector = CPUCollector(root: tree.root)
        _ = try collector.read()
        tree.write("proc/stat", "nonsense\n")
        #expect(throws: CollectorError.self) { try collector.read() }
        tree.write("proc/stat", "cpu 1 2 3 4\n")
        #expect(try collector.read() == nil)
    }

    @Test("a missing file is named, with the reason") func aMissingFileIsNamedWith() throws {
        let tree = try HostTree()
        let error = #expect(throws: CollectorError.self) { try CPUCollector(root: tree.root).read() }
        #expect(error?.description == "\(tree.path)/proc/stat: open: No such file or directory")
        #expect(error?.isAbsence == true)
    }

    @Test("no damage to the file ends the process") func noDamageToTheFileEnds() throws {
        for host in ["server", "container"] {
            try Damage.everyKind(host: host, files: ["proc/stat"]) { root in
                let collector = CPUCollector(root: root, perCore: true)
                for _ in 0..<2 {
                    let sample = try? collector.read()
                    if let percent = sample?.percent { #expect((0...100).contains(percent)) }
                }
            }
        }
    }
}
