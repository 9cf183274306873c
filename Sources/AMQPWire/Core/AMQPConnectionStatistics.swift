/// Counts since the connection was first opened, recoveries included.
public struct AMQPConnectionStatistics: Hashable, Sendable {
    /// Octets written to the socket, before encryption.
    public var octetsSent: UInt64 = 0
    /// Octets read from the socket, after decryption.
    public var octetsReceived: UInt64 = 0
    /// Frames made to be sent, heartbeats included. What a lost connection had waiting is counted, too.
    public var framesSent: UInt64 = 0
    /// Frames received.
    public var framesReceived: UInt64 = 0
    /// Messages published.
    public var publishes: UInt64 = 0
    /// Publishes that the broker confirmed, returned ones included.
    public var publishesConfirmed: UInt64 = 0
    /// Publishes that the broker refused with basic.nack.
    public var publishesRefused: UInt64 = 0
    /// Publishes that came back for want of a queue.
    public var publishesReturned: UInt64 = 0
    /// Messages delivered to consumers.
    public var messagesReceived: UInt64 = 0
    /// Times that a lost connection was made anew.
    public var reconnects: UInt64 = 0
}
