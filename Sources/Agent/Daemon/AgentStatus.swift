#if Agent
import FoundationEssentials
import Glibc

/// How the daemon does: what `psistats status` prints, and SIGUSR1 writes to the log.
struct AgentStatus: Codable, Hashable, Sendable {
    /// Always; where no daemon runs, `psistats status --json` prints this alone, and false.
    var running = true
    var pid: Int32
    var version: String
    /// The configuration in use.
    var configuration: String
    /// The seconds since 1970 at which it was started.
    var startedAt: Double
    /// The broker it is connected to; nil while it is not.
    var broker: String?
    /// The seconds since 1970 at which it connected.
    var connectedAt: Double?
    /// Why the broker takes no messages for now.
    var blockedReason: String?
    /// Messages handed to brokers, repetitions included.
    var sent: UInt64
    /// Messages that brokers have confirmed.
    var confirmed: UInt64
    /// Messages that came back because no queue took them.
    var returned: UInt64
    /// Messages that a broker refused, because a queue had no room, say. They wait, and are sent again.
    var refused: UInt64
    /// Messages that wait.
    var buffered: Int
    /// Messages that were dropped for want of room.
    var dropped: UInt64
    /// Readings left out because the one before had not come back.
    var skipped: Int
    /// How often the configuration was read again since the start, and what was wrong with it the last time.
    var reloads: Int
    var reloadError: String?
    /// What of it only a new start can change.
    var reloadNotes: [String]?
    /// What went wrong last, and the seconds since 1970 at which it did.
    var lastError: String?
    var lastErrorAt: Double?

    /// One line of JSON, without its end.
    func line() throws(SystemError) -> String {
        do {
            return String(decoding: try JSONEncoder.lines.encode(self), as: UTF8.self)
        } catch {
            // Only numbers that JSON does not have could be at fault.
            throw SystemError(code: EDOM, context: "write the status as JSON")
        }
    }

    init(json: [UInt8]) throws {
        self = try JSONDecoder().decode(AgentStatus.self, from: Data(json))
    }

    init(
        configuration: String,
        startedAt: Double,
        pid: Int32,
        publisher: PublisherStatus,
        outbox: Outbox,
        skipped: Int,
        reloads: Int,
        reloadError: String?,
        reloadNotes: [String]
    ) {
        self.pid = pid
        self.configuration = configuration.shown
        self.startedAt = startedAt
        self.skipped = skipped
        self.reloads = reloads
        self.reloadError = reloadError.map { Secrets.shared.hidden($0) }
        self.reloadNotes = reloadNotes.isEmpty ? nil : reloadNotes.map(\.shown)
        version = Psistats.version
        broker = publisher.broker?.shown
        connectedAt = publisher.connectedAt
        blockedReason = publisher.blockedReason?.shown
        sent = publisher.sent
        confirmed = publisher.confirmed
        returned = publisher.returned
        refused = publisher.refused
        buffered = outbox.count
        dropped = outbox.dropped
        lastError = publisher.lastError?.text.shown
        lastErrorAt = publisher.lastError?.at
    }

    /// For people, a fact a line.
    func text(now: Double) -> String {
        func ago(_ time: Double) -> String { "\(Self.duration(now - time)) ago" }
        var lines = [
            "running: process \(pid), version \(version), started \(ago(startedAt))",
            "configuration: \(configuration)",
            "broker: "
                + (broker.map { "connected to \($0)" + (connectedAt.map { ", \(ago($0))" } ?? "") } ?? "not connected"),
        ]
        if let blockedReason { lines.append("blocked: the broker takes no messages for now (\(blockedReason))") }
        lines.append(
            "messages: \(sent) sent, \(confirmed) confirmed, \(returned) returned, \(refused) refused, "
                + "\(buffered) buffered, \(dropped) dropped"
        )
        if skipped > 0 { lines.append("readings: \(skipped) skipped because the one before had not come back") }
        if let reloadError { lines.append("configuration not taken over: \(reloadError.replacing("\n", with: "; "))") }
        for note in reloadNotes ?? [] { lines.append("configuration: \(note)") }
        if let lastError { lines.append("last error: \(lastError)" + (lastErrorAt.map { " (\(ago($0)))" } ?? "")) }
        return lines.map(\.shown).joined(separator: "\n")
    }

    /// `3 d 4 h`, `5 min 12 s`, `8 s`.
    private static func duration(_ seconds: Double) -> String {
        let seconds = Int(max(0, min(seconds, 1e12)))
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60)
        if days > 0 { return "\(days) d \(hours) h" }
        if hours > 0 { return "\(hours) h \(minutes) min" }
        if minutes > 0 { return "\(minutes) min \(seconds % 60) s" }
        return "\(seconds) s"
    }
}
#endif
