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
        var size: Int
    }

    /// Steps to the next frame and checks its outside, or says nil until more octets come.
    mutating func nextRaw() throws(AMQPWireError) -> RawFrame? {
        dropCurrent()
        if let failure { throw failure }
        current = try remembering { (decoder) throws(AMQPWireError) in try decoder.frameAtFront() }
        return current
    }

    /// Lends the payload of the frame returned last.
    func withPayload<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        bytes.withUnsafeBytes { held in
            guard let current, current.type != nil else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
            return body(UnsafeRawBufferPointer(rebasing: held[FrameFormat.headerSize..<current.size &- 1]))
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
        guard let size = current?.size else { return }
        bytes.removeFirst(size)
        offset &+= UInt64(truncatingIfNeeded: size)
        current = nil
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
            guard limits.frameSize == 0 || size <= UInt64(limits.frameSize) else {
                throw AMQPWireError(.frameTooLarge(size: size, limit: UInt64(limits.frameSize)), offset: offset)
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
