#if Agent
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

            Thermal zones, which [sensors] does not report, stand behind them: their names are for sensor in [cpu_temp], as \
            those of all temperatures are. The one that is reported as the processor's is marked with <- cpu_temp.

            Needs libsensors (Debian: libsensors5). Exit status: 69 when it is missing.
            """
    )

    @OptionGroup var options: ConfigurationOption

    /// One line of the list.
    private struct Row {
        var device: String
        var value: String
        var label: String
    }

    func run() throws {
        let (root, sensor) = try settings()
        var failure: CollectorError?
        var rows: [Row] = []
        do throws(CollectorError) {
            let sample = try SensorsCollector(root: root).read()
            for warning in sample?.warnings ?? [] { standardError("psistats: \(warning)") }
            rows += (sample?.readings ?? []).map {
                Row(device: $0.device, value: Self.value(of: $0), label: $0.label)
            }
        } catch {
            failure = error
        }
        rows += Self.zones(root)
        let chosen = Self.chosen(root, sensor)
        if let chosen, !rows.contains(where: { $0.device == chosen.device }) { rows.append(chosen) }
        if rows.isEmpty, failure == nil {
            return standardError("psistats: this machine has no sensors; sensors-detect finds drivers for some")
        }
        try Self.write(rows, marking: chosen?.device)
        if let failure { throw CommandFailure(.unavailable, "\(failure)") }
    }

    /// Where the sensors are, and which one is to be the processor's: as the configuration says, if there is one that is right.
    private func settings() throws(CommandFailure) -> (SystemRoot, String?) {
        do throws(CommandFailure) {
            let configuration = try options.load().configuration
            return (configuration.system.root, configuration.reporters.cpuTemp.sensor)
        } catch {
            guard options.config == nil else { throw error }
            return (SystemRoot(environment: Surroundings.current().hostDirectories), nil)
        }
    }

    private static func zones(_ root: SystemRoot) -> [Row] {
        do throws(CollectorError) {
            return try TemperatureSensor.thermalZones(root: root).map { zone in
                Row(device: zone.device, value: zone.celsius.map { "\($0) C" } ?? "(no value)", label: zone.label)
            }
        } catch {
            standardError("psistats: \(error)")
            return []
        }
    }

    /// The sensor that is reported as the processor's; nil where there is none, which standard error then is told.
    private static func chosen(_ root: SystemRoot, _ sensor: String?) -> Row? {
        let collector = CPUTemperatureCollector(root: root, sensor: sensor)
        do throws(CollectorError) {
            let sample = try collector.read()
            switch collector.finding {
            case .sensor(let device, let name):
                return Row(device: device, value: sample.map { "\($0.celsius) C" } ?? "(no value)", label: name)
            case .nothing(let why): standardError("psistats: no temperature of the processor: \(why)")
            case nil: break
            }
        } catch {
            standardError("psistats: \(error)")
        }
        return nil
    }

    private static func write(_ rows: [Row], marking chosen: String?) throws {
        let width = rows.map(\.device.count).max() ?? 0
        var output = OutputFile.standardOutput
        for row in rows {
            let padding = String(repeating: " ", count: width - row.device.count)
            let mark = row.device == chosen ? "  <- cpu_temp" : ""
            try output.append(line: "\(row.device)\(padding)  \(row.value)  \(row.label)\(mark)".printable)
        }
        try output.flush()
    }

    private static func value(of reading: SensorsSample.Reading) -> String {
        guard let value = reading.value else { return reading.problem.map { "(\($0))" } ?? "(no value)" }
        return "\(value)" + (reading.unit.map { " " + $0 } ?? "")
    }
}
#endif
