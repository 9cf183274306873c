/// What was read from disks and written to them between two readings.
public struct DiskIOSample: Hashable, Sendable {
    /// In the order of the kernel. Only devices that were there at both readings, and none of whose counters fell between them.
    public var devices: [Device]
    /// Which of the devices that were asked for are not there, as they were named.
    public var missing: [String] = []

    /// One disk or partition.
    public struct Device: Hashable, Sendable {
        /// The kernel's name: `sda`, `nvme0n1`.
        public var name: String
        /// What happened since the last reading, by the second.
        public var perSecond: Activity<Double>
        /// What happened since the device was there, as the kernel counts it.
        public var total: Activity<UInt64>
    }

    /// What was read and written.
    public struct Activity<Number: Hashable & Sendable>: Hashable, Sendable {
        /// The kernel counts sectors of 512 octets, whatever the device's are.
        public var octetsRead: Number
        /// As `octetsRead`.
        public var octetsWritten: Number
        /// Operations that were completed.
        public var reads: Number
        /// Operations that were completed.
        public var writes: Number
    }
}

/// Reads `/proc/diskstats`: what was read from disks and written to them since the last reading. The first reading has nothing
/// to compare with.
///
/// Reported are whole disks, except for `loop`, `ram` and `zram` devices that were never used; or the devices that are named. A
/// counter that is lower than before was reset (the device was taken out and another put in) or has wrapped (kernels of 32
/// bits): nobody can tell which, so the device is missing from that sample, and is back in the next.
///
/// A device is the same only if the kernel's number of it (major:minor) is the same, too, not just its name. An NVMe disk that is
/// reached by several paths has hidden devices for them, `nvme3c33n1` for `nvme3n1`, which are not reported; on kernels that
/// count on the paths only, the disk's counters are the sums of theirs.
///
/// Source: Documentation/admin-guide/iostats.rst of the kernel.
public final class DiskIOCollector: Collector {
    /// The name of the kind of statistics: `hddio`.
    public static let name = "hddio"

    private typealias Counters = DiskIOSample.Activity<UInt64>

    private let file: SystemFile
    private let choice: DeviceChoice
    private let includesPartitions: Bool
    private var table = CounterTable<Counters>()
    /// How many devices the latest sample had: the next one has as many, mostly.
    private var reportedCount = 0
    /// The whole disk whose line was met last: its partitions follow it.
    private var disk = ""

    /// - Parameters:
    ///   - root: the machine.
    ///   - devices: names of devices, or patterns (see ``Glob``): exactly these are reported, whatever they are. Empty: the
    ///     whole disks.
    ///   - excludedDevices: names or patterns of devices that are not reported in any case.
    ///   - partitions: whether partitions are reported, too, if `devices` is empty.
    public init(
        root: SystemRoot = .running,
        devices: [String] = [],
        excludedDevices: [String] = [],
        partitions: Bool = false
    ) {
        file = SystemFile(path: root.proc + "/diskstats", limit: 16 << 20)
        choice = DeviceChoice(named: devices, excluded: excludedDevices)
        includesPartitions = partitions
    }

    /// Makes the next reading the first again.
    public func discardBaseline() {
        table.removeAll()
    }

    /// Nil at the first reading, if there are no devices, and if no time has passed since the last reading, which then remains
    /// the one to compare with.
    public func read(at now: SuspendingClock.Instant) throws(CollectorError) -> DiskIOSample? {
        let seconds = table.seconds(until: now)
        if let seconds, seconds <= 0 { return nil }
        let devices = try file.read { (scanner) throws(CollectorError) in
            try self.devices(&scanner, at: now, seconds: seconds)
        }
        let missing = seconds == nil ? [] : choice.missing(among: table.names)
        return devices.isEmpty && missing.isEmpty ? nil : DiskIOSample(devices: devices, missing: missing)
    }

    private func devices(
        _ scanner: inout ByteScanner,
        at now: SuspendingClock.Instant,
        seconds: Double?
    ) throws(CollectorError) -> [DiskIOSample.Device] {
        var devices: [DiskIOSample.Device] = []
        if seconds != nil { devices.reserveCapacity(reportedCount) }
        let isEmpty = scanner.isAtEnd
        var lineIsReadable = false
        var paths = NVMePaths()
        table.startReading(at: now)
        disk = ""
        while var line = scanner.line() {
            // A line that cannot be read costs that device alone.
            guard let major = line.unsigned(), let minor = line.unsigned(), let word = line.word(),
                let counters = Self.counters(&line)
            else { continue }
            lineIsReadable = true
            let name = word.text
            let number = major << 32 | minor & 0xFFFF_FFFF
            if let visible = NVMePaths.disk(ofPath: word) {
                let before = table.record(name, number: number, counters)
                let rates = before.flatMap { before in
                    seconds.flatMap { Self.rates(from: before, to: counters, seconds: $0) }
                }
                paths.add(counters, rates, to: visible)
                // Whoever names a path gets it; a pattern that names the disk, too, does not mean the path.
                guard choice.names(name), !choice.names(visible), let rates else { continue }
                devices.append(DiskIOSample.Device(name: name, perSecond: rates, total: counters))
                continue
            }
            let isPartition = Self.isPartition(name, of: disk)
            if !isPartition { disk = name }
            guard let before = table.record(name, number: number, counters), let seconds,
                choice.contains(name, isUsual: isUsual(name, isPartition: isPartition, counters)),
                let perSecond = Self.rates(from: before, to: counters, seconds: seconds)
            else { continue }
            devices.append(DiskIOSample.Device(name: name, perSecond: perSecond, total: counters))
        }
        guard isEmpty || lineIsReadable else { throw file.error("has no line with a device and its counters") }
        paths.complete(&devices)
        reportedCount = devices.count
        return devices
    }

