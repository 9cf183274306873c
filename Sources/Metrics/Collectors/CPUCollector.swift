/// How busy the processors were between two readings.
public struct CPUSample: Hashable, Sendable {
    /// Percent of the time of all cores together, 0 to 100, with one decimal.
    public var percent: Double
    /// The same core by core, in the order of their numbers; empty unless asked for. Only cores that were there at both readings.
    public var cores: [Core]

    /// One core.
    public struct Core: Hashable, Sendable {
        /// The kernel's number of the core: 3 for `cpu3`. Unplugged cores leave holes.
        public var number: Int
        /// Percent of its time, 0 to 100, with one decimal.
        public var percent: Double
    }
}

/// Reads `/proc/stat`: how busy the processors were since the last reading. The first reading has nothing to compare with.
///
/// Everything counts as busy but idle and iowait; steal, irq and softirq do. The time of guests is not added: it is in that of
/// user and nice already. Source: Documentation/filesystems/proc.rst of the kernel, section 1.8.
public final class CPUCollector: Collector {
    /// The name of the kind of statistics: `cpu`.
    public static let name = "cpu"

    /// The counters of one line, in ticks since the start of the machine.
    private struct Times {
        var user: UInt64 = 0
        var nice: UInt64 = 0
        var system: UInt64 = 0
        var idle: UInt64 = 0
        var iowait: UInt64 = 0
        var irq: UInt64 = 0
        var softirq: UInt64 = 0
        var steal: UInt64 = 0
    }

    private struct Core {
        var number: Int
        var times: Times
    }

    private let file: SystemFile
    private let readsCores: Bool
    private var total: Times?
    private var cores: [Core] = []
    private var previousCores: [Core] = []

    /// - Parameter perCore: whether samples list each core, too.
    public init(root: SystemRoot = .running, perCore: Bool = false) {
        file = SystemFile(path: root.proc + "/stat", form: .whole, limit: 16 << 20)
        readsCores = perCore
    }

    /// Makes the next reading the first again.
    public func discardBaseline() {
        total = nil
        cores.removeAll(keepingCapacity: true)
    }

    /// Nil at the first reading.
    ///
    /// - Throws: when `/proc/stat` cannot be read, or does not begin with the line of all cores.
    public func read(at now: SuspendingClock.Instant) throws(CollectorError) -> CPUSample? {
        swap(&cores, &previousCores)
        cores.removeAll(keepingCapacity: true)
        let before = total
        total = nil
        let latest = try file.read { (scanner) throws(CollectorError) in try self.parse(&scanner) }
        total = latest
        guard let before else { return nil }
        return CPUSample(percent: Self.percent(from: before, to: latest), cores: coreUsages())
    }

    /// The line of all cores together; the other lines go to `cores`.
    private func parse(_ scanner: inout ByteScanner) throws(CollectorError) -> Times {
        guard scanner.skip("cpu "), let total = Self.times(&scanner) else {
            throw file.error("does not begin with a line 'cpu' and at least four numbers")
        }
        guard readsCores else { return total }
        scanner.skipLine()
        while scanner.skip("cpu") {
            // A line that cannot be read costs that core alone.
            if let number = scanner.unsigned().flatMap({ Int(exactly: $0) }), let times = Self.times(&scanner) {
                cores.append(Core(number: number, times: times))
            }
            scanner.skipLine()
        }
        return total
    }

    /// The counters of a line; kernels before 2.6.11 list fewer than these eight.
    private static func times(_ scanner: inout ByteScanner) -> Times? {
        var times = Times()
        guard let user = scanner.unsigned(), let nice = scanner.unsigned(), let system = scanner.unsigned(),
            let idle = scanner.unsigned()
        else { return nil }
        (times.user, times.nice, times.system, times.idle) = (user, nice, system, idle)
        times.iowait = scanner.unsigned() ?? 0
        times.irq = scanner.unsigned() ?? 0
        times.softirq = scanner.unsigned() ?? 0
        times.steal = scanner.unsigned() ?? 0
        return times
    }

    private func coreUsages() -> [CPUSample.Core] {
        var usages: [CPUSample.Core] = []
        usages.reserveCapacity(cores.count)
        var index = 0
        for core in cores {
            // Both lists ascend, save on a kernel that is out of its mind.
            while index < previousCores.count, previousCores[index].number < core.number { index += 1 }
            guard index < previousCores.count else { break }
            guard previousCores[index].number == core.number else { continue }
            let percent = Self.percent(from: previousCores[index].times, to: core.times)
            usages.append(CPUSample.Core(number: core.number, percent: percent))
        }
        return usages
    }

    private static func percent(from before: Times, to after: Times) -> Double {
        let idle = grown(before.idle, after.idle) + grown(before.iowait, after.iowait)
        let working =
            grown(before.user, after.user) + grown(before.nice, after.nice) + grown(before.system, after.system)
            + grown(before.irq, after.irq) + grown(before.softirq, after.softirq) + grown(before.steal, after.steal)
        return .percent(working, of: idle + working)
    }

    /// A counter may go backwards by itself (a suspended machine, a hypervisor): then nothing was added to it.
    private static func grown(_ before: UInt64, _ after: UInt64) -> Double {
        after > before ? Double(after &- before) : 0
    }
}
