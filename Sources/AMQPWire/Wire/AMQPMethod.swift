/// A method with its arguments.
///
/// Each case carries a struct of its own; the structs stand in `Methods/`, one file a class.
public enum AMQPMethod: Hashable, Sendable {
    /// `connection.start`
    case connectionStart(ConnectionStart)
    /// `connection.start-ok`
    case connectionStartOk(ConnectionStartOk)
    /// `connection.secure`
    case connectionSecure(ConnectionSecure)
    /// `connection.secure-ok`
    case connectionSecureOk(ConnectionSecureOk)
    /// `connection.tune`
    case connectionTune(ConnectionTune)
    /// `connection.tune-ok`
    case connectionTuneOk(ConnectionTuneOk)
    /// `connection.open`
    case connectionOpen(ConnectionOpen)
    /// `connection.open-ok`
    case connectionOpenOk(ConnectionOpenOk)
    /// `connection.close`
    case connectionClose(ConnectionClose)
    /// `connection.close-ok`
    case connectionCloseOk(ConnectionCloseOk)
    /// `connection.blocked`
    case connectionBlocked(ConnectionBlocked)
    /// `connection.unblocked`
    case connectionUnblocked(ConnectionUnblocked)
    /// `connection.update-secret`
    case connectionUpdateSecret(ConnectionUpdateSecret)
    /// `connection.update-secret-ok`
    case connectionUpdateSecretOk(ConnectionUpdateSecretOk)
    /// `channel.open`
    case channelOpen(ChannelOpen)
    /// `channel.open-ok`
    case channelOpenOk(ChannelOpenOk)
    /// `channel.flow`
    case channelFlow(ChannelFlow)
    /// `channel.flow-ok`
    case channelFlowOk(ChannelFlowOk)
    /// `channel.close`
    case channelClose(ChannelClose)
    /// `channel.close-ok`
    case channelCloseOk(ChannelCloseOk)
    /// `exchange.declare`
    case exchangeDeclare(ExchangeDeclare)
    /// `exchange.declare-ok`
    case exchangeDeclareOk(ExchangeDeclareOk)
    /// `exchange.delete`
    case exchangeDelete(ExchangeDelete)
    /// `exchange.delete-ok`
    case exchangeDeleteOk(ExchangeDeleteOk)
    /// `exchange.bind`
    case exchangeBind(ExchangeBind)
    /// `exchange.bind-ok`
    case exchangeBindOk(ExchangeBindOk)
    /// `exchange.unbind`
    case exchangeUnbind(ExchangeUnbind)
    /// `exchange.unbind-ok`
    case exchangeUnbindOk(ExchangeUnbindOk)
    /// `queue.declare`
    case queueDeclare(QueueDeclare)
    /// `queue.declare-ok`
    case queueDeclareOk(QueueDeclareOk)
    /// `queue.bind`
    case queueBind(QueueBind)
    /// `queue.bind-ok`
    case queueBindOk(QueueBindOk)
    /// `queue.unbind`
    case queueUnbind(QueueUnbind)
    /// `queue.unbind-ok`
    case queueUnbindOk(QueueUnbindOk)
    /// `queue.purge`
    case queuePurge(QueuePurge)
    /// `queue.purge-ok`
    case queuePurgeOk(QueuePurgeOk)
    /// `queue.delete`
    case queueDelete(QueueDelete)
    /// `queue.delete-ok`
    case queueDeleteOk(QueueDeleteOk)
    /// `basic.qos`
    case basicQos(BasicQos)
    /// `basic.qos-ok`
    case basicQosOk(BasicQosOk)
    /// `basic.consume`
    case basicConsume(BasicConsume)
    /// `basic.consume-ok`
    case basicConsumeOk(BasicConsumeOk)
    /// `basic.cancel`
    case basicCancel(BasicCancel)
    /// `basic.cancel-ok`
    case basicCancelOk(BasicCancelOk)
    /// `basic.publish`
    case basicPublish(BasicPublish)
    /// `basic.return`
    case basicReturn(BasicReturn)
    /// `basic.deliver`
    case basicDeliver(BasicDeliver)
    /// `basic.get`
    case basicGet(BasicGet)
    /// `basic.get-ok`
    case basicGetOk(BasicGetOk)
    /// `basic.get-empty`
    case basicGetEmpty(BasicGetEmpty)
    /// `basic.ack`
    case basicAck(BasicAck)
    /// `basic.reject`
    case basicReject(BasicReject)
    /// `basic.recover-async`
    case basicRecoverAsync(BasicRecoverAsync)
    /// `basic.recover`
    case basicRecover(BasicRecover)
    /// `basic.recover-ok`
    case basicRecoverOk(BasicRecoverOk)
    /// `basic.nack`
    case basicNack(BasicNack)
    /// `tx.select`
    case txSelect(TxSelect)
    /// `tx.select-ok`
    case txSelectOk(TxSelectOk)
    /// `tx.commit`
    case txCommit(TxCommit)
    /// `tx.commit-ok`
    case txCommitOk(TxCommitOk)
    /// `tx.rollback`
    case txRollback(TxRollback)
    /// `tx.rollback-ok`
    case txRollbackOk(TxRollbackOk)
    /// `confirm.select`
    case confirmSelect(ConfirmSelect)
    /// `confirm.select-ok`
    case confirmSelectOk(ConfirmSelectOk)
}

