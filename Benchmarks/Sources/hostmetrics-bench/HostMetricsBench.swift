import Glibc
import HostMetrics

/// Takes readings of the running machine, one right after the other, and prints what one costs; `Benchmarks/metrics` calls it.
///
///     hostmetrics-bench                    the names
///     hostmetrics-bench NAME READINGS      one line: the nanoseconds of processor time that a reading took
@main
struct HostMetricsBench {
    /// So that files are open and buffers have their size.
    private static let warmup = 10

    static func main() {
        let arguments = CommandLine.arguments.dropFirst()
        guard let name = arguments.first else {
            for reading in Reading.all { print(reading.name) }
            return
        }
        guard let reading = Reading.all.first(where: { $0.name == name }), arguments.count == 2,
            let count = arguments.last.flatMap({ Int($0) }), count > 0
        else {
            complain("usage: hostmetrics-bench [NAME READINGS]")
            exit(2)
        }
        do throws(CollectorError) {
            let read = reading.make()
            for _ in 0..<warmup { try read(.now) }
            let before = processorTime()
            for _ in 0..<count { try read(.now) }
            print("result nanoseconds=\((processorTime() - before) / UInt64(count))")
        } catch {
            complain("\(name): \(error)")
            exit(1)
        }
    }

    /// Nanoseconds, of all threads, in the kernel too.
    private static func processorTime() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private static func complain(_ message: String) {
        var text = "hostmetrics-bench: \(message)\n"
        text.withUTF8 { octets in
            _ = write(STDERR_FILENO, octets.baseAddress, octets.count)
        }
    }
}
