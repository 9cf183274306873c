#if Agent
import ArgumentParser
import Glibc

/// `psistats buffer`: what waits on disk for a broker.
struct BufferCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "buffer",
        abstract: "Say what waits on disk for a broker.",
        discussion: """
            Reads the folder that path in [buffer] names, also while the daemon runs, and changes nothing. What the daemon \
            has in memory alone is not there; 'psistats status' counts it.

            Exit status: 0; 74 when the folder cannot be read; 78 when the configuration cannot be used, or names no folder.
            """
    )

    @OptionGroup var options: ConfigurationOption

    @Flag(help: "Print the messages, a JSON object a line, oldest first.")
    var json = false

    func run() throws {
        let (path, configuration, _) = try options.load()
        guard let folder = configuration.buffer.journal?.folder else {
            throw CommandFailure(
                .configuration,
                "\(path): no path in [buffer]: what waits is kept in memory, and 'psistats status' counts it"
            )
        }
        guard access(folder, R_OK | X_OK) == 0 || errno == ENOENT else {
            throw CommandFailure(.ioError, "\(folder): \(SystemError.last("").reason)")
        }
        let reading = JournalReading(folder: folder)
        for text in reading.leftAlone { standardError("psistats: \(text)") }
        if reading.damages > 0 { standardError("psistats: \(reading.damages) damaged parts were passed over") }
        var output = OutputFile.standardOutput
        if json {
            for message in reading.waiting { try output.append(line: Self.line(message.report)) }
        } else {
            try output.append(line: Self.summary(reading.waiting.map(\.report), folder))
        }
        try output.flush()
    }

    private static func summary(_ reports: [OutgoingReport], _ folder: String) -> String {
        guard let oldest = reports.first, let newest = reports.last else { return "nothing waits in \(folder)" }
        let bytes = reports.reduce(0) { $0 + $1.body.count }
        return """
            messages: \(reports.count), \(bytes) bytes, in \(folder)
            oldest: \(Self.time(oldest.measuredAt))
            newest: \(Self.time(newest.measuredAt))
            """
    }

    /// `2026-11-28 09:45:00 UTC`
    private static func time(_ seconds: UInt64) -> String {
        var (moment, parts) = (time_t(truncatingIfNeeded: seconds), tm())
        gmtime_r(&moment, &parts)
        var text = [CChar](repeating: 0, count: 64)
        let count = strftime(&text, text.count, "%Y-%m-%d %H:%M:%S UTC", &parts)
        return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The body is JSON itself.
    private static func line(_ report: OutgoingReport) -> String {
        let body = String(decoding: report.body, as: UTF8.self)
        return "{\"message_id\":\(quoted(report.id)),\"type\":\(quoted(report.type)),"
            + "\"timestamp\":\(report.measuredAt),\"body\":\(body)}"
    }

    private static func quoted(_ text: String) -> String {
        "\"" + text.printable.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
#endif
