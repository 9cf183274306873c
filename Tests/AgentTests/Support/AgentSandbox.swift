#if Agent
import AMQPWire
import Foundation
import Glibc
import Testing

@testable import PsistatsAgent

/// A folder with a configuration and everything else that agents of one test have: log, pidfile, names of their own on the
/// broker. Whatever was started in it has ended when `run` returns.
final class AgentSandbox {
    let folder: String
    /// Of the exchange, and the queue's prefix.
    let name: String
    let url: String
    /// Sections and their keys; a value may have several lines.
    var config: [String: [String: String]]
    private var processes: [AgentProcess] = []

    static let hostname = "e2e-host"

    /// Runs `body` with a sandbox, and ends what it started.
    ///
    /// - Parameters:
    ///   - url: the broker's, without a path.
    ///   - name: of the exchange, and the queue's prefix.
    static func run(
        url: String = Broker.url,
        named name: String = Broker.uniqueName(),
        _ body: (AgentSandbox) async throws -> Void
    ) async throws {
        let sandbox = try AgentSandbox(url: url, name: name)
        defer { sandbox.end() }
        do {
            try await body(sandbox)
        } catch let overdue as Overdue {
            // What the agent has to say of it.
            throw Overdue(
                description: "\(overdue)\nthe log:\n\(sandbox.log.suffix(4_000))\n\(sandbox.errors.suffix(2_000))"
            )
        }
        try await sandbox.removeFromBroker()
    }

