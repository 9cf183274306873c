#if Agent
import Glibc

/// What `psistats check` says: a line for each stage, on standard output where it is well, on standard error where it is not.
///
/// Remembers the first failure. Everything is printed without control characters: some of it is the broker's.
final class CheckReport {
    /// What is checked, in this order.
    enum Stage: String {
        case configuration, reporters, hostname, hddspace
        case cpuTemp = "cpu_temp"
        case resolver, tcp, tls, amqp, login, vhost, exchange, queue, permissions, flow
    }

    /// With what status the check ends: that of the first failure.
    private(set) var status = ExitStatus.success
    private var output = OutputFile.standardOutput
    private var errors = OutputFile(descriptor: STDERR_FILENO)

    /// What the following lines are about.
    func heading(_ text: String) throws(SystemError) {
        try output.append(line: text.shown)
        try output.flush()
    }

    /// A stage that is well.
    func passed(_ stage: Stage, _ text: String) throws(SystemError) {
        try write("ok", stage, text)
    }

    /// A stage with something to know about it, or one that does not apply.
    func noted(_ stage: Stage, _ text: String) throws(SystemError) {
        try write("note", stage, text)
    }

    /// A stage that fails, and what to do about it.
    func failed(
        _ stage: Stage,
        _ text: String,
        remedy: String,
        _ status: ExitStatus
    ) throws(SystemError) {
        if self.status == .success { self.status = status }
        try errors.append(line: Self.line("fail", stage, text))
        try errors.append(line: "      " + Self.column("remedy", 13) + remedy.shown)
        try errors.flush()
    }

    private func write(_ word: String, _ stage: Stage, _ text: String) throws(SystemError) {
        try output.append(line: Self.line(word, stage, text))
        // At once: the next stage may take its time.
        try output.flush()
    }

    private static func line(_ word: String, _ stage: Stage, _ text: String) -> String {
        column(word, 6) + column(stage.rawValue, 13) + " " + text.shown
    }

    private static func column(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.utf8.count))
    }
}
#endif
