/// What was read from disks and written to them between two readings.
public struct DiskIOSample: Hashable, Sendable {
    /// In the order of the kernel. Only devices that were there at both readings, and none of whose counters fell between them.
    public var devices: [Device]

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
/// Source: Documentation/admin-guide/iostats.rst of the kernel.
public final class DiskIOCollector: Collector {
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
        return devices.isEmpty ? nil : DiskIOSample(devices: devices)
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
        table.startReading(at: now)
        disk = ""
        while var line = scanner.line() {
            // A line that cannot be read costs that device alone.
            guard line.unsigned() != nil, line.unsigned() != nil, let word = line.word(),
                let counters = Self.counters(&line)
            else { continue }
            lineIsReadable = true
            let name = word.text
            let isPartition = Self.isPartition(name, of: disk)
            if !isPartition { disk = name }
            guard let before = table.record(name, counters), let seconds,
                choice.contains(name, isUsual: isUsual(name, isPartition: isPartition, counters)),
                let perSecond = Self.rates(from: before, to: counters, seconds: seconds)
            else { continue }
            devices.append(DiskIOSample.Device(name: name, perSecond: perSecond, total: counters))
        }
        guard isEmpty || lineIsReadable else { throw file.error("has no line with a device and its counters") }
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
