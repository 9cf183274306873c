#if Agent
/// What the connection to the broker is doing.
enum WatchLink: Hashable, Sendable {
    /// No connection was open yet.
    case connecting
    /// Messages come as they are published.
    case watching
    /// Connected, and nothing can come; why.
    case waiting(String)
    /// The connection is gone; why, and when the next attempt is made.
    case lost(String, retry: Duration?)

    /// In a few words, without what changes all the time.
    var summary: String {
        switch self {
        case .connecting: "connecting"
        case .watching: "watching"
        case .waiting(let reason): reason
        case .lost(let reason, _): "connection lost: \(reason)"
        }
    }
}
#endif
