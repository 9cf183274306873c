import AMQPWire

/// What to do about an error of the broker, in the terms of `psistats.conf` and of `rabbitmqctl`.
///
/// A clause to put behind `AMQPError.message`, which says what happened: "set ttl=5000 in [queue], or delete the queue …".
/// Decides nothing, and holds no password.
enum BrokerAdvice {
    /// What the operator can do about `error`.
    ///
    /// - Parameter hostname: the name under which this machine reports.
    static func advice(for error: AMQPError, configuration: Configuration, hostname: String) -> String {
        let text = error.replyText ?? ""
        let queue = configuration.queue.name(hostname: hostname)
        let advice: String =
            switch error.code {
            case .unreachable: unreachable(error)
            case .tlsFailed: tlsFailed(error)
            case .protocolMismatch:
                "brokers listen for amqp:// on 5672 and for amqps:// on 5671; the port stands in [server] url"
            case .loginRefused: loginRefused(error, configuration)
            case .virtualHostRefused: virtualHostRefused(text, configuration)
            case .negotiationFailed: "leave frame_max and channel_max out of the URL, or give at least frame_max=8192"
            case .connectionLost:
                "check the network and the broker's log; psistats connects again by itself"
            case .connectionClosed: connectionClosed(error, text, configuration)
            case .channelClosed: channelClosed(error, text, configuration, hostname)
            case .publishReturned:
                "make sure that nobody unbinds the queue '\(queue)' from the exchange '\(configuration.exchange.name)'; "
                    + "psistats declares both again"
            case .publishRefused:
                "look into the broker's log and at the limits of the queues behind '\(configuration.exchange.name)'; "
                    + "psistats sends the message again"
            case .timedOut: "check that the broker answers (rabbitmqctl status), and the firewalls between"
            case .malformedInput, .unexpectedFrame:
                "check that an AMQP 0-9-1 broker listens there, and what stands between it and this machine"
            case .invalidArgument: "correct what the message names in psistats.conf"
            case .tooManyChannels: "raise channel_max in the URL and on the broker"
            case .consumerCancelled: "find out who deleted or moved the queue; psistats declares it again"
            case .closed, .cancelled: "nothing: this program ended it itself"
            }
        return advice.printable
    }

    /// What happened and what to do about it, for a log: "the broker closed the channel …: set ttl=5000 in [queue], or …".
    static func explanation(of error: AMQPError, configuration: Configuration, hostname: String) -> String {
        // Where no broker has answered, the message says itself what to check; the advice adds what psistats.conf has to do
        // with it.
        let separator =
            switch error.code {
            case .unreachable, .tlsFailed, .protocolMismatch: "; "
            case .loginRefused, .virtualHostRefused, .negotiationFailed, .connectionLost, .connectionClosed,
                .channelClosed, .closed, .malformedInput, .unexpectedFrame, .timedOut, .cancelled, .invalidArgument,
                .tooManyChannels, .publishRefused, .publishReturned, .consumerCancelled:
                ": "
            }
        return occurrence(of: error) + separator
            + advice(for: error, configuration: configuration, hostname: hostname)
    }

    /// What happened, in the broker's own words, without the general remedies that `AMQPError.message` has as well. They stand
    /// behind the broker's words, or else between those, in brackets, and the colon before.
    static func occurrence(of error: AMQPError) -> String {
        let message = error.message
        guard let code = error.replyCode, let text = error.replyText else { return message.printable }
        let words = ": \(text) (\(code))"
        if let range = BrokerWords.range(of: words, in: message) {
            return (message[..<range.lowerBound] + words).printable
        }
        guard let range = BrokerWords.range(of: " (\(code): \(text))", in: message),
            let colon = BrokerWords.lastRange(of: ": ", in: message[..<range.lowerBound])
        else { return message.printable }
        return (message[..<colon.lowerBound] + words).printable
    }

    // MARK: Reaching the broker

