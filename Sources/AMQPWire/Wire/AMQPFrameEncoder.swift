/// Turns methods and messages into frames, in a buffer that the caller sends and drains.
///
/// Each call appends all of its frames or, when it throws, none. Knows nothing of channels' states: what may be sent when is
/// the caller's business.
public struct AMQPFrameEncoder: ~Copyable, Sendable {
    /// Octets that a whole frame may have, as `connection.tune-ok` says; 0 sets no limit.
    ///
    /// AMQP allows no limit under 4,096. Under one that leaves a method or header no room, appending them throws; a body is
    /// cut into frames of at least ``smallestBodyFrame`` octets, however small the limit.
    public var maxFrameSize: UInt32
    /// The frames so far.
    public var bytes: AMQPWireBuffer
    /// Octets of the smallest frame that has something of a body in it: one octet and what is around it.
    public static let smallestBodyFrame: UInt32 = 9
    /// Levels of tables inside one another that are written; the decoder's default reads as many.
    static let maxNesting = 32

    /// How many frames were appended.
    var frameCount: UInt64 = 0
    private var frameStart = 0
    private var bitsUsed: UInt8 = 8
    private var context: StaticString = ""
    private var field: StaticString = ""

    /// An encoder with an empty buffer.
    public init(maxFrameSize: UInt32 = 131_072, capacity: Int = 0) {
        self.maxFrameSize = maxFrameSize
        bytes = AMQPWireBuffer(capacity: capacity)
    }

    /// Appends the protocol header that a client sends first.
    public mutating func appendProtocolHeader() {
        bytes.append(AMQPProtocolHeader.octets)
    }

    /// Appends a heartbeat.
    public mutating func appendHeartbeat() {
        let start = beginFrame(.heartbeat, channel: 0)
        closeFrame(start)
    }

    /// Appends a method frame.
    public mutating func append(_ method: AMQPMethod, channel: UInt16) throws(AMQPWireError) {
        try append(method.payload, channel: channel)
    }

    /// Appends a method frame.
    mutating func append<Payload: MethodPayload>(_ payload: Payload, channel: UInt16) throws(AMQPWireError) {
        let start = bytes.count
        do throws(AMQPWireError) {
            var payload = payload
            _ = beginFrame(.method, channel: channel)
            bytes.append(integer: Payload.id.rawValue)
            context = Payload.id.staticName
            try payload.fields(&self)
            try endFrame(start)
        } catch {
            bytes.truncate(to: start)
            throw error
        }
    }

    /// Appends a header frame.
    public mutating func append(_ header: AMQPContentHeader, channel: UInt16) throws(AMQPWireError) {
        let start = bytes.count
        do throws(AMQPWireError) {
            var header = header
            _ = beginFrame(.header, channel: channel)
            bytes.append(integer: AMQPContentHeader.classID)
            context = "content header"
            try header.fields(&self)
            try endFrame(start)
        } catch {
            bytes.truncate(to: start)
            throw error
        }
    }

    /// Appends a body in as many frames as it needs: none where it is empty.
    public mutating func append(body: UnsafeRawBufferPointer, channel: UInt16) {
        let overhead = FrameFormat.overhead
        let most =
            maxFrameSize == 0 ? Int(Int32.max) : Int(clamping: max(maxFrameSize, Self.smallestBodyFrame)) - overhead
        // A body that fits one frame costs one check for room; larger ones grow the buffer once, too. What is in memory is
        // far from overflowing, even nine times.
        bytes.reserve(body.count &+ (body.count / most &+ 1) &* overhead)
        var rest = body
        while rest.count > 0 {
            let start = beginFrame(.body, channel: channel)
            bytes.append(UnsafeRawBufferPointer(rebasing: rest.prefix(most)))
            closeFrame(start)
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(most))
        }
    }

    /// Appends a method that carries content, with the message: `basic.publish`, say.
    public mutating func append(
        _ method: AMQPMethod,
        properties: AMQPProperties,
        body: UnsafeRawBufferPointer,
        channel: UInt16
    ) throws(AMQPWireError) {
        let start = bytes.count
        try append(method, channel: channel)
        do throws(AMQPWireError) {
            try append(AMQPContentHeader(bodySize: UInt64(body.count), properties: properties), channel: channel)
        } catch {
            bytes.truncate(to: start)
            frameCount &-= 1
            throw error
        }
        append(body: body, channel: channel)
    }
}

// MARK: - One frame

