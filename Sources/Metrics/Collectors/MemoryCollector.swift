import Glibc

/// How much of the memory is in use.
public struct MemorySample: Hashable, Sendable {
    /// Percent of the memory that is not available, 0 to 100, with one decimal.
    public var percent: Double
    /// All memory, in octets.
    public var total: UInt64
    /// What programs can get without the machine having to swap, in octets.
    public var available: UInt64
    /// What is not available, in octets.
    public var used: UInt64
    /// Swap space in use; nil where there is none.
    public var swap: Swap?

    public struct Swap: Hashable, Sendable {
        /// Percent in use, 0 to 100, with one decimal.
        public var percent: Double
        /// In octets.
        public var total: UInt64
        /// In octets.
        public var used: UInt64
    }
}

/// Reads `/proc/meminfo`: how much memory is in use.
///
/// Where the kernel does not say what is available (before 3.14, and in some containers), it is computed as the kernel would:
/// from the free pages, the page cache and reclaimable slabs, less what the zones hold back (`/proc/zoneinfo`).
/// Source: Documentation/filesystems/proc.rst of the kernel, "meminfo"; si_mem_available in mm/show_mem.c.
public final class MemoryCollector: Collector {
    public static let name = "mem"

    /// What is used of `/proc/meminfo`, in octets.
    private struct Values {
        var total: UInt64?
        var free: UInt64?
        var available: UInt64?
        var cached: UInt64?
        var activeFile: UInt64?
        var inactiveFile: UInt64?
        var reclaimable: UInt64?
        var swapTotal: UInt64?
        var swapFree: UInt64?
    }

    private let file: SystemFile
    private let zones: SystemFile

    public init(root: SystemRoot = .running) {
        file = SystemFile(path: root.proc + "/meminfo", form: .whole)
        zones = SystemFile(path: root.proc + "/zoneinfo")
    }

    public func read(at now: SuspendingClock.Instant) throws(CollectorError) -> MemorySample? {
        let (total, free, values) = try file.read { (scanner) throws(CollectorError) in
            let values = Self.values(&scanner)
            guard let total = values.total, total > 0 else { throw file.error("has no line 'MemTotal'") }
            guard let free = values.free else { throw file.error("has no line 'MemFree'") }
            return (total, free, values)
        }
        var available = values.available ?? 0
        if available == 0 { available = estimate(values, free: free) }
        // A guest of LXC sees the limit of its group as the total, and the host's available memory.
        if available > total { available = min(free, total) }
        let used = total - available
        return MemorySample(
            percent: .percent(Double(used), of: Double(total)),
            total: total,
            available: available,
            used: used,
            swap: Self.swap(values)
        )
    }

    private static func values(_ scanner: inout ByteScanner) -> Values {
        var values = Values()
        while var line = scanner.line() {
            guard let name = line.field(before: 0x3A), let number = line.unsigned() else { continue }
            let octets = number.multipliedClamped(by: 1_024)
            if name.isExactly("MemTotal") {
                values.total = octets
            } else if name.isExactly("MemFree") {
                values.free = octets
            } else if name.isExactly("MemAvailable") {
                values.available = octets
            } else if name.isExactly("Cached") {
                values.cached = octets
            } else if name.isExactly("Active(file)") {
                values.activeFile = octets
            } else if name.isExactly("Inactive(file)") {
                values.inactiveFile = octets
            } else if name.isExactly("SReclaimable") {
                values.reclaimable = octets
            } else if name.isExactly("SwapTotal") {
                values.swapTotal = octets
            } else if name.isExactly("SwapFree") {
                values.swapFree = octets
            }
        }
        return values
    }

    /// What is available, in octets, where the kernel does not say so.
    private func estimate(_ values: Values, free: UInt64) -> UInt64 {
        guard let active = values.activeFile, let inactive = values.inactiveFile, let slabs = values.reclaimable,
            let reserve = reserve()
        else { return free.addingClamped(values.cached ?? 0) }
        // In floating point nothing overflows, and a page more or less does not show.
        let low = Double(reserve)
        var pages = Double(active) + Double(inactive)
        pages -= min(pages / 2, low)
        let estimate = Double(free) - low + pages + Double(slabs) - min(Double(slabs) / 2, low)
        return UInt64(exactly: max(0, estimate).rounded(.towardZero)) ?? .max
    }

    /// What the zones hold back, in octets; nil where the kernel does not say.
    private func reserve() -> UInt64? {
        let pages: UInt64?
        do throws(CollectorError) {
            pages = try zones.read { (scanner) throws(CollectorError) in Self.lowPages(&scanner) }
        } catch {
            // A container need not have it; the estimate is a coarser one then.
            return nil
        }
        return pages?.multipliedClamped(by: UInt64(max(1, sysconf(Int32(_SC_PAGESIZE)))))
    }

    /// The sum of the "low" marks of all zones; nil if there is none.
    private static func lowPages(_ scanner: inout ByteScanner) -> UInt64? {
        var pages: UInt64?
        while var line = scanner.line() {
            guard let name = line.word(), name.isExactly("low"), let count = line.unsigned() else { continue }
            pages = (pages ?? 0).addingClamped(count)
        }
        return pages
    }

    private static func swap(_ values: Values) -> MemorySample.Swap? {
        guard let total = values.swapTotal, let free = values.swapFree, total > 0 else { return nil }
        let used = total - min(free, total)
        return MemorySample.Swap(percent: .percent(Double(used), of: Double(total)), total: total, used: used)
    }
}
