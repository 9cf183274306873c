#if Agent
import AMQPWire
import FoundationEssentials
import Glibc

/// Writes frames to standard output, one after the other, in the form that was asked for.
struct FrameWriter: ~Copyable {
    /// In what form.
    enum Form {
        /// A line of text each.
        case text
        /// A JSON object each, a line each.
        case json
        /// The octets that our encoder makes of them.
        case octets
    }

    private let form: Form
    private let listing: AMQPFrameListing
    private let json: FrameJSON
    private let jsonEncoder = JSONEncoder.lines
    private var encoder = AMQPFrameEncoder(maxFrameSize: 0)
    private var output = OutputFile.standardOutput

    init(_ form: Form, showSecrets: Bool) {
        self.form = form
        listing = AMQPFrameListing(showSecrets: showSecrets)
        json = FrameJSON(showSecrets: showSecrets)
    }

    /// Writes the frame that `decoder` has just returned.
    mutating func write(_ frame: AMQPFrame, from decoder: borrowing AMQPFrameDecoder) throws(CommandFailure) {
        do {
            switch form {
            case .text:
                try output.append(line: listing.line(frame, fields: decoder.fields()))
            case .json:
                let line = try jsonEncoder.encode(json.object(frame, fields: decoder.fields()))
                try line.withUnsafeBytes { try output.append($0) }
                try output.append("\n")
            case .octets:
                try encode(frame)
                try encoder.bytes.withUnsafeBytes { try output.append($0) }
                encoder.bytes.removeAll()
            }
        } catch let error as SystemError {
            throw CommandFailure(writing: error)
        } catch let error as AMQPWireError {
            try flush()
            throw CommandFailure(.dataError, "octet \(frame.offset): this frame cannot be encoded: \(error.reason)")
        } catch {
            throw CommandFailure(.software, "\(error)")
        }
    }

    /// Writes octets as they are.
    mutating func write(_ octets: UnsafeRawBufferPointer) throws(CommandFailure) {
        do throws(SystemError) {
            try output.append(octets)
        } catch {
            throw CommandFailure(writing: error)
        }
    }

    /// Writes text as it is.
    mutating func write(_ text: String) throws(CommandFailure) {
        do throws(SystemError) {
            try output.append(text)
        } catch {
            throw CommandFailure(writing: error)
        }
    }

    /// Hands on what is held back for a larger write.
    mutating func flush() throws(CommandFailure) {
        do throws(SystemError) {
            try output.flush()
        } catch {
            throw CommandFailure(writing: error)
        }
    }

    private mutating func encode(_ frame: AMQPFrame) throws(AMQPWireError) {
        switch frame.payload {
        case .protocolHeader: encoder.appendProtocolHeader()
        case .method(let method): try encoder.append(method, channel: frame.channel)
        case .header(let header): try encoder.append(header, channel: frame.channel)
        case .body(let octets): octets.withUnsafeBytes { encoder.append(body: $0, channel: frame.channel) }
        case .heartbeat: encoder.appendHeartbeat()
        }
    }
}

extension CommandFailure {
    /// Standard output cannot be written. Where nobody reads it any more, as under `| head`, there is nothing to say.
    init(writing error: SystemError) {
        if error.code == EPIPE {
            self.init(status: .outputClosed, message: nil)
        } else {
            self.init(.ioError, "standard output: \(error.reason)")
        }
    }
}
#endif
