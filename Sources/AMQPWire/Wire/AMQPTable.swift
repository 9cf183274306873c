/// Named values in the order in which they were added or came.
///
/// A key can come twice; both are kept. Looking a key up finds the first, as RabbitMQ does. Keys are text of up to 255
/// octets. Source: AMQP 0-9-1, section 4.2.5.5.
public struct AMQPTable: Hashable, Sendable {
    /// A name and its value.
    public struct Entry: Hashable, Sendable {
        /// The name, up to 255 octets.
        public var key: AMQPText
        /// The value.
        public var value: AMQPFieldValue

        /// A name and its value.
        public init(_ key: AMQPText, _ value: AMQPFieldValue) {
            self.key = key
            self.value = value
        }
    }

    /// All entries in order.
    public var entries: [Entry]

    /// A table of entries, in their order.
    public init(_ entries: [Entry] = []) {
        self.entries = entries
    }

    /// The value of the first entry with this key. Setting replaces it where it stands and drops later ones, or appends;
    /// setting nil drops them all.
    public subscript(key: some AMQPTextConvertible) -> AMQPFieldValue? {
        get {
            let key = key.amqpText
            return entries.first { $0.key == key }?.value
        }
        set {
            let key = key.amqpText
            guard let index = entries.firstIndex(where: { $0.key == key }) else {
                if let newValue { entries.append(Entry(key, newValue)) }
                return
            }
            entries[(index + 1)...].removeAll { $0.key == key }
            if let newValue { entries[index].value = newValue } else { entries.remove(at: index) }
        }
    }

    /// As the subscript that takes an ``AMQPFieldValue``, for values of Swift's own: `headers["attempt"] = attempt + 1`.
    @_disfavoredOverload
    public subscript(key: some AMQPTextConvertible) -> (any AMQPFieldValueConvertible)? {
        get { self[key] as AMQPFieldValue? }
        set { self[key] = newValue?.amqpFieldValue }
    }

    /// Whether there are no entries.
    public var isEmpty: Bool { entries.isEmpty }

    /// Number of entries, those with the same key counted each.
    public var count: Int { entries.count }
}

extension AMQPTable: ExpressibleByDictionaryLiteral {
    /// A table of the entries of a literal, in their order. See ``AMQPFieldValueConvertible`` for what can be a value.
    public init(dictionaryLiteral elements: (any AMQPTextConvertible, any AMQPFieldValueConvertible)...) {
        entries = elements.map { Entry($0.amqpText, $1.amqpFieldValue) }
    }
}
