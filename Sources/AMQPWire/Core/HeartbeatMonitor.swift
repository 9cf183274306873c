/// Says when a heartbeat is due, and when the peer has been silent for too long. Knows nothing of frames.
///
/// A heartbeat goes out when nothing was sent for half the interval; the peer is given up when nothing came for two of them.
/// Any octets count as a sign of life, in either direction. Source: AMQP 0-9-1, section 4.2.7; RabbitMQ's heartbeat guide.
struct HeartbeatMonitor {
    private let interval: Duration
    private var lastSent: Moment
    private var lastReceived: Moment

    /// What to do at a moment.
    enum Verdict: Hashable {
        case nothing, sendHeartbeat, peerIsSilent
    }

    /// A monitor for an interval that both sides agreed on; nil if they agreed on none.
    init?(seconds: UInt16, now: Moment) {
        guard seconds > 0 else { return nil }
        interval = .seconds(Int64(seconds))
        lastSent = now
        lastReceived = now
    }

    /// Octets went out.
    mutating func sent(at now: Moment) { lastSent = max(lastSent, now) }

    /// Octets came in.
    mutating func received(at now: Moment) { lastReceived = max(lastReceived, now) }

    /// From now on the peer is listened to, or not.
    mutating func listens(_ listens: Bool, at now: Moment) {
        // Silence of a peer that is not listened to says nothing. Without a flag, since each publish asks for the deadline.
        lastReceived = listens ? now : Moment(nanoseconds: .max)
    }

    /// When to ask for a verdict at the latest.
    var deadline: Moment { min(sendDeadline, silenceDeadline) }

    private var sendDeadline: Moment { lastSent.advanced(by: interval / 2) }
    private var silenceDeadline: Moment { lastReceived.advanced(by: interval * 2) }

    /// What is due. After `sendHeartbeat` the caller reports what it sent.
    func verdict(at now: Moment) -> Verdict {
        if silenceDeadline <= now { return .peerIsSilent }
        if sendDeadline <= now { return .sendHeartbeat }
        return .nothing
    }
}
