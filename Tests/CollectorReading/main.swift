import Glibc
import HostMetrics

// Prints what a collector says, for tests that need a process of their own to see a /sys, mounts or a network of their own. Reads
// again for every line of its input until that ends. `COLLECTOR` says which one: `sensors`, which is the default, `hddspace`,
// `net`, or `proc` for memory, uptime and load. Fields are parted by U+001F.
//
// sensors: arguments are the sensors to choose; without any it is all. `SENSORS_DEADLINE` is the time that a reading may take, in
// milliseconds. hddspace: arguments are types to include.

/// One line of output.
func say(_ fields: String...) {
    print(fields.map { $0.split(separator: "\n").joined(separator: " ") }.joined(separator: "\u{1F}"))
}

func variable(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
}

let arguments = Array(CommandLine.arguments.dropFirst())
let root = SystemRoot(
    environment: Dictionary(
        uniqueKeysWithValues: ["HOST_PROC", "HOST_SYS", "HOST_ETC", "HOST_ROOT"].compactMap { name in
            variable(name).map { (name, $0) }
        }
    )
)

/// Reads again and again, and says what went wrong where that is an error.
func repeatedly(_ read: () throws(CollectorError) -> Void) {
    repeat {
        do throws(CollectorError) {
            try read()
        } catch {
            say("error", error.description)
        }
        say("end")
        fflush(nil)
    } while readLine() != nil
}

func readSensors() {
    let chosen = arguments.map { SensorsCollector.Choice($0) }
    let deadline = variable("SENSORS_DEADLINE").flatMap { Int($0) } ?? 60_000
    let collector = SensorsCollector(choices: chosen.isEmpty ? nil : chosen, deadline: .milliseconds(deadline))
    repeatedly { () throws(CollectorError) in
        guard let sample = try collector.read() else { return say("absent") }
        for reading in sample.readings {
            let value = reading.value.map { "\($0)" } ?? ""
            let problem = reading.problem.map { "\($0)" } ?? ""
            let kind = reading.kind.rawValue
            let unit = reading.unit ?? ""
            say("reading", reading.chip, reading.feature, reading.label, kind, unit, value, problem)
        }
        for device in sample.missing { say("missing", device) }
        for warning in sample.warnings { say("warning", warning) }
    }
}

func readDiskSpace() {
    var options = DiskSpaceCollector.Options()
    options.includedTypes = Set(arguments)
    options.deadline = .seconds(60)
    let collector = DiskSpaceCollector(root: root, options: options)
    repeatedly { () throws(CollectorError) in
        guard let sample = try collector.read() else { return say("absent") }
        for space in sample.fileSystems {
            let inodes = space.inodes.map { "\($0.total) \($0.used)" } ?? "0 0"
            say("space", space.mountPoint, space.device, "\(space.total) \(space.used) \(space.free) \(inodes)")
        }
        for failure in sample.failures { say("failure", failure.source, "\(failure.reason)") }
    }
}

func readNetwork() {
    let collector = NetworkCollector(root: root)
    repeatedly { () throws(CollectorError) in
        for interface in try collector.read()?.interfaces ?? [] {
            say("interface", interface.name, "\(interface.total.sent.octets)", "\(interface.total.sent.packets)")
        }
    }
}

func readProc() {
    let (memory, uptime, load) = (MemoryCollector(), UptimeCollector(), LoadCollector())
    repeatedly { () throws(CollectorError) in
        if let sample = try memory.read() {
            say("mem", "\(sample.total)", "\(sample.available)", "\(sample.swap?.total ?? 0)")
        }
        if let seconds = try uptime.read() { say("uptime", "\(seconds)") }
        if let sample = try load.read() {
            say("load", "\(sample.oneMinute)", "\(sample.fiveMinutes)", "\(sample.fifteenMinutes)")
        }
    }
}

switch variable("COLLECTOR") ?? "sensors" {
case "hddspace": readDiskSpace()
case "net": readNetwork()
case "proc": readProc()
default: readSensors()
}
