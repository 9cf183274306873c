/// The eight octets with which a client opens a connection: `AMQP`, 0, and the protocol version 0-9-1.
///
/// A server that speaks another version answers with the header of the version it would like, and closes.
/// Source: AMQP 0-9-1, section 4.2.2.
public enum AMQPProtocolHeader {
    /// The octets of version 0-9-1.
    public static let octets: [UInt8] = [0x41, 0x4D, 0x51, 0x50, 0, 0, 9, 1]
}
