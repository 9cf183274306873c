/// Octets that must not appear in a log: a password, a token, the answer to a login's challenge.
///
/// Printing, interpolating, dumping or reflecting a secret shows that there is one and nothing else.
public struct AMQPSecret: Hashable, Sendable {
    /// The octets themselves.
    public var octets: [UInt8]

    /// A secret made of octets.
    public init(octets: [UInt8] = []) {
        self.octets = octets
    }

    /// A secret made of a string's UTF-8.
    public init(_ string: some StringProtocol) {
        octets = Array(string.utf8)
    }
}

extension AMQPSecret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "********" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
