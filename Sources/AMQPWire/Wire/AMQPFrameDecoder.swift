/// Turns a stream of received octets, in pieces of any size, into frames.
///
/// Memory follows the octets that came, not the lengths that they announce. After an error the stream has no meaning any
/// more: the decoder keeps throwing it. Knows nothing of channels, of what may follow what, or of sockets.
public struct AMQPFrameDecoder: ~Copyable, Sendable {
    /// Bounds on what is accepted. The frame size may change between frames, as negotiation does.
    public var limits: AMQPWireLimits
    private var bytes = AMQPWireBuffer()
    /// The frame returned last; its octets stay at the front of `bytes` until more are asked for.
    private var current: RawFrame?
    /// Octets of the stream before the first one in `bytes`.
    private var offset: UInt64 = 0
    private var failure: AMQPWireError?
    /// Bytes of a frame that was cut short which are still to come, and to be dropped.
    private var skipping: UInt64 = 0
    /// Whether header and body frames above the limits are returned by ``nextRaw()`` without their contents, instead of
    /// ending the stream.
    var cutsContent = false

    /// A decoder at the start of a stream.
    public init(limits: AMQPWireLimits = AMQPWireLimits()) {
        self.limits = limits
    }

    /// Takes octets that were received.
    public mutating func append(_ octets: UnsafeRawBufferPointer) {
        dropCurrent()
        bytes.append(octets)
    }

    /// Takes octets that were received.
    public mutating func append(_ octets: some Sequence<UInt8>) {
        dropCurrent()
        bytes.append(octets)
    }

    /// Lets `body` write up to `count` received octets and say how many they are; for `read(2)` and its like.
    public mutating func appendFilled<Failure: Error>(
        upTo count: Int,
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        dropCurrent()
        return try bytes.appendFilled(upTo: count, body)
    }

    /// Octets received and not yet returned in a frame.
    public var pendingCount: Int { bytes.count - (current?.size ?? 0) }

    /// Octets that the frame at ``position`` says it has, itself included; nil until the octets that say so have come.
    public var announcedSize: UInt64? {
        bytes.withUnsafeBytes { held in
            let begun = held[min(current?.size ?? 0, held.count)...]
            if position == 0, begun.first == AMQPProtocolHeader.octets[0] {
                return UInt64(AMQPProtocolHeader.octets.count)
            }
            guard begun.count >= FrameFormat.headerSize else { return nil }
            let payloadSize = begun.dropFirst(3).prefix(4).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return payloadSize + UInt64(FrameFormat.overhead)
        }
    }

    /// Where in the stream the frame returned last begins.
    var frameStart: UInt64 { offset }

    /// Bytes of a buffer that is kept while it is empty.
    private static let largestIdleBuffer = 512 << 10

    /// Octets of memory taken for what was received.
    var capacity: Int { bytes.capacity }

    /// Octets of the stream that were returned in frames.
    public var position: UInt64 { offset &+ UInt64(truncatingIfNeeded: current?.size ?? 0) }

    /// The next frame, or nil until more octets come.
    public mutating func next() throws(AMQPWireError) -> AMQPFrame? {
        guard let raw = try nextRaw() else { return nil }
        return try remembering { (decoder) throws(AMQPWireError) in
            switch raw.type {
            case nil: try decoder.protocolHeader(raw)
            case .method: try decoder.method(raw)
            case .header: try decoder.header(raw)
            case .body: decoder.frame(raw, .body(decoder.withPayload { Array($0) }))
            case .heartbeat: decoder.frame(raw, .heartbeat)
            }
        }
    }

    /// The fields of the frame that was returned last, each with its place in the stream: the arguments of a method, or the
    /// parts and properties of a header. Empty for other frames. To be asked before more octets are taken.
    public func fields() -> [AMQPWireField] {
        guard let type = current?.type, failure == nil else { return [] }
        return withPayload { payload in
            var tracer = FieldTracer(FieldDecoder(reader(payload), limits: limits))
            switch type {
            case .method: _ = try? Self.method(&tracer)
            case .header: _ = try? Self.header(&tracer)
            case .body, .heartbeat: break
            }
            return tracer.fields
        }
    }
}

// MARK: - Whole frames, not decoded

extension AMQPFrameDecoder {
    /// A whole frame at the front of the buffer. Without a type it is the protocol header.
    struct RawFrame {
        var type: FrameType?
        var channel: UInt16
        /// Bytes of it that are held.
        var size: Int
        /// Bytes of its payload that are not held, since it is above the limits: all but the first 12 of a header. The
        /// end mark is counted.
        var cut: UInt64 = 0
    }