    private static func unreachable(_ error: AMQPError) -> String {
        switch error.errno {
        case .some: "host and port stand in [server] url"
        case nil: "the host stands in [server] url"
        }
    }

    private static func tlsFailed(_ error: AMQPError) -> String {
        error.message.contains("certificate")
            ? "name the authority that signed the broker's certificate with ?cacertfile=PATH in [server] url, and the "
                + "host that the certificate is for with server_name_indication=NAME"
            : "the port for TLS is usually 5671; for a port without TLS write amqp:// in [server] url"
    }

    private static func loginRefused(_ error: AMQPError, _ configuration: Configuration) -> String {
        if error.message.contains("mechanism"), error.replyCode == nil {
            return "choose with auth_mechanism= in the URL one of those that the broker offers"
        }
        let isRemoteGuest = configuration.server.brokers.contains { $0.user == "guest" && !isLocal($0.host) }
        return
            "correct user and password in [server] url, url_file or PSISTATS_URL, or set the password on the broker with "
            + "rabbitmqctl change_password"
            + (isRemoteGuest ? "; RabbitMQ lets 'guest' in from its own machine only: make a user for psistats" : "")
    }

    private static func isLocal(_ host: String) -> Bool {
        ["localhost", "::1"].contains(host.lowercased()) || host.hasPrefix("127.")
    }

    private static func virtualHostRefused(_ text: String, _ configuration: Configuration) -> String {
        let spelling = "; in the URL '/' within a name is written %2F"
        if let missing = missingVirtualHost(text) {
            return "correct the vhost in [server] url, or make it: rabbitmqctl add_vhost \(quoted(missing))" + spelling
        }
        let vhost = BrokerWords.text(in: text, between: "access to vhost '", and: "' refused")
        let vhostWord = vhost ?? word(\.vhost, configuration) ?? "VHOST"
        return "correct the vhost in [server] url, or grant access to it: rabbitmqctl set_permissions -p "
            + "\(quoted(vhostWord)) \(quoted(user(text, configuration))) '.*' '.*' '.*'" + spelling
    }

    private static func missingVirtualHost(_ text: String) -> String? {
        guard let vhost = BrokerWords.text(in: text, between: "vhost ", and: " not found") else {
            // GarageMQ.
            return BrokerWords.text(in: text, between: "virtualHost '", and: "' does not exist")
        }
        let isQuoted = vhost.hasPrefix("'") && vhost.hasSuffix("'") && vhost.count > 1
        return isQuoted ? String(vhost.dropFirst().dropLast()) : vhost
    }

    /// Who is refused: from the broker's words, or else as configured.
    private static func user(_ text: String, _ configuration: Configuration) -> String {
        BrokerWords.text(in: text, between: "refused for user '", and: "'") ?? word(\.user, configuration) ?? "USER"
    }

    /// Where something is refused: from the broker's words, or else as configured.
    private static func vhost(_ text: String, _ configuration: Configuration) -> String {
        BrokerWords.text(in: text, between: "in vhost '", and: "'") ?? word(\.vhost, configuration) ?? "VHOST"
    }

    /// What is configured, where it is the same for all brokers.
    private static func word(_ part: KeyPath<AMQPURI, String>, _ configuration: Configuration) -> String? {
        let words = Set(configuration.server.brokers.map { $0[keyPath: part] })
        return words.count == 1 ? words.first : nil
    }

    // MARK: What the broker closes

