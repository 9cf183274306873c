/// Reads `/proc/uptime`: the seconds since the machine was started, time in suspend included, with the kernel's two decimals.
///
/// Source: Documentation/filesystems/proc.rst of the kernel, table 1-5.
public final class UptimeCollector: Collector {
    public static let name = "uptime"

    private let file: SystemFile

    public init(root: SystemRoot = .running) {
        file = SystemFile(path: root.proc + "/uptime", form: .whole)
    }

    /// The seconds.
    public func read(at now: SuspendingClock.Instant) throws(CollectorError) -> Double? {
        try file.read { (scanner) throws(CollectorError) in
            guard let seconds = scanner.decimal() else { throw file.error("does not begin with a number of seconds") }
            return seconds
        }
    }
}
