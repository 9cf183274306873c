extension AMQPError {
    /// What a close of the connection means. `phase` is where the connection was.
    init(
        connectionClosed close: AMQPMethod.ConnectionClose,
        options: ConnectionCore.Options,
        phase: ConnectionCore.Phase
    ) {
        let text = close.replyText.string
        let settings = options.handshake
        var code = Code.connectionClosed
        var message = "the broker \(options.peer) closed the connection: \(text) (\(close.replyCode))"
        if case .handshaking(let handshake, _) = phase {
            switch handshake.phase {
            case .greeting, .login:
                if close.replyCode == 403 {
                    code = .loginRefused
                    message =
                        "the broker \(options.peer) refused the login of user '\(settings.credentials.user)': "
                        + "check user and password (\(close.replyCode): \(text))"
                }
            case .openingVirtualHost:
                // A limit of connections is lifted when another one ends.
                let isFull = text.contains("connection limit (")
                if !isFull, close.replyCode == 530 || close.replyCode == 403 || close.replyCode == 402 {
                    code = .virtualHostRefused
                    message =
                        "the broker \(options.peer) refused the virtual host '\(settings.virtualHost)': make sure that it "
                        + "exists and grant user '\(settings.credentials.user)' access to it (\(close.replyCode): \(text))"
                }
            }
        }
        self.init(
            code,
            message + Self.remedy(close.replyCode, text),
            replyCode: close.replyCode,
            replyText: text,
            method: AMQPMethodID(classID: close.classID, methodID: close.methodID)
        )
    }

    /// What a close of a channel means.
    init(channelClosed close: AMQPMethod.ChannelClose) {
        let text = close.replyText.string
        let method = AMQPMethodID(classID: close.classID, methodID: close.methodID)
        let cause = method.map { " because of \($0.name)" } ?? ""
        self.init(
            .channelClosed,
            scope: .channel,
            "the broker closed the channel\(cause): \(text) (\(close.replyCode))" + Self.remedy(close.replyCode, text),
            replyCode: close.replyCode,
            replyText: text,
            method: method
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
                "the broker could not take the message over (basic.nack): publish it again after a pause",
                delivery: .refused
            )
        case .forgotten:
            self.init(
                .publishRefused,
                scope: .message,
                "more than \(ConfirmLedger.maxFailures) publishes failed before anybody asked; whether this one did is not known",
                delivery: .unknown
            )
        case .returned(let returned):
            self.init(
                .publishReturned,
                scope: .message,
                "no queue took the message for exchange '\(returned.exchange)' with routing key '\(returned.routingKey)': "
                    + "\(returned.replyText) (\(returned.replyCode))",
                replyCode: returned.replyCode,
                replyText: returned.replyText,
                method: .basicPublish,
                delivery: .refused
            )
        }
    }

    /// What to do about a reply code, where its own text does not say.
    private static func remedy(_ replyCode: UInt16, _ text: String) -> String {
        if text.contains("transient_nonexcl_queues") {
            return "; RabbitMQ 4.3 and later take no queue that is neither durable nor exclusive: "
                + "declare it durable with the argument x-expires, or exclusive"
        }
        return switch replyCode {
        case 403 where text.contains("access to"): "; grant the user this permission (rabbitmqctl set_permissions)"
        case 405: "; another connection holds it exclusively"
        case 406 where text.contains("inequivalent arg"):
            "; it exists with other settings: declare it as it is, or delete it first"
        case 541: "; the broker's log says more"
        default: ""
        }
    }
}
