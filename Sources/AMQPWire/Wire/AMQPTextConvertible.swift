/// What can stand where AMQP has text: strings of Swift's own, and ``AMQPText`` itself.
public protocol AMQPTextConvertible: Sendable {
    /// The text as AMQP carries it.
    var amqpText: AMQPText { get }
}

extension AMQPText: AMQPTextConvertible {
    /// The text itself.
    public var amqpText: AMQPText { self }
}

extension String: AMQPTextConvertible {
    /// The string's UTF-8.
    public var amqpText: AMQPText { AMQPText(self) }
}

extension Substring: AMQPTextConvertible {
    /// The substring's UTF-8.
    public var amqpText: AMQPText { AMQPText(self) }
}
