/// The average number of tasks that ran or waited for a processor or a disk.
public struct LoadSample: Hashable, Sendable {
    /// Over the last minute.
    public var oneMinute: Double
    /// Over the last five minutes.
    public var fiveMinutes: Double
    /// Over the last fifteen minutes.
    public var fifteenMinutes: Double
}

/// Reads `/proc/loadavg`; where the running machine hides that file (`ProcSubset=pid` in a systemd unit), sysinfo(2) is asked.
///
/// Source: Documentation/filesystems/proc.rst of the kernel, table 1-5.
public final class LoadCollector: Collector {
    /// The name of the kind of statistics: `load`.
    public static let name = "load"

    private let file: SystemFile
    private let isOwn: Bool

    /// - Parameter root: the machine.
    public init(root: SystemRoot = .running) {
        file = SystemFile(path: root.proc + "/loadavg", form: .whole)
        isOwn = root.proc == SystemRoot.running.proc
    }

    /// - Throws: why there are no averages. Never nil.
    public func read(at now: SuspendingClock.Instant) throws(CollectorError) -> LoadSample? {
        do throws(CollectorError) {
            return try file.read { (scanner) throws(CollectorError) in
                guard let one = scanner.decimal(), let five = scanner.decimal(), let fifteen = scanner.decimal() else {
                    throw file.error("does not begin with three averages")
                }
                return LoadSample(oneMinute: one, fiveMinutes: five, fifteenMinutes: fifteen)
            }
        } catch  where error.isAbsence && isOwn {
            guard let loads = SystemInfo()?.loads else { throw error }
            return LoadSample(oneMinute: loads.0, fiveMinutes: loads.1, fifteenMinutes: loads.2)
        }
    }
}
