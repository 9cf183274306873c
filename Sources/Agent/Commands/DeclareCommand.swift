#if Agent
import AMQPWire
import ArgumentParser

/// `psistats declare`: sets up the exchange and the queue on the broker, or shows what would be sent for it.
struct DeclareCommand: ParsableCommand {
    enum Format: String, CaseIterable, ExpressibleByArgument {
        case fields, hex, raw, json
    }

    static let configuration = CommandConfiguration(
        commandName: "declare",
        abstract: "Declare the exchange and the queue on the broker, or show the frames that do it.",
        discussion: """
            Connects to the broker that psistats.conf names, declares the exchange and this machine's queue, binds them, and \
            says what exists now. A queue that is exclusive goes with the connection that declares it, so it exists while the \
            daemon runs, and only then.

            With --dry-run connects to nothing, and prints all that would be sent to the first broker: to open a connection \
            and a channel, to declare exchange and queue, and to bind them.

            The formats of --dry-run: fields has a line for each field, with its offset, its octets and what they mean; hex is what \
            xxd prints of the octets; raw is the octets, as in psistats declare --dry-run --format raw | psistats frames -; \
            json is what psistats frames --format json prints of them.

            Where the password would be stands ********, whatever its length, in all formats.

            With --remove deletes this machine's queue instead, with the messages in it, and the exchange unless other queues \
            are bound to it; asks first. For whoever changed their settings, which a broker does not change afterwards, or \
            uninstalls. The daemon has to be stopped before.

            Exit status: 69 when the broker cannot be reached; 77 when it refuses the login, the vhost or the permission; 78 when \
            the configuration cannot be used, or exchange or queue exist with other settings.
            """
    )

    @Flag(help: "Print the frames, send nothing.")
    var dryRun = false

    @OptionGroup var options: ConfigurationOption

    @Option(help: "What --dry-run prints.")
    var format = Format.fields

    @Flag(help: "Put the real password into the frames, and print it.")
    var showSecrets = false

    /// What stands in for a password. It says nothing of the password, not even how long it is.
    static let placeholder = "********"

    @Flag(help: "Delete the queue and, unless others use it, the exchange.")
    var remove = false

    @Flag(help: "Let --remove delete without asking.")
    var yes = false

    func validate() throws {
        if remove && dryRun { throw ValidationError("--remove and --dry-run exclude each other") }
        if yes && !remove { throw ValidationError("--yes goes with --remove") }
    }

    func run() throws {
        if remove {
            let (_, configuration, hostname) = try options.load()
            return try TopologyRemoval(isConfirmed: yes).run(configuration, hostname: hostname)
        }
        guard dryRun else { return try declare() }
        let octets = try rehearse()
        var writer = FrameWriter(.json, showSecrets: showSecrets)
        switch format {
        case .raw:
            try octets.withUnsafeBytes { try writer.write($0) }
        case .hex:
            try writer.write(HexDump.text(octets))
        case .fields:
            let dump = FrameDump(listing: AMQPFrameListing(showSecrets: showSecrets))
            var separator = ""
            try eachFrame(of: octets) { frame, decoder in
                try writer.write(separator + dump.text(frame, fields: decoder.fields(), stream: octets))
                separator = "\n"
            }
        case .json:
            try eachFrame(of: octets) { frame, decoder in try writer.write(frame, from: decoder) }
        }
        try writer.flush()
    }

    /// Declares on the real broker.
    private func declare() throws {
        let (_, configuration, hostname) = try options.load()
        let settings = BrokerSettings(configuration: configuration, hostname: hostname)
        do {
            let queue = try blocking {
                try await AMQPConnection.withConnection(settings.connection { _ in }) { connection in
                    try await connection.withChannel { try await settings.topology.declare(on: $0) }
                }
            }
            try standardOutput(text(queue, configuration))
        } catch let error as AMQPError {
            let advice = BrokerAdvice.explanation(of: error, configuration: configuration, hostname: hostname)
            throw CommandFailure(error.exitStatus, advice)
        }
    }

    private func text(_ queue: AMQPDeclaredQueue, _ configuration: Configuration) -> String {
        let exchange = configuration.exchange
        let goes = configuration.queue.isExclusive ? "; it is exclusive and has gone with this connection" : ""
        return """
            exchange '\(exchange.name)', type \(exchange.type)
            queue '\(queue.name)', \(queue.messageCount) messages, \(queue.consumerCount) consumers\(goes)
            binding '\(exchange.name)' to '\(queue.name)', routing key '\(queue.name)'
            """
    }

    /// What the client sends to the first broker that is configured.
    private func rehearse() throws(CommandFailure) -> [UInt8] {
        let (path, loaded, machineName) = try options.load()
        var (configuration, hostname) = (loaded, machineName)
        guard var broker = configuration.server.brokers.first else {
            throw CommandFailure(status: .configuration, message: "\(path): [server]: no broker")
        }
        if !showSecrets {
            broker.password = Self.placeholder
            // A password may stand in the wrong place.
            broker.vhost = Secrets.shared.hidden(broker.vhost)
            configuration.queue.prefix = Secrets.shared.hidden(configuration.queue.prefix)
            configuration.exchange.name = Secrets.shared.hidden(configuration.exchange.name)
            hostname = Secrets.shared.hidden(hostname)
        }
        do throws(AMQPError) {
            return try AMQPRehearsal().octets(broker, requests: Topology(configuration, hostname: hostname).requests)
        } catch {
            throw CommandFailure(status: .configuration, message: "\(path): \(error)")
        }
    }

    private func eachFrame(
        of octets: [UInt8],
        _ body: (AMQPFrame, borrowing AMQPFrameDecoder) throws -> Void
    ) throws {
        var decoder = AMQPFrameDecoder(limits: AMQPWireLimits(frameSize: 0))
        decoder.append(octets)
        while let frame = try decoder.next() {
            try body(frame, decoder)
        }
    }
}
#endif
