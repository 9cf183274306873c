import Foundation
import Testing

@testable import HostMetrics

/// Copies of `/proc`, for two sides to read the same.
enum Snapshot {
    /// Writes over the files in the tree, which keep their places on the disk: readers may have them open.
    static func take(into tree: HostTree) {
        for file in ["stat", "meminfo", "zoneinfo", "uptime", "loadavg", "diskstats", "net/dev", "vmstat"] {
            guard let octets = try? Fixture.octets(at: "/proc/\(file)") else {
                // Containers and odd kernels have no zoneinfo, say. That a needed file is missing shows soon enough.
                continue
            }
            tree.write("proc/\(file)", octets)
        }
        let gone = Set(processes(in: tree.path + "/proc")).subtracting(processes(in: "/proc"))
        for process in gone {
            tree.remove("proc/\(process)/stat")
            #expect(rmdir("\(tree.path)/proc/\(process)") == 0)
        }
        for process in processes(in: "/proc") {
            // Processes end at any time.
            guard let octets = try? Fixture.octets(at: "/proc/\(process)/stat") else { continue }
            tree.write("proc/\(process)/stat", octets)
        }
    }

    private static func processes(in folder: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
    }

    /// Has the counters of a machine grow, and its memory change, at random.
    static func grow(_ tree: HostTree, _ random: inout SplitMix64) throws {
        try edit(tree, "stat") { line in
            line.hasPrefix("cpu") ? (grown(line.split(separator: " "), from: 1, by: 0...40, &random)) : line
        }
        try edit(tree, "diskstats") { line in
            grown(line.split(separator: " "), from: 3, by: 0...100_000, &random)
        }
        try edit(tree, "net/dev") { line in
            guard let colon = line.lastIndex(of: ":") else { return line }
            let numbers = line[line.index(after: colon)...].split(separator: " ")
            return line[...colon] + grown(numbers, from: 0, by: 0...100_000, &random)
        }
        var total: UInt64 = 0
        try edit(tree, "meminfo") { line in
            let words = line.split(whereSeparator: { $0 == " " || $0 == ":" })
            guard words.count > 1, let number = UInt64(words[1]), !line.hasPrefix("Swap") else { return line }
            if words[0] == "MemTotal" { total = number }
            let isFixed = words[0] == "MemTotal" || number == 0
            // More than all there is can be available, but not free.
            let limit = words[0] == "MemFree" ? total : total + total / 4
            return "\(words[0]): \(isFixed ? number : .random(in: 1...max(1, limit), using: &random)) kB"
        }
    }

    private static func edit(_ tree: HostTree, _ file: String, _ change: (String) -> some StringProtocol) throws {
        let octets = try Fixture.octets(at: "\(tree.path)/proc/\(file)")
        let lines = String(decoding: octets, as: UTF8.self).split(separator: "\n")
        tree.write("proc/\(file)", lines.map { change(String($0)) + "\n" }.joined())
    }

    /// The words, those from `first` on as numbers that have grown, as far as 64 bits go.
    private static func grown(
        _ words: [Substring],
        from first: Int,
        by range: ClosedRange<UInt64>,
        _ random: inout SplitMix64
    ) -> String {
        words.enumerated().map { index, word in
            guard index >= first, let number = UInt64(word) else { return String(word) }
            return String(number.addingClamped(.random(in: range, using: &random)))
        }.joined(separator: " ")
    }
}