extension AMQPMethod {
    /// Which method this is.
    public var id: AMQPMethodID {
        // Not `type(of: payload).id`: that allocates a box for the payload.
        switch self {
        case .connectionStart: .connectionStart
        case .connectionStartOk: .connectionStartOk
        case .connectionSecure: .connectionSecure
        case .connectionSecureOk: .connectionSecureOk
        case .connectionTune: .connectionTune
        case .connectionTuneOk: .connectionTuneOk
        case .connectionOpen: .connectionOpen
        case .connectionOpenOk: .connectionOpenOk
        case .connectionClose: .connectionClose
        case .connectionCloseOk: .connectionCloseOk
        case .connectionBlocked: .connectionBlocked
        case .connectionUnblocked: .connectionUnblocked
        case .connectionUpdateSecret: .connectionUpdateSecret
        case .connectionUpdateSecretOk: .connectionUpdateSecretOk
        case .channelOpen: .channelOpen
        case .channelOpenOk: .channelOpenOk
        case .channelFlow: .channelFlow
        case .channelFlowOk: .channelFlowOk
        case .channelClose: .channelClose
        case .channelCloseOk: .channelCloseOk
        case .exchangeDeclare: .exchangeDeclare
        case .exchangeDeclareOk: .exchangeDeclareOk
        case .exchangeDelete: .exchangeDelete
        case .exchangeDeleteOk: .exchangeDeleteOk
        case .exchangeBind: .exchangeBind
        case .exchangeBindOk: .exchangeBindOk
        case .exchangeUnbind: .exchangeUnbind
        case .exchangeUnbindOk: .exchangeUnbindOk
        case .queueDeclare: .queueDeclare
        case .queueDeclareOk: .queueDeclareOk
        case .queueBind: .queueBind
        case .queueBindOk: .queueBindOk
        case .queueUnbind: .queueUnbind
        case .queueUnbindOk: .queueUnbindOk
        case .queuePurge: .queuePurge
        case .queuePurgeOk: .queuePurgeOk
        case .queueDelete: .queueDelete
        case .queueDeleteOk: .queueDeleteOk
        case .basicQos: .basicQos
        case .basicQosOk: .basicQosOk
        case .basicConsume: .basicConsume
        case .basicConsumeOk: .basicConsumeOk
        case .basicCancel: .basicCancel
        case .basicCancelOk: .basicCancelOk
        case .basicPublish: .basicPublish
        case .basicReturn: .basicReturn
        case .basicDeliver: .basicDeliver
        case .basicGet: .basicGet
        case .basicGetOk: .basicGetOk
        case .basicGetEmpty: .basicGetEmpty
        case .basicAck: .basicAck
        case .basicReject: .basicReject
        case .basicRecoverAsync: .basicRecoverAsync
        case .basicRecover: .basicRecover
        case .basicRecoverOk: .basicRecoverOk
        case .basicNack: .basicNack
        case .txSelect: .txSelect
        case .txSelectOk: .txSelectOk
        case .txCommit: .txCommit
        case .txCommitOk: .txCommitOk
        case .txRollback: .txRollback
        case .txRollbackOk: .txRollbackOk
        case .confirmSelect: .confirmSelect
        case .confirmSelectOk: .confirmSelectOk
        }
    }

