import Foundation
import Testing

@testable import HostMetrics

/// Chips that a process of its own sees in the place of the machine's: a made-up `/sys/class` in a mount namespace. So sensors(1)
/// and the collector can be asked about the same chips.
final class MadeUpSensors {
    /// One sensor as the collector sees it.
    struct Reading: Hashable {
        var chip: String
        var feature: String
        var label: String
        var kind: String
        var unit: String
        var value: Double?
        var problem: String
    }

    /// What the collector says.
    struct Answer: Equatable {
        var readings: [Reading] = []
        var missing: [String] = []
        var warnings: [String] = []
        var errors: [String] = []
        var isAbsent = false

        /// The reading of `chip.feature`.
        subscript(device: String) -> Reading? { readings.first { "\($0.chip).\($0.feature)" == device } }
    }

    /// What sensors(1) says.
    struct Witness {
        var status: Int32
        var readings: [SensorsOutput.Reading]
        var errors: String
    }

    let tree: HostTree

    init() throws {
        tree = try HostTree()
        for folder in ["class/hwmon", "class/devices", "sensors.d"] { tree.makeFolder(folder) }
        tree.write("sensors3.conf", "")
    }

    /// Adds a chip.
    ///
    /// - Parameters:
    ///   - device: the device's place below `/sys/devices`; nil for a virtual chip.
    ///   - bus: the bus that the device is on.
    ///   - files: the contents of files by their names.
    func chip(_ number: Int, _ name: String, device: String? = nil, bus: String = "platform", _ files: [String: String])
    {
        let folder = "class/hwmon/hwmon\(number)"
        tree.write(folder + "/name", name + "\n")
        for (file, text) in files { tree.write("\(folder)/\(file)", text + "\n") }
        guard let device else { return }
        tree.makeFolder("class/devices/\(device)")
        tree.link(folder + "/device", to: "../../devices/\(device)")
        let subsystem = "class/devices/\(device)/subsystem"
        // Several chips may be on one device.
        if access("\(tree.path)/\(subsystem)", F_OK) != 0, !isLink(subsystem) {
            tree.link(subsystem, to: "../../bus/\(bus)")
        }
    }

    private func isLink(_ file: String) -> Bool {
        var status = stat()
        return lstat("\(tree.path)/\(file)", &status) == 0
    }

    func removeChip(_ number: Int) throws {
        try FileManager.default.removeItem(atPath: "\(tree.path)/class/hwmon/hwmon\(number)")
    }

    /// Asks both.
    ///
    /// - Parameters:
    ///   - choices: the sensors that the collector is to read; none for all.
    ///   - deadline: how long one of its readings may take, in milliseconds.
    ///   - changes: what happens between one of its readings and the next.
    func ask(
        choosing choices: [String] = [],
        deadline: Int = 60_000,
        changes: [() throws -> Void] = []
    ) throws -> (Witness, [Answer]) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            [
                "SENSORS_DEADLINE=\(deadline)", "timeout", "60", "unshare", "-m", "sh", "-c", Self.script, "sh",
                tree.path, Self.program,
            ] + choices
        let (input, output, errors) = (Pipe(), Pipe(), Pipe())
        (process.standardInput, process.standardOutput, process.standardError) = (input, output, errors)
        try process.run()
        var lines = LineReader(handle: output.fileHandleForReading)
        var witnessLines: [String] = []
        while let line = lines.next(), line != "# collector" { witnessLines.append(line) }
        var answers = [Self.answer(&lines)]
        for change in changes {
            try change()
            try input.fileHandleForWriting.write(contentsOf: Data("\n".utf8))
            answers.append(Self.answer(&lines))
        }
        try input.fileHandleForWriting.close()
        let said = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(said.isEmpty, "the collector, or the library in its name, wrote to the standard error stream")
        #expect(process.terminationStatus == 0)
        let witness = Witness(
            status: Int32(witnessLines.popLast() ?? "") ?? -1,
            readings: SensorsOutput.readings(witnessLines),
            errors: try String(contentsOfFile: tree.path + "/sensors.err", encoding: .utf8)
        )
        return (witness, answers)
    }

    private static let script = """
        set -e
        mount --bind "$1/class" /sys/class
        mount --bind "$1/sensors.d" /etc/sensors.d
        mount --bind "$1/sensors3.conf" /etc/sensors3.conf
        tree=$1 program=$2
        shift 2
        status=0
        LC_ALL=C sensors -j 2> "$tree/sensors.err" || status=$?
        echo
        echo $status
        echo "# collector"
        exec "$program" "$@"
        """

    /// The executable beside the tests' own.
    static var program: String {
        URL(fileURLWithPath: ownImage()).deletingLastPathComponent().appendingPathComponent("CollectorReading").path
    }

    /// The file that this code was loaded from.
    static func ownImage() -> String {
        let address = UInt(bitPattern: #dsohandle)
        guard let maps = try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8) else { return "" }
        for line in maps.split(separator: "\n") {
            // 7f00-7f01 r-xp 00000000 08:01 1234    /path
            let fields = line.split(separator: " ", maxSplits: 5)
            let ends = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
            guard fields.count == 6, ends.count == 2, address >= ends[0], address < ends[1] else { continue }
            return String(fields[5].drop { $0 == " " })
        }
        return ""
    }

    private static func answer(_ lines: inout LineReader) -> Answer {
        var answer = Answer()
        while let line = lines.next(), line != "end" {
            let fields = line.split(separator: "\u{1F}", omittingEmptySubsequences: false).map(String.init)
            switch (fields[0], fields.count) {
            case ("reading", 8):
                answer.readings.append(
                    Reading(
                        chip: fields[1],
                        feature: fields[2],
                        label: fields[3],
                        kind: fields[4],
                        unit: fields[5],
                        value: Double(fields[6]),
                        problem: fields[7]
                    )
                )
            case ("missing", 2): answer.missing.append(fields[1])
            case ("warning", 2): answer.warnings.append(fields[1])
            case ("error", 2): answer.errors.append(fields[1])
            case ("absent", 1): answer.isAbsent = true
            default: Issue.record("what is '\(line)'?")
            }
        }
        return answer
    }

    /// Whether this machine lets us make a mount namespace and has sensors(1). In continuous integration it must.
    static let isPossible: Bool = {
        if ProcessInfo.processInfo.environment["CI"] == "true" { return true }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["unshare", "-m", "sh", "-c", "mount --bind /sys/class /sys/class && command -v sensors"]
        (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }()
}

/// Takes lines from a pipe as they come.
private struct LineReader {
    let handle: FileHandle
    private var rest = Data()

    init(handle: FileHandle) { self.handle = handle }

    /// Nil at the end.
    mutating func next() -> String? {
        while true {
            if let end = rest.firstIndex(of: 0x0A) {
                let line = String(decoding: rest[rest.startIndex..<end], as: UTF8.self)
                rest = Data(rest[(end + 1)...])
                return line
            }
            let more = handle.availableData
            guard !more.isEmpty else { return nil }
            rest += more
        }
    }
}
