#if Agent
import AMQPWire

/// What to do about an error of the broker, in the terms of `psistats.conf` and of `rabbitmqctl`.
///
/// A clause to put behind `AMQPError.message`, which says what happened: "set ttl=5000 in [queue], or delete the queue …".
/// Goes by the error's fields alone, decides nothing, and holds no password.
enum BrokerAdvice {
    /// What the operator can do about `error`.
    ///
    /// - Parameter hostname: the name under which this machine reports.
    static func advice(for error: AMQPError, configuration: Configuration, hostname: String) -> String {
        advice(error, configuration, hostname).shown
    }

    private static func advice(_ error: AMQPError, _ configuration: Configuration, _ hostname: String) -> String {
        switch error.code {
        case .unreachable:
            error.stage == .resolving ? "the host stands in [server] url" : "host and port stand in [server] url"
        case .tlsFailed: tlsFailed(error.tls ?? .other, configuration)
        case .protocolMismatch:
            "brokers listen for amqp:// on 5672 and for amqps:// on 5671; the port stands in [server] url"
        case .loginRefused: loginRefused(error, configuration)
        case .virtualHostRefused: virtualHostRefused(error.reply, configuration)
        case .negotiationFailed: "leave frame_max and channel_max out of the URL, or give at least frame_max=8192"
        case .connectionLost where error.stage == .securing: tlsFailed(.notTLS, configuration)
        case .connectionLost: "check the network and the broker's log; psistats connects again by itself"
        case .connectionClosed: connectionClosed(error, configuration)
        case .channelClosed: channelClosed(error.reply, configuration, hostname)
        case .publishReturned:
            "make sure that nobody unbinds the queue '\(configuration.queue.name(hostname: hostname))' from the exchange "
                + "'\(configuration.exchange.name)'; psistats declares both again"
        case .publishRefused:
            "look into the broker's log and at the limits of the queues behind '\(configuration.exchange.name)'; "
                + "psistats sends the message again"
        case .timedOut: timedOut(error)
        case .malformedInput, .unexpectedFrame:
            "check that an AMQP 0-9-1 broker listens there, and what stands between it and this machine"
        case .invalidArgument: invalidArgument(error, configuration)
        case .tooManyChannels: "raise channel_max in the URL and on the broker"
        case .consumerCancelled: "find out who deleted or moved the queue; psistats declares it again"
        case .closed, .cancelled: "nothing: this program ended it itself"
        default: error.remedy ?? "look into the broker's log; psistats tries again by itself"
        }
    }

    /// What happened and what to do about it, for a log: "the broker closed the channel …: set ttl=5000 in [queue], or …".
    static func explanation(of error: AMQPError, configuration: Configuration, hostname: String) -> String {
        let advice = advice(for: error, configuration: configuration, hostname: hostname)
        // Where no broker has answered, the client knows what to check; the advice adds what psistats.conf has to do with it.
        guard error.reply == nil, let stage = error.stage, stage <= .greeting, error.code != .invalidArgument else {
            return "\(occurrence(of: error)): \(advice)"
        }
        return "\(error.description.shown); \(advice)"
    }

    /// What happened, in the broker's own words, without any remedy.
    static func occurrence(of error: AMQPError) -> String { error.message.shown }

    // MARK: Reaching the broker

    private static func tlsFailed(_ failure: AMQPError.TLSFailure, _ configuration: Configuration) -> String {
        switch failure {
        case .unknownAuthority:
            "name the authority that signed the broker's certificate with ?cacertfile=PATH in [server] url"
        case .wrongName: "give the name that the certificate is for with server_name_indication=NAME in [server] url"
        case .expired: "have the broker's certificate renewed"
        case .notYetValid: "set the clocks of both machines right"
        case .clientCertificateRequired:
            "give this machine's certificate with certfile=PATH and keyfile=PATH in [server] url"
        case .clientCertificateRefused:
            "check the certificate in certfile of [server] url: its dates, and that the broker trusts its authority"
        case .noCommonVersion: "have TLS 1.2 or later turned on at the broker"
        case .unknownServerName: "give the broker's own name with server_name_indication=NAME in [server] url"
        case .handshakeRefused:
            "give certfile=PATH and keyfile=PATH in [server] url, if the broker asks for a certificate; else look into its log"
        case .notTLS: "the port for TLS is usually 5671; for a port without TLS write amqp:// in [server] url"
        default:
            "look into the broker's log; certificates are given with cacertfile, certfile and keyfile in [server] url"
        }
    }

