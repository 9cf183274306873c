import Glibc

/// Reads `/proc/uptime`: the seconds since the machine was started, time in suspend included, with the kernel's two decimals.
///
/// Where the running machine hides that file (`ProcSubset=pid` in a systemd unit), the clock `CLOCK_BOOTTIME` says the same.
///
/// Source: Documentation/filesystems/proc.rst of the kernel, table 1-5.
public final class UptimeCollector: Collector {
    /// The name of the kind of statistics: `uptime`.
    public static let name = "uptime"

    private let file: SystemFile
    private let isOwn: Bool

    /// - Parameter root: the machine.
    public init(root: SystemRoot = .running) {
        file = SystemFile(path: root.proc + "/uptime", form: .whole)
        isOwn = root.proc == SystemRoot.running.proc
    }

    /// The seconds.
    public func read(at now: SuspendingClock.Instant) throws(CollectorError) -> Double? {
        do throws(CollectorError) {
            return try file.read { (scanner) throws(CollectorError) in
                // Nothing that goes on as a number of another notation, `1.2e+07`, say.
                guard let seconds = scanner.decimal(), seconds >= 0, scanner.next.map({ $0 < 0x41 }) ?? true else {
                    throw file.error("does not begin with a number of seconds")
                }
                return seconds
            }
        } catch  where error.isAbsence && isOwn {
            var time = timespec()
            guard clock_gettime(CLOCK_BOOTTIME, &time) == 0 else { throw error }
            return Double(time.tv_sec) + Double(time.tv_nsec / 10_000_000) / 100
        }
    }
}
