#if Agent
/// A message that waits to be published and confirmed.
struct OutgoingReport: Hashable, Sendable {
    /// Different from that of every other message, of this run and of others.
    var id: String
    /// The property `type`.
    var type: String
    /// The seconds since 1970 at which it was measured.
    var measuredAt: UInt64
    /// JSON.
    var body: [UInt8]
}
#endif
