#if Agent
/// What the releases of the Python psistats, 0.0.3 to 0.2, had in their files, and what that means here.
enum OldRelease {
    /// Keys that a section of today had once and has no more.
    static let keys: [String: [String]] = [
        "app": ["timer", "meta_timer", "ping_timer", "primary_timer", "secondary_timer"],
        "hddtemp": ["devices[]"],
    ]

    /// What `[hddspace]` was called at first.
    static let diskSection = "hddsize"

    /// The reporters of 0.2, each with a section that it needed.
    private static let reporters = ["ipaddr", "mem", "sensors", "cpu", "hddspace", "hddtemp", "uptime", "os"]

    /// All that a file of 0.2 may have, besides logging.
    private static let version02: [String: [String]] = [
        "server": ["url", "host", "port", "path", "user", "pass"],
        "queue": ["prefix", "exclusive", "durable", "autodelete", "ttl"],
        "exchange": ["name", "type", "durable", "autodelete"],
        "hostname": ["enabled"],
        "app": ["retry_timer", "pidfile", "pidfile_timeout", "stdin_path", "stdout_path", "stderr_path"],
        "ipaddr": ["enabled", "interval", "devices[]"],
        "mem": ["enabled", "interval"],
        "sensors": ["enabled", "interval", "devices[]"],
        "cpu": ["enabled", "interval", "percpu"],
        "cpu_temp": ["enabled"],
        "hddspace": ["enabled", "interval"],
        diskSection: ["enabled", "interval"],
        "hddtemp": ["enabled", "interval", "hostname", "port"],
        "uptime": ["enabled", "interval"],
        "os": ["enabled", "interval"],
    ]

    /// Whether the file can only have been written for 0.2: it holds nothing that came later, sections of reporters as
    /// only 0.2 had them, and what 0.2 did not start without: `[logging]`, or the queue, the exchange and the process.
    static func isVersion02(_ file: ConfigFile) -> Bool {
        let sections = file.sections.filter { !ConfigurationKeys.isLogging($0.name) }
        let isPlain = sections.allSatisfy { section in
            guard let known = version02[section.name] else { return false }
            return section.entries.allSatisfy { known.contains($0.key) || keys[section.name]?.contains($0.key) == true }
        }
        guard isPlain, file.section("loggers") == nil else { return false }
        let isComplete = ["queue", "exchange", "app"].allSatisfy { file.section($0) != nil }
        guard file.section("logging") != nil || isComplete else { return false }
        // 0.1 had sections of reporters, too, with nothing but 'enabled'.
        return sections.contains { section in
            ["sensors", "hddspace", diskSection, "hddtemp", "os"].contains(section.name)
                || (reporters.contains(section.name) && section["interval"] != nil)
        }
    }
}

extension ConfigurationReader {
    /// To 0.2 a reporter was on that had a section, and in it `enabled`.
    mutating func startWithoutReporters(_ reporters: inout Configuration.Reporters) {
        reporters.turnOff()
        warn(
            section: nil,
            key: nil,
            line: nil,
            "was written for psistats 0.2: reporters that it does not turn on are off, as they were then"
        )
    }

    /// Tells of keys that have no effect any more.
    mutating func noteOldNames() {
        for key in OldRelease.keys["app"] ?? [] {
            guard let entry = file.entry(key, in: "app") else { continue }
            warn(entry, in: "app", "has no effect: each reporter has an interval of its own")
        }
        if let entry = file.entry("devices[]", in: "hddtemp") {
            warn(entry, in: "hddtemp", "has no effect: all drives are reported that the daemon knows")
        }
        guard let section = file.section(OldRelease.diskSection) else { return }
        let isReplaced = file.section("hddspace") != nil
        let words =
            isReplaced
            ? "has no effect beside [hddspace], its name today" : "is called [hddspace] today, and read as that"
        warn(section: section.name, key: nil, line: section.line, words)
        for entry in section.entries where !["enabled", "interval"].contains(entry.key) {
            note(entry, in: section.name, "unknown key in [\(section.name)]")
        }
    }

    /// The section of a reporter, by the name under which the file has it.
    func sectionName(of reporter: String) -> String {
        guard reporter == "hddspace", file.section("hddspace") == nil else { return reporter }
        return file.section(OldRelease.diskSection) == nil ? reporter : OldRelease.diskSection
    }
}
#endif
