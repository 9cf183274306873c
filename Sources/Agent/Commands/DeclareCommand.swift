import AMQPWire
import ArgumentParser

/// `psistats declare --dry-run`: shows what the agent sends to set up its exchange and queue.
struct DeclareCommand: ParsableCommand {
    enum Format: String, CaseIterable, ExpressibleByArgument {
        case fields, hex, raw, json
    }

    static let configuration = CommandConfiguration(
        commandName: "declare",
        abstract: "Show the frames that declare the exchange and the queue, octet for octet.",
        discussion: """
            Reads psistats.conf and prints all that would be sent to the first broker in it: to open a connection and a \
            channel, to declare the exchange and this machine's queue, and to bind them. Connects to nothing.

            The formats: fields has a line for each field, with its offset, its octets and what they mean; hex is what \
            xxd prints of the octets; raw is the octets, as in psistats declare --dry-run --format raw | psistats frames -; \
            json is what psistats frames --format json prints of them.

            Where the password would be stands ********, whatever its length, in all formats.

            Exit status: 78 when the configuration cannot be used.
            """
    )

    @Flag(help: "Print the frames, send nothing. Needed in this version.")
    var dryRun = false

    @Option(help: ArgumentHelp("The configuration, instead of the first psistats.conf found.", valueName: "file"))
    var config: String?

    @Option(help: "What to print.")
    var format = Format.fields

    @Flag(help: "Put the real password into the frames, and print it.")
    var showSecrets = false

    /// What stands in for a password. It says nothing of the password, not even how long it is.
    static let placeholder = "********"

    func run() throws {
        guard dryRun else {
            throw CommandFailure(
                .unavailable,
                "declare needs --dry-run in this version: it prints what would be sent and connects to nothing"
            )
        }
        let octets = try rehearse()
        var writer = FrameWriter(.json, showSecrets: showSecrets)
        switch format {
        case .raw:
            try octets.withUnsafeBytes { try writer.write($0) }
        case .hex:
            try writer.write(HexDump.text(octets))
        case .fields:
            let dump = FrameDump(listing: FrameListing(showSecrets: showSecrets))
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

    /// What the client sends to the first broker that is configured.
    private func rehearse() throws(CommandFailure) -> [UInt8] {
        let surroundings = Surroundings.current()
        let path: String
        let configuration: Configuration
        do throws(ConfigurationError) {
            (path, configuration) = try ConfigurationFinder.load(config, surroundings: surroundings)
        } catch {
            throw CommandFailure(status: .configuration, message: error.description)
        }
        guard var broker = configuration.server.brokers.first else {
            throw CommandFailure(status: .configuration, message: "\(path): [server]: no broker")
        }
        if !showSecrets { broker.password = Self.placeholder }
        let hostname = configuration.hostname.name ?? surroundings.hostname
        do throws(AMQPError) {
            return try Rehearsal().octets(broker, requests: Topology(configuration, hostname: hostname).requests)
        } catch {
            throw CommandFailure(status: .configuration, message: "\(path): \(error)")
        }
    }

    private func eachFrame(
        of octets: [UInt8],
        _ body: (Frame, borrowing FrameDecoder) throws -> Void
    ) throws {
        var decoder = FrameDecoder(limits: WireLimits(frameSize: 0))
        decoder.append(octets)
        while let frame = try decoder.next() {
            try body(frame, decoder)
        }
    }
}
