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
        #expect(huge.inodes == nil, "2^64 - 1 means that there is no limit")
        let many = try first(Usage(inodes: .max - 1, freeInodes: 0))
        #expect(many.inodes?.percent == 100)
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
        let nothing = try #require(try collector.read())
        #expect(nothing.fileSystems == [] && nothing.failures.map(\.source) == ["nothing"])
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
        #expect(missing?.source == tree.path + "/proc/1/mountinfo")
        tree.write("proc/mounts", "/dev/a / ext4 rw 0 0\n/dev/b /third ext4 rw 0 0\n")
        #expect(try mountPoints(tree.root) == ["/", "/third"])
        tree.write("proc/self/mounts", "/dev/a / ext4 rw 0 0\n/dev/b /second ext4 rw 0 0\n")
        #expect(try mountPoints(tree.root) == ["/", "/second"])
        tree.write("proc/1/mounts", "/dev/a / ext4 rw 0 0\n/dev/b /first ext4 rw 0 0\n")
        #expect(try mountPoints(tree.root) == ["/", "/first"])
        let row = "30 1 8:1 / /numbered rw - ext4 /dev/c rw\n"
        tree.write("proc/1/mountinfo", "29 1 8:0 / / rw,relatime shared:1 - ext4 /dev/a rw\n" + row)
        #expect(try mountPoints(tree.root) == ["/", "/numbered"])
    }

    @Test("where nobody says which types need a device, what names one is listed") func whereNobodySaysWhichTypes()
        throws
    {
        let tree = try HostTree()
        tree.write(
            "proc/1/mountinfo",
            """
            1 0 0:2 / / rw - overlay overlay rw
            2 1 8:1 / /a rw - ext4 /dev/sda1 rw
            3 1 0:40 / /b rw - btrfs /dev/sdb rw,subvolid=5,subvol=/
            4 1 0:41 / /c rw - tmpfs tmpfs rw
            5 1 0:42 / /d rw - nfs4 nas:/d rw
            6 1 0:43 / /e rw - zfs tank/e rw
            7 1 0:44 / /f rw - fuse.portal portal rw
            8 1 0:45 / /g rw - fuse /dev/fuse rw
            9 1 0:46 / /h rw - zfs tank/e@daily rw

            """
        )
        #expect(try mountPoints(tree.root) == ["/", "/a", "/b", "/e"])
        tree.remove("proc/1/mountinfo")
        tree.write("proc/1/mounts", "/dev/a / ext4 rw 0 0\n/dev/b /b ext4 rw 0 0\ntmpfs /c tmpfs rw 0 0\n")
        #expect(try mountPoints(tree.root) == ["/", "/b"])
    }

    @Test("of a device's mounts the whole comes before a subvolume and a part, then the older; / before all")
    func ofADevicesMountsTheWhole() throws {
        let tree = try HostTree()
        tree.write("proc/filesystems", "\text4\n\tbtrfs\n\terofs\n")
        let root = "1 0 0:2 / / rw - overlay overlay rw\n"
        func points(_ table: String) throws -> [String] {
            tree.write("proc/1/mountinfo", root + table)
            return Array(try mountPoints(tree.root).dropFirst())
        }
        let part = "5 1 8:1 /@opt /o rw - ext4 /dev/sda1 rw\n"
        let whole = "6 1 8:1 / /volume1 rw - ext4 /dev/sda1 rw\n"
        let again = "7 1 8:1 / /v rw - ext4 /dev/sda1 rw\n"
        #expect(try points(part + whole + again) == ["/volume1"])
        #expect(try points(part + part.replacing("/o ", with: "/p ")) == ["/o"])
        let folder = "5 1 0:9 /@/f /f rw - btrfs /dev/sdb rw,subvolid=257,subvol=/@\n"
        let subvolume = "6 1 0:9 /@ /long/subvolume rw - btrfs /dev/sdb rw,subvolid=257,subvol=/@\n"
        #expect(try points(folder + subvolume) == ["/long/subvolume"])
        // The disk below a root that is an image.
        let etc = "5 1 8:1 /deploy/etc /etc rw - ext4 /dev/sda1 rw\n"
        let data = "6 1 8:1 /deploy/var /var rw - ext4 /dev/sda1 rw\n"
        #expect(try points(etc + data) == ["/var"])
        #expect(try points(etc + data + "7 1 8:1 / /sysroot ro - ext4 /dev/sda1 rw\n") == ["/sysroot"])
        // Root itself is a part, in a container or a chroot.
        tree.write("proc/1/mountinfo", "1 0 8:1 /roots/a / rw - ext4 /dev/sda1 rw\n" + whole)
        #expect(try mountPoints(tree.root) == ["/"])
        // Without mountinfo the options of btrfs say which is which.
        tree.remove("proc/1/mountinfo")
        tree.write(
            "proc/1/mounts",
            """
            /dev/sda2 / ext4 rw 0 0
            /dev/sdb /srv/dev-disk-by-uuid-1 btrfs rw,subvolid=5,subvol=/ 0 0
            /dev/sdb /export btrfs rw,subvolid=5,subvol=/storage 0 0

            """
        )
        #expect(try mountPoints(tree.root) == ["/", "/srv/dev-disk-by-uuid-1"])
    }

    @Test("snapshots of ZFS are no disks; types are included and excluded by their names") func snapshotsOfZFSAre()
        throws
    {
        let tree = try HostTree()
        tree.write("proc/filesystems", "nodev\tzfs\nnodev\tnfs4\n\text4\n\tfuseblk\n")
        tree.write(
            "proc/1/mounts",
            """
            rpool/ROOT / zfs rw 0 0
            z/home /home zfs rw 0 0
            z/home@daily-1 /home/.zfs/snapshot/daily-1 zfs ro 0 0
            nas:/x /mnt/nas nfs4 rw 0 0
            me@host:/ /mnt/ssh fuse.sshfs rw 0 0
            /dev/sde1 /mnt/windows fuseblk.ntfs rw 0 0
            /dev/loop1 /rom squashfs ro 0 0

            """
        )
        #expect(try mountPoints(tree.root) == ["/", "/home", "/mnt/windows"])
        var options = DiskSpaceCollector.Options()
        options.includedTypes = ["nfs4", "fuse", "squashfs"]
        options.excludedTypes.insert("fuseblk")
        #expect(try mountPoints(tree.root, options) == ["/", "/home", "/mnt/nas", "/mnt/ssh", "/rom"])
    }

    @Test("an included mount point that is not there, or is of a type that is not reported, is told")
    func anIncludedMountPointThat() throws {
        let tree = try HostTree()
        tree.write("proc/filesystems", "nodev\tnfs4\n\text4\n")
        tree.write("proc/1/mounts", "/dev/sda / ext4 rw 0 0\nnas:/x /mnt/nas nfs4 rw 0 0\n")
        var options = DiskSpaceCollector.Options()
        options.include = [Glob("/"), Glob("/mnt/*"), Glob("/media/usb")]
        let collector = DiskSpaceCollector(root: tree.root, options: options) { _ in .success(Self.someUsage) }
        let sample = try #require(try collector.read())
        #expect(sample.fileSystems.map(\.mountPoint) == ["/"])
        #expect(
            sample.failures == [
                CollectorError(
                    source: "/mnt/*",
                    reason: .notFound(
                        "what is mounted at /mnt/nas is of the type nfs4, which is not reported unless it is included"
                    )
                ),
                CollectorError(source: "/media/usb", reason: .notFound("nothing is mounted there")),
            ]
        )
        collector.options.exclude = [Glob("/mnt/nas")]
        #expect(
            try collector.read()?.failures.map(\.source) == ["/media/usb"],
            "what is excluded is meant to be missing"
        )
    }

    @Test("where the host's /proc is known and its root is not, there are no figures of this machine's")
    func whereTheHostsProcIsKnown() throws {
        let tree = try HostTree(copying: "container")
        let root = SystemRoot(proc: tree.path + "/proc")
        let sample = try #require(try DiskSpaceCollector(root: root).read())
        #expect(sample.fileSystems == [])
        #expect(sample.failures.map(\.source) == ["/", "/etc/hosts"])
        for failure in sample.failures {
            guard case .unreachable(let what) = failure.reason else {
                Issue.record("\(failure)")
                continue
            }
            #expect(what.contains("rslave") && what.contains("HOST_ROOT"))
        }
        tree.write("proc/1/mountinfo", "1 0 4000:1 / / rw - ext4 /dev/sda1 rw\n")
        #expect(try DiskSpaceCollector(root: root).read()?.failures.map(\.source) == ["/"])
    }

    @Test("a reader that may not see the host's mounts has its own, of which those in the host's root are the host's")
    func aReaderThatMayNotSee() throws {
        let tree = try HostTree()
        tree.write("proc/filesystems", "\text4\n")
        tree.write(
            "proc/self/mounts",
            """
            overlay / overlay rw 0 0
            /dev/vda1 /etc/hosts ext4 rw 0 0
            /dev/sda1 \(tree.path) ext4 rw 0 0
            /dev/sda2 \(tree.path)/home ext4 rw 0 0

            """
        )
        #expect(try mountPoints(tree.root) == ["/", "/home"])
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
        let mountinfo = Array(
            """
            1 0 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
            2 1 0:9 /@home /home rw master:1 propagate_from:2 - btrfs /dev/sdb rw,subvolid=257,subvol=/@home
            3 1 0:9 /a\\040b /c\\134d rw - btrfs /dev/sdb ro

            """.utf8
        )
        var random = SplitMix64(state: 4_711)
        let tree = try HostTree(copying: "storage")
        for octets in Damage.variants(of: mountinfo, &random) {
            tree.write("proc/1/mountinfo", octets)
            let collector = DiskSpaceCollector(root: tree.root, options: .init()) { _ in .success(Self.someUsage) }
            let sample = try? collector.read()
            if let sample { #expect(sample.fileSystems.allSatisfy { $0.mountPoint.hasPrefix("/") }) }
        }
        try Damage.everyKind(host: "storage", files: ["proc/1/mounts", "proc/filesystems"]) { root in
            let collector = DiskSpaceCollector(root: root, options: .init()) { _ in .success(Self.someUsage) }
            let sample = try? collector.read()
            if let sample { #expect(sample.fileSystems.allSatisfy { $0.mountPoint.hasPrefix("/") }) }
        }
    }
}
