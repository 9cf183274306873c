/// A message as the broker handed it over. Its type says how it came.
///
/// Source: AMQP 0-9-1 reference, section 1.8.3.
public struct AMQPMessage: Hashable, Sendable {
    /// The properties it was published with.
    public var properties: AMQPProperties
    /// The body.
    public var body: [UInt8]

    /// A message.
    public init(properties: AMQPProperties = AMQPProperties(), body: [UInt8]) {
        self.properties = properties
        self.body = body
    }

    /// A message whose body is text, as UTF-8.
    public init(properties: AMQPProperties = AMQPProperties(), body: String) {
        self.init(properties: properties, body: Array(body.utf8))
    }

    /// A message whose body is a copy of any bytes.
    public init(properties: AMQPProperties = AMQPProperties(), body: some Collection<UInt8>) {
        self.init(properties: properties, body: Array(body))
    }

    /// A message whose body is a copy of the bytes of a span.
    public init(properties: AMQPProperties = AMQPProperties(), body: RawSpan) {
        self.init(properties: properties, body: body.withUnsafeBytes { Array($0) })
    }

    /// The body as text, nil where it is not UTF-8.
    public var text: String? { String(validating: body, as: UTF8.self) }
}

/// A message that the broker could not route or deliver at once, and sent back.
public struct AMQPReturnedMessage: Hashable, Sendable {
    /// Why: 312 no route, 313 no consumer.
    public var replyCode: UInt16
    /// Why, in the broker's words.
    public var replyText: String
    /// Exchange it was published to.
    public var exchange: String
    /// Routing key it was published with.
    public var routingKey: String
    /// What was published.
    public var message: AMQPMessage
}
