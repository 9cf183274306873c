import Glibc

/// Asks how full the mounted file systems are: those on a device, and the one at `/` whatever it is.
///
/// They are listed anew at every reading, so disks come and go with them. A device that is mounted at several places is reported
/// once, at `/` if it is there, else where all of it is mounted and not a part (a bind mount), else at the oldest place. Each file
/// system is asked under a deadline; one that does not answer is a failure in the sample, and is not asked again until it came
/// back. A reading can take as long as the deadlines of all that have newly died together.
///
/// A path is not a file system: another one may be mounted over it, or over a folder above it, and in a container what the host
/// mounted later may be missing. Before figures are taken from a path, the file system that it leads to is compared with the one
/// that is asked for. One that no path leads to is a failure that says what to do, never another's figures.
///
/// Images, which are always full, are left out unless asked for: the types that cannot be written, and what is read-only as a
/// whole with nothing free. So is `/` where it is such an image: the disk of a machine whose root is one is then the mount at
/// `/sysroot` or `/var`.
///
/// Source: statvfs(3), proc_pid_mountinfo(5).
public final class DiskSpaceCollector: Collector {
    /// The name of the kind of statistics: `hddspace`.
    public static let name = "hddspace"

    /// What is reported.
    public struct Options: Hashable, Sendable {
        /// The mount points to report; all if there are none. What is included is still subject to the rest.
        public var include: [Glob] = []
        /// The mount points to leave out.
        public var exclude: [Glob] = []
        /// Types to report besides those on a device: `nfs4`, `tmpfs`; `fuse` stands for `fuse.sshfs`, too.
        public var includedTypes: Set<String> = []
        /// The types to leave out, at `/` only if they are images. By default the images that nobody can write to.
        public var excludedTypes: Set<String> = Mount.unwritableTypes
        /// Whether what is read-only as a whole with nothing free is reported, whatever its type.
        public var includesImages = false
        /// How long a file system may take to answer.
        public var deadline: Duration = .seconds(2)

        /// The usual ones: everything on a device save images, and two seconds.
        public init() {}
    }

    /// Asks the file system at a path, which ends in 0; or the error number.
    typealias Probe = @Sendable (_ path: [CChar]) -> Result<Usage, ErrorNumber>

    /// What statvfs(3) answers, in blocks and inodes, and of whom.
    struct Usage: Sendable {
        var blockSize: UInt64 = 1
        var blocks: UInt64 = 0
        var freeBlocks: UInt64 = 0
        var availableBlocks: UInt64 = 0
        var inodes: UInt64 = 0
        var freeInodes: UInt64 = 0
        /// The file system that the path leads to; nil where it is not to be compared.
        var identity: MountProbe.Identity?
    }

    struct ErrorNumber: Error {
        var number: Int32
    }

    /// May be changed between two readings.
    public var options: Options
    private let root: SystemRoot
    private let table: MountTable
    private let probe: MountProbe
    private let worker = BlockingWorker(name: "hddspace")

    /// - Parameters:
    ///   - root: the machine. In a container with the host's `/proc` the host's `/` has to be known, too.
    ///   - options: what is reported.
    public convenience init(root: SystemRoot = .running, options: Options = Options()) {
        self.init(root: root, options: options, MountProbe(root: root, ask: MountProbe.usage))
    }

    /// - Parameter probe: called in place of statvfs(3), on a thread of the worker's.
    convenience init(root: SystemRoot, options: Options, probe: @escaping Probe) {
        self.init(root: root, options: options, MountProbe(root: root) { probe($0.cString) })
    }

    private init(root: SystemRoot, options: Options, _ probe: MountProbe) {
        self.options = options
        self.root = root
        self.probe = probe
        table = MountTable(root: root)
    }

    /// Nil if there is no file system to report.
    ///
    /// - Throws: when the mounts cannot be listed.
    public func read(at now: SuspendingClock.Instant) throws(CollectorError) -> DiskSpaceSample? {
        var sample = DiskSpaceSample(fileSystems: [], failures: [])
        let wanted = try table.mounts(including: options.includedTypes).filter(isWanted)
        for mounts in Self.byDevice(wanted) {
            do throws(CollectorError) {
                if let fileSystem = try fileSystem(mounts) { sample.fileSystems.append(fileSystem) }
            } catch {
                sample.failures.append(error)
            }
        }
        for pattern in options.include where !wanted.contains(where: { pattern.matches($0.mountPoint) }) {
            if let failure = try missing(pattern) { sample.failures.append(failure) }
        }
        return sample.fileSystems.isEmpty && sample.failures.isEmpty ? nil : sample
    }