    /// The struct that the case carries.
    var payload: any MethodPayload {
        switch self {
        case .connectionStart(let payload): payload
        case .connectionStartOk(let payload): payload
        case .connectionSecure(let payload): payload
        case .connectionSecureOk(let payload): payload
        case .connectionTune(let payload): payload
        case .connectionTuneOk(let payload): payload
        case .connectionOpen(let payload): payload
        case .connectionOpenOk(let payload): payload
        case .connectionClose(let payload): payload
        case .connectionCloseOk(let payload): payload
        case .connectionBlocked(let payload): payload
        case .connectionUnblocked(let payload): payload
        case .connectionUpdateSecret(let payload): payload
        case .connectionUpdateSecretOk(let payload): payload
        case .channelOpen(let payload): payload
        case .channelOpenOk(let payload): payload
        case .channelFlow(let payload): payload
        case .channelFlowOk(let payload): payload
        case .channelClose(let payload): payload
        case .channelCloseOk(let payload): payload
        case .exchangeDeclare(let payload): payload
        case .exchangeDeclareOk(let payload): payload
        case .exchangeDelete(let payload): payload
        case .exchangeDeleteOk(let payload): payload
        case .exchangeBind(let payload): payload
        case .exchangeBindOk(let payload): payload
        case .exchangeUnbind(let payload): payload
        case .exchangeUnbindOk(let payload): payload
        case .queueDeclare(let payload): payload
        case .queueDeclareOk(let payload): payload
        case .queueBind(let payload): payload
        case .queueBindOk(let payload): payload
        case .queueUnbind(let payload): payload
        case .queueUnbindOk(let payload): payload
        case .queuePurge(let payload): payload
        case .queuePurgeOk(let payload): payload
        case .queueDelete(let payload): payload
        case .queueDeleteOk(let payload): payload
        case .basicQos(let payload): payload
        case .basicQosOk(let payload): payload
        case .basicConsume(let payload): payload
        case .basicConsumeOk(let payload): payload
        case .basicCancel(let payload): payload
        case .basicCancelOk(let payload): payload
        case .basicPublish(let payload): payload
        case .basicReturn(let payload): payload
        case .basicDeliver(let payload): payload
        case .basicGet(let payload): payload
        case .basicGetOk(let payload): payload
        case .basicGetEmpty(let payload): payload
        case .basicAck(let payload): payload
        case .basicReject(let payload): payload
        case .basicRecoverAsync(let payload): payload
        case .basicRecover(let payload): payload
        case .basicRecoverOk(let payload): payload
        case .basicNack(let payload): payload
        case .txSelect(let payload): payload
        case .txSelectOk(let payload): payload
        case .txCommit(let payload): payload
        case .txCommitOk(let payload): payload
        case .txRollback(let payload): payload
        case .txRollbackOk(let payload): payload
        case .confirmSelect(let payload): payload
        case .confirmSelectOk(let payload): payload
        }
    }

    private static func read<Payload: MethodPayload, Coder: FieldCoder & ~Copyable>(
        _ blank: Payload,
        _ coder: inout Coder
    ) throws(AMQPWireError) -> Payload {
        var payload = blank
        try payload.fields(&coder)
        return payload
    }

