/// Every method of AMQP 0-9-1 and of RabbitMQ's extensions.
///
/// The raw value holds the class id in its upper, the method id in its lower 16 bits.
///
/// Source: AMQP 0-9-1 reference, section 1.3, and RabbitMQ's extended protocol description.
public enum AMQPMethodID: UInt32, CaseIterable, Hashable, Sendable {
    /// `connection.start`
    case connectionStart = 0x000A_000A
    /// `connection.start-ok`
    case connectionStartOk = 0x000A_000B
    /// `connection.secure`
    case connectionSecure = 0x000A_0014
    /// `connection.secure-ok`
    case connectionSecureOk = 0x000A_0015
    /// `connection.tune`
    case connectionTune = 0x000A_001E
    /// `connection.tune-ok`
    case connectionTuneOk = 0x000A_001F
    /// `connection.open`
    case connectionOpen = 0x000A_0028
    /// `connection.open-ok`
    case connectionOpenOk = 0x000A_0029
    /// `connection.close`
    case connectionClose = 0x000A_0032
    /// `connection.close-ok`
    case connectionCloseOk = 0x000A_0033
    /// `connection.blocked`
    case connectionBlocked = 0x000A_003C
    /// `connection.unblocked`
    case connectionUnblocked = 0x000A_003D
    /// `connection.update-secret`
    case connectionUpdateSecret = 0x000A_0046
    /// `connection.update-secret-ok`
    case connectionUpdateSecretOk = 0x000A_0047

    /// `channel.open`
    case channelOpen = 0x0014_000A
    /// `channel.open-ok`
    case channelOpenOk = 0x0014_000B
    /// `channel.flow`
    case channelFlow = 0x0014_0014
    /// `channel.flow-ok`
    case channelFlowOk = 0x0014_0015
    /// `channel.close`
    case channelClose = 0x0014_0028
    /// `channel.close-ok`
    case channelCloseOk = 0x0014_0029

    /// `exchange.declare`
    case exchangeDeclare = 0x0028_000A
    /// `exchange.declare-ok`
    case exchangeDeclareOk = 0x0028_000B
    /// `exchange.delete`
    case exchangeDelete = 0x0028_0014
    /// `exchange.delete-ok`
    case exchangeDeleteOk = 0x0028_0015
    /// `exchange.bind`
    case exchangeBind = 0x0028_001E
    /// `exchange.bind-ok`
    case exchangeBindOk = 0x0028_001F
    /// `exchange.unbind`
    case exchangeUnbind = 0x0028_0028
    /// `exchange.unbind-ok`
    case exchangeUnbindOk = 0x0028_0033

    /// `queue.declare`
    case queueDeclare = 0x0032_000A
    /// `queue.declare-ok`
    case queueDeclareOk = 0x0032_000B
    /// `queue.bind`
    case queueBind = 0x0032_0014
    /// `queue.bind-ok`
    case queueBindOk = 0x0032_0015
    /// `queue.unbind`
    case queueUnbind = 0x0032_0032
    /// `queue.unbind-ok`
    case queueUnbindOk = 0x0032_0033
    /// `queue.purge`
    case queuePurge = 0x0032_001E
    /// `queue.purge-ok`
    case queuePurgeOk = 0x0032_001F
    /// `queue.delete`
    case queueDelete = 0x0032_0028
    /// `queue.delete-ok`
    case queueDeleteOk = 0x0032_0029

    /// `basic.qos`
    case basicQos = 0x003C_000A
    /// `basic.qos-ok`
    case basicQosOk = 0x003C_000B
    /// `basic.consume`
    case basicConsume = 0x003C_0014
    /// `basic.consume-ok`
    case basicConsumeOk = 0x003C_0015
    /// `basic.cancel`
    case basicCancel = 0x003C_001E
    /// `basic.cancel-ok`
    case basicCancelOk = 0x003C_001F
    /// `basic.publish`
    case basicPublish = 0x003C_0028
    /// `basic.return`
    case basicReturn = 0x003C_0032
    /// `basic.deliver`
    case basicDeliver = 0x003C_003C
    /// `basic.get`
    case basicGet = 0x003C_0046
    /// `basic.get-ok`
    case basicGetOk = 0x003C_0047
    /// `basic.get-empty`
    case basicGetEmpty = 0x003C_0048
    /// `basic.ack`
    case basicAck = 0x003C_0050
    /// `basic.reject`
    case basicReject = 0x003C_005A
    /// `basic.recover-async`
    case basicRecoverAsync = 0x003C_0064
    /// `basic.recover`
    case basicRecover = 0x003C_006E
    /// `basic.recover-ok`
    case basicRecoverOk = 0x003C_006F
    /// `basic.nack`
    case basicNack = 0x003C_0078

