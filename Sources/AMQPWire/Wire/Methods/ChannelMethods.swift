// The methods of class channel (20): one channel.

extension AMQPMethod {
    /// `channel.open`. Opens a channel.
    /// Source: AMQP 0-9-1 reference, section 1.5.2.1.
    public struct ChannelOpen: MethodPayload {
        public static let id = AMQPMethodID.channelOpen
        /// Reserved; kept as it came.
        public var reserved1: AMQPText

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(reserved1: AMQPText = "") {
            self.reserved1 = reserved1
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.shortString("reserved-1", &reserved1)
        }
    }

    /// `channel.open-ok`. The channel is open.
    /// Source: AMQP 0-9-1 reference, section 1.5.2.2.
    public struct ChannelOpenOk: MethodPayload {
        public static let id = AMQPMethodID.channelOpenOk
        /// Reserved; kept as it came.
        public var reserved1: AMQPText

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(reserved1: AMQPText = "") {
            self.reserved1 = reserved1
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.longString("reserved-1", &reserved1)
        }
    }

    /// `channel.flow`. Asks the other side to stop or to go on sending content.
    /// Source: AMQP 0-9-1 reference, section 1.5.2.3.
    public struct ChannelFlow: MethodPayload {
        public static let id = AMQPMethodID.channelFlow
        /// Whether content may be sent.
        public var active: Bool

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(active: Bool = false) {
            self.active = active
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.bit("active", &active)
        }
    }

    /// `channel.flow-ok`. Says which state of flow is in force now.
    /// Source: AMQP 0-9-1 reference, section 1.5.2.4.
    public struct ChannelFlowOk: MethodPayload {
        public static let id = AMQPMethodID.channelFlowOk
        /// Whether content may be sent.
        public var active: Bool

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(active: Bool = false) {
            self.active = active
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.bit("active", &active)
        }
    }

    /// `channel.close`. Ends the channel, with the reason and, for an error, the method that caused it.
    /// Source: AMQP 0-9-1 reference, section 1.5.2.5.
    public struct ChannelClose: MethodPayload {
        public static let id = AMQPMethodID.channelClose
        /// Why; section 1.1 of the reference lists the codes.
        public var replyCode: UInt16
        /// Why, in words. Servers cut it at 255 octets.
        public var replyText: AMQPText
        /// Class of the method that caused the close, else 0.
        public var classID: UInt16
        /// Method that caused the close, else 0.
        public var methodID: UInt16

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(replyCode: UInt16 = 0, replyText: AMQPText = "", classID: UInt16 = 0, methodID: UInt16 = 0) {
            self.replyCode = replyCode
            self.replyText = replyText
            self.classID = classID
            self.methodID = methodID
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.short("reply-code", &replyCode)
            try coder.shortString("reply-text", &replyText)
            try coder.short("class-id", &classID)
            try coder.short("method-id", &methodID)
        }
    }

    /// `channel.close-ok`. The other side saw the close; the channel number is free.
    /// Source: AMQP 0-9-1 reference, section 1.5.2.6.
    public struct ChannelCloseOk: MethodPayload {
        public static let id = AMQPMethodID.channelCloseOk

        /// The method, which has no fields.
        public init() {}

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {}
    }
}
