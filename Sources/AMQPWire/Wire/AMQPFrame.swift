/// A frame as it was decoded, with its place in the stream.
///
/// Source: AMQP 0-9-1, section 4.2.3.
public struct AMQPFrame: Hashable, Sendable {
    /// What a frame carries.
    public enum Payload: Hashable, Sendable {
        /// The protocol header that opens a stream: major, minor and revision, 0, 9 and 1.
        case protocolHeader(major: UInt8, minor: UInt8, revision: UInt8)
        /// A method.
        case method(AMQPMethod)
        /// The size and the properties of a message.
        case header(AMQPContentHeader)
        /// A piece of a message's body.
        case body([UInt8])
        /// Nothing: a sign of life.
        case heartbeat
    }

    /// Something that a decoder passes over, as brokers do, and that an encoder never produces.
    public enum Note: Hashable, Sendable {
        /// Octets after the last field of a method or of the properties.
        case trailingOctets(Int)
        /// Flags of properties that class basic does not have; those properties are among the trailing octets.
        case unknownPropertyFlags
    }

    /// Octets before the frame in its stream.
    public var offset: UInt64
    /// Octets of the whole frame, the 8 around the payload included.
    public var size: Int
    /// The channel; 0 is the connection itself.
    public var channel: UInt16
    /// What the frame carries.
    public var payload: Payload
    /// What was passed over in it.
    public var notes: [Note] = []
}

/// What stands before the body of a message.
///
/// Source: AMQP 0-9-1, section 4.2.6.1.
public struct AMQPContentHeader: Hashable, Sendable {
    /// Octets of the body; 0 means that no body frame follows.
    public var bodySize: UInt64
    /// Reserved; 0, kept as it came.
    public var weight: UInt16
    /// The properties of the message.
    public var properties: AMQPProperties

    /// A header of class basic.
    public init(bodySize: UInt64, weight: UInt16 = 0, properties: AMQPProperties = AMQPProperties()) {
        self.bodySize = bodySize
        self.weight = weight
        self.properties = properties
    }

    /// The only class that has content.
    static let classID: UInt16 = 60

    /// Leads `coder` over the fields and properties. The class is not a field: there is only one.
    mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
        try coder.short("weight", &weight)
        try coder.longLong("body-size", &bodySize)
        try properties.fields(&coder)
    }
}

/// The first octet of a frame.
enum FrameType: UInt8 {
    case method = 1
    case header = 2
    case body = 3
    case heartbeat = 8
}

/// Numbers of the frame format.
enum FrameFormat {
    /// Type, channel and payload size.
    static let headerSize = 7
    /// The octets around a payload.
    static let overhead = 8
    /// Class, weight and body size, at the start of a content header's payload.
    static let contentStart = 12
    /// The octet after a payload.
    static let end: UInt8 = 0xCE
}