    private init(url: String, name: String) throws {
        var template = Array("/tmp/psistats-e2e-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Program.Failure(call: "mkdtemp", code: errno) }
        folder = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        self.url = url
        self.name = name
        config = [
            "server": ["url": url + "/"],
            "queue": ["prefix": name],
            "exchange": ["name": name],
            "hostname": ["name": Self.hostname],
            "app": ["pidfile": folder + "/psistats.pid", "pidfile_timeout": "15", "retry_timer": "0.1"],
            "cpu": ["interval": "0.2"], "mem": ["interval": "0.2"], "uptime": ["interval": "0.2"],
            "cpu_temp": ["enabled": "no"], "ipaddr": ["enabled": "no"],
        ]
        logTo("class=logging.FileHandler", "args=('\(folder)/psistats.log',)")
    }

    /// Has the log go to one handler.
    func logTo(_ handler: String..., level: String = "INFO") {
        config["logging"] = ["keys": "root"]
        config["handlers"] = ["keys": "h"]
        config["formatters"] = ["keys": "f"]
        config["logger_root"] = ["level": level, "handlers": "h"]
        config["formatter_f"] = ["format": "%(asctime)s %(levelname)s %(name)s: %(message)s"]
        var keys = ["formatter": "f"]
        for pair in handler {
            let parts = pair.split(separator: "=", maxSplits: 1)
            keys[String(parts[0])] = String(parts[1])
        }
        config["handler_h"] = keys
    }

    /// The queue's name, which is the routing key as well.
    var queue: String { "\(name).\(config["hostname"]?["name"] ?? Self.hostname)" }
    var configPath: String { folder + "/psistats.conf" }
    var pidfile: String { config["app"]?["pidfile"] ?? "" }
    var logPath: String { folder + "/psistats.log" }
    var log: String { AgentFiles.text(logPath) }
    /// What agents in the foreground wrote to standard error.
    var errors: String { processes.map(\.errors).joined() }

    /// How many lines of the log hold a text.
    func logCount(_ text: String) -> Int {
        AgentFiles.lines(logPath).filter { $0.contains(text) }.count
    }

    /// Writes the configuration, to a file of its own that then takes the old one's place.
    func writeConfig() throws {
        let text = config.sorted { $0.key < $1.key }.map { section, keys in
            let lines = keys.sorted { $0.key < $1.key }.map { key, value in
                "\(key)=" + value.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\n    ")
            }
            return "[\(section)]\n" + lines.joined(separator: "\n") + "\n"
        }
        try writeConfig(text.joined(separator: "\n"))
    }

    func writeConfig(_ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: configPath), options: .atomic)
        chmod(configPath, 0o644)
    }

    /// Runs `psistats` to its end.
    @discardableResult
    func psistats(_ arguments: String..., environment: [String] = []) throws -> Program.Result {
        try Program.run(
            arguments + ["--config", configPath],
            environment: ["PATH=/usr/bin:/bin", "SWIFT_BACKTRACE=enable=yes"] + environment,
            directory: folder
        )
    }

    /// Starts the daemon with the configuration as it stands in `config`, and returns its number.
    @discardableResult
    func start() throws -> pid_t {
        try writeConfig()
        let result = try psistats("start")
        guard result.status == 0, let pid = try daemonPid() else {
            throw Overdue(description: "start ended with \(result.status ?? -1): \(result.text)\(result.errors)")
        }
        return pid
    }

    /// The process that is the daemon.
    func daemonPid() throws -> pid_t? { try AgentLock.holder(of: pidfile) }

    /// Starts `psistats` in the foreground.
    func startInForeground(_ arguments: [String] = [], environment: [String: String] = [:]) throws -> AgentProcess {
        try writeConfig()
        return try launch(
            [Program.path, "start", "--foreground", "--config", configPath] + arguments,
            environment: environment
        )
    }

    /// Starts a program that is ended with the sandbox.
    func launch(_ command: [String], environment: [String: String] = [:]) throws -> AgentProcess {
        let process = try AgentProcess(
            command,
            files: "\(folder)/process-\(processes.count)",
            environment: environment.merging(["PATH": "/usr/bin:/bin", "SWIFT_BACKTRACE": "enable=yes"]) { own, _ in own
            }
        )
        processes.append(process)
        return process
    }

    /// Has pika read what is published to the exchange.
    func reader(keep queue: String? = nil) async throws -> AgentMessages {
        try await AgentMessages(url: url + "/%2F", exchange: name, keep: queue, files: folder + "/messages")
    }

    /// Has pika read from a queue.
    func reader(queue: String) async throws -> AgentMessages {
        try await AgentMessages(url: url + "/%2F", queue: queue, files: folder + "/messages")
    }

    /// What `psistats status --json` says.
    func status() throws -> JSON {
        let result = try psistats("status", "--json")
        guard result.status == 0 else { throw Overdue(description: "status ended with \(result.status ?? -1)") }
        return try JSON(result.text)
    }

    /// Waits until the status is as wanted.
    @discardableResult
    func awaitStatus(
        _ what: String,
        within limit: Duration = .seconds(20),
        _ isWanted: (JSON) -> Bool
    ) async throws -> JSON {
        var last = JSON.null
        do {
            return try await eventually("a status with \(what)", within: limit) {
                last = try status()
                return isWanted(last) ? last : nil
            }
        } catch let overdue as Overdue {
            throw Overdue(description: "\(overdue); last: \(last)")
        }
    }

    /// Waits for a line of the log.
    func awaitLog(_ text: String, within limit: Duration = .seconds(20)) async throws {
        try await eventually("'\(text)' in the log", within: limit) { log.contains(text) }
    }

    /// Runs `body` with a channel on the sandbox's broker.
    func withChannel<Value>(_ body: (AMQPChannel) async throws -> Value) async throws -> Value {
        var configuration = try AMQPConfiguration(url)
        configuration.recovery = nil
        return try await AMQPConnection.withConnection(configuration) { connection in
            try await connection.withChannel { channel in try await body(channel) }
        }
    }

    private func removeFromBroker() async throws {
        guard url == Broker.url else { return }
        end()
        let isExclusive = config["queue"]?["exclusive"] != "no"
        try await withChannel { channel in
            // One that is exclusive went with the agent's connection.
            if !isExclusive { _ = try await channel.deleteQueue(queue) }
            try await channel.deleteExchange(name)
        }
    }

    private func end() {
        for process in processes { process.send(SIGKILL) }
        // Who holds the pidfile was started here; one that has ended holds it no more.
        if case .success(let holder?) = Result(catching: { try daemonPid() }), holder != getpid() {
            kill(holder, SIGKILL)
        }
    }

    deinit {
        do {
            try FileManager.default.removeItem(atPath: folder)
        } catch {
            Issue.record("\(folder) cannot be removed: \(error)")
        }
    }
}

extension AgentLock {
    /// The process that is the daemon of a pidfile.
    static func holder(of pidfile: String) throws -> pid_t? {
        try holder(in: RuntimePlace(pidfile: pidfile).lockFolder)
    }
}
#endif