extension AMQPFrameEncoder {
    private mutating func beginFrame(_ type: FrameType, channel: UInt16) -> Int {
        let start = bytes.count
        frameStart = start
        bitsUsed = 8
        bytes.reserve(64)
        bytes.append(integer: type.rawValue)
        bytes.append(integer: channel)
        bytes.append(integer: UInt32(0))
        return start
    }

    /// Ends a frame whose size is known to fit.
    private mutating func closeFrame(_ start: Int) {
        bytes.overwrite(at: start + 3, with: UInt32(truncatingIfNeeded: bytes.count - start - FrameFormat.headerSize))
        bytes.append(integer: FrameFormat.end)
        frameCount &+= 1
    }

    private mutating func endFrame(_ start: Int) throws(AMQPWireError) {
        let size = bytes.count - start + 1
        let limit = maxFrameSize == 0 ? UInt32.max : maxFrameSize
        guard size <= Int(clamping: limit) else {
            field = ""
            throw error(.frameTooLarge(size: UInt64(size), limit: UInt64(limit)))
        }
        closeFrame(start)
    }

    /// An error at the place of writing.
    func error(_ code: AMQPWireError.Code) -> AMQPWireError {
        let parts = ["\(context)", "\(field)"].filter { !$0.isEmpty }
        return AMQPWireError(code, offset: UInt64(bytes.count - frameStart), field: parts.joined(separator: " "))
    }

    mutating func writeShortString(_ text: AMQPText) throws(AMQPWireError) {
        try text.withOctets { (octets) throws(AMQPWireError) in
            guard let count = UInt8(exactly: octets.count) else {
                throw error(.shortStringTooLong(octets: octets.count))
            }
            bytes.append(integer: count)
            bytes.append(octets)
        }
    }

    mutating func writeLongString(_ text: AMQPText) throws(AMQPWireError) {
        try text.withOctets { (octets) throws(AMQPWireError) in try writeLongString(octets) }
    }

    mutating func writeLongString(_ octets: some Collection<UInt8>) throws(AMQPWireError) {
        guard let count = UInt32(exactly: octets.count) else {
            throw error(.frameTooLarge(size: UInt64(octets.count), limit: UInt64(UInt32.max)))
        }
        bytes.append(integer: count)
        bytes.append(octets)
    }
}

// MARK: - Fields

extension AMQPFrameEncoder: FieldCoder {
    private mutating func begin(_ name: StaticString) {
        field = name
        bitsUsed = 8
    }

    mutating func octet(_ name: StaticString, _ value: inout UInt8) {
        begin(name)
        bytes.append(integer: value)
    }

    mutating func short(_ name: StaticString, _ value: inout UInt16) {
        begin(name)
        bytes.append(integer: value)
    }

    mutating func long(_ name: StaticString, _ value: inout UInt32) {
        begin(name)
        bytes.append(integer: value)
    }

    mutating func longLong(_ name: StaticString, _ value: inout UInt64) {
        begin(name)
        bytes.append(integer: value)
    }

    mutating func timestamp(_ name: StaticString, _ value: inout UInt64) {
        longLong(name, &value)
    }

    mutating func bit(_ name: StaticString, _ value: inout Bool) {
        if bitsUsed == 8 {
            bytes.append(integer: UInt8(0))
            bitsUsed = 0
        }
        if value { bytes.setBitOfLastOctet(bitsUsed) }
        bitsUsed &+= 1
    }

    mutating func shortString(_ name: StaticString, _ value: inout AMQPText) throws(AMQPWireError) {
        begin(name)
        guard !value.containsNUL else { throw error(.nameContainsNUL) }
        try writeShortString(value)
    }

    mutating func longString(_ name: StaticString, _ value: inout AMQPText) throws(AMQPWireError) {
        begin(name)
        try writeLongString(value)
    }

    mutating func secret(_ name: StaticString, _ value: inout AMQPSecret) throws(AMQPWireError) {
        begin(name)
        try writeLongString(value.octets)
    }

    mutating func table(_ name: StaticString, _ value: inout AMQPTable) throws(AMQPWireError) {
        begin(name)
        try write(value)
    }

    mutating func propertyFlags(_ flags: inout UInt16) {
        begin("property-flags")
        bytes.append(integer: flags)
    }

    mutating func property(_ name: StaticString, _ value: inout AMQPText) throws(AMQPWireError) {
        begin(name)
        try writeShortString(value)
    }
}
