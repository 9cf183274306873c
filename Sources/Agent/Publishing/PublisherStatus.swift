#if Agent
/// How publishing goes, for the log and for `psistats status`.
struct PublisherStatus: Hashable, Sendable {
    /// The broker, without a password; nil while there is no connection.
    var broker: String?
    /// The seconds since 1970 at which the connection was made.
    var connectedAt: Double?
    /// Why the broker takes no messages for now.
    var blockedReason: String?
    /// Messages handed to a broker, repetitions included.
    var sent: UInt64 = 0
    /// Messages that a broker has confirmed.
    var confirmed: UInt64 = 0
    /// Messages that came back because no queue took them.
    var returned: UInt64 = 0
    /// Messages that a broker refused (basic.nack): a queue had no room, say. They are sent again.
    var refused: UInt64 = 0
    /// The last thing that went wrong, and the seconds since 1970 at which it did.
    var lastError: LastError?

    struct LastError: Hashable, Sendable {
        var text: String
        var at: Double
    }
}
#endif