    /// Steps to the next frame and checks its outside, or says nil until more octets come.
    mutating func nextRaw() throws(AMQPWireError) -> RawFrame? {
        dropCurrent()
        if let failure { throw failure }
        if skipping > 0 {
            let count = min(bytes.count, Int(clamping: skipping))
            bytes.removeFirst(count)
            offset &+= UInt64(truncatingIfNeeded: count)
            skipping &-= UInt64(truncatingIfNeeded: count)
            if skipping > 0 { return nil }
        }
        // One large frame leaves a large buffer behind.
        if bytes.isEmpty { bytes.giveBack(above: max(Self.largestIdleBuffer, 2 * Int(min(limits.frameSize, 4 << 20)))) }
        current = try remembering { (decoder) throws(AMQPWireError) in try decoder.frameAtFront() }
        return current
    }

    /// Lends the payload of the frame returned last.
    func withPayload<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        bytes.withUnsafeBytes { held in
            guard let current, current.type != nil else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
            let end = current.cut > 0 ? current.size : current.size &- 1
            return body(UnsafeRawBufferPointer(rebasing: held[FrameFormat.headerSize..<end]))
        }
    }

    /// Lends all octets of the frame returned last.
    func withWholeFrame<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0.prefix(current?.size ?? 0))) }
    }

    /// Lends what is held of the stream, from the frame returned last on.
    func withBufferedOctets<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        bytes.withUnsafeBytes(body)
    }

    private mutating func dropCurrent() {
        guard let current else { return }
        bytes.removeFirst(current.size)
        offset &+= UInt64(truncatingIfNeeded: current.size)
        skipping = current.cut
        self.current = nil
    }

    /// Keeps the error that `step` throws, so that every later call throws it too.
    private mutating func remembering<Result>(
        _ step: (inout AMQPFrameDecoder) throws(AMQPWireError) -> Result
    ) throws(AMQPWireError) -> Result {
        do throws(AMQPWireError) {
            return try step(&self)
        } catch {
            failure = error
            throw error
        }
    }

    private func frameAtFront() throws(AMQPWireError) -> RawFrame? {
        try bytes.withUnsafeBytes { (held) throws(AMQPWireError) in
            guard let first = held.first else { return nil }
            if offset == 0, first == AMQPProtocolHeader.octets[0] {
                let size = AMQPProtocolHeader.octets.count
                return held.count < size ? nil : RawFrame(type: nil, channel: 0, size: size)
            }
            guard let type = FrameType(rawValue: first) else {
                throw AMQPWireError(.unknownFrameType(first), offset: offset)
            }
            guard held.count >= FrameFormat.headerSize else { return nil }
            let channel = UInt16(bigEndian: held.loadUnaligned(fromByteOffset: 1, as: UInt16.self))
            let payloadSize = UInt32(bigEndian: held.loadUnaligned(fromByteOffset: 3, as: UInt32.self))
            let size = UInt64(payloadSize) + UInt64(FrameFormat.overhead)
            let limit = limits.size(of: type)
            guard size <= limit else {
                guard cutsContent, type == .header || type == .body else {
                    throw AMQPWireError(.frameTooLarge(size: size, limit: limit), offset: offset)
                }
                let start = FrameFormat.headerSize &+ (type == .header ? FrameFormat.contentStart : 0)
                if held.count < start { return nil }
                // Above the limit, so larger than its start.
                return RawFrame(type: type, channel: channel, size: start, cut: size &- UInt64(start))
            }
            if type == .heartbeat {
                guard payloadSize == 0 else {
                    throw AMQPWireError(.heartbeatWithPayload(size: UInt64(payloadSize)), offset: offset)
                }
                guard channel == 0 else { throw AMQPWireError(.heartbeatOnChannel(channel), offset: offset) }
            }
            guard UInt64(held.count) >= size else { return nil }
            // Not more than is held, so it fits.
            let length = Int(truncatingIfNeeded: size)
            let end = held[length &- 1]
            guard end == FrameFormat.end else {
                throw AMQPWireError(.missingFrameEnd(end), offset: offset &+ size &- 1)
            }
            return RawFrame(type: type, channel: channel, size: length)
        }
    }
}

// MARK: - Decoding

