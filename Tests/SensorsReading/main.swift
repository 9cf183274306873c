import Glibc
import HostMetrics

// Prints what the sensors say, for tests that need a process of their own to see a /sys of their own. Reads again for every line
// of its input until that ends. Arguments are the sensors to choose; without any it is all. `SENSORS_DEADLINE` is the time that a
// reading may take, in milliseconds. Fields are parted by U+001F.

/// One line of output.
func say(_ fields: String...) {
    print(fields.map { $0.split(separator: "\n").joined(separator: " ") }.joined(separator: "\u{1F}"))
}

let chosen = CommandLine.arguments.dropFirst().map { SensorsCollector.Choice($0) }
let deadline = getenv("SENSORS_DEADLINE").flatMap { Int(String(cString: $0)) } ?? 60_000
let collector = SensorsCollector(choices: chosen.isEmpty ? nil : chosen, deadline: .milliseconds(deadline))
repeat {
    do throws(CollectorError) {
        if let sample = try collector.read() {
            for reading in sample.readings {
                let value = reading.value.map { "\($0)" } ?? ""
                let problem = reading.problem.map { "\($0)" } ?? ""
                let kind = reading.kind.rawValue
                let unit = reading.unit ?? ""
                say("reading", reading.chip, reading.feature, reading.label, kind, unit, value, problem)
            }
            for device in sample.missing { say("missing", device) }
            for warning in sample.warnings { say("warning", warning) }
        } else {
            say("absent")
        }
    } catch {
        say("error", error.description)
    }
    say("end")
    fflush(nil)
} while readLine() != nil
