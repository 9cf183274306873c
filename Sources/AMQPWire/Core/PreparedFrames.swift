/// The frames of a publish up to its body, made once for an exchange, a routing key and a set of properties.
///
/// Publishing copies them and writes the channel and the body's size into the copy.
final class PreparedFrames: Sendable {
    let publish: AMQPMethod.BasicPublish
    private let octets: [UInt8]
    /// Where the header frame begins.
    private let headerStart: Int
    /// Flags and properties.
    private let properties: [UInt8]

    /// Makes the frames; throws where a name or a property does not fit the protocol.
    init(_ publish: AMQPMethod.BasicPublish, properties: AMQPProperties) throws(AMQPError) {
        self.publish = publish
        var encoder = AMQPFrameEncoder(maxFrameSize: 0)
        do throws(AMQPWireError) {
            try encoder.append(publish, channel: 0)
            headerStart = encoder.bytes.count
            try encoder.append(AMQPContentHeader(bodySize: 0, properties: properties), channel: 0)
        } catch {
            throw AMQPError(invalid: error, .basicPublish)
        }
        octets = encoder.bytes.copy()
        // Frame header, class, weight and body size stand before the flags and properties, the end behind.
        self.properties = Array(octets[(headerStart + 19)..<(octets.count - 1)])
    }

    /// Whether both frames are small enough; 0 sets no limit.
    func fits(_ maxFrameSize: UInt32) -> Bool {
        maxFrameSize == 0 || max(headerStart, octets.count - headerStart) <= Int(clamping: maxFrameSize)
    }

    /// Appends the frames.
    @inline(__always)
    func append(to encoder: inout AMQPFrameEncoder, channel: UInt16, bodySize: UInt64) {
        let start = encoder.bytes.count
        encoder.bytes.append(octets)
        encoder.frameCount &+= 2
        encoder.bytes.overwrite(at: start + 1, with: channel)
        encoder.bytes.overwrite(at: start + headerStart + 1, with: channel)
        encoder.bytes.overwrite(at: start + headerStart + 11, with: bodySize)
    }

    /// Tells this publish from others, if it is mandatory and may come back.
    func digest(body: UnsafeRawBufferPointer) -> ContentDigest? {
        guard publish.mandatory else { return nil }
        return publish.exchange.withOctets { exchange in
            publish.routingKey.withOctets { routingKey in
                properties.withUnsafeBytes { properties in
                    ContentDigest(exchange: exchange, routingKey: routingKey, properties: properties, body: body)
                }
            }
        }
    }
}
