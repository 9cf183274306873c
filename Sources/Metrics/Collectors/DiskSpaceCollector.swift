import Glibc

/// How full the file systems are.
public struct DiskSpaceSample: Hashable, Sendable {
    /// In the order in which the kernel lists them.
    public var fileSystems: [FileSystem]
    /// Why a file system is missing; the source is its mount point.
    public var failures: [CollectorError]

    public struct FileSystem: Hashable, Sendable {
        /// Where it is mounted. What is not UTF-8 became U+FFFD.
        public var mountPoint: String
        /// What is mounted: `/dev/sda1`, say; for ZFS the name of the data set.
        public var device: String
        /// `ext4`, say.
        public var type: String
        /// Percent in use of what users other than root can use, 0 to 100, with one decimal; nil where the file system does not
        /// say how large it is.
        public var percent: Double?
        /// All that it holds, in octets.
        public var total: UInt64
        /// What is in use, in octets.
        public var used: UInt64
        /// What users other than root can still use, in octets. What is kept back for root is in neither this nor `used`.
        public var free: UInt64
        /// The files that it can hold; nil where it has no limit (btrfs, vfat).
        public var inodes: Inodes?
    }

    public struct Inodes: Hashable, Sendable {
        /// Percent in use, 0 to 100, with one decimal.
        public var percent: Double
        public var total: UInt64
        public var used: UInt64
        public var free: UInt64
    }
}

/// Asks how full the mounted file systems are: those on a device, and the one at `/` whatever it is.
///
/// They are listed anew at every reading, so disks come and go with them. A device that is mounted at several places (bind
/// mounts, subvolumes) is reported once, at the shortest of its paths. Each file system is asked under a deadline; one that does
/// not answer is a failure in the sample, and is not asked again until it came back. A reading can take as long as the
/// deadlines of all that have newly died together.
///
/// A file system that is hidden because another one is mounted on a folder above it cannot be told from one that is not.
public final class DiskSpaceCollector: Collector {
    public static let name = "hddspace"

    /// What is reported.
    public struct Options: Hashable, Sendable {
        /// The mount points to report; all if there are none. What is included is still subject to the rest.
        public var include: [Glob] = []
        /// The mount points to leave out.
        public var exclude: [Glob] = []
        /// The types to leave out, save at `/`: images that are always full.
        public var excludedTypes: Set<String> = ["squashfs", "iso9660"]
        /// How long a file system may take to answer.
        public var deadline: Duration = .seconds(2)

        public init() {}
    }

    /// Asks the file system at a path, which ends in 0; or the error number.
    typealias Probe = @Sendable (_ path: [CChar]) -> Result<Usage, ErrorNumber>

    /// What statvfs(3) answers, in blocks and inodes.
    struct Usage: Sendable {
        var blockSize: UInt64 = 1
        var blocks: UInt64 = 0
        var freeBlocks: UInt64 = 0
        var availableBlocks: UInt64 = 0
        var inodes: UInt64 = 0
        var freeInodes: UInt64 = 0
    }

    struct ErrorNumber: Error {
        var number: Int32
    }

    /// May be changed between two readings.
    public var options: Options
    private let prefix: String
    private let table: MountTable
    private let probe: Probe
    private let worker = BlockingWorker(name: "hddspace")

    public convenience init(root: SystemRoot = .running, options: Options = Options()) {
        self.init(root: root, options: options, probe: Self.usage)
    }

    /// - Parameter probe: called in place of statvfs(3), on a thread of the worker's.
    init(root: SystemRoot, options: Options, probe: @escaping Probe) {
        self.options = options
        self.probe = probe
        prefix = root.mounts
        table = MountTable(root: root)
    }

    public func read(at now: SuspendingClock.Instant) throws(CollectorError) -> DiskSpaceSample? {
        var sample = DiskSpaceSample(fileSystems: [], failures: [])
        for mount in Self.oncePerDevice(try table.mounts().filter(isWanted)) {
            do throws(CollectorError) {
                sample.fileSystems.append(Self.fileSystem(mount, try usage(of: mount)))
            } catch {
                sample.failures.append(error)
            }
        }
        return sample.fileSystems.isEmpty && sample.failures.isEmpty ? nil : sample
    }

    private func isWanted(_ mount: Mount) -> Bool {
        guard mount.isRoot || !options.excludedTypes.contains(mount.type) else { return false }
        guard options.include.isEmpty || options.include.matches(mount.mountPoint) else { return false }
        return !options.exclude.matches(mount.mountPoint)
    }

    /// Of the mounts of one device the one with the shortest path, at the place of the first.
    private static func oncePerDevice(_ mounts: [Mount]) -> [Mount] {
        var chosen: [Mount] = []
        var indices: [String: Int] = [:]
        for mount in mounts {
            if let index = indices[mount.device] {
                if mount.octets.count < chosen[index].octets.count { chosen[index] = mount }
            } else {
                indices[mount.device] = chosen.count
                chosen.append(mount)
            }
        }
        return chosen
    }

    private func usage(of mount: Mount) throws(CollectorError) -> Usage {
        let path = (Array(prefix.utf8) + mount.octets).map { CChar(bitPattern: $0) } + [0]
        let outcome = worker.run(mount.mountPoint, within: options.deadline) { [probe] in probe(path) }
        switch try outcome.value(of: mount.mountPoint, within: options.deadline) {
        case .success(let usage): return usage
        case .failure(let error):
            throw CollectorError(source: mount.mountPoint, reason: .system(call: "statvfs", errno: error.number))
        }
    }

    private static let usage: Probe = { path in
        var answer = statvfs()
        while statvfs(path, &answer) != 0 {
            guard errno == EINTR else { return .failure(ErrorNumber(number: errno)) }
        }
        return .success(
            Usage(
                blockSize: UInt64(answer.f_frsize),
                blocks: UInt64(answer.f_blocks),
                freeBlocks: UInt64(answer.f_bfree),
                availableBlocks: UInt64(answer.f_bavail),
                inodes: UInt64(answer.f_files),
                freeInodes: UInt64(answer.f_ffree)
            )
        )
    }

    private static func fileSystem(_ mount: Mount, _ usage: Usage) -> DiskSpaceSample.FileSystem {
        let used = (usage.blocks - min(usage.freeBlocks, usage.blocks)).multipliedClamped(by: usage.blockSize)
        let free = usage.availableBlocks.multipliedClamped(by: usage.blockSize)
        return DiskSpaceSample.FileSystem(
            mountPoint: mount.mountPoint,
            device: mount.device,
            type: mount.type,
            percent: percent(used, of: used.addingClamped(free)),
            total: usage.blocks.multipliedClamped(by: usage.blockSize),
            used: used,
            free: free,
            inodes: inodes(usage)
        )
    }

    private static func inodes(_ usage: Usage) -> DiskSpaceSample.Inodes? {
        let free = min(usage.freeInodes, usage.inodes)
        let used = usage.inodes - free
        guard let percent = percent(used, of: usage.inodes) else { return nil }
        return DiskSpaceSample.Inodes(percent: percent, total: usage.inodes, used: used, free: free)
    }

    private static func percent(_ part: UInt64, of whole: UInt64) -> Double? {
        whole == 0 ? nil : .percent(Double(part), of: Double(whole))
    }
}
