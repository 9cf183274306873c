import Testing

@testable import AMQPWire

/// What came of decoding a stream to its end or its first error.
struct Decoding: Sendable {
    var frames: [AMQPFrame] = []
    var error: AMQPWireError?
    /// Octets that were taken and are in no frame.
    var pending = 0
}

/// Decodes `stream`, given to the decoder in pieces of `size` octets.
func decode(_ stream: [UInt8], piecesOf size: Int = .max, limits: AMQPWireLimits = AMQPWireLimits()) -> Decoding {
    var decoder = AMQPFrameDecoder(limits: limits)
    var decoding = Decoding()
    var rest = stream[...]
    do throws(AMQPWireError) {
        repeat {
            let piece = rest.prefix(size)
            rest = rest[piece.endIndex...]
            decoder.append(piece)
            while let frame = try decoder.next() {
                _ = decoder.fields()
                decoding.frames.append(frame)
            }
        } while !rest.isEmpty
    } catch {
        decoding.error = error
    }
    decoding.pending = decoder.pendingCount
    return decoding
}

/// Checks what must hold of every stream, well-formed or not, and returns what came of it:
///
/// - pieces of any size give the same frames and the same error;
/// - frames stand one after the other, and an error stands inside the stream, behind the last frame's start;
/// - the error stays;
/// - what was decoded is encoded to octets that decode to the same and are encoded to themselves.
@discardableResult
func verify(
    _ stream: [UInt8],
    limits: AMQPWireLimits = AMQPWireLimits(),
    sourceLocation: SourceLocation = #_sourceLocation
) -> Decoding {
    let whole = decode(stream, limits: limits)
    for size in [1, 7] {
        let pieces = decode(stream, piecesOf: size, limits: limits)
        if !sameFrames(pieces.frames, whole.frames) || pieces.error != whole.error {
            Issue.record("pieces of \(size) decode differently: \(hexadecimal(stream))", sourceLocation: sourceLocation)
        }
    }
    var position: UInt64 = 0
    for frame in whole.frames {
        if frame.offset != position {
            Issue.record("a frame at \(frame.offset), expected at \(position)", sourceLocation: sourceLocation)
        }
        position += UInt64(frame.size)
    }
    if let error = whole.error {
        if error.offset < position || error.offset >= UInt64(stream.count) {
            Issue.record(
                "error outside its frame: \(error) of \(stream.count) octets: \(hexadecimal(stream))",
                sourceLocation: sourceLocation
            )
        }
    } else if position + UInt64(whole.pending) != UInt64(stream.count) {
        Issue.record("octets got lost: \(hexadecimal(stream))", sourceLocation: sourceLocation)
    }
    verifyReencoding(whole.frames, sourceLocation: sourceLocation)
    return whole
}

private func verifyReencoding(_ frames: [AMQPFrame], sourceLocation: SourceLocation) {
    for frame in frames {
        do throws(AMQPWireError) {
            let once = try encode(frame)
            // A body frame without octets is read, but never written.
            if once.isEmpty, case .body([]) = frame.payload { continue }
            let again = decode(once)
            guard let decoded = again.frames.first, again.frames.count == 1, again.error == nil else {
                Issue.record("written frame does not decode: \(hexadecimal(once))", sourceLocation: sourceLocation)
                continue
            }
            let twice = try encode(decoded)
            if twice != once || decoded.channel != frame.channel || !decoded.notes.isEmpty {
                Issue.record("written frame changed: \(hexadecimal(once))", sourceLocation: sourceLocation)
            }
        } catch {
            // Names with the octet 0 are read, but never written.
            if error.code != .nameContainsNUL {
                Issue.record("\(error) from \(frame)", sourceLocation: sourceLocation)
            }
        }
    }
}

/// The octets that the encoder makes of a decoded frame.
func encode(_ frame: AMQPFrame, maxFrameSize: UInt32 = 131_072) throws(AMQPWireError) -> [UInt8] {
    var encoder = AMQPFrameEncoder(maxFrameSize: maxFrameSize)
    switch frame.payload {
    case .protocolHeader: encoder.appendProtocolHeader()
    case .method(let method): try encoder.append(method, channel: frame.channel)
    case .header(let header): try encoder.append(header, channel: frame.channel)
    case .body(let body): body.withUnsafeBytes { encoder.append(body: $0, channel: frame.channel) }
    case .heartbeat: encoder.appendHeartbeat()
    }
    return encoder.bytes.copy()
}

/// Equality that holds for not-a-number too: where values differ, their octets decide.
private func sameFrames(_ left: [AMQPFrame], _ right: [AMQPFrame]) -> Bool {
    left.count == right.count && zip(left, right).allSatisfy { $0 == $1 || isSameOnTheWire($0, $1) }
}

private func isSameOnTheWire(_ left: AMQPFrame, _ right: AMQPFrame) -> Bool {
    guard left.offset == right.offset, left.size == right.size, left.channel == right.channel else { return false }
    guard left.notes == right.notes, let octets = try? encode(left) else { return false }
    return octets == (try? encode(right))
}

/// Expects that `body` throws a `AMQPWireError` and returns it.
func wireError(
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws(AMQPWireError) -> Void
) -> AMQPWireError? {
    do throws(AMQPWireError) {
        try body()
        Issue.record("no error", sourceLocation: sourceLocation)
        return nil
    } catch {
        return error
    }
}