extension AMQPFrameDecoder {
    private func reader(_ payload: UnsafeRawBufferPointer) -> WireReader {
        WireReader(payload, origin: offset &+ UInt64(FrameFormat.headerSize))
    }

    private func frame(_ raw: RawFrame, _ payload: AMQPFrame.Payload, notes: [AMQPFrame.Note] = []) -> AMQPFrame {
        AMQPFrame(offset: offset, size: raw.size, channel: raw.channel, payload: payload, notes: notes)
    }

    private func protocolHeader(_ raw: RawFrame) throws(AMQPWireError) -> AMQPFrame {
        let octets = bytes.withUnsafeBytes { Array($0.prefix(raw.size)) }
        guard octets == AMQPProtocolHeader.octets else { throw AMQPWireError(.unsupportedProtocol(octets), offset: 0) }
        return frame(raw, .protocolHeader(major: octets[5], minor: octets[6], revision: octets[7]))
    }

    /// Decodes the method frame `raw`, the one returned last.
    func method(_ raw: RawFrame) throws(AMQPWireError) -> AMQPFrame {
        let (method, notes) = try decode { (decoder) throws(AMQPWireError) in try Self.method(&decoder) }
        return frame(raw, .method(method), notes: notes)
    }

    /// The body size that the header frame returned last announces, read without the properties; nil where it is no header
    /// of content.
    var announcedBodySize: UInt64? {
        withPayload { payload in
            guard payload.count >= FrameFormat.contentStart else { return nil }
            let classID = UInt16(bigEndian: payload.loadUnaligned(as: UInt16.self))
            guard classID == AMQPContentHeader.classID else { return nil }
            return UInt64(bigEndian: payload.loadUnaligned(fromByteOffset: 4, as: UInt64.self))
        }
    }

    /// The number of the method whose frame was returned last, class and method, whether it is known or not.
    var methodNumber: UInt32? {
        withPayload { payload in
            guard payload.count >= 4 else { return nil }
            return UInt32(bigEndian: payload.loadUnaligned(as: UInt32.self))
        }
    }

    /// Decodes the header frame `raw`, the one returned last.
    func header(_ raw: RawFrame) throws(AMQPWireError) -> AMQPFrame {
        let (header, notes) = try decode { (decoder) throws(AMQPWireError) in try Self.header(&decoder) }
        return frame(raw, .header(header), notes: notes)
    }

    private func decode<Value>(
        _ value: (inout FieldDecoder) throws(AMQPWireError) -> Value
    ) throws(AMQPWireError) -> (Value, [AMQPFrame.Note]) {
        let result: Result<(Value, [AMQPFrame.Note]), AMQPWireError> = withPayload { payload in
            var decoder = FieldDecoder(reader(payload), limits: limits)
            do throws(AMQPWireError) {
                let value = try value(&decoder)
                var notes: [AMQPFrame.Note] = []
                if decoder.unknownProperties { notes.append(.unknownPropertyFlags) }
                if decoder.reader.remaining > 0 { notes.append(.trailingOctets(decoder.reader.remaining)) }
                return .success((value, notes))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private static func method(_ coder: inout some DecodingCoder) throws(AMQPWireError) -> AMQPMethod {
        let start = coder.decoder.reader
        let classID: UInt16 = try coder.decoder.reader.integer()
        let methodID: UInt16 = try coder.decoder.reader.integer()
        guard let id = AMQPMethodID(classID: classID, methodID: methodID) else {
            throw start.error(.unknownMethod(classID: classID, methodID: methodID))
        }
        coder.decoder.reader.context = id.staticName
        return try AMQPMethod.decode(id, &coder)
    }

    private static func header(_ coder: inout some DecodingCoder) throws(AMQPWireError) -> AMQPContentHeader {
        let start = coder.decoder.reader
        coder.decoder.reader.context = "content header"
        let classID: UInt16 = try coder.decoder.reader.integer()
        guard classID == AMQPContentHeader.classID else { throw start.error(.unknownContentClass(classID)) }
        var header = AMQPContentHeader(bodySize: 0)
        try header.fields(&coder)
        return header
    }
}

extension AMQPWireLimits {
    /// Bytes that a whole frame of a type may have.
    fileprivate func size(of type: FrameType) -> UInt64 {
        if frameSize == 0 { return .max }
        return switch type {
        case .method, .header: UInt64(max(frameSize, headFrameSize))
        case .body, .heartbeat: UInt64(frameSize)
        }
    }
}