    /// The counters behind the name. Partitions had four on kernels before 2.6.25, all else has eleven and more.
    private static func counters(_ line: inout ByteScanner) -> Counters? {
        guard let first = line.unsigned(), let second = line.unsigned(), let third = line.unsigned(),
            let fourth = line.unsigned()
        else { return nil }
        guard let fifth = line.unsigned() else {
            return Counters(
                octetsRead: octets(sectors: second),
                octetsWritten: octets(sectors: fourth),
                reads: first,
                writes: third
            )
        }
        // Behind the reads: merged reads, sectors, milliseconds; the same for writes; then what is of no use here.
        guard line.unsigned() != nil, let seventh = line.unsigned() else { return nil }
        for _ in 8...11 where line.unsigned() == nil { return nil }
        return Counters(
            octetsRead: octets(sectors: third),
            octetsWritten: octets(sectors: seventh),
            reads: first,
            writes: fifth
        )
    }

    private static func octets(sectors: UInt64) -> UInt64 {
        sectors.multipliedClamped(by: 512)
    }

    /// Nil if a counter fell.
    private static func rates(
        from before: Counters,
        to after: Counters,
        seconds: Double
    ) -> DiskIOSample.Activity<Double>? {
        guard let octetsRead = after.octetsRead.rate(since: before.octetsRead, seconds: seconds),
            let octetsWritten = after.octetsWritten.rate(since: before.octetsWritten, seconds: seconds),
            let reads = after.reads.rate(since: before.reads, seconds: seconds),
            let writes = after.writes.rate(since: before.writes, seconds: seconds)
        else { return nil }
        return DiskIOSample.Activity(
            octetsRead: octetsRead,
            octetsWritten: octetsWritten,
            reads: reads,
            writes: writes
        )
    }

    private func isUsual(_ name: String, isPartition: Bool, _ counters: Counters) -> Bool {
        if isPartition && !includesPartitions { return false }
        let isUnused = counters.reads == 0 && counters.writes == 0
        return !(isUnused && Self.isVirtual(name))
    }

    /// Whether the kernel makes such devices in stock, used or not.
    private static func isVirtual(_ name: String) -> Bool {
        name.isNumbered("loop") || name.isNumbered("ram") || name.isNumbered("zram")
    }

    /// Whether the kernel would give this name to a partition of the disk: number 1 of `sda` is `sda1`, that of `nvme0n1` is
    /// `nvme0n1p1`. It lists a disk before its partitions (disk_name in block/partitions/core.c).
    private static func isPartition(_ name: String, of disk: String) -> Bool {
        guard let last = disk.utf8.last else { return false }
        return name.isNumbered(disk, separator: (0x30...0x39).contains(last) ? 0x70 : nil)
    }
}

/// What the hidden paths to NVMe disks have counted, by disk.
private struct NVMePaths {
    private var sums: [String: (total: DiskIOSample.Activity<UInt64>, perSecond: DiskIOSample.Activity<Double>?)] = [:]

    /// The disk of a hidden path, `nvme3n1` of `nvme3c33n1`; nil for all other names (nvme_mpath_set_disk_name in
    /// drivers/nvme/host of the kernel).
    static func disk(ofPath name: ByteScanner) -> String? {
        var name = name
        guard name.skip("nvme"), let subsystem = name.number(), name.skip("c"), name.number() != nil, name.skip("n"),
            let namespace = name.number(), name.isAtEnd
        else { return nil }
        return "nvme\(subsystem)n\(namespace)"
    }

    mutating func add(
        _ counters: DiskIOSample.Activity<UInt64>,
        _ rates: DiskIOSample.Activity<Double>?,
        to disk: String
    ) {
        guard var sum = sums[disk] else {
            sums[disk] = (counters, rates)
            return
        }
        sum.total = sum.total.adding(counters) { $0.addingClamped($1) }
        // A path that was not there before adds nothing yet.
        if let rates { sum.perSecond = sum.perSecond?.adding(rates, +) ?? rates }
        sums[disk] = sum
    }

    /// Gives disks that have counted nothing themselves what their paths have.
    func complete(_ devices: inout [DiskIOSample.Device]) {
        if sums.isEmpty { return }
        for index in devices.indices where devices[index].total.isNothing {
            guard let sum = sums[devices[index].name], let rates = sum.perSecond else { continue }
            devices[index].total = sum.total
            devices[index].perSecond = rates
        }
    }
}

extension DiskIOSample.Activity {
    fileprivate func adding(_ other: Self, _ sum: (Number, Number) -> Number) -> Self {
        Self(
            octetsRead: sum(octetsRead, other.octetsRead),
            octetsWritten: sum(octetsWritten, other.octetsWritten),
            reads: sum(reads, other.reads),
            writes: sum(writes, other.writes)
        )
    }
}

extension DiskIOSample.Activity<UInt64> {
    fileprivate var isNothing: Bool { reads == 0 && writes == 0 && octetsRead == 0 && octetsWritten == 0 }
}

extension ByteScanner {
    /// The number at hand, with no blanks before it.
    fileprivate mutating func number() -> UInt64? {
        guard let digit = next, (0x30...0x39).contains(digit) else { return nil }
        return unsigned()
    }
}

extension String {
    /// Whether this is the prefix, the separator if there is one, and a number.
    fileprivate func isNumbered(_ prefix: String, separator: UInt8? = nil) -> Bool {
        guard utf8.starts(with: prefix.utf8) else { return false }
        var rest = utf8.dropFirst(prefix.utf8.count)
        if let separator {
            guard rest.popFirst() == separator else { return false }
        }
        return !rest.isEmpty && rest.allSatisfy { (0x30...0x39).contains($0) }
    }
}