    private static func timedOut(_ error: AMQPError) -> String {
        switch error.stage {
        case .resolving: "the host stands in [server] url"
        case .connecting: "host and port stand in [server] url"
        case .securing: tlsFailed(.notTLS, Configuration())
        default: "check that the broker answers (rabbitmqctl status), and the firewalls between"
        }
    }

    private static func invalidArgument(_ error: AMQPError, _ configuration: Configuration) -> String {
        guard let file = error.file else { return error.remedy ?? "correct what the message names in psistats.conf" }
        for broker in configuration.server.brokers {
            let files = [
                ("cacertfile", broker.caCertificateFile), ("certfile", broker.certificateFile),
                ("keyfile", broker.keyFile),
            ]
            for (key, path) in files where path == file {
                return (error.remedy.map { $0 + "; " } ?? "") + "it is named by \(key) in [server] url"
            }
        }
        return error.remedy ?? "correct it"
    }

    private static func loginRefused(_ error: AMQPError, _ configuration: Configuration) -> String {
        // The broker's greeting offers none that was asked for.
        if error.reply == nil, error.stage == .greeting {
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

    private static func virtualHostRefused(_ reply: AMQPError.Reply?, _ configuration: Configuration) -> String {
        let spelling = "; in the URL '/' within a name is written %2F"
        if let missing = reply?.resource, reply?.kind == .notFound {
            return "correct the vhost in [server] url, or make it: rabbitmqctl add_vhost \(quoted(missing.name))"
                + spelling
        }
        let vhost = reply?.resource?.name ?? word(\.vhost, configuration) ?? "VHOST"
        return "correct the vhost in [server] url, or grant access to it: rabbitmqctl set_permissions -p "
            + "\(quoted(vhost)) \(quoted(user(reply, configuration))) '.*' '.*' '.*'" + spelling
    }

    /// Who is refused: from the broker's words, or else as configured.
    private static func user(_ reply: AMQPError.Reply?, _ configuration: Configuration) -> String {
        reply?.user ?? word(\.user, configuration) ?? "USER"
    }

    /// Where something is refused: from the broker's words, or else as configured.
    private static func vhost(_ reply: AMQPError.Reply?, _ configuration: Configuration) -> String {
        reply?.resource?.virtualHost ?? word(\.vhost, configuration) ?? "VHOST"
    }

    /// What is configured, where it is the same for all brokers.
    private static func word(_ part: KeyPath<AMQPURI, String>, _ configuration: Configuration) -> String? {
        let words = Set(configuration.server.brokers.map { $0[keyPath: part] })
        return words.count == 1 ? words.first : nil
    }

    // MARK: What the broker closes

    private static func connectionClosed(_ error: AMQPError, _ configuration: Configuration) -> String {
        switch error.reply?.kind {
        case .loginRefused: loginRefused(error, configuration)
        case .connectionLimit:
            "close connections that are not needed, or raise the limit (rabbitmqctl set_vhost_limits, set_user_limits); "
                + "psistats tries again by itself"
        case .channelLimit:
            "raise the limit of channels (rabbitmqctl set_user_limits), or close what else uses them"
        case .unavailable: "start the vhost again: rabbitmqctl restart_vhost; psistats tries again by itself"
        case .featureNotPermitted, .unknownExchangeType: declaration(error.reply, configuration)
        case .shutdown, .closedByOperator:
            "nothing, if the broker was stopped or the connection closed on purpose; psistats connects again by itself"
        default:
            error.replyCode == 530
                ? "look into the broker's log for what it does not allow"
                : "look into the broker's log; psistats connects again by itself"
        }
    }

    /// What cannot be declared so. Versions of RabbitMQ differ in whether they close the channel for it or the connection.
    private static func declaration(_ reply: AMQPError.Reply?, _ configuration: Configuration) -> String {
        switch reply?.kind {
        case .featureNotPermitted:
            reply?.feature == "transient_nonexcl_queues"
                ? "this RabbitMQ takes no queue that is neither durable nor exclusive: set exclusive=True in [queue], or "
                    + "durable=True with expires=60000"
                : "correct in [queue] what the broker names, or permit it in rabbitmq.conf"
        default:
            "choose another type in [exchange], topic for instance, or enable the broker's plugin for "
                + "'\(configuration.exchange.type)' (rabbitmq-plugins enable)"
        }
    }

    private static func channelClosed(
        _ reply: AMQPError.Reply?,
        _ configuration: Configuration,
        _ hostname: String
    ) -> String {
        let queue = configuration.queue.name(hostname: hostname)
        return switch reply?.kind {
        case .reservedName: "choose a prefix in [queue] and a name in [exchange] that do not start with 'amq.'"
        case .accessRefused: accessRefused(reply, configuration)
        case .notFound: "find out who deletes the queue or the exchange; psistats declares them again by itself"
        case .unavailable: "start the node that has the queue; psistats tries again by itself"
        case .resourceLocked:
            configuration.queue.isExclusive
                ? "if psistats has just lost its connection, wait two heartbeats; else another psistats reports as "
                    + "'\(hostname)': stop it, or give this one another name in [hostname]; if the queue was made without "
                    + "exclusive, set exclusive=False in [queue] or " + deletion(of: queue, reply, configuration)
                : "another connection holds '\(queue)' exclusively: stop what holds it, a psistats with exclusive=True for "
                    + "instance, or choose another prefix in [queue]"
        case .argumentMismatch:
            ArgumentMismatch(reply)?.remedy ?? comparison(queue, reply, configuration)
        case .invalidArgument:
            configuration.queue.type == "quorum"
                ? "a quorum queue needs exclusive=False, durable=True and autodelete=No in [queue]"
                : "correct in [queue] what the broker names, or leave it out"
        case .unknownExchangeType, .featureNotPermitted: declaration(reply, configuration)
        case .queueLimit, .exchangeLimit: "delete queues or exchanges that are not needed, or raise the broker's limit"
        case .lowOnDisk: "free disk space on the broker's machine; psistats keeps the messages and sends them again"
        case .messageTooLarge: "raise max_message_size in rabbitmq.conf, or set message=separate in [app]"
        default:
            reply?.code == 406
                ? comparison(queue, reply, configuration)
                : "look into the broker's log; psistats opens the channel again by itself"
        }
    }

    private static func accessRefused(_ reply: AMQPError.Reply?, _ configuration: Configuration) -> String {
        let (vhost, user) = (vhost(reply, configuration), user(reply, configuration))
        if reply?.resource?.kind == .topic {
            return "grant the topic permission: rabbitmqctl set_topic_permissions -p \(quoted(vhost)) \(quoted(user)) "
                + "\(quoted(configuration.exchange.name)) '.*' '.*'"
        }
        // One expression for queue and exchange, wide enough for both.
        let names = quoted(pattern(configuration))
        return "grant the permissions: rabbitmqctl set_permissions -p \(quoted(vhost)) \(quoted(user)) "
            + "\(names) \(names) \(names)"
    }

    private static func pattern(_ configuration: Configuration) -> String {
        let exchange = regularExpression(for: configuration.exchange.name)
        let prefix = regularExpression(for: configuration.queue.prefix)
        return "^(\(exchange)|\(prefix)\\..*)$"
    }

    /// The text as a regular expression that fits it alone.
    private static func regularExpression(for text: String) -> String {
        var result = ""
        for character in text {
            if "\\^$.|?*+()[]{}".contains(character) { result += "\\" }
            result.append(character)
        }
        return result
    }

    private static func comparison(
        _ queue: String,
        _ reply: AMQPError.Reply?,
        _ configuration: Configuration
    ) -> String {
        "compare [queue] and [exchange] with what exists on the broker; " + deletion(of: queue, reply, configuration)
    }

    private static func deletion(
        of queue: String,
        _ reply: AMQPError.Reply?,
        _ configuration: Configuration
    ) -> String {
        "delete it: rabbitmqctl delete_queue -p \(quoted(vhost(reply, configuration))) \(quoted(queue))"
    }

    /// For a shell.
    static func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
    }
}
#endif