    /// `tx.select`
    case txSelect = 0x005A_000A
    /// `tx.select-ok`
    case txSelectOk = 0x005A_000B
    /// `tx.commit`
    case txCommit = 0x005A_0014
    /// `tx.commit-ok`
    case txCommitOk = 0x005A_0015
    /// `tx.rollback`
    case txRollback = 0x005A_001E
    /// `tx.rollback-ok`
    case txRollbackOk = 0x005A_001F

    /// `confirm.select`
    case confirmSelect = 0x0055_000A
    /// `confirm.select-ok`
    case confirmSelectOk = 0x0055_000B
}

extension AMQPMethodID {
    /// The method that a pair of ids names, or nil where there is none.
    public init?(classID: UInt16, methodID: UInt16) {
        self.init(rawValue: UInt32(classID) << 16 | UInt32(methodID))
    }

    /// The upper half of the id.
    public var classID: UInt16 { UInt16(truncatingIfNeeded: rawValue >> 16) }

    /// The lower half of the id.
    public var methodID: UInt16 { UInt16(truncatingIfNeeded: rawValue) }

    /// Name as the specification writes it, `queue.declare-ok`.
    public var name: String { "\(staticName)" }

    var staticName: StaticString { traits.staticName }
}

/// What the protocol says of a method apart from its fields.
public struct AMQPMethodTraits: Sendable {
    /// Which peer may receive the method.
    public enum Receiver: Hashable, Sendable {
        /// The client alone.
        case client
        /// The server alone.
        case server
        /// Both.
        case either
    }

    fileprivate let staticName: StaticString
    /// Part of a request and its answer; an asynchronous method expects nothing.
    public let isSynchronous: Bool
    /// A content header and body frames follow.
    public let hasContent: Bool
    /// Who may receive it.
    public let receiver: Receiver
    /// The methods that answer it, apart from a close.
    public let replies: [AMQPMethodID]

    fileprivate init(
        _ name: StaticString,
        _ isSynchronous: Bool,
        content hasContent: Bool = false,
        to receiver: Receiver,
        replies: [AMQPMethodID] = []
    ) {
        staticName = name
        self.isSynchronous = isSynchronous
        self.hasContent = hasContent
        self.receiver = receiver
        self.replies = replies
    }
}

