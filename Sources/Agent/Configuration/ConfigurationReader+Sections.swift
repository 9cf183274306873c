#if Agent
/// The sections that are neither the brokers' nor a reporter's.
extension ConfigurationReader {
    mutating func readQueue(into queue: inout Configuration.Queue) {
        name("prefix", in: "queue", into: &queue.prefix, mayBeEmpty: true)
        flag("exclusive", in: "queue", into: &queue.isExclusive)
        flag("durable", in: "queue", into: &queue.isDurable)
        flag("autodelete", in: "queue", into: &queue.deletesItself)
        number("ttl", in: "queue", of: "milliseconds", 0...UInt32.max, into: &queue.timeToLive)
        optionalNumber("expires", in: "queue", of: "milliseconds", 1...UInt32.max, into: &queue.expires)
        optionalNumber("max_length", in: "queue", of: "messages", 0...UInt32.max, into: &queue.maxLength)
        guard let entry = file.entry("type", in: "queue"), !entry.value.isEmpty else { return }
        queue.type = word("type", in: "queue", of: ["classic", "quorum"])
        guard queue.type == "quorum" else { return }
        let contradictions = [
            queue.isExclusive ? "exclusive=False" : nil,
            queue.isDurable ? nil : "durable=True",
            queue.deletesItself ? "autodelete=No" : nil,
        ].compactMap(\.self)
        guard !contradictions.isEmpty else { return }
        note(entry, in: "queue", "a quorum queue needs " + contradictions.joined(separator: " and ") + " as well")
    }

    mutating func readExchange(into exchange: inout Configuration.Exchange) {
        name("name", in: "exchange", into: &exchange.name, mayBeEmpty: false)
        flag("durable", in: "exchange", into: &exchange.isDurable)
        flag("autodelete", in: "exchange", into: &exchange.deletesItself)
        guard let entry = file.entry("type", in: "exchange") else { return }
        let types = ["direct", "fanout", "topic", "headers"]
        let isPlugin = entry.value.hasPrefix("x-") && Self.isShortString(entry.value)
        guard types.contains(entry.value) || isPlugin else {
            let hint = ConfigurationKeys.hint(for: entry.value, among: types)
            note(
                entry,
                in: "exchange",
                "has to be direct, fanout, topic, headers or a plugin's type that starts with 'x-'" + hint
            )
            return
        }
        exchange.type = entry.value
    }

    mutating func readHostname(into hostname: inout Configuration.Hostname) {
        flag("enabled", in: "hostname", into: &hostname.isEnabled)
        guard let entry = file.entry("name", in: "hostname"), !entry.value.isEmpty else { return }
        guard Self.isShortString(entry.value) else {
            note(entry, in: "hostname", Self.shortStringRule)
            return
        }
        hostname.name = entry.value
    }

    mutating func readApp(into app: inout Configuration.App) {
        seconds("retry_timer", in: "app", into: &app.retryPause)
        readLongestRetry(into: &app)
        positiveSeconds("pidfile_timeout", in: "app", upTo: 86_400, into: &app.pidfileTimeout)
        if let form = word("message", in: "app", of: Configuration.MessageForm.allCases.map(\.rawValue)) {
            app.messageForm = Configuration.MessageForm(rawValue: form) ?? app.messageForm
        }
        filePath("pidfile", in: "app", into: &app.pidfile)
        filePath("stdin_path", in: "app", into: &app.stdinPath)
        filePath("stdout_path", in: "app", into: &app.stdoutPath)
        filePath("stderr_path", in: "app", into: &app.stderrPath)
    }

    /// `retry_timer` itself makes every pause that long.
    private mutating func readLongestRetry(into app: inout Configuration.App) {
        guard let entry = file.entry("retry_max", in: "app"), !entry.value.isEmpty else { return }
        if entry.value == "retry_timer" {
            app.longestRetryPause = app.retryPause
        } else if let pause = Self.seconds(entry.value), pause > .zero {
            app.longestRetryPause = pause
        } else {
            note(entry, in: "app", "has to be a number of seconds from 0.001 to 86400, as 60 or 0.5, or retry_timer")
        }
    }

    mutating func readBuffer(into buffer: inout Configuration.Buffer) {
        number("max_messages", in: "buffer", of: "messages", 1...10_000_000, into: &buffer.maxMessages)
        var folder = ""
        filePath("path", in: "buffer", into: &folder)
        var settings = Journal.Settings(folder: folder)
        number("max_bytes", in: "buffer", of: "bytes", 1_048_576...2_147_483_647, into: &settings.mostBytes)
        if let sync = word("fsync", in: "buffer", of: Journal.Sync.allCases.map(\.rawValue)) {
            settings.sync = Journal.Sync(rawValue: sync) ?? settings.sync
        }
        buffer.journal = folder.isEmpty ? nil : settings
    }

    /// A key, else its environment variable, else the running machine's own directory.
    mutating func readSystem(into system: inout Configuration.System) {
        directory("proc", "HOST_PROC", into: &system.root.proc)
        directory("sys", "HOST_SYS", into: &system.root.sys)
        directory("etc", "HOST_ETC", into: &system.root.etc)
        directory("root", "HOST_ROOT", into: &system.root.mounts)
    }

    private mutating func directory(_ key: String, _ variable: String, into directory: inout String) {
        func withoutSlash(_ path: String) -> String {
            String(path.unicodeScalars.reversed().drop { $0 == "/" }.reversed().map(Character.init))
        }
        if let entry = file.entry(key, in: "system"), !entry.value.isEmpty {
            guard entry.value.hasPrefix("/"), !entry.value.utf8.contains(0), !entry.value.utf8.contains(0x0A) else {
                note(entry, in: "system", "has to be the path of a directory from / on, on one line and without NUL")
                return
            }
            directory = withoutSlash(entry.value)
        } else if let value = surroundings.hostDirectories[variable] {
            guard value.hasPrefix("/") else {
                note(variable: variable, "has to be the path of a directory from / on")
                return
            }
            directory = withoutSlash(value)
        }
    }
}
#endif
