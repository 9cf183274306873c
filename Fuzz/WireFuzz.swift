// What libFuzzer calls with bytes of its own making. Compiled in one module with Sources/AMQPWire/Wire by Scripts/fuzz.

/// Decodes the input as a stream in one piece and in small pieces, and ends the process where the two differ, where an error
/// stands outside the stream, where a listing fails, or where what was decoded is not encoded to octets that mean the same.
///
/// The first octet says how large the pieces are; the rest is the stream.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = UnsafeRawBufferPointer(start: start, count: count)
    guard let first = input.first else { return 0 }
    let stream = UnsafeRawBufferPointer(rebasing: input.dropFirst())
    let whole = Decoding(stream, piecesOf: max(1, stream.count))
    let pieces = Decoding(stream, piecesOf: Int(first % 16) + 1)
    check(whole.error == pieces.error, "error depends on the pieces: \(whole) and \(pieces)")
    check(whole.frames.count == pieces.frames.count, "frames depend on the pieces: \(whole) and \(pieces)")
    for (left, right) in zip(whole.frames, pieces.frames) {
        check(isSame(left, right), "frame depends on the pieces: \(left) and \(right)")
    }
    if let error = whole.error {
        check(error.offset >= whole.end && error.offset < UInt64(stream.count), "error outside its frame: \(error)")
        check(!error.description.isEmpty && error.replyCode >= 501, "error that says nothing: \(error)")
    } else {
        check(whole.end + UInt64(whole.pending) == UInt64(stream.count), "octets got lost: \(whole)")
    }
    for frame in whole.frames { checkReencoding(frame) }
    return 0
}

private struct Decoding {
    var frames: [AMQPFrame] = []
    var error: AMQPWireError?
    /// Where the last frame ends.
    var end: UInt64 = 0
    var pending = 0

    init(_ stream: UnsafeRawBufferPointer, piecesOf size: Int) {
        var decoder = AMQPFrameDecoder()
        var rest = stream
        do throws(AMQPWireError) {
            while !rest.isEmpty {
                decoder.append(UnsafeRawBufferPointer(rebasing: rest.prefix(size)))
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(size))
                while let frame = try decoder.next() {
                    check(frame.offset == end, "a frame at \(frame.offset), expected at \(end)")
                    end += UInt64(frame.size)
                    checkListing(decoder.fields(), of: frame)
                    frames.append(frame)
                }
            }
        } catch {
            self.error = error
        }
        pending = decoder.pendingCount
        if let error {
            do throws(AMQPWireError) {
                _ = try decoder.next()
                check(false, "the error did not stay: \(error)")
            } catch let again {
                check(error == again, "the error changed: \(error) and \(again)")
            }
        }
    }
}

/// The fields of a frame stand inside it, in their order.
private func checkListing(_ fields: [AMQPWireField], of frame: AMQPFrame) {
    var offset = frame.offset
    for field in fields {
        check(field.offset >= offset, "field before the one before: \(field)")
        check(
            field.offset + UInt64(field.size) < frame.offset + UInt64(frame.size),
            "field outside its frame: \(field)"
        )
        offset = field.offset
    }
    if case .header = frame.payload { check(fields.count >= 3, "header without fields: \(frame)") }
}

private func checkReencoding(_ frame: AMQPFrame) {
    guard let once = encode(frame) else { return }
    if once.isEmpty {
        check(frame.payload == .body([]), "frame encoded to nothing: \(frame)")
        return
    }
    let decoding = once.withUnsafeBytes { Decoding($0, piecesOf: $0.count) }
    guard let again = decoding.frames.first, decoding.frames.count == 1, decoding.error == nil else {
        check(false, "written frame does not decode: \(decoding) from \(frame)")
        return
    }
    check(again.notes.isEmpty && again.channel == frame.channel, "written frame changed: \(again) from \(frame)")
    check(encode(again) == once, "written frame is not stable: \(again) from \(frame)")
}

/// The octets that the encoder makes of a frame, or nil where a name holds the octet 0, which is read but never written.
private func encode(_ frame: AMQPFrame) -> [UInt8]? {
    var encoder = AMQPFrameEncoder()
    do throws(AMQPWireError) {
        switch frame.payload {
        case .protocolHeader: encoder.appendProtocolHeader()
        case .method(let method): try encoder.append(method, channel: frame.channel)
        case .header(let header): try encoder.append(header, channel: frame.channel)
        case .body(let body): body.withUnsafeBytes { encoder.append(body: $0, channel: frame.channel) }
        case .heartbeat: encoder.appendHeartbeat()
        }
        return encoder.bytes.copy()
    } catch {
        check(error.code == .nameContainsNUL, "decoded, but not written: \(error) from \(frame)")
        check(encoder.bytes.isEmpty, "a refused frame left something behind: \(frame)")
        return nil
    }
}

/// Equality that holds for not-a-number too: where values differ, their octets decide.
private func isSame(_ left: AMQPFrame, _ right: AMQPFrame) -> Bool {
    if left == right { return true }
    guard left.offset == right.offset, left.size == right.size, left.notes == right.notes else { return false }
    return encode(left) == encode(right)
}

private func check(_ condition: Bool, _ complaint: @autoclosure () -> String) {
    if !condition { fatalError(complaint()) }
}