    private func isWanted(_ mount: Mount) -> Bool {
        if !options.includedTypes.containsType(mount.type), options.excludedTypes.containsType(mount.type) {
            guard mount.isRoot, !Mount.unwritableTypes.contains(mount.type) else { return false }
        }
        guard options.include.isEmpty || options.include.matches(mount.mountPoint) else { return false }
        return options.exclude.isEmpty || !options.exclude.matches(mount.mountPoint)
    }

    /// The mounts of each device, the best first, at the place of the first.
    private static func byDevice(_ mounts: [Mount]) -> [[Mount]] {
        var groups: [[Mount]] = []
        var indices: [String: Int] = [:]
        var numbers: [DeviceNumber: Int] = [:]
        for mount in mounts {
            let known = mount.number.map { numbers[$0] } ?? indices[mount.device]
            let index = known ?? groups.count
            if known == nil { groups.append([]) }
            groups[index].append(mount)
            if let number = mount.number { numbers[number] = index } else { indices[mount.device] = index }
        }
        for index in groups.indices where groups[index].count > 1 { groups[index] = inOrder(groups[index]) }
        return groups
    }

    /// The better places first; of equal ones the older, as far as anybody knows the age, else the one with the shorter path.
    private static func inOrder(_ mounts: [Mount]) -> [Mount] {
        mounts.enumerated().sorted { first, second in
            let ranks = (first.element.rank, second.element.rank)
            if ranks.0 != ranks.1 { return ranks.0 < ranks.1 }
            if first.element.part == nil, second.element.part == nil {
                let lengths = (first.element.octets.count, second.element.octets.count)
                if lengths.0 != lengths.1 { return lengths.0 < lengths.1 }
            }
            return first.offset < second.offset
        }.map(\.element)
    }

    /// Nil for an image.
    private func fileSystem(_ mounts: [Mount]) throws(CollectorError) -> DiskSpaceSample.FileSystem? {
        guard let first = mounts.first else { return nil }
        let outcome = worker.run(first.mountPoint, within: options.deadline) { [probe] in probe.ask(mounts) }
        switch try outcome.value(of: first.mountPoint, within: options.deadline) {
        case .success(let (mount, usage)):
            let isImage = mount.isReadOnly == true && usage.freeBlocks == 0
            let isAskedFor = options.includesImages || options.includedTypes.containsType(mount.type)
            return isImage && !isAskedFor ? nil : Self.fileSystem(mount, usage)
        case .failure(let error): throw error
        }
    }

    /// Why there is nothing at an included mount point; nil if that is meant so.
    private func missing(_ pattern: Glob) throws(CollectorError) -> CollectorError? {
        let other = try table.mounts(including: nil).first { pattern.matches($0.mountPoint) }
        guard let other else {
            return CollectorError(source: pattern.pattern, reason: .notFound("nothing is mounted there"))
        }
        if options.exclude.matches(other.mountPoint) { return nil }
        let what =
            "what is mounted at \(other.mountPoint) is of the type \(other.type), which is not reported unless it is included"
        return CollectorError(source: pattern.pattern, reason: .notFound(what))
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
        // Overlays and their like say "no limit" so.
        guard usage.inodes != .max else { return nil }
        let free = min(usage.freeInodes, usage.inodes)
        let used = usage.inodes - free
        guard let percent = percent(used, of: usage.inodes) else { return nil }
        return DiskSpaceSample.Inodes(percent: percent, total: usage.inodes, used: used, free: free)
    }

    private static func percent(_ part: UInt64, of whole: UInt64) -> Double? {
        whole == 0 ? nil : .percent(Double(part), of: Double(whole))
    }
}

extension Mount {
    /// Which of a device's mounts its name comes from: the lowest.
    fileprivate var rank: Int {
        if isRoot { return 0 }
        // The disk below a root that is an image.
        let isOfImageRoot = octets == Array("/sysroot".utf8) || octets == Array("/var".utf8)
        return 1 + 2 * (part ?? .whole).rawValue + (isOfImageRoot ? 0 : 1)
    }
}