    private static func connectionClosed(
        _ error: AMQPError,
        _ text: String,
        _ configuration: Configuration
    ) -> String {
        if text.contains("transient_nonexcl_queues") {
            return "RabbitMQ 4.3 and later take no queue that is neither durable nor exclusive: set exclusive=True in "
                + "[queue], or durable=True with expires=60000"
        }
        if text.contains("login failure") { return loginRefused(error, configuration) }  // GarageMQ.
        if text.contains("connection limit (") {
            return "close connections that are not needed, or raise the limit (rabbitmqctl set_vhost_limits, "
                + "set_user_limits); psistats tries again by itself"
        }
        if text.contains("unknown exchange type") {
            return "choose another type in [exchange], topic for instance, or enable the broker's plugin for "
                + "'\(configuration.exchange.type)' (rabbitmq-plugins enable)"
        }
        return switch error.replyCode {
        case 320:
            "nothing, if the broker was stopped or the connection closed on purpose; psistats connects again by itself"
        case 530: "look into the broker's log for what it does not allow"
        default: "look into the broker's log; psistats connects again by itself"
        }
    }

    private static func channelClosed(
        _ error: AMQPError,
        _ text: String,
        _ configuration: Configuration,
        _ hostname: String
    ) -> String {
        let queue = configuration.queue.name(hostname: hostname)
        return switch error.replyCode {
        case 403: accessRefused(text, configuration)
        case 404: "find out who deletes the queue or the exchange; psistats declares them again by itself"
        case 405:
            configuration.queue.isExclusive
                ? "if psistats has just lost its connection, wait two heartbeats; else another psistats reports as "
                    + "'\(hostname)': stop it, or give this one another name in [hostname]; if the queue was made without "
                    + "exclusive, set exclusive=False in [queue] or " + deletion(of: queue, text, configuration)
                : "another connection holds '\(queue)' exclusively: stop what holds it, a psistats with exclusive=True for "
                    + "instance, or choose another prefix in [queue]"
        case 406: preconditionFailed(text, configuration, hostname)
        default: "look into the broker's log; psistats opens the channel again by itself"
        }
    }

    private static func accessRefused(_ text: String, _ configuration: Configuration) -> String {
        if text.contains("reserved prefix") {
            return "choose a prefix in [queue] and a name in [exchange] that do not start with 'amq.'"
        }
        let (vhost, user) = (vhost(text, configuration), user(text, configuration))
        if text.contains("access to topic") {
            return "grant the topic permission: rabbitmqctl set_topic_permissions -p \(quoted(vhost)) \(quoted(user)) "
                + "\(quoted(configuration.exchange.name)) '.*' '.*'"
        }
        // One expression for queue and exchange, wide enough for both.
        let names = quoted(pattern(configuration))
        return "grant the permissions: rabbitmqctl set_permissions -p \(quoted(vhost)) \(quoted(user)) "
            + "\(names) \(names) \(names)"
    }

    private static func pattern(_ configuration: Configuration) -> String {
        let exchange = BrokerWords.regularExpression(for: configuration.exchange.name)
        let prefix = BrokerWords.regularExpression(for: configuration.queue.prefix)
        return "^(\(exchange)|\(prefix)\\..*)$"
    }

    private static func preconditionFailed(
        _ text: String,
        _ configuration: Configuration,
        _ hostname: String
    ) -> String {
        if let mismatch = ArgumentMismatch(text) { return mismatch.remedy }
        if text.contains("invalid property") || text.contains("invalid arg") {
            return configuration.queue.type == "quorum"
                ? "a quorum queue needs exclusive=False, durable=True and autodelete=No in [queue]"
                : "correct in [queue] what the broker names, or leave it out"
        }
        if text.lowercased().contains("disk") {
            return "free disk space on the broker's machine; psistats keeps the messages and sends them again"
        }
        if text.contains("message size") {
            return "raise max_message_size in rabbitmq.conf, or set message=separate in [app]"
        }
        let queue = configuration.queue.name(hostname: hostname)
        return "compare [queue] and [exchange] with what exists on the broker; "
            + deletion(of: queue, text, configuration)
    }

    private static func deletion(of queue: String, _ text: String, _ configuration: Configuration) -> String {
        "delete it: rabbitmqctl delete_queue -p \(quoted(vhost(text, configuration))) \(quoted(queue))"
    }

    /// For a shell.
    static func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
    }
}
