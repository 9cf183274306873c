/// The limits that both sides of a connection keep.
///
/// Zero means "no limit" for channels and frames, and where one side says zero the other's number holds, else the smaller.
/// Heartbeats are the client's decision: the smaller number, none if it says 0. Source: AMQP 0-9-1 reference, sections 1.4.2.5
/// and 1.4.2.6.
public struct AMQPConnectionLimits: Hashable, Sendable {
    /// Channels open at once, 1 to 65,535. RabbitMQ proposes 2,047.
    public var channelMax: UInt16
    /// Bytes in a whole frame; 0 sets no limit.
    public var frameMax: UInt32
    /// Seconds between heartbeats; 0 turns them off, nil takes what the broker proposes. Of limits that are agreed on it is
    /// never nil.
    public var heartbeat: UInt16?

    /// What this side proposes. RabbitMQ 4.1 and later take no `frameMax` under 8,192: there, 4,096 to 8,191 count as 8,192.
    public init(channelMax: UInt16 = 2_047, frameMax: UInt32 = 131_072, heartbeat: UInt16? = 60) {
        self.channelMax = channelMax
        self.frameMax = frameMax
        self.heartbeat = heartbeat
    }

    /// The smallest frame that every peer takes. Source: AMQP 0-9-1 reference, section 1.1, frame-min-size.
    static let smallestFrameMax: UInt32 = 4_096

    /// The smallest frame that RabbitMQ takes from 4.1 on. What is below it ends in a reset without a word.
    static let smallestFrameMaxOfRabbitMQ: UInt32 = 8_192

    /// What holds when a broker that says `properties` of itself proposes `tune`.
    func agreed(with tune: AMQPMethod.ConnectionTune, of properties: AMQPTable = [:]) -> AMQPConnectionLimits {
        AMQPConnectionLimits(
            channelMax: Self.smaller(channelMax, tune.channelMax).nonZero ?? .max,
            frameMax: agreedFrameMax(tune.frameMax, properties),
            heartbeat: heartbeat.map { $0 == 0 ? 0 : Self.smaller($0, tune.heartbeat) } ?? tune.heartbeat
        )
    }

    private func agreedFrameMax(_ proposed: UInt32, _ properties: AMQPTable) -> UInt32 {
        let agreed = Self.smaller(frameMax, proposed)
        let least = Self.smallestFrameMaxOfRabbitMQ
        // Only what this side asked for is raised, and to no more than the broker proposes.
        guard (Self.smallestFrameMax..<least).contains(agreed), proposed == 0 || proposed >= least,
            let version = RabbitMQVersion(serverProperties: properties), version >= RabbitMQVersion(4, 1)
        else { return agreed }
        return least
    }

    private static func smaller<Integer: UnsignedInteger>(_ ours: Integer, _ theirs: Integer) -> Integer {
        ours == 0 || theirs == 0 ? max(ours, theirs) : min(ours, theirs)
    }
}

extension FixedWidthInteger {
    /// The number, or nil for zero.
    fileprivate var nonZero: Self? { self == 0 ? nil : self }
}
