import Glibc
import Synchronization
import Testing

@testable import HostMetrics

@Suite(.timeLimit(.minutes(2))) struct DiskSpaceTests {
    private typealias Usage = DiskSpaceCollector.Usage

    /// Answers for every file system the same, and keeps what was asked for.
    private final class Asked: Sendable {
        private let paths = Mutex<[String]>([])

        var all: [String] { paths.withLock { $0 } }

        func add(_ path: [CChar]) {
            paths.withLock { $0.append(Self.text(path)) }
        }

        static func text(_ path: [CChar]) -> String {
            String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    private static let someUsage = Usage(
        blockSize: 4_096,
        blocks: 1_000,
        freeBlocks: 400,
        availableBlocks: 350,
        inodes: 2_000,
        freeInodes: 1_500
    )

    private func mountPoints(
        _ root: SystemRoot,
        _ options: DiskSpaceCollector.Options = .init()
    ) throws -> [String] {
        let collector = DiskSpaceCollector(root: root, options: options) { _ in .success(Self.someUsage) }
        return try collector.read()?.fileSystems.map(\.mountPoint) ?? []
    }

    @Test("file systems on a device are listed, once each, with their names unescaped") func fileSystemsOnADeviceAre()
        throws
    {
        let collector = DiskSpaceCollector(root: Fixture.root("storage"), options: .init()) { _ in
            .success(Self.someUsage)
        }
        let sample = try #require(try collector.read())
        #expect(
            sample.fileSystems.map { "\($0.device) \($0.type) \($0.mountPoint)" } == [
                "/dev/nvme0n1p2 ext4 /",
                "/dev/nvme0n1p1 vfat /boot/efi",
                "/dev/sda1 xfs /films",
                "/dev/sdb1 ext4 /mnt/tab\tline\nback\\slash#hash",
                "/dev/sdb2 ext4 /mnt/no\\04escape\\999",
                "/dev/mapper/vg-data btrfs /data",
                "tank zfs /tank",
                "tank/home zfs /tank/home",
                "/dev/sdc1 exfat /mnt/usb",
                "/dev/sde1 fuseblk /mnt/windows",
            ]
        )
        #expect(sample.failures.isEmpty)
    }

    @Test("the root of a container is kept, whatever it is") func theRootOfAContainerIs() throws {
        #expect(try mountPoints(Fixture.root("container")) == ["/", "/etc/hosts"])
        var options = DiskSpaceCollector.Options()
        options.excludedTypes.insert("overlay")
        #expect(try mountPoints(Fixture.root("container"), options) == ["/", "/etc/hosts"])
        options.exclude = [Glob("/")]
        #expect(try mountPoints(Fixture.root("container"), options) == ["/etc/hosts"])
    }

    @Test("percent leaves out what is kept back for root; octets and inodes come with it") func percentLeavesOutWhatIs()
        throws
    {
        var options = DiskSpaceCollector.Options()
        options.include = [Glob("/")]
        let collector = DiskSpaceCollector(root: Fixture.root("storage"), options: options) { _ in
            .success(Self.someUsage)
        }
        #expect(
            try collector.read()?.fileSystems == [
                DiskSpaceSample.FileSystem(
                    mountPoint: "/",
                    device: "/dev/nvme0n1p2",
                    type: "ext4",
                    percent: 63.2,
                    total: 4_096_000,
                    used: 2_457_600,
                    free: 1_433_600,
                    inodes: .init(percent: 25, total: 2_000, used: 500, free: 1_500)
                )
            ]
        )
    }

    @Test("percent is rounded as psutil rounds it: divided first, then multiplied")
    func percentIsRoundedAsPsutilRounds()
        throws
    {
        for (used, expected) in [(35, 0.4), (0, 0), (10_000, 100), (5, 0.1), (15, 0.1), (25, 0.2)] as [(UInt64, Double)]
        {
            let usage = Usage(blocks: 10_000, freeBlocks: 10_000 - used, availableBlocks: 10_000 - used)
            let collector = DiskSpaceCollector(root: Fixture.root("container"), options: .init()) { _ in .success(usage)
            }
            #expect(try collector.read()?.fileSystems.first?.percent == expected)
        }
    }

    @Test("what a file system does not tell is absent; what it cannot mean does no harm") func whatAFileSystemDoesNot()
        throws
    {
        func first(_ usage: Usage) throws -> DiskSpaceSample.FileSystem {
            let collector = DiskSpaceCollector(root: Fixture.root("container"), options: .init()) { _ in .success(usage)
            }
            return try #require(try collector.read()?.fileSystems.first)
        }
        let silent = try first(Usage())
        #expect(silent.percent == nil && silent.inodes == nil && silent.total == 0)
        let huge = try first(
            Usage(blockSize: .max, blocks: .max, freeBlocks: 1, availableBlocks: .max, inodes: .max, freeInodes: 0)
        )
        #expect(huge.total == .max && huge.used == .max && huge.free == .max)
        #expect(huge.inodes?.percent == 100)
        let backwards = try first(Usage(blocks: 10, freeBlocks: 20, availableBlocks: 30, inodes: 1, freeInodes: 2))
        #expect(backwards.used == 0 && backwards.percent == 0 && backwards.inodes?.used == 0)
    }

    @Test("patterns include and exclude mount points before a device's shortest is chosen")
    func patternsIncludeAndExcludeMountPoints() throws {
        var options = DiskSpaceCollector.Options()
        options.include = [Glob("/srv/*"), Glob("/mnt/*"), Glob("/snap/*")]
        options.exclude = [Glob("*hash"), Glob("/mnt/w?ndows")]
        let root = Fixture.root("storage")
        #expect(try mountPoints(root, options) == ["/srv/archive of films", "/mnt/no\\04escape\\999", "/mnt/usb"])
        options.excludedTypes = []
        options.exclude.append(Glob("/mnt/*"))
        #expect(
            try mountPoints(root, options) == ["/snap/core22/1122", "/snap/snapd/20671", "/srv/archive of films"]
        )
        options.include = [Glob("nothing")]
        let collector = DiskSpaceCollector(root: root, options: options) { _ in .success(Self.someUsage) }
        #expect(try collector.read() == nil)
    }

    @Test("a disk that was plugged in is there at the next reading, and file systems are asked below the root given")
    func aDiskThatWasPluggedIn() throws {
        let tree = try HostTree(copying: "container")
        let asked = Asked()
        let collector = DiskSpaceCollector(root: tree.root, options: .init()) { path in
            asked.add(path)
            return .success(Self.someUsage)
        }
        _ = try collector.read()
        #expect(asked.all == ["/", "/etc/hosts"].map { tree.path + $0 })
        tree.write("proc/1/mounts", "/dev/sdx1 / ext4 rw 0 0\n/dev/sdy1 /a\\040b ext4 rw 0 0\n")
        #expect(try collector.read()?.fileSystems.map(\.mountPoint) == ["/", "/a b"])
        #expect(asked.all.last == tree.path + "/a b")
    }

    @Test("the mounts of the first process come first, then those of our own") func theMountsOfTheFirst() throws {
        let tree = try HostTree()
        tree.write("proc/filesystems", "\text4\n")
        let missing = #expect(throws: CollectorError.self) { try mountPoints(tree.root) }
        #expect(missing?.source == tree.path + "/proc/1/mounts")
        tree.write("proc/mounts", "/dev/a / ext4 rw 0 0\n/dev/b /third ext4 rw 0 0\n")
        #expect(try mountPoints(tree.root) == ["/", "/third"])
        tree.write("proc/self/mounts", "/dev/a / ext4 rw 0 0\n/dev/b /second ext4 rw 0 0\n")
        #expect(try mountPoints(tree.root) == ["/", "/second"])
        tree.write("proc/1/mounts", "/dev/a / ext4 rw 0 0\n/dev/b /first ext4 rw 0 0\n")
        #expect(try mountPoints(tree.root) == ["/", "/first"])
        tree.remove("proc/filesystems")
        #expect(throws: CollectorError.self) { try mountPoints(tree.root) }
    }

    @Test("a file system that fails costs itself alone") func aFileSystemThatFailsCosts() throws {
        let collector = DiskSpaceCollector(root: Fixture.root("container"), options: .init()) { path in
            Asked.text(path).hasSuffix("/hosts") ? .failure(.init(number: EACCES)) : .success(Self.someUsage)
        }
        let sample = try #require(try collector.read())
        #expect(sample.fileSystems.map(\.mountPoint) == ["/"])
        #expect(
            sample.failures == [CollectorError(source: "/etc/hosts", reason: .system(call: "statvfs", errno: EACCES))]
        )
    }

    @Test("a file system that does not answer is not asked again until it came back, and holds up no other")
    func aFileSystemThatDoesNot() throws {
        let gate = try Gate()
        let asked = Asked()
        let isDead = Atomic(true)
        var onlyDead = DiskSpaceCollector.Options()
        onlyDead.include = [Glob("/films")]
        onlyDead.deadline = .milliseconds(1)
        let collector = DiskSpaceCollector(root: Fixture.root("storage"), options: onlyDead) { path in
            if Asked.text(path).hasSuffix("/films") {
                asked.add(path)
                if isDead.load(ordering: .relaxed) { gate.pass() }
            }
            return .success(Self.someUsage)
        }
        #expect(try collector.read()?.failures == [Self.films(.late(after: .milliseconds(1)))])
        collector.options = .init()
        collector.options.deadline = .seconds(60)
        for _ in 0..<10 {
            let sample = try #require(try collector.read())
            #expect(sample.failures == [Self.films(.stillWaiting)])
            #expect(sample.fileSystems.count == 9)
        }
        #expect(asked.all.count == 1)
        isDead.store(false, ordering: .relaxed)
        gate.open()
        var last: DiskSpaceSample?
        #expect(
            becomesTrue {
                last = try? collector.read()
                return last?.failures == []
            }
        )
        #expect(last?.fileSystems.count == 10)
        #expect(asked.all.count == 2)
    }

    private static func films(_ reason: CollectorError.Reason) -> CollectorError {
        CollectorError(source: "/films", reason: reason)
    }

    @Test("a mount point that has gone is a failure of statvfs; the root is there") func aMountPointThatHasGone() throws
    {
        let tree = try HostTree(copying: "container")
        let sample = try #require(try DiskSpaceCollector(root: tree.root).read())
        #expect(
            sample.failures == [CollectorError(source: "/etc/hosts", reason: .system(call: "statvfs", errno: ENOENT))]
        )
        let space = try #require(sample.fileSystems.first)
        #expect(space.mountPoint == "/" && space.total > 0)
    }

    @Test("on the running machine the figures are those of df") func onTheRunningMachineThe() throws {
        let collector = DiskSpaceCollector()
        // What writes to the disk meanwhile shows in one and not in the other: some attempts have to agree.
        var differences: [String] = []
        for _ in 0..<50 {
            let sample = try #require(try collector.read())
            #expect(sample.fileSystems.contains { $0.mountPoint == "/" })
            differences = try sample.fileSystems.compactMap { space in
                let ours =
                    "\(space.total) \(space.used) \(space.free) \(space.inodes?.total ?? 0) \(space.inodes?.used ?? 0)"
                let theirs = try DiskFree.figures(of: space.mountPoint)
                return ours == theirs ? nil : "\(space.mountPoint): \(ours), df: \(theirs)"
            }
            if differences.isEmpty { return }
        }
        Issue.record("\(differences)")
    }

    @Test("no damage to the files ends the process") func noDamageToTheFilesEnds() throws {
        try Damage.everyKind(host: "storage", files: ["proc/1/mounts", "proc/filesystems"]) { root in
            let collector = DiskSpaceCollector(root: root, options: .init()) { _ in .success(Self.someUsage) }
            let sample = try? collector.read()
            if let sample { #expect(sample.fileSystems.allSatisfy { $0.mountPoint.hasPrefix("/") }) }
        }
    }
}
