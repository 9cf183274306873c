import ArgumentParser
import HostMetrics

/// `psistats sensors`: lists the sensors in the form that `devices[]` takes.
struct SensorsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sensors",
        abstract: "List the sensors, in the form that devices[] takes, with their values.",
        discussion: """
            A line for each sensor: what to write into devices[] in [sensors], its value and its label. What can be pasted \
            stands before the first two spaces; a label of your own goes before it: (My label, chip.feature).

            Needs libsensors (Debian: libsensors5). Exit status: 69 when it is missing.
            """
    )

    func run() throws {
        let sample: SensorsSample?
        do throws(CollectorError) {
            sample = try SensorsCollector(root: .running).read()
        } catch {
            throw CommandFailure(.unavailable, "\(error)")
        }
        for warning in sample?.warnings ?? [] { standardError("psistats: \(warning)") }
        let readings = sample?.readings ?? []
        guard !readings.isEmpty else {
            return standardError("psistats: this machine has no sensors; sensors-detect finds drivers for some")
        }
        let width = readings.map(\.device.count).max() ?? 0
        var output = OutputFile.standardOutput
        for reading in readings {
            let padding = String(repeating: " ", count: width - reading.device.count)
            try output.append(
                line: "\(reading.device)\(padding)  \(Self.value(of: reading))  \(reading.label)".printable
            )
        }
        try output.flush()
    }

    private static func value(of reading: SensorsSample.Reading) -> String {
        guard let value = reading.value else { return reading.problem.map { "(\($0))" } ?? "(no value)" }
        return "\(value)" + (reading.unit.map { " " + $0 } ?? "")
    }
}