extension AMQPMethodID {
    /// The row of this method in the protocol's table.
    public var traits: AMQPMethodTraits {
        switch self {
        case .connectionStart: .init("connection.start", true, to: .client, replies: [.connectionStartOk])
        case .connectionStartOk: .init("connection.start-ok", true, to: .server)
        case .connectionSecure: .init("connection.secure", true, to: .client, replies: [.connectionSecureOk])
        case .connectionSecureOk: .init("connection.secure-ok", true, to: .server)
        case .connectionTune: .init("connection.tune", true, to: .client, replies: [.connectionTuneOk])
        case .connectionTuneOk: .init("connection.tune-ok", true, to: .server)
        case .connectionOpen: .init("connection.open", true, to: .server, replies: [.connectionOpenOk])
        case .connectionOpenOk: .init("connection.open-ok", true, to: .client)
        case .connectionClose: .init("connection.close", true, to: .either, replies: [.connectionCloseOk])
        case .connectionCloseOk: .init("connection.close-ok", true, to: .either)
        case .connectionBlocked: .init("connection.blocked", false, to: .client)
        case .connectionUnblocked: .init("connection.unblocked", false, to: .client)
        case .connectionUpdateSecret:
            .init("connection.update-secret", true, to: .server, replies: [.connectionUpdateSecretOk])
        case .connectionUpdateSecretOk: .init("connection.update-secret-ok", true, to: .client)
        case .channelOpen: .init("channel.open", true, to: .server, replies: [.channelOpenOk])
        case .channelOpenOk: .init("channel.open-ok", true, to: .client)
        case .channelFlow: .init("channel.flow", true, to: .either, replies: [.channelFlowOk])
        case .channelFlowOk: .init("channel.flow-ok", false, to: .either)
        case .channelClose: .init("channel.close", true, to: .either, replies: [.channelCloseOk])
        case .channelCloseOk: .init("channel.close-ok", true, to: .either)
        case .exchangeDeclare: .init("exchange.declare", true, to: .server, replies: [.exchangeDeclareOk])
        case .exchangeDeclareOk: .init("exchange.declare-ok", true, to: .client)
        case .exchangeDelete: .init("exchange.delete", true, to: .server, replies: [.exchangeDeleteOk])
        case .exchangeDeleteOk: .init("exchange.delete-ok", true, to: .client)
        case .exchangeBind: .init("exchange.bind", true, to: .server, replies: [.exchangeBindOk])
        case .exchangeBindOk: .init("exchange.bind-ok", true, to: .client)
        case .exchangeUnbind: .init("exchange.unbind", true, to: .server, replies: [.exchangeUnbindOk])
        case .exchangeUnbindOk: .init("exchange.unbind-ok", true, to: .client)
        case .queueDeclare: .init("queue.declare", true, to: .server, replies: [.queueDeclareOk])
        case .queueDeclareOk: .init("queue.declare-ok", true, to: .client)
        case .queueBind: .init("queue.bind", true, to: .server, replies: [.queueBindOk])
        case .queueBindOk: .init("queue.bind-ok", true, to: .client)
        case .queueUnbind: .init("queue.unbind", true, to: .server, replies: [.queueUnbindOk])
        case .queueUnbindOk: .init("queue.unbind-ok", true, to: .client)
        case .queuePurge: .init("queue.purge", true, to: .server, replies: [.queuePurgeOk])
        case .queuePurgeOk: .init("queue.purge-ok", true, to: .client)
        case .queueDelete: .init("queue.delete", true, to: .server, replies: [.queueDeleteOk])
        case .queueDeleteOk: .init("queue.delete-ok", true, to: .client)
        case .basicQos: .init("basic.qos", true, to: .server, replies: [.basicQosOk])
        case .basicQosOk: .init("basic.qos-ok", true, to: .client)
        case .basicConsume: .init("basic.consume", true, to: .server, replies: [.basicConsumeOk])
        case .basicConsumeOk: .init("basic.consume-ok", true, to: .client)
        case .basicCancel: .init("basic.cancel", true, to: .either, replies: [.basicCancelOk])
        case .basicCancelOk: .init("basic.cancel-ok", true, to: .either)
        case .basicPublish: .init("basic.publish", false, content: true, to: .server)
        case .basicReturn: .init("basic.return", false, content: true, to: .client)
        case .basicDeliver: .init("basic.deliver", false, content: true, to: .client)
        case .basicGet: .init("basic.get", true, to: .server, replies: [.basicGetOk, .basicGetEmpty])
        case .basicGetOk: .init("basic.get-ok", true, content: true, to: .client)
        case .basicGetEmpty: .init("basic.get-empty", true, to: .client)
        case .basicAck: .init("basic.ack", false, to: .either)
        case .basicReject: .init("basic.reject", false, to: .server)
        case .basicRecoverAsync: .init("basic.recover-async", false, to: .server)
        case .basicRecover: .init("basic.recover", false, to: .server, replies: [.basicRecoverOk])
        case .basicRecoverOk: .init("basic.recover-ok", true, to: .client)
        case .basicNack: .init("basic.nack", false, to: .either)
        case .txSelect: .init("tx.select", true, to: .server, replies: [.txSelectOk])
        case .txSelectOk: .init("tx.select-ok", true, to: .client)
        case .txCommit: .init("tx.commit", true, to: .server, replies: [.txCommitOk])
        case .txCommitOk: .init("tx.commit-ok", true, to: .client)
        case .txRollback: .init("tx.rollback", true, to: .server, replies: [.txRollbackOk])
        case .txRollbackOk: .init("tx.rollback-ok", true, to: .client)
        case .confirmSelect: .init("confirm.select", true, to: .server, replies: [.confirmSelectOk])
        case .confirmSelectOk: .init("confirm.select-ok", true, to: .client)
        }
    }
}
