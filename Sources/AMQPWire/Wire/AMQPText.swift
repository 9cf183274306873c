/// Text as AMQP carries it: octets that ought to be UTF-8, though nothing on the way enforces it.
///
/// Valid UTF-8 is held as a `String`, anything else as the octets that came, so that a message with a broken header can
/// still be read, and be passed on unchanged. Two texts are equal when their octets are; unlike `String`, composed and
/// decomposed forms of a letter differ, as they do for a broker.
public struct AMQPText: Sendable {
    private enum Storage: Sendable {
        case string(String)
        case octets([UInt8])
    }

    private let storage: Storage

    /// The text of a string.
    public init(_ string: some StringProtocol) {
        storage = .string(String(string))
    }

    /// The text of some octets, valid UTF-8 or not.
    public init(octets: some Collection<UInt8>) {
        if let string = String(validating: octets, as: UTF8.self) {
            storage = .string(string)
        } else {
            storage = .octets(Array(octets))
        }
    }

    /// The text of octets that are lent, valid UTF-8 or not. All text that is received comes this way, so it must not be
    /// generic: `String(validating:as:)` asks the runtime for types at each call.
    init(octets: UnsafeRawBufferPointer) {
        let string: String? = octets.withMemoryRebound(to: UInt8.self) { octets in
            guard let text = try? UTF8Span(validating: octets.span) else { return nil }
            return String(copying: text)
        }
        storage = string.map { .string($0) } ?? .octets(Array(octets))
    }

    /// The text as a string; where it is not UTF-8, with U+FFFD in place of what is wrong.
    public var string: String {
        switch storage {
        case .string(let string): string
        case .octets(let octets): String(decoding: octets, as: UTF8.self)
        }
    }

    /// Whether the octets are UTF-8, so that ``string`` is the whole truth.
    public var isValidUTF8: Bool {
        switch storage {
        case .string: true
        case .octets: false
        }
    }

    /// The octets on the wire.
    public var octets: [UInt8] {
        switch storage {
        case .string(let string): Array(string.utf8)
        case .octets(let octets): octets
        }
    }

    /// Number of octets on the wire.
    public var octetCount: Int {
        switch storage {
        case .string(let string): string.utf8.count
        case .octets(let octets): octets.count
        }
    }

    /// Whether there is no text.
    public var isEmpty: Bool { octetCount == 0 }

    /// Whether one of the octets is 0.
    var containsNUL: Bool {
        withOctets { $0.contains(0) }
    }

    /// Lends the octets without copying them where they are contiguous, as those of native strings are.
    func withOctets<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        switch storage {
        case .octets(let octets):
            return try octets.withUnsafeBufferPointer { (octets) throws(Failure) in
                try body(UnsafeRawBufferPointer(octets))
            }
        case .string(var string):
            // `String.withUTF8` has no typed throws.
            let result: Swift.Result<Result, Failure> = string.withUTF8 { utf8 in
                do throws(Failure) {
                    return .success(try body(UnsafeRawBufferPointer(utf8)))
                } catch {
                    return .failure(error)
                }
            }
            return try result.get()
        }
    }
}

extension AMQPText: Hashable {
    public static func == (left: AMQPText, right: AMQPText) -> Bool {
        switch (left.storage, right.storage) {
        case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
        case (.octets(let left), .octets(let right)): left == right
        case (.string, .octets), (.octets, .string): false
        }
    }

    public func hash(into hasher: inout Hasher) {
        withOctets { hasher.combine(bytes: $0) }
    }
}

extension AMQPText: ExpressibleByStringInterpolation {
    public init(stringLiteral value: String) {
        self.init(value)
    }
}

extension AMQPText: CustomStringConvertible {
    public var description: String { string }
}
