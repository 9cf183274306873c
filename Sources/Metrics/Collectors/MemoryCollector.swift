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

    /// The space to which memory is moved that is not used.
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
///
/// Where the running machine hides the file (`ProcSubset=pid` in a systemd unit), sysinfo(2) says how much there is and how much is
/// free, and `/sys/devices/system/node` how large cache and slabs are.
///
/// Source: Documentation/filesystems/proc.rst of the kernel, "meminfo"; si_mem_available in mm/show_mem.c; sysinfo(2).
public final class MemoryCollector: Collector {
    /// The name of the kind of statistics: `mem`.
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
        /// Whether there is a line with MemTotal, or MemFree, that says nothing.
        var totalIsUnreadable = false
        var freeIsUnreadable = false
        /// What the zones hold back, where that is known beforehand.
        var reserve: UInt64?
    }

    private let file: SystemFile
    private let zones: SystemFile
    private let isOwn: Bool
    private let nodes: String

    /// - Parameter root: the machine.
    public init(root: SystemRoot = .running) {
        file = SystemFile(path: root.proc + "/meminfo", form: .whole)
        zones = SystemFile(path: root.proc + "/zoneinfo")
        isOwn = root.proc == SystemRoot.running.proc
        nodes = root.sys + "/devices/system/node"
    }

    /// - Throws: why nothing is known of the memory. Never nil.
    public func read(at now: SuspendingClock.Instant) throws(CollectorError) -> MemorySample? {
        do throws(CollectorError) {
            return try file.read { (scanner) throws(CollectorError) in try sample(Self.values(&scanner)) }
        } catch  where error.isAbsence && isOwn {
            guard let info = SystemInfo() else { throw error }
            var values = Values()
            (values.total, values.free) = (info.memory.total, info.memory.free)
            (values.swapTotal, values.swapFree) = (info.swap.total, info.swap.free)
            values.cached = info.memory.buffers
            addCaches(to: &values)
            return try sample(values)
        }
    }

    private func sample(_ values: Values) throws(CollectorError) -> MemorySample {
        guard let total = values.total else {
            throw file.error(
                values.totalIsUnreadable ? "says in 'MemTotal' what is no amount of memory" : "has no line 'MemTotal'"
            )
        }
        guard total > 0 else { throw file.error("says that MemTotal is 0") }
        guard values.free != nil || values.freeIsUnreadable else { throw file.error("has no line 'MemFree'") }
        var available = values.available ?? 0
        // A guest of LXC sees the limit of its group as the total, and the host's available memory.
        if available == 0 || available > total {
            guard let free = values.free else { throw file.error("says in 'MemFree' what is no amount of memory") }
            available = available == 0 ? estimate(values, free: free) : free
            if available > total { available = min(free, total) }
        }
        let used = total - available
        return MemorySample(
            percent: .percent(Double(used), of: Double(total)),
            total: total,
            available: available,
            used: used,
            swap: Self.swap(values)
        )
    }

    /// What all nodes say of their caches; nothing where the kernel has no such files.
    private func addCaches(to values: inout Values) {
        do throws(CollectorError) {
            for name in try SystemFolder.entries(of: nodes) where SystemFolder.number(in: name, after: "node") != nil {
                let node = try SystemFile(path: "\(nodes)/\(name)/meminfo").read {
                    (scanner) throws(CollectorError) in Self.values(&scanner, ofNode: true)
                }
                values.activeFile = (values.activeFile ?? 0).addingClamped(node.activeFile ?? 0)
                values.inactiveFile = (values.inactiveFile ?? 0).addingClamped(node.inactiveFile ?? 0)
                values.reclaimable = (values.reclaimable ?? 0).addingClamped(node.reclaimable ?? 0)
            }
            values.reserve = 0
        } catch {
            // The estimate is a coarser one then.
        }
    }

    /// - Parameter ofNode: whether "Node" and its number stand before each name.
    private static func values(_ scanner: inout ByteScanner, ofNode: Bool = false) -> Values {
        var values = Values()
        while var line = scanner.line() {
            if ofNode {
                guard line.skip("Node "), line.unsigned() != nil else { continue }
                line.skipBlanks()
            }
            guard let name = line.field(before: 0x3A) else { continue }
            guard let number = line.unsigned() else {
                if name.isExactly("MemTotal") { values.totalIsUnreadable = true }
                if name.isExactly("MemFree") { values.freeIsUnreadable = true }
                continue
            }
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
            let reserve = values.reserve ?? reserve()
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