    /// Reads the arguments of the method `id`.
    static func decode<Coder: FieldCoder & ~Copyable>(_ id: AMQPMethodID, _ coder: inout Coder) throws(AMQPWireError)
        -> AMQPMethod
    {
        switch id {
        case .connectionStart: .connectionStart(try read(ConnectionStart(), &coder))
        case .connectionStartOk: .connectionStartOk(try read(ConnectionStartOk(), &coder))
        case .connectionSecure: .connectionSecure(try read(ConnectionSecure(), &coder))
        case .connectionSecureOk: .connectionSecureOk(try read(ConnectionSecureOk(), &coder))
        case .connectionTune: .connectionTune(try read(ConnectionTune(), &coder))
        case .connectionTuneOk: .connectionTuneOk(try read(ConnectionTuneOk(), &coder))
        case .connectionOpen: .connectionOpen(try read(ConnectionOpen(), &coder))
        case .connectionOpenOk: .connectionOpenOk(try read(ConnectionOpenOk(), &coder))
        case .connectionClose: .connectionClose(try read(ConnectionClose(), &coder))
        case .connectionCloseOk: .connectionCloseOk(try read(ConnectionCloseOk(), &coder))
        case .connectionBlocked: .connectionBlocked(try read(ConnectionBlocked(), &coder))
        case .connectionUnblocked: .connectionUnblocked(try read(ConnectionUnblocked(), &coder))
        case .connectionUpdateSecret: .connectionUpdateSecret(try read(ConnectionUpdateSecret(), &coder))
        case .connectionUpdateSecretOk: .connectionUpdateSecretOk(try read(ConnectionUpdateSecretOk(), &coder))
        case .channelOpen: .channelOpen(try read(ChannelOpen(), &coder))
        case .channelOpenOk: .channelOpenOk(try read(ChannelOpenOk(), &coder))
        case .channelFlow: .channelFlow(try read(ChannelFlow(), &coder))
        case .channelFlowOk: .channelFlowOk(try read(ChannelFlowOk(), &coder))
        case .channelClose: .channelClose(try read(ChannelClose(), &coder))
        case .channelCloseOk: .channelCloseOk(try read(ChannelCloseOk(), &coder))
        case .exchangeDeclare: .exchangeDeclare(try read(ExchangeDeclare(), &coder))
        case .exchangeDeclareOk: .exchangeDeclareOk(try read(ExchangeDeclareOk(), &coder))
        case .exchangeDelete: .exchangeDelete(try read(ExchangeDelete(), &coder))
        case .exchangeDeleteOk: .exchangeDeleteOk(try read(ExchangeDeleteOk(), &coder))
        case .exchangeBind: .exchangeBind(try read(ExchangeBind(), &coder))
        case .exchangeBindOk: .exchangeBindOk(try read(ExchangeBindOk(), &coder))
        case .exchangeUnbind: .exchangeUnbind(try read(ExchangeUnbind(), &coder))
        case .exchangeUnbindOk: .exchangeUnbindOk(try read(ExchangeUnbindOk(), &coder))
        case .queueDeclare: .queueDeclare(try read(QueueDeclare(), &coder))
        case .queueDeclareOk: .queueDeclareOk(try read(QueueDeclareOk(), &coder))
        case .queueBind: .queueBind(try read(QueueBind(), &coder))
        case .queueBindOk: .queueBindOk(try read(QueueBindOk(), &coder))
        case .queueUnbind: .queueUnbind(try read(QueueUnbind(), &coder))
        case .queueUnbindOk: .queueUnbindOk(try read(QueueUnbindOk(), &coder))
        case .queuePurge: .queuePurge(try read(QueuePurge(), &coder))
        case .queuePurgeOk: .queuePurgeOk(try read(QueuePurgeOk(), &coder))
        case .queueDelete: .queueDelete(try read(QueueDelete(), &coder))
        case .queueDeleteOk: .queueDeleteOk(try read(QueueDeleteOk(), &coder))
        case .basicQos: .basicQos(try read(BasicQos(), &coder))
        case .basicQosOk: .basicQosOk(try read(BasicQosOk(), &coder))
        case .basicConsume: .basicConsume(try read(BasicConsume(), &coder))
        case .basicConsumeOk: .basicConsumeOk(try read(BasicConsumeOk(), &coder))
        case .basicCancel: .basicCancel(try read(BasicCancel(), &coder))
        case .basicCancelOk: .basicCancelOk(try read(BasicCancelOk(), &coder))
        case .basicPublish: .basicPublish(try read(BasicPublish(), &coder))
        case .basicReturn: .basicReturn(try read(BasicReturn(), &coder))
        case .basicDeliver: .basicDeliver(try read(BasicDeliver(), &coder))
        case .basicGet: .basicGet(try read(BasicGet(), &coder))
        case .basicGetOk: .basicGetOk(try read(BasicGetOk(), &coder))
        case .basicGetEmpty: .basicGetEmpty(try read(BasicGetEmpty(), &coder))
        case .basicAck: .basicAck(try read(BasicAck(), &coder))
        case .basicReject: .basicReject(try read(BasicReject(), &coder))
        case .basicRecoverAsync: .basicRecoverAsync(try read(BasicRecoverAsync(), &coder))
        case .basicRecover: .basicRecover(try read(BasicRecover(), &coder))
        case .basicRecoverOk: .basicRecoverOk(try read(BasicRecoverOk(), &coder))
        case .basicNack: .basicNack(try read(BasicNack(), &coder))
        case .txSelect: .txSelect(try read(TxSelect(), &coder))
        case .txSelectOk: .txSelectOk(try read(TxSelectOk(), &coder))
        case .txCommit: .txCommit(try read(TxCommit(), &coder))
        case .txCommitOk: .txCommitOk(try read(TxCommitOk(), &coder))
        case .txRollback: .txRollback(try read(TxRollback(), &coder))
        case .txRollbackOk: .txRollbackOk(try read(TxRollbackOk(), &coder))
        case .confirmSelect: .confirmSelect(try read(ConfirmSelect(), &coder))
        case .confirmSelectOk: .confirmSelectOk(try read(ConfirmSelectOk(), &coder))
        }
    }
}
