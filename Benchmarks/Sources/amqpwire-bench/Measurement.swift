import Glibc

/// Time, CPU and latencies of one run, and its line of results: the one that `c/measure.h` prints.
///
/// Allocates before the clock starts only.
struct Measurement: Sendable {
    private var startedNanoseconds: UInt64 = 0
    private var startedCPU: UInt64 = 0
    private var endedNanoseconds: UInt64 = 0
    private var endedCPU: UInt64 = 0
    /// Nanoseconds each; empty unless publishes go one at a time.
    private var latencies: [UInt32]
    private var latencyCount = 0

    init(_ options: Options) {
        latencies = Array(repeating: .max, count: options.mode == .one ? options.messages : 0)
    }

    mutating func start() {
        startedCPU = Self.cpuMicroseconds()
        startedNanoseconds = Self.now()
    }

    mutating func end() {
        endedNanoseconds = Self.now()
        endedCPU = Self.cpuMicroseconds()
    }

    /// The time from `began`, a value of ``now()``, until this call. What exceeds the announced number is dropped.
    mutating func recordLatency(since began: UInt64) {
        guard latencyCount < latencies.count else { return }
        latencies[latencyCount] = UInt32(clamping: Self.now() &- began)
        latencyCount += 1
    }

    /// Nanoseconds on the monotonic clock.
    static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// User and system time of this process, all threads.
    private static func cpuMicroseconds() -> UInt64 {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return UInt64(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1_000_000
            + UInt64(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
    }

    func resultLine(_ options: Options) -> String {
        let seconds = Double(endedNanoseconds - startedNanoseconds) / 1e9
        let cpu = Double(endedCPU - startedCPU)
        let messages = Double(options.messages)
        var line = "result client=amqpwire-bench style=\(options.style.rawValue) mode=\(options.mode.rawValue)"
        line += " messages=\(options.messages) seconds=\(fixed(seconds, 6)) cpu_seconds=\(fixed(cpu / 1e6, 6))"
        line += " messages_per_second=\(fixed(messages / seconds, 0)) cpu_us_per_message=\(fixed(cpu / messages, 4))"
        if latencyCount > 0 {
            let sorted = latencies.prefix(latencyCount).sorted()
            let median = Double(sorted[latencyCount / 2]) / 1e3
            let p99 = Double(sorted[latencyCount * 99 / 100]) / 1e3
            line += " median_us=\(fixed(median, 3)) p99_us=\(fixed(p99, 3))"
        }
        return line
    }
}

/// A number that is not negative with so many decimals, rounded.
private func fixed(_ value: Double, _ places: Int) -> String {
    var scale: UInt64 = 1
    for _ in 0..<places { scale *= 10 }
    guard let scaled = UInt64(exactly: (value * Double(scale)).rounded()) else { return "nan" }
    guard places > 0 else { return String(scaled) }
    let digits = String(scaled % scale)
    return "\(scaled / scale)." + String(repeating: "0", count: places - digits.utf8.count) + digits
}
