import Testing

@testable import HostMetrics

@Suite struct DiskIOCollectorTests {
    private let start = SuspendingClock.now

    /// A line for a device with so many reads, sectors read, writes and sectors written.
    private func line(_ name: String, _ reads: UInt64, _ read: UInt64, _ writes: UInt64, _ written: UInt64) -> String {
        "   8       0 \(name) \(reads) 0 \(read) 0 \(writes) 0 \(written) 0 0 0 0 0 0 0 0 0 0\n"
    }

    /// The names in the sample of a host on which nothing happens.
    private func names(_ host: String, _ collector: (SystemRoot) -> DiskIOCollector) throws -> [String] {
        let collector = collector(Fixture.root(host))
        #expect(try collector.read(at: start) == nil)
        return try #require(try collector.read(at: start + .seconds(1))).devices.map(\.name)
    }

    @Test("rates are by the second, however long that was ago, and totals as the kernel counts them")
    func ratesAreByTheSecondHowever() throws {
        let tree = try HostTree()
        tree.write("proc/diskstats", line("sda", 100, 1_000, 200, 3_000))
        let collector = DiskIOCollector(root: tree.root)
        #expect(try collector.read(at: start) == nil)
        tree.write("proc/diskstats", line("sda", 110, 1_040, 205, 3_100))
        let sample = try #require(try collector.read(at: start + .milliseconds(2_500)))
        #expect(
            sample.devices == [
                .init(
                    name: "sda",
                    perSecond: .init(octetsRead: 8_192, octetsWritten: 20_480, reads: 4, writes: 2),
                    total: .init(octetsRead: 532_480, octetsWritten: 1_587_200, reads: 110, writes: 205)
                )
            ]
        )
        let quiet = try #require(try collector.read(at: start + .seconds(5)))
        #expect(quiet.devices.first?.perSecond == .init(octetsRead: 0, octetsWritten: 0, reads: 0, writes: 0))
    }

    @Test("a device with a counter that fell is missing once", arguments: [0, 1, 2, 3]) func aDeviceWithACounterThat(
        fallen: Int
    ) throws {
        let tree = try HostTree()
        func write(_ counters: [UInt64]) {
            let disk = line("sda", counters[0], counters[1], counters[2], counters[3])
            tree.write("proc/diskstats", disk + line("sdb", counters[0] * 2, 0, 0, 0))
        }
        let collector = DiskIOCollector(root: tree.root, devices: ["sda"])
        write([1 << 31, 1 << 31, 1 << 31, 1 << 31])
        _ = try collector.read(at: start)
        var counters = [UInt64](repeating: 1 << 31 + 5, count: 4)
        counters[fallen] = 3
        write(counters)
        #expect(try collector.read(at: start + .seconds(1)) == nil)
        counters = counters.map { $0 + 7 }
        write(counters)
        let sample = try #require(try collector.read(at: start + .seconds(2)))
        #expect(sample.devices.first?.perSecond == .init(octetsRead: 3_584, octetsWritten: 3_584, reads: 7, writes: 7))
    }

    @Test("a device that comes, goes, or changes its place is matched by name") func aDeviceThatComesGoesOr() throws {
        let tree = try HostTree()
        let collector = DiskIOCollector(root: tree.root)
        tree.write("proc/diskstats", line("sda", 1, 0, 0, 0) + line("sdb", 100, 0, 0, 0) + line("sdc", 7, 0, 0, 0))
        _ = try collector.read(at: start)
        tree.write("proc/diskstats", line("sdc", 9, 0, 0, 0) + line("sdd", 999, 0, 0, 0) + line("sda", 4, 0, 0, 0))
        let devices = try #require(try collector.read(at: start + .seconds(1))).devices
        #expect(devices.map(\.name) == ["sdc", "sda"])
        #expect(devices.map(\.perSecond.reads) == [2, 3])
    }

    @Test("no time passed means no sample, and the earlier reading is still compared with") func noTimePassedMeansNo()
        throws
    {
        let tree = try HostTree()
        let collector = DiskIOCollector(root: tree.root)
        tree.write("proc/diskstats", line("sda", 0, 0, 0, 0))
        _ = try collector.read(at: start)
        tree.write("proc/diskstats", line("sda", 10, 0, 0, 0))
        #expect(try collector.read(at: start) == nil)
        #expect(try collector.read(at: start - .seconds(1)) == nil)
        #expect(try collector.read(at: start + .seconds(2))?.devices.first?.perSecond.reads == 5)
    }

    @Test("forgetting the baseline means no value for the next reading") func forgettingTheBaselineMeansNo() throws {
        let collector = DiskIOCollector(root: Fixture.root("server"))
        _ = try collector.read(at: start)
        collector.discardBaseline()
        #expect(try collector.read(at: start + .seconds(1)) == nil)
        #expect(try collector.read(at: start + .seconds(2)) != nil)
    }

    @Test("whole disks are reported, and no loop, ram or zram device that was never used")
    func wholeDisksAreReportedAndNo() throws {
        #expect(try names("server") { DiskIOCollector(root: $0) } == ["vda"])
        #expect(try names("raspberry-pi") { DiskIOCollector(root: $0) } == ["mmcblk0"])
        #expect(try names("laptop") { DiskIOCollector(root: $0) } == ["loop0", "nvme0n1", "zram0"])
        #expect(
            try names("storage") { DiskIOCollector(root: $0) }
                == ["loop0", "loop1", "nvme0n1", "sda", "sdb", "sr0", "dm-0"]
        )
    }

    @Test("names that look alike are not partitions of each other") func namesThatLookAlikeAreNot() throws {
        #expect(
            try names("many-cores") { DiskIOCollector(root: $0) }
                == ["nvme0n1", "nvme0n10", "sda", "sdb", "sdaa", "md127", "md12", "dm-0", "cciss/c0d0"]
        )
    }

    @Test("partitions are reported on demand") func partitionsAreReportedOnDemand() throws {
        #expect(
            try names("raspberry-pi") { DiskIOCollector(root: $0, partitions: true) }
                == ["mmcblk0", "mmcblk0p1", "mmcblk0p2"]
        )
    }

    @Test("named devices are reported whatever they are, and excluded ones never") func namedDevicesAreReported()
        throws
    {
        #expect(
            try names("storage") { DiskIOCollector(root: $0, devices: ["sda*", "loop2"], excludedDevices: ["sda"]) }
                == ["loop2", "sda1"]
        )
        #expect(
            try names("storage") { DiskIOCollector(root: $0, excludedDevices: ["loop*", "sr?", "dm-*"]) }
                == ["nvme0n1", "sda", "sdb"]
        )
    }

    @Test("partitions of old kernels have four counters") func partitionsOfOldKernelsHaveFour() throws {
        let collector = DiskIOCollector(root: Fixture.root("old-kernel"), devices: ["hda1"])
        _ = try collector.read(at: start)
        #expect(
            try collector.read(at: start + .seconds(1))?.devices.first?.total
                == .init(
                    octetsRead: 4_294_967_200 * 512,
                    octetsWritten: 4_294_966_900 * 512,
                    reads: 91_800,
                    writes: 71_800
                )
        )
    }

    @Test("a machine without disks has no sample, and a line that cannot be read costs one device")
    func aMachineWithoutDisksHasNo() throws {
        let empty = DiskIOCollector(root: Fixture.root("lxc-guest"))
        for second in 0..<3 { #expect(try empty.read(at: start + .seconds(second)) == nil) }
        let tree = try HostTree()
        tree.write("proc/diskstats", " 8 0 sda 1 2 3 4 5\n" + line("sdb", 1, 2, 3, 4))
        let collector = DiskIOCollector(root: tree.root)
        _ = try collector.read(at: start)
        #expect(try collector.read(at: start + .seconds(1))?.devices.map(\.name) == ["sdb"])
        tree.write("proc/diskstats", "nonsense\n")
        #expect(throws: CollectorError.self) { try collector.read(at: start + .seconds(2)) }
    }

    @Test("a disk that was given another's name is another") func aDiskThatWasGiven() throws {
        let tree = try HostTree()
        func write(_ disks: [(name: String, number: String, reads: Int)]) {
            tree.write(
                "proc/diskstats",
                disks.map { "\($0.number) \($0.name) \($0.reads) 0 0 0 0 0 0 0 0 0 0\n" }.joined()
            )
        }
        let collector = DiskIOCollector(root: tree.root)
        write([("dm-0", "253 0", 5), ("nvme0n1", "259 0", 7), ("nvme1n1", "259 1", 7)])
        #expect(try collector.read(at: start) == nil)
        write([("dm-0", "253 0", 6), ("nvme0n1", "259 1", 1_000), ("nvme1n1", "259 0", 2_000)])
        #expect(try collector.read(at: start + .seconds(1))?.devices.map(\.name) == ["dm-0"])
        write([("dm-0", "253 0", 6), ("nvme0n1", "259 1", 1_001), ("nvme1n1", "259 0", 2_002)])
        #expect(try collector.read(at: start + .seconds(2))?.devices.map(\.perSecond.reads) == [0, 1, 2])
    }

    @Test("what is read by several paths to an NVMe disk counts once, as the disk's", arguments: [false, true])
    func whatIsReadBySeveralPaths(diskCounts: Bool) throws {
        let tree = try HostTree()
        func write(_ first: UInt64, _ second: UInt64?, beforeDisk: Bool = true) {
            let sum = first + (second ?? 0)
            let disk = line("nvme3n1", diskCounts ? sum : 0, 0, 0, diskCounts ? 8 * sum : 0)
            let partition = line("nvme3n1p1", diskCounts ? sum : 0, 0, 0, diskCounts ? 8 * sum : 0)
            var paths = line("nvme3c33n1", first, 0, 0, 8 * first)
            if let second { paths += line("nvme3c34n1", second, 0, 0, 8 * second) }
            tree.write("proc/diskstats", beforeDisk ? paths + disk + partition : disk + partition + paths)
        }
        let collector = DiskIOCollector(root: tree.root)
        write(100, 10)
        #expect(try collector.read(at: start) == nil)
        for beforeDisk in [true, false] {
            write(110, 15, beforeDisk: beforeDisk)
            let devices = try #require(try collector.read(at: start + .seconds(beforeDisk ? 1 : 2))).devices
            let grown = beforeDisk ? 15.0 : 0
            #expect(
                devices == [
                    .init(
                        name: "nvme3n1",
                        perSecond: .init(octetsRead: 0, octetsWritten: 4_096 * grown, reads: grown, writes: 0),
                        total: .init(octetsRead: 0, octetsWritten: 512_000, reads: 125, writes: 0)
                    )
                ]
            )
        }
        // A path that goes takes what it had counted with it; the other goes on.
        write(112, nil)
        let left = try collector.read(at: start + .seconds(3))?.devices.map(\.perSecond.reads)
        #expect(left == (diskCounts ? nil : [2]))
        func names(_ devices: [String]) throws -> [String] {
            write(112, 20)
            let collector = DiskIOCollector(root: tree.root, devices: devices)
            _ = try collector.read(at: start)
            return try collector.read(at: start + .seconds(1))?.devices.map(\.name) ?? []
        }
        #expect(try names(["nvme3c33n1"]) == ["nvme3c33n1"])
        #expect(try names(["nvme*"]) == ["nvme3n1", "nvme3n1p1"])
    }

    @Test("a disk that is asked for and not there is told") func aDiskThatIsAskedFor() throws {
        let tree = try HostTree()
        tree.write("proc/diskstats", line("sda", 1, 0, 0, 0))
        let collector = DiskIOCollector(root: tree.root, devices: ["sda", "sdb"])
        #expect(try collector.read(at: start) == nil)
        #expect(try collector.read(at: start + .seconds(1))?.missing == ["sdb"])
        let none = DiskIOCollector(root: tree.root, devices: ["sd[b-z]"])
        #expect(try none.read(at: start) == nil)
        #expect(try none.read(at: start + .seconds(1)) == .init(devices: [], missing: ["sd[b-z]"]))
    }

    @Test("no damage to the file ends the process, nor makes a rate negative or endless")
    func noDamageToTheFileEnds() throws {
        for host in ["storage", "old-kernel", "many-cores"] {
            // One collector sees one broken file after another, so it compares them.
            var collector: DiskIOCollector?
            var second = 0
            try Damage.everyKind(host: host, files: ["proc/diskstats"]) { root in
                let reader = collector ?? DiskIOCollector(root: root, partitions: true)
                collector = reader
                second += 1
                let sample = try? reader.read(at: start + .seconds(second))
                for device in sample?.devices ?? [] {
                    #expect(device.perSecond.octetsRead >= 0 && device.perSecond.octetsRead.isFinite)
                }
            }
        }
    }
}
