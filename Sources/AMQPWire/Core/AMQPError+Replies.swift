extension AMQPError {
    /// What a close of the connection means. `phase` is where the connection was.
    init(
        connectionClosed close: AMQPMethod.ConnectionClose,
        options: ConnectionCore.Options,
        phase: ConnectionCore.Phase
    ) {
        let reply = Reply(code: close.replyCode, text: close.replyText.string)
        let settings = options.handshake
        let user = settings.credentials.user
        var stage = Stage.open
        if case .handshaking(let handshake, _) = phase { stage = handshake.stage }
        var code = Code.connectionClosed
        var message = "the broker \(options.peer) closed the connection"
        var remedy = reply.remedy
        switch (stage, reply.kind.name) {
        case (.open, _): break
        // GarageMQ says so with the code for virtual hosts, and only when these are opened.
        case (_, .loginRefused):
            (code, stage) = (.loginRefused, .login)
            message = "the broker \(options.peer) refused the login of user '\(user)'"
            remedy = "check user and password"
        case (.greeting, _), (.login, _):
            guard close.replyCode == 403 else { break }
            code = .loginRefused
            message = "the broker \(options.peer) refused the login of user '\(user)'"
            remedy = "check user and password"
        case (_, .limitsRefused):
            code = .negotiationFailed
            message = "the broker \(options.peer) refused the limits of the connection"
        // What passes by itself: a limit is lifted when another connection ends.
        case (_, .connectionLimit), (_, .unavailable), (_, .shutdown), (_, .closedByOperator): break
        default:
            guard [402, 403, 530].contains(close.replyCode) else { break }
            code = .virtualHostRefused
            message = "the broker \(options.peer) refused the virtual host '\(settings.virtualHost)'"
            remedy = "make sure that it exists and grant user '\(user)' access to it"
        }
        self.init(
            code,
            stage: stage,
            message + ": " + reply.words,
            remedy: remedy,
            reply: reply,
            method: AMQPMethodID(classID: close.classID, methodID: close.methodID)
        )
    }

    /// What a close of a channel means.
    init(channelClosed close: AMQPMethod.ChannelClose, channel: UInt16) {
        let reply = Reply(code: close.replyCode, text: close.replyText.string)
        let method = AMQPMethodID(classID: close.classID, methodID: close.methodID)
        let cause = method.map { " because of \($0.name)" } ?? ""
        self.init(
            .channelClosed,
            scope: .channel,
            stage: .open,
            "the broker closed the channel\(cause): " + reply.words,
            remedy: reply.remedy,
            reply: reply,
            method: method,
            channel: channel
        )
    }

    /// What it means that a message cannot be taken: a delivery, or the answer to a get.
    init(unreadable method: AMQPMethod, _ bodySize: UInt64, _ reason: String, isForgotten: Bool) {
        let (exchange, routingKey) =
            switch method {
            case .basicDeliver(let deliver): (deliver.exchange, deliver.routingKey)
            case .basicGetOk(let getOk): (getOk.exchange, getOk.routingKey)
            default: (AMQPText(""), AMQPText(""))
            }
        let fate = isForgotten ? "the broker has forgotten it" : "it is refused, which dead-letters or drops it"
        self.init(
            .unreadableMessage,
            scope: .message,
            stage: .open,
            "a message for exchange '\(exchange)' with routing key '\(routingKey)' and a body of \(bodySize) bytes cannot be "
                + "taken: \(reason); \(fate)",
            remedy: "where such messages are meant to be taken, raise maxMessageSize",
            method: method.id
        )
    }

    /// What a publish's outcome means; nil for a confirm.
    init?(_ outcome: ConfirmLedger.Outcome) {
        switch outcome {
        case .confirmed: return nil
        case .refused:
            self.init(
                .publishRefused,
                scope: .message,
                stage: .open,
                "the broker could not take the message over (basic.nack)",
                remedy: "publish it again after a pause",
                delivery: .refused
            )
        case .forgotten:
            self.init(
                .publishRefused,
                scope: .message,
                stage: .open,
                "more than \(ConfirmLedger.maxFailures) publishes failed before anybody asked; whether this one did is not known",
                delivery: .unknown
            )
        case .returned(let returned):
            let reply = Reply(code: returned.replyCode, text: returned.replyText)
            self.init(
                .publishReturned,
                scope: .message,
                stage: .open,
                "no queue took the message for exchange '\(returned.exchange)' with routing key '\(returned.routingKey)': "
                    + reply.words,
                reply: reply,
                method: .basicPublish,
                delivery: .refused
            )
        }
    }
}

extension AMQPError.Reply {
    /// The broker's words and the code, in one line.
    var words: String {
        let line = text.split { $0.isNewline }.map { $0.drop { $0 == " " } }.joined(separator: " ")
        return "\(line) (\(code))"
    }

    /// What to do about it, where the words do not say.
    var remedy: String? {
        switch kind.name {
        case .accessRefused: "grant the user this permission (rabbitmqctl set_permissions)"
        case .reservedName: "choose a name that does not begin with 'amq.'"
        case .loginRefused: "check user and password"
        case .unavailable: "wait until the node that has it is back, or start it"
        case .argumentMismatch: "it exists with other settings: declare it as it is, or delete it first"
        case .unknownExchangeType: "choose another type, or enable the broker's plugin for it (rabbitmq-plugins enable)"
        case .featureNotPermitted where feature == "transient_nonexcl_queues":
            "this broker takes no queue that is neither durable nor exclusive: declare it durable with the argument "
                + "x-expires, or exclusive"
        case .featureNotPermitted: "do without it, or permit it in the broker's configuration"
        case .resourceLocked: "another connection holds it exclusively: wait until it lets go, or choose another name"
        case .exclusiveConsumer: "another consumer holds the queue: wait until it ends, or consume without 'exclusive'"
        case .connectionLimit: "close connections that are not needed, or raise the limit"
        case .channelLimit: "close channels that are not needed, or raise the limit"
        case .queueLimit, .exchangeLimit, .consumerLimit: "delete what is not needed, or raise the limit"
        case .messageTooLarge: "send less in one message, or raise the broker's max_message_size"
        case .unknownDeliveryTag: "settle each delivery once, on the channel that it came on"
        case .acknowledgementTimeout: "settle deliveries sooner, or raise the broker's consumer_timeout"
        case .noReplyConsumer: "start the consumer of amq.rabbitmq.reply-to first, on the same channel"
        case .limitsRefused: "leave the limits as they are by default"
        case .lowOnDisk: "free disk space on the broker's machine"
        case .notFound, .invalidArgument, .resourceInUse, .resourceNotEmpty, .consumerTagInUse, .shutdown,
            .closedByOperator, .unroutable, .noConsumers:
            nil
        case .other: code == 541 ? "the broker's log says more" : nil
        }
    }
}
