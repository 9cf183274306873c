import Foundation
import Testing

@testable import HostMetrics

/// psutil in a Python of its own: `Scripts/psutil-readings`, which answers a line with a line.
final class PsutilChild {
    private let process = Process()
    private let requests = Pipe()
    private let answers = Pipe()
    private var pending = Data()

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    /// Where tests run for everybody to rely on, a missing psutil fails them instead of skipping them.
    static var isThere: Bool { variable("PSISTATS_TEST_PYTHON") != nil || variable("CI") == "true" }
    static let absence: Comment = "no psutil: set PSISTATS_TEST_PYTHON to what Scripts/python-env prints"

    init() throws {
        let python = try #require(Self.variable("PSISTATS_TEST_PYTHON"), Self.absence)
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = [Fixture.repository + "/Scripts/psutil-readings"]
        process.standardInput = requests
        process.standardOutput = answers
        try process.run()
    }

    deinit {
        // It ends with its input.
        try? requests.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    /// What psutil reads now.
    func read(_ names: [String], proc: String = "/proc") throws -> PsutilAnswer {
        try requests.fileHandleForWriting.write(contentsOf: Data("\(proc) \(names.joined(separator: " "))\n".utf8))
        return try JSONDecoder().decode(PsutilAnswer.self, from: try line())
    }

    private func line() throws -> Data {
        let output = answers.fileHandleForReading
        while true {
            if let end = pending.firstIndex(of: 0x0A) {
                defer { pending.removeSubrange(...end) }
                return pending[..<end]
            }
            var waiting = pollfd(fd: output.fileDescriptor, events: Int16(POLLIN), revents: 0)
            try #require(poll(&waiting, 1, 60_000) == 1, "psutil-readings says nothing")
            let received = output.availableData
            try #require(!received.isEmpty, "psutil-readings ended")
            pending.append(received)
        }
    }
}

/// What `psutil-readings` says. What was not asked for is nil.
struct PsutilAnswer: Decodable {
    var cpu: Answered<CPU>?
    var mem: Answered<Memory>?
    var swap: Answered<Swap>?
    var uptime: Answered<Double>?
    var start: Answered<Start>?
    var hddio: Answered<[String: Disk]>?
    var net: Answered<[String: [UInt64]]>?
    var ipaddr: Answered<[String]>?
    var processes: Answered<Processes>?
    var load: Answered<[Double]>?
    /// Devices by mount point.
    var partitions: Answered<[String: String]>?
    /// By mount point.
    var hddspace: Answered<[String: Space]>?

    /// A value, or why psutil has none.
    struct Answered<Value: Decodable>: Decodable {
        var value: Value?
        var error: String?
    }

    struct CPU: Decodable {
        var percent: Double
        var cores: [Double]
        /// All cores together, then each; empty at the first reading.
        var unrounded: [Double]
    }

    struct Memory: Decodable, Equatable {
        var total: UInt64
        var available: UInt64
        var used: UInt64
        var percent: Double
    }

    struct Swap: Decodable, Equatable {
        var total: UInt64
        /// psutil subtracts without looking.
        var used: Int64
        var percent: Double
    }

    struct Start: Decodable {
        /// Of `CLOCK_BOOTTIME`, which is what `/proc/uptime` is made from.
        var clock: Double
        var sinceStart: Double
    }

    struct Disk: Decodable {
        /// Reads, writes, octets read, octets written.
        var counters: [UInt64]
        var isWhole: Bool
    }

    /// All, used and free octets, and the percentage, as a list.
    struct Space: Decodable, Equatable {
        var total: UInt64
        var used: UInt64
        var free: UInt64
        /// psutil says 0 where there is nothing to divide by.
        var percent: Double

        init(from decoder: any Decoder) throws {
            var list = try decoder.unkeyedContainer()
            total = try list.decode(UInt64.self)
            used = try list.decode(UInt64.self)
            free = try list.decode(UInt64.self)
            percent = try list.decode(Double.self)
        }

        init(_ space: DiskSpaceSample.FileSystem) {
            (total, used, free, percent) = (space.total, space.used, space.free, space.percent ?? 0)
        }
    }

    struct Processes: Decodable, Equatable {
        var total: Int
        var running: Int
        var blocked: Int
        var zombies: Int
    }
}

extension DiskIOSample.Activity {
    /// In the order of psutil's.
    var numbers: [Number] { [reads, writes, octetsRead, octetsWritten] }
}

extension NetworkSample.Traffic {
    /// In the order of psutil's.
    var numbers: [Number] {
        [received.octets, received.packets, received.errors, received.drops] + [
            sent.octets, sent.packets, sent.errors, sent.drops,
        ]
    }
}

extension PsutilAnswer.Memory {
    init(_ sample: MemorySample) {
        self.init(total: sample.total, available: sample.available, used: sample.used, percent: sample.percent)
    }
}

extension PsutilAnswer.Swap {
    /// psutil says 0 of 0 where there is none.
    init(_ swap: MemorySample.Swap?) {
        self.init(total: swap?.total ?? 0, used: Int64(clamping: swap?.used ?? 0), percent: swap?.percent ?? 0)
    }
}

extension PsutilAnswer.Processes {
    init(_ sample: ProcessSample) {
        self.init(total: sample.total, running: sample.running, blocked: sample.blocked, zombies: sample.zombies)
    }
}
