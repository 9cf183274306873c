/// Counts the connections in a row that a broker closed with one error while a publish was unconfirmed on them. Knows nothing
/// of which publish it was: the broker does not say.
struct ClosesOverPublish: Sendable {
    private var replyCode: UInt16 = 0
    private var count = 0

    /// A connection ended with the publish unconfirmed. Returns what the publish fails with, once the limit is reached.
    mutating func counted(_ error: AMQPError, limit: Int) -> AMQPError? {
        guard error.code == .connectionClosed, let code = error.replyCode, (501...541).contains(code),
            error.method == nil || error.method == .basicPublish
        else {
            count = 0
            return nil
        }
        count = code == replyCode ? count + 1 : 1
        replyCode = code
        guard count >= max(1, limit) else { return nil }
        var failure = error
        failure.scope = .message
        failure.delivery = .unknown
        failure.message =
            "not sent again: \(count) connections in a row were closed with \(code) while the message was unconfirmed, "
            + "so it may be the cause; the last time, \(error.message)"
        return failure
    }
}
