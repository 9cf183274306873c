import Testing

@testable import HostMetrics

/// The line `cpu` of `/proc/stat`, read without a collector: what percentages are possible for a reading of which is known only
/// that it began between two moments and ended between two others.
struct Ticks {
    private let counters: [Double]

    init() throws {
        let text = String(decoding: try Fixture.octets(at: "/proc/stat"), as: UTF8.self)
        let line = try #require(text.split(separator: "\n").first)
        // Guests' time is in user and nice already.
        counters = line.split(separator: " ").dropFirst().prefix(8).compactMap { Double($0) }
        try #require(counters.count == 8)
    }

    private static let idle: Set = [3, 4]

    /// The lowest and the highest percentage of a reading that began between `earliest` and `latest` and ended between `before`
    /// and `after`. A tick more is allowed for: the kernel adds idle time up when it is asked, and may take some of it back.
    static func percentages(earliest: Ticks, latest: Ticks, before: Ticks, after: Ticks) -> (Double, Double) {
        var busy = (least: 0.0, most: 0.0)
        var idle = (least: 0.0, most: 0.0)
        for index in 0..<8 {
            let least = max(0, before.counters[index] - latest.counters[index])
            let most = max(0, after.counters[index] - earliest.counters[index])
            if Self.idle.contains(index) {
                idle = (idle.least + max(0, least - 1), idle.most + most + 1)
            } else {
                busy = (busy.least + least, busy.most + most)
            }
        }
        let lowest = busy.least + idle.most > 0 ? 100 * busy.least / (busy.least + idle.most) : 0
        let highest = busy.most + idle.least > 0 ? 100 * busy.most / (busy.most + idle.least) : 0
        return (lowest, highest)
    }
}
