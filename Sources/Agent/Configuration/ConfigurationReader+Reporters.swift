#if Agent
/// The sections that are named after reporters.
extension ConfigurationReader {
    mutating func readReporters(into reporters: inout Configuration.Reporters) {
        timing("cpu", into: &reporters.cpu.timing)
        flag("percpu", in: "cpu", into: &reporters.cpu.isPerCore)
        timing("mem", into: &reporters.mem.timing)
        flag("details", in: "mem", into: &reporters.mem.hasDetails)
        timing("cpu_temp", into: &reporters.cpuTemp.timing)
        readSensor(into: &reporters.cpuTemp.sensor)
        timing("uptime", into: &reporters.uptime.timing)
        timing("ipaddr", into: &reporters.ipaddr.timing)
        list("devices[]", in: "ipaddr", into: &reporters.ipaddr.devices, parse: Self.deviceName)
        flag("loopback", in: "ipaddr", into: &reporters.ipaddr.showsLoopback)
        flag("link_local", in: "ipaddr", into: &reporters.ipaddr.showsLinkLocal)
        timing("load", into: &reporters.load.timing)
        timing("hddspace", into: &reporters.hddspace.timing)
        list("include[]", in: "hddspace", into: &reporters.hddspace.included, parse: Self.mountPoint)
        list("exclude[]", in: "hddspace", into: &reporters.hddspace.excluded, parse: Self.mountPoint)
        list("include_types[]", in: "hddspace", into: &reporters.hddspace.includedTypes, parse: Self.fileSystemType)
        list("exclude_types[]", in: "hddspace", into: &reporters.hddspace.excludedTypes, parse: Self.fileSystemType)
        flag("details", in: "hddspace", into: &reporters.hddspace.hasDetails)
        timing("hddio", into: &reporters.hddio.timing)
        list("devices[]", in: "hddio", into: &reporters.hddio.devices, parse: Self.deviceName)
        timing("net", into: &reporters.net.timing)
        list("devices[]", in: "net", into: &reporters.net.devices, parse: Self.deviceName)
        timing("hddtemp", into: &reporters.hddtemp.timing)
        readHost(into: &reporters.hddtemp.hostname)
        number("port", in: "hddtemp", 1...UInt16.max, into: &reporters.hddtemp.port)
        timing("sensors", into: &reporters.sensors.timing)
        list("devices[]", in: "sensors", into: &reporters.sensors.devices, parse: Self.sensor)
        timing("os", into: &reporters.os.timing)
        timing("processes", into: &reporters.processes.timing)
    }

    /// What every reporter has: whether, how often, and how long at most.
    private mutating func timing(_ section: String, into timing: inout Configuration.Timing) {
        let section = sectionName(of: section)
        flag("enabled", in: section, into: &timing.isEnabled)
        positiveSeconds("interval", in: section, upTo: 31_536_000, into: &timing.interval)
        positiveSeconds("timeout", in: section, upTo: 86_400, into: &timing.deadline)
    }

    /// An empty sensor means that none is named.
    private mutating func readSensor(into sensor: inout String?) {
        guard let entry = file.entry("sensor", in: "cpu_temp"), !entry.value.isEmpty else { return }
        guard !entry.value.utf8.contains(0), !entry.value.utf8.contains(0x0A) else {
            note(entry, in: "cpu_temp", "has to be one sensor, as psistats sensors lists it")
            return
        }
        sensor = entry.value
    }

    /// An empty host keeps the default.
    private mutating func readHost(into host: inout String) {
        guard let entry = file.entry("hostname", in: "hddtemp"), !entry.value.isEmpty else { return }
        guard Self.isShortString(entry.value), !Self.holdsBlank(entry.value) else {
            note(entry, in: "hddtemp", "has to be the name or the address of a host, without blanks")
            return
        }
        host = entry.value
    }

    private static func holdsBlank(_ text: String) -> Bool {
        text.utf8.contains { $0 <= 0x20 }
    }

    /// A disk or an interface as the kernel calls it, or a glob of such names.
    private static func deviceName(_ text: String) throws(ListItemProblem) -> String {
        guard !text.hasPrefix("/dev/") else {
            throw ListItemProblem("'\(text)': leave /dev/ out: '\(text.dropFirst(5))'")
        }
        guard !holdsBlank(text), !text.utf8.contains(UInt8(ascii: ",")) else {
            throw ListItemProblem("'\(text)': has to be one name a line, without commas and blanks")
        }
        return text
    }

    /// A directory that something is mounted at, or a glob of such.
    private static func mountPoint(_ text: String) throws(ListItemProblem) -> String {
        guard let first = text.utf8.first, [UInt8(ascii: "/"), UInt8(ascii: "*"), UInt8(ascii: "?")].contains(first)
        else {
            throw ListItemProblem("'\(text)': has to be a mount point that starts with '/', as /home or /media/*")
        }
        return text
    }

    /// A type of file system as the kernel calls it.
    private static func fileSystemType(_ text: String) throws(ListItemProblem) -> String {
        guard !holdsBlank(text), !text.utf8.contains(UInt8(ascii: ",")), !text.utf8.contains(UInt8(ascii: "/")) else {
            throw ListItemProblem("'\(text)': has to be one type of file system a line, as nfs4 or tmpfs")
        }
        return text
    }

    /// `chip.feature`, `(label, chip.feature)`, or a chip alone for all of its features.
    ///
    /// The label ends at the last comma, so it may hold some, and a feature may not. The chip's name ends at the first dot
    /// behind its first hyphen, or at its first dot where it has no hyphen: `coretemp-isa-0000`, say, is followed by bus
    /// and address, which hold no dots, and features' names may hold some (`+3.3V`).
    static func sensor(_ text: String) throws(ListItemProblem) -> Configuration.Sensor {
        var name = text[...]
        var label: String?
        if name.first == "(" {
            guard name.last == ")", let comma = name.lastIndex(of: ",") else {
                throw ListItemProblem("'\(text)': has to be chip.feature or (label, chip.feature)")
            }
            label = trimmed(name[name.index(after: name.startIndex)..<comma])
            name = name[name.index(after: comma)...].dropLast()
        }
        let sensor = trimmed(name)
        let bus = sensor.firstIndex(of: "-") ?? sensor.startIndex
        guard let dot = sensor[bus...].firstIndex(of: ".") else {
            guard !sensor.isEmpty, label == nil, !sensor.hasSuffix(")") else {
                throw ListItemProblem("'\(text)': names no feature: write (label, chip.feature)")
            }
            return Configuration.Sensor(chip: sensor)
        }
        let (chip, feature) = (String(sensor[..<dot]), trimmed(sensor[sensor.index(after: dot)...]))
        guard !chip.isEmpty, !feature.isEmpty else {
            throw ListItemProblem("'\(text)': has to be chip.feature or (label, chip.feature)")
        }
        return Configuration.Sensor(label: label.flatMap { $0.isEmpty ? nil : $0 }, chip: chip, feature: feature)
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }

    private static func trimmed(_ text: String) -> String {
        trimmed(text[...])
    }
}
#endif
