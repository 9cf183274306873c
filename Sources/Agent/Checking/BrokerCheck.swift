#if Agent
import AMQPWire
import Glibc

/// Checks one broker, stage after stage, up to the first that fails: resolver, TCP, TLS, AMQP, login, virtual host, exchange,
/// queue, permissions, and whether it takes messages. Changes nothing on the broker.
struct BrokerCheck {
    /// How long the resolver, TCP, and the opening of the connection may take, each, unless the URL says.
    static let patience = Duration.seconds(10)

    let configuration: Configuration
    /// The name under which this machine reports.
    let hostname: String
    let broker: AMQPURI
    let report: CheckReport
    let flow = FlowProbe()

    func run() async throws(SystemError) {
        guard try reach() else { return }
        let connection: AMQPConnection
        do throws(AMQPError) {
            connection = try await AMQPConnection.connect(settings)
        } catch {
            return try refused(error)
        }
        try opened(through: .vhost, connection)
        do throws(SystemError) {
            try await check(OpenBroker(connection))
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
    }

    private var settings: AMQPConfiguration {
        var settings = AMQPConfiguration(brokers: [broker])
        settings.connectionName = "psistats check \(hostname)"
        settings.connectTimeout = Self.patience
        settings.callTimeout = Self.patience
        settings.confirmTimeout = Self.patience
        settings.recovery = nil
        settings.onEvent = { [flow] event in flow.heard(event) }
        return settings
    }

    // MARK: Resolver and TCP

    /// Whether an address accepts connections.
    private func reach() throws(SystemError) -> Bool {
        let time = broker.connectionTimeout ?? Self.patience
        let addresses: [HostAddress]
        switch NameLookup.addresses(of: broker.host, port: broker.port, within: time) {
        case .success(let found): addresses = found
        case .failure(let failure):
            try report.failed(
                .resolver,
                "'\(broker.host)': \(failure)",
                remedy: "correct the host in [server] url, or check /etc/hosts and the name service",
                .unavailable
            )
            return false
        }
        try report.passed(.resolver, "\(broker.host) → " + addresses.map(\.text).joined(separator: ", "))
        let outcome = PortProbe.connect(to: addresses, within: time)
        let failures = outcome.failures.map { "\($0.address.text) port \(broker.port): \(Self.reason($0.code))" }
        guard let reached = outcome.reached else {
            try report.failed(
                .tcp,
                failures.joined(separator: ", "),
                remedy: "start the broker, or correct host and port in [server] url, and check the firewalls between",
                .unavailable
            )
            return false
        }
        let aside = failures.isEmpty ? "" : " (but not \(failures.joined(separator: ", ")))"
        try report.passed(.tcp, "\(reached.text) port \(broker.port)" + aside)
        return true
    }

    private static func reason(_ code: Int32) -> String {
        SystemError(code: code, context: "connect").reason.lowercased()
    }

    // MARK: What opens the connection

    /// Says of the stages of opening up to `last` that they are well.
    private func opened(through last: CheckReport.Stage, _ connection: AMQPConnection?) throws(SystemError) {
        let stages: [CheckReport.Stage] = [.tls, .amqp, .login, .vhost]
        for stage in stages.prefix(through: stages.firstIndex(of: last) ?? stages.startIndex) {
            switch stage {
            case .tls where broker.scheme == .amqp:
                try report.noted(.tls, "not used: the URL says amqp://, not amqps://")
            case .tls:
                try report.passed(
                    .tls,
                    broker.verification == .verifyNone
                        ? "agreed on; the certificate is not verified (verify=verify_none)"
                        : "agreed on, and the certificate is verified"
                )
            case .amqp:
                let properties = connection?.serverProperties
                let names = ["product", "version"].compactMap { properties?[AMQPText($0)]?.string }
                try report.passed(.amqp, names.isEmpty ? "0-9-1" : "0-9-1, " + names.joined(separator: " "))
            case .login: try report.passed(.login, "user '\(broker.user)'")
            case .vhost: try report.passed(.vhost, "'\(broker.vhost)'")
            case .configuration, .reporters, .hostname, .hddspace, .cpuTemp, .resolver, .tcp, .exchange, .queue,
                .permissions, .flow:
                break
            }
        }
    }

    /// Says at which stage the opening of the connection failed.
    private func refused(_ error: AMQPError) throws(SystemError) {
        let stage = Self.stage(of: error)
        let stages: [CheckReport.Stage] = [.tls, .amqp, .login, .vhost]
        if let index = stages.firstIndex(of: stage), index > 0 { try opened(through: stages[index - 1], nil) }
        try fail(stage, error)
    }

    private static func stage(of error: AMQPError) -> CheckReport.Stage {
        switch error.stage {
        case .resolving: .resolver
        case .connecting: .tcp
        case .securing: .tls
        // What the client cannot answer to a greeting is a login.
        case .greeting: error.code == .loginRefused || error.code == .invalidArgument ? .login : .amqp
        case .login: .login
        case .virtualHost, .open: .vhost
        default: .amqp
        }
    }

    /// A stage that failed with an error of the client's.
    func fail(_ stage: CheckReport.Stage, _ error: AMQPError) throws(SystemError) {
        var configuration = configuration
        configuration.server.brokers = [broker]
        try report.failed(
            stage,
            BrokerAdvice.occurrence(of: error),
            remedy: BrokerAdvice.advice(for: error, configuration: configuration, hostname: hostname),
            error.exitStatus
        )
    }
}
#endif
