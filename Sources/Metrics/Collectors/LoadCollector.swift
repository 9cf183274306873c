/// The average number of tasks that ran or waited for a processor or a disk.
public struct LoadSample: Hashable, Sendable {
    /// Over the last minute.
    public var oneMinute: Double
    /// Over the last five minutes.
    public var fiveMinutes: Double
    /// Over the last fifteen minutes.
    public var fifteenMinutes: Double
}

/// Reads `/proc/loadavg`. Source: Documentation/filesystems/proc.rst of the kernel, table 1-5.
public final class LoadCollector: Collector {
    public static let name = "load"

    private let file: SystemFile

    public init(root: SystemRoot = .running) {
        file = SystemFile(path: root.proc + "/loadavg", form: .whole)
    }

    public func read(at now: SuspendingClock.Instant) throws(CollectorError) -> LoadSample? {
        try file.read { (scanner) throws(CollectorError) in
            guard let one = scanner.decimal(), let five = scanner.decimal(), let fifteen = scanner.decimal() else {
                throw file.error("does not begin with three averages")
            }
            return LoadSample(oneMinute: one, fiveMinutes: five, fifteenMinutes: fifteen)
        }
    }
}
