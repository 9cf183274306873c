// The methods of class connection (10): the connection as a whole; on channel 0.

extension AMQPMethod {
    /// `connection.start`. The server's opening: what it is, and which ways to log in it offers.
    /// Source: AMQP 0-9-1 reference, section 1.4.2.1.
    public struct ConnectionStart: MethodPayload {
        public static let id = AMQPMethodID.connectionStart
        /// Protocol version, major number: 0.
        public var versionMajor: UInt8
        /// Protocol version, minor number: 9.
        public var versionMinor: UInt8
        /// Product, version, cluster name, and `capabilities`, a table of booleans.
        public var serverProperties: AMQPTable
        /// SASL mechanisms, separated by spaces.
        public var mechanisms: AMQPText
        /// Message locales, separated by spaces.
        public var locales: AMQPText

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(
            versionMajor: UInt8 = 0,
            versionMinor: UInt8 = 9,
            serverProperties: AMQPTable = [:],
            mechanisms: AMQPText = "",
            locales: AMQPText = "en_US"
        ) {
            self.versionMajor = versionMajor
            self.versionMinor = versionMinor
            self.serverProperties = serverProperties
            self.mechanisms = mechanisms
            self.locales = locales
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.octet("version-major", &versionMajor)
            try coder.octet("version-minor", &versionMinor)
            try coder.table("server-properties", &serverProperties)
            try coder.longString("mechanisms", &mechanisms)
            try coder.longString("locales", &locales)
        }
    }

    /// `connection.start-ok`. The client's answer: what it is, and its login in one chosen mechanism.
    /// Source: AMQP 0-9-1 reference, section 1.4.2.2.
    public struct ConnectionStartOk: MethodPayload {
        public static let id = AMQPMethodID.connectionStartOk
        /// Product, version, connection name, and `capabilities`, a table of booleans.
        public var clientProperties: AMQPTable
        /// The SASL mechanism chosen.
        public var mechanism: AMQPText
        /// What the mechanism says; it holds the password.
        public var response: AMQPSecret
        /// The message locale chosen.
        public var locale: AMQPText

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(
            clientProperties: AMQPTable = [:],
            mechanism: AMQPText = "PLAIN",
            response: AMQPSecret = AMQPSecret(),
            locale: AMQPText = "en_US"
        ) {
            self.clientProperties = clientProperties
            self.mechanism = mechanism
            self.response = response
            self.locale = locale
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.table("client-properties", &clientProperties)
            try coder.shortString("mechanism", &mechanism)
            try coder.secret("response", &response)
            try coder.shortString("locale", &locale)
        }
    }

    /// `connection.secure`. A further challenge of a login that takes more than one step.
    /// Source: AMQP 0-9-1 reference, section 1.4.2.3.
    public struct ConnectionSecure: MethodPayload {
        public static let id = AMQPMethodID.connectionSecure
        /// What the mechanism asks.
        public var challenge: AMQPSecret

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(challenge: AMQPSecret = AMQPSecret()) {
            self.challenge = challenge
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.secret("challenge", &challenge)
        }
    }

    /// `connection.secure-ok`. The answer to a challenge.
    /// Source: AMQP 0-9-1 reference, section 1.4.2.4.
    public struct ConnectionSecureOk: MethodPayload {
        public static let id = AMQPMethodID.connectionSecureOk
        /// What the mechanism says; it holds the password.
        public var response: AMQPSecret

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(response: AMQPSecret = AMQPSecret()) {
            self.response = response
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.secret("response", &response)
        }
    }

    /// `connection.tune`. The limits that the server proposes.
    /// Source: AMQP 0-9-1 reference, section 1.4.2.5.
    public struct ConnectionTune: MethodPayload {
        public static let id = AMQPMethodID.connectionTune
        /// How many channels; 0 sets no limit.
        public var channelMax: UInt16
        /// Octets in a whole frame, the 8 around the payload included; 0 sets no limit.
        public var frameMax: UInt32
        /// Seconds between heartbeats; 0 turns them off.
        public var heartbeat: UInt16

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(channelMax: UInt16 = 0, frameMax: UInt32 = 0, heartbeat: UInt16 = 0) {
            self.channelMax = channelMax
            self.frameMax = frameMax
            self.heartbeat = heartbeat
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.short("channel-max", &channelMax)
            try coder.long("frame-max", &frameMax)
            try coder.short("heartbeat", &heartbeat)
        }
    }

