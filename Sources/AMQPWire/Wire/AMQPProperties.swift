/// The fourteen properties of a message. Only those that are not nil go over the wire.
///
/// Source: AMQP 0-9-1 reference, section 1.8.1.
public struct AMQPProperties: Hashable, Sendable {
    /// MIME type of the body, `application/json`.
    public var contentType: AMQPText?
    /// MIME encoding of the body, `utf-8` or `gzip`.
    public var contentEncoding: AMQPText?
    /// The application's own values; a headers exchange routes by them.
    public var headers: AMQPTable?
    /// 1: lost when the broker stops; 2: written to disk, if the queue is durable. See ``DeliveryMode``.
    public var deliveryMode: UInt8?
    /// 0 to 9, or up to the queue's `x-max-priority`; higher goes first.
    public var priority: UInt8?
    /// Ties a reply to its request.
    public var correlationID: AMQPText?
    /// Queue for the reply.
    public var replyTo: AMQPText?
    /// How long the message lives in a queue: milliseconds, as decimal digits.
    public var expiration: AMQPText?
    /// The application's name for the message.
    public var messageID: AMQPText?
    /// Seconds since 1970-01-01 00:00:00 UTC.
    public var timestamp: UInt64?
    /// The application's name for the kind of message.
    public var type: AMQPText?
    /// User who published. RabbitMQ refuses (406) any but the one who is logged in.
    public var userID: AMQPText?
    /// Application that published.
    public var appID: AMQPText?
    /// Reserved; called cluster-id before version 0-9-1.
    public var reserved: AMQPText?

    /// No properties.
    public init() {}

    /// Properties; what is left out is not sent. Text is a string of Swift's own or an ``AMQPText``.
    public init(
        contentType: (any AMQPTextConvertible)? = nil,
        contentEncoding: (any AMQPTextConvertible)? = nil,
        headers: AMQPTable? = nil,
        deliveryMode: UInt8? = nil,
        priority: UInt8? = nil,
        correlationID: (any AMQPTextConvertible)? = nil,
        replyTo: (any AMQPTextConvertible)? = nil,
        expiration: (any AMQPTextConvertible)? = nil,
        messageID: (any AMQPTextConvertible)? = nil,
        timestamp: UInt64? = nil,
        type: (any AMQPTextConvertible)? = nil,
        userID: (any AMQPTextConvertible)? = nil,
        appID: (any AMQPTextConvertible)? = nil,
        reserved: (any AMQPTextConvertible)? = nil
    ) {
        self.contentType = contentType?.amqpText
        self.contentEncoding = contentEncoding?.amqpText
        self.headers = headers
        self.deliveryMode = deliveryMode
        self.priority = priority
        self.correlationID = correlationID?.amqpText
        self.replyTo = replyTo?.amqpText
        self.expiration = expiration?.amqpText
        self.messageID = messageID?.amqpText
        self.timestamp = timestamp
        self.type = type?.amqpText
        self.userID = userID?.amqpText
        self.appID = appID?.amqpText
        self.reserved = reserved?.amqpText
    }
}

extension AMQPProperties {
    /// The flags that stand for a property; the two lowest bits of the word do not.
    static let assignedFlags: UInt16 = 0xFFFC

    /// Bit 15 for the first property, down to bit 2 for the last.
    private var flags: UInt16 {
        // Statements: as one expression it is too much for the type checker of Swift 6.2.
        var flags: UInt16 = 0
        if contentType != nil { flags |= 1 << 15 }
        if contentEncoding != nil { flags |= 1 << 14 }
        if headers != nil { flags |= 1 << 13 }
        if deliveryMode != nil { flags |= 1 << 12 }
        if priority != nil { flags |= 1 << 11 }
        if correlationID != nil { flags |= 1 << 10 }
        if replyTo != nil { flags |= 1 << 9 }
        if expiration != nil { flags |= 1 << 8 }
        if messageID != nil { flags |= 1 << 7 }
        if timestamp != nil { flags |= 1 << 6 }
        if type != nil { flags |= 1 << 5 }
        if userID != nil { flags |= 1 << 4 }
        if appID != nil { flags |= 1 << 3 }
        if reserved != nil { flags |= 1 << 2 }
        return flags
    }

    /// Leads `coder` over the flags and the properties that are present.
    mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
        var flags = flags
        try coder.propertyFlags(&flags)
        if flags & 1 << 15 != 0 { try coder.property("content-type", &contentType[or: ""]) }
        if flags & 1 << 14 != 0 { try coder.property("content-encoding", &contentEncoding[or: ""]) }
        if flags & 1 << 13 != 0 { try coder.table("headers", &headers[or: [:]]) }
        if flags & 1 << 12 != 0 { try coder.octet("delivery-mode", &deliveryMode[or: 0]) }
        if flags & 1 << 11 != 0 { try coder.octet("priority", &priority[or: 0]) }
        if flags & 1 << 10 != 0 { try coder.property("correlation-id", &correlationID[or: ""]) }
        if flags & 1 << 9 != 0 { try coder.property("reply-to", &replyTo[or: ""]) }
        if flags & 1 << 8 != 0 { try coder.property("expiration", &expiration[or: ""]) }
        if flags & 1 << 7 != 0 { try coder.property("message-id", &messageID[or: ""]) }
        if flags & 1 << 6 != 0 { try coder.timestamp("timestamp", &timestamp[or: 0]) }
        if flags & 1 << 5 != 0 { try coder.property("type", &type[or: ""]) }
        if flags & 1 << 4 != 0 { try coder.property("user-id", &userID[or: ""]) }
        if flags & 1 << 3 != 0 { try coder.property("app-id", &appID[or: ""]) }
        if flags & 1 << 2 != 0 { try coder.property("reserved", &reserved[or: ""]) }
    }
}

extension Optional {
    /// The value, or what stands in for it; setting sets the value.
    fileprivate subscript(or standIn: Wrapped) -> Wrapped {
        get { self ?? standIn }
        set { self = newValue }
    }
}
