#if Agent
import AMQPWire
import ArgumentParser
import Glibc

/// `psistats frames FILE|-`: says what a recorded stream of AMQP octets holds.
struct FramesCommand: ParsableCommand {
    enum Format: String, CaseIterable, ExpressibleByArgument {
        case text, json
    }

    static let configuration = CommandConfiguration(
        commandName: "frames",
        abstract: "Say what is in a recorded stream of AMQP 0-9-1, one direction of a connection.",
        discussion: """
            Prints a line for each frame: its offset in the stream, its size and channel, then what it is and holds. \
            With --format json each line is an object. Frames are printed as they come: the stream may be larger than \
            memory, and may still be being written.

            A stream that is malformed or ends inside a frame is listed up to there; where and why goes to standard \
            error, and the exit status is 65. It is 66 when the file cannot be read.
            """
    )

    @Argument(help: ArgumentHelp("The recording; - is standard input.", valueName: "file"))
    var path: String

    @Option(help: "What to print.")
    var format: Format?

    @Flag(help: "Write what our encoder makes of the frames, as octets, passwords included.")
    var reencode = false

    @Flag(help: "Print passwords and other credentials instead of ********.")
    var showSecrets = false

    @Option(
        help: ArgumentHelp(
            "How many octets a frame may have; 0 sets no limit. Memory follows the octets that come, not this.",
            valueName: "octets"
        )
    )
    var maxFrameSize: UInt32 = 134_217_728

    /// Octets of one table: more than any frame that a broker takes by default, less than memory.
    static let maxTableSize = 16_777_216

    func validate() throws {
        guard !reencode || (format == nil && !showSecrets) else {
            throw ValidationError("--reencode writes octets: leave out --format and --show-secrets.")
        }
    }

    func run() throws {
        var writer = FrameWriter(form, showSecrets: showSecrets)
        let input = try open()
        var decoder = AMQPFrameDecoder(limits: AMQPWireLimits(frameSize: maxFrameSize, tableSize: Self.maxTableSize))
        let pieceSize = 65_536
        while true {
            let count = try read(input, into: &decoder, upTo: pieceSize)
            if count == 0 { break }
            while let frame = try next(&decoder, before: &writer) {
                try writer.write(frame, from: decoder)
            }
            // Whoever watches a stream that comes slowly wants to see each frame when it is there.
            if count < pieceSize { try writer.flush() }
        }
        try writer.flush()
        guard decoder.pendingCount == 0 else {
            throw CommandFailure(.dataError, "\(name): \(Self.endInsideFrame(decoder))")
        }
    }

    private var name: String { path == "-" ? "standard input" : path }

    private var form: FrameWriter.Form {
        if reencode { return .octets }
        switch format {
        case .text, nil: return .text
        case .json: return .json
        }
    }

    private func open() throws(CommandFailure) -> InputFile {
        do throws(SystemError) {
            return try InputFile(path: path)
        } catch {
            throw CommandFailure(.noInput, "\(name): \(error.reason)")
        }
    }

    private func read(
        _ input: borrowing InputFile,
        into decoder: inout AMQPFrameDecoder,
        upTo count: Int
    ) throws(CommandFailure) -> Int {
        do throws(SystemError) {
            return try decoder.appendFilled(upTo: count) { (memory) throws(SystemError) in
                try input.read(into: memory)
            }
        } catch {
            let status = error.code == EISDIR ? ExitStatus.noInput : .ioError
            throw CommandFailure(status, "\(name): \(error.reason)")
        }
    }

    /// The next frame. Where there is none because the stream is malformed, what was written before is handed on first.
    private func next(_ decoder: inout AMQPFrameDecoder, before writer: inout FrameWriter) throws(CommandFailure)
        -> AMQPFrame?
    {
        let start = decoder.position
        do throws(AMQPWireError) {
            return try decoder.next()
        } catch {
            try writer.flush()
            let frame = error.offset == start ? "" : ", in the frame that starts at octet \(start)"
            throw CommandFailure(.dataError, "\(name): malformed: \(error)\(frame)")
        }
    }

    private static func endInsideFrame(_ decoder: borrowing AMQPFrameDecoder) -> String {
        let held = UInt64(clamping: decoder.pendingCount)
        let frame = "the stream ends inside the frame that starts at octet \(decoder.position)"
        guard let size = decoder.announcedSize else {
            return "\(frame): only \(held) of the 7 octets that say how long it is are there"
        }
        let missing = size - min(held, size)
        return "\(frame): \(missing) of its \(size) octets \(missing == 1 ? "is" : "are") missing"
    }
}
#endif