    /// `connection.tune-ok`. The limits that both sides keep from here on.
    /// Source: AMQP 0-9-1 reference, section 1.4.2.6.
    public struct ConnectionTuneOk: MethodPayload {
        public static let id = AMQPMethodID.connectionTuneOk
        /// How many channels; 0 sets no limit.
        public var channelMax: UInt16
        /// Octets in a whole frame, the 8 around the payload included; 0 sets no limit.
        public var frameMax: UInt32
        /// Seconds between heartbeats; 0 turns them off.
        public var heartbeat: UInt16

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(channelMax: UInt16 = 0, frameMax: UInt32 = 0, heartbeat: UInt16 = 0) {
            self.channelMax = channelMax
            self.frameMax = frameMax
            self.heartbeat = heartbeat
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.short("channel-max", &channelMax)
            try coder.long("frame-max", &frameMax)
            try coder.short("heartbeat", &heartbeat)
        }
    }

    /// `connection.open`. Opens a virtual host on the connection.
    /// Source: AMQP 0-9-1 reference, section 1.4.2.7.
    public struct ConnectionOpen: MethodPayload {
        public static let id = AMQPMethodID.connectionOpen
        /// Name of the virtual host.
        public var virtualHost: AMQPText
        /// Reserved; kept as it came.
        public var reserved1: AMQPText
        /// Reserved; kept as it came.
        public var reserved2: Bool

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(virtualHost: AMQPText = "", reserved1: AMQPText = "", reserved2: Bool = false) {
            self.virtualHost = virtualHost
            self.reserved1 = reserved1
            self.reserved2 = reserved2
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.shortString("virtual-host", &virtualHost)
            try coder.shortString("reserved-1", &reserved1)
            try coder.bit("reserved-2", &reserved2)
        }
    }

    /// `connection.open-ok`. The virtual host is open.
    /// Source: AMQP 0-9-1 reference, section 1.4.2.8.
    public struct ConnectionOpenOk: MethodPayload {
        public static let id = AMQPMethodID.connectionOpenOk
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

    /// `connection.close`. Ends the connection, with the reason and, for an error, the method that caused it.
    /// Source: AMQP 0-9-1 reference, section 1.4.2.9.
    public struct ConnectionClose: MethodPayload {
        public static let id = AMQPMethodID.connectionClose
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

    /// `connection.close-ok`. The other side saw the close; the socket may be closed.
    /// Source: AMQP 0-9-1 reference, section 1.4.2.10.
    public struct ConnectionCloseOk: MethodPayload {
        public static let id = AMQPMethodID.connectionCloseOk

        /// The method, which has no fields.
        public init() {}

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {}
    }

    /// `connection.blocked`. The server is short of a resource and reads nothing that is published until it says
    /// otherwise.
    /// Source: RabbitMQ's extension.
    public struct ConnectionBlocked: MethodPayload {
        public static let id = AMQPMethodID.connectionBlocked
        /// Why, in words.
        public var reason: AMQPText

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(reason: AMQPText = "") {
            self.reason = reason
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.shortString("reason", &reason)
        }
    }

    /// `connection.unblocked`. The server reads publishes again.
    /// Source: RabbitMQ's extension.
    public struct ConnectionUnblocked: MethodPayload {
        public static let id = AMQPMethodID.connectionUnblocked

        /// The method, which has no fields.
        public init() {}

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {}
    }

    /// `connection.update-secret`. Gives the server a fresh credential (an OAuth 2 token, say) before the old one
    /// expires.
    /// Source: RabbitMQ's extension.
    public struct ConnectionUpdateSecret: MethodPayload {
        public static let id = AMQPMethodID.connectionUpdateSecret
        /// The fresh credential.
        public var newSecret: AMQPSecret
        /// Why, in words, for the server's log.
        public var reason: AMQPText

        /// The method with these fields; what is left out is empty, 0 or off.
        public init(newSecret: AMQPSecret = AMQPSecret(), reason: AMQPText = "") {
            self.newSecret = newSecret
            self.reason = reason
        }

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {
            try coder.secret("new-secret", &newSecret)
            try coder.shortString("reason", &reason)
        }
    }

    /// `connection.update-secret-ok`. The fresh credential is in use.
    /// Source: RabbitMQ's extension.
    public struct ConnectionUpdateSecretOk: MethodPayload {
        public static let id = AMQPMethodID.connectionUpdateSecretOk

        /// The method, which has no fields.
        public init() {}

        mutating func fields<Coder: FieldCoder & ~Copyable>(_ coder: inout Coder) throws(AMQPWireError) {}
    }
}
