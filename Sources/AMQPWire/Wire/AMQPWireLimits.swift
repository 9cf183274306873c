/// Bounds on what a decoder takes from a peer.
public struct AMQPWireLimits: Hashable, Sendable {
    /// Octets in a whole frame, the 8 around the payload included, as `frame-max` counts them.
    ///
    /// Default 131,072, what RabbitMQ and most clients agree on. Before negotiation a frame may be as large as this too:
    /// servers describe themselves at length in `connection.start`.
    public var frameSize: UInt32
    /// Bytes in a whole method or content header frame, where that is more than ``frameSize``. Default 0: as `frameSize`.
    ///
    /// RabbitMQ does not apply `frame-max` to the headers of messages that it made longer itself, by dead-lettering say.
    public var headFrameSize: UInt32 = 0
    /// Levels of tables and arrays inside one another. Default 32; RabbitMQ's own data have 4. More than ``deepestNesting``
    /// means as much.
    public var nesting: Int
    /// Levels that are read at most, whatever ``nesting`` says: each takes a piece of the caller's stack, and a peer must not
    /// be able to exhaust it.
    public static let deepestNesting = 128
    /// Octets of one table or array. Default 131,072.
    public var tableSize: Int

    /// Limits; what is left out has its default.
    public init(frameSize: UInt32 = 131_072, headFrameSize: UInt32 = 0, nesting: Int = 32, tableSize: Int = 131_072) {
        self.frameSize = frameSize
        self.headFrameSize = headFrameSize
        self.nesting = nesting
        self.tableSize = tableSize
    }
}
