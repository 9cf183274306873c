#if Agent
import AMQPWire
import Testing

@testable import PsistatsAgent

/// The reply texts are RabbitMQ 3.10's, but where another version is named.
@Suite("Advice on errors of the broker")
struct BrokerAdviceTests {
    static func advice(
        _ code: AMQPError.Code,
        _ replyCode: UInt16? = nil,
        _ replyText: String? = nil,
        stage: AMQPError.Stage? = nil,
        tls: AMQPError.TLSFailure? = nil,
        file: String? = nil,
        change: (inout Configuration) -> Void = { _ in }
    ) -> String {
        var configuration = Configuration()
        change(&configuration)
        let reply = replyCode.map { AMQPError.Reply(code: $0, text: replyText ?? "") }
        let error = AMQPError(code, stage: stage, "", reply: reply, file: file, tls: tls)
        return BrokerAdvice.advice(for: error, configuration: configuration, hostname: "box")
    }

    static func channel(_ code: UInt16, _ text: String, change: (inout Configuration) -> Void = { _ in }) -> String {
        advice(.channelClosed, code, text, change: change)
    }

    static func inequivalent(_ what: String) -> String {
        "PRECONDITION_FAILED - inequivalent arg \(what)"
    }

    @Test("406: the key that differs is named, with the value that the queue has, and how to delete it")
    func arguments() {
        let delete =
            ", or delete the queue, which psistats then makes anew: rabbitmqctl delete_queue -p '/' 'psistats.box'"
        for (words, setting) in [
            (
                "'x-message-ttl' for queue 'psistats.box' in vhost '/': received '10000' but current is '5000'",
                "ttl=5000"
            ),
            (
                "'durable' for queue 'psistats.box' in vhost '/': received 'true' but current is 'false'",
                "durable=False"
            ),
            (
                "'auto_delete' for queue 'psistats.box' in vhost '/': received 'false' but current is 'true'",
                "autodelete=True"
            ),
            (
                "'x-queue-type' for queue 'psistats.box' in vhost '/': received none but current is the value 'quorum' of "
                    + "type 'longstr'",
                "type=quorum"
            ),
        ] {
            #expect(Self.channel(406, Self.inequivalent(words)) == "set \(setting) in [queue]" + delete)
        }
        #expect(
            Self.channel(
                406,
                Self.inequivalent(
                    "'x-max-length' for queue 'psistats.box' in vhost '/': received the value '5' of type 'signedint' but "
                        + "current is none"
                )
            ) == "leave max_length out of [queue]" + delete
        )
        #expect(
            Self.channel(
                406,
                Self.inequivalent(
                    "'x-message-ttl' for queue 'psistats.box' in vhost '/': received the value '5' of type 'signedint' but "
                        + "current is none"
                )
            ) == delete.dropFirst(5)
        )
    }

    @Test("406: an exchange of another type")
    func exchangeType() {
        #expect(
            Self.channel(
                406,
                Self.inequivalent(
                    "'type' for exchange 'psistats' in vhost '/': received 'topic' but current is 'fanout'"
                )
            ).hasPrefix("set type=fanout in [exchange], or delete the exchange 'psistats' in the vhost '/'")
        )
    }

    @Test("406: words that were cut off name no value that was not there")
    func cutOff() {
        let words = Self.inequivalent(
            "'x-message-ttl' for queue 'psistats.box' in vhost '/': received '10000' but current is '5000'"
        )
        func mismatch(_ text: String) -> ArgumentMismatch? { ArgumentMismatch(AMQPError.Reply(code: 406, text: text)) }
        #expect(mismatch(words)?.argument.current == "5000")
        for length in 0..<words.count {
            #expect(mismatch(String(words.prefix(length))) == nil)
            #expect(!Self.channel(406, String(words.prefix(length))).contains("set "))
        }
    }

    @Test("a name with quotes in it is one word of the shell, and control characters are shown as such")
    func quoting() {
        let words = Self.inequivalent(
            "'x-message-ttl' for queue 'it's\u{1B}[2J' in vhost '/': received '10000' but current is '5000'"
        )
        #expect(Self.channel(406, words).hasSuffix(#"delete_queue -p '/' 'it'\''s\u{1b}[2J'"#))
    }

    @Test("406: a quorum queue with what quorum queues cannot be")
    func quorum() {
        let words = "PRECONDITION_FAILED - invalid property 'exclusive-owner' for queue 'psistats.box' in vhost '/'"
        #expect(Self.channel(406, words) { $0.queue.type = "quorum" }.contains("exclusive=False, durable=True"))
    }

    @Test("405: another agent of this name, or an exclusive queue in the way")
    func locked() {
        let words =
            "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'psistats.box' in vhost '/'. It could be "
            + "originally declared on another connection or the exclusive property value does not match that of the "
            + "original declaration."
        let exclusive = Self.channel(405, words)
        #expect(exclusive.contains("another psistats reports as 'box'"))
        #expect(exclusive.contains("[hostname]"))
        #expect(exclusive.contains("exclusive=False in [queue]"))
        #expect(Self.channel(405, words) { $0.queue.isExclusive = false }.contains("exclusively: stop what holds it"))
    }

    @Test("403: what to grant, to whom, and where")
    func permission() {
        for access in ["access", "configure access"] {  // RabbitMQ 3.10, 3.12
            let words = "ACCESS_REFUSED - \(access) to queue 'psistats.box' in vhost '/' refused for user 'limited'"
            #expect(
                Self.channel(403, words) { $0.queue.prefix = "a.b" }
                    == #"grant the permissions: rabbitmqctl set_permissions -p '/' 'limited' '^(psistats|a\.b\..*)$' "#
                    + #"'^(psistats|a\.b\..*)$' '^(psistats|a\.b\..*)$'"#
            )
        }
        #expect(
            Self.channel(
                403,
                "ACCESS_REFUSED - write access to topic 'psistats.box' in exchange 'psistats' in vhost '/' refused for user "
                    + "'limited'"
            ) == "grant the topic permission: rabbitmqctl set_topic_permissions -p '/' 'limited' 'psistats' '.*' '.*'"
        )
        #expect(
            Self.channel(403, "ACCESS_REFUSED - exchange name 'amq.foo' contains reserved prefix 'amq.*'")
                .contains("do not start with 'amq.'")
        )
    }

    @Test("530: a virtual host that is not there, or not for this user")
    func virtualHost() {
        #expect(
            Self.advice(.virtualHostRefused, 530, "NOT_ALLOWED - vhost nope not found")
                .contains("rabbitmqctl add_vhost 'nope';")
        )
        #expect(  // RabbitMQ 3.11
            Self.advice(.virtualHostRefused, 530, "NOT_ALLOWED - vhost 'nope' not found")
                .contains("rabbitmqctl add_vhost 'nope';")
        )
        #expect(
            Self.advice(
                .virtualHostRefused,
                530,
                "NOT_ALLOWED - access to vhost 'stats' refused for user 'limited'"
            ).contains("rabbitmqctl set_permissions -p 'stats' 'limited' '.*' '.*' '.*'")
        )
    }

    @Test("what the broker's words leave out is taken from the configuration, where all brokers have the same")
    func fromConfiguration() {
        func advice(_ brokers: [AMQPURI]) -> String {
            Self.advice(.virtualHostRefused, 530, "NOT_ALLOWED") { $0.server.brokers = brokers }
        }
        let one = AMQPURI(user: "a", host: "h1", vhost: "v")
        #expect(advice([one, AMQPURI(user: "a", host: "h2", vhost: "v")]).contains("-p 'v' 'a' "))
        #expect(advice([one, AMQPURI(user: "b", host: "h2", vhost: "w")]).contains("-p 'VHOST' 'USER' "))
    }

    @Test("GarageMQ's words for a wrong login and a missing virtual host")
    func garageMQ() {
        #expect(
            Self.advice(.connectionClosed, 530, "NOT_ALLOWED - login failure").hasPrefix("correct user and password")
        )
        #expect(
            Self.advice(.virtualHostRefused, 402, "INVALID_PATH - virtualHost 'x' does not exist")
                .contains("rabbitmqctl add_vhost 'x'")
        )
    }

    @Test("541 of RabbitMQ 4.3: a queue that is neither durable nor exclusive")
    func transientQueue() {
        let words =
            "INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated. By default, this feature is not permitted"
        let advice = Self.advice(.connectionClosed, 541, words)
        #expect(advice.contains("exclusive=True"))
        #expect(advice.contains("durable=True with expires="))
    }

    @Test("503: an exchange type that the broker does not know")
    func exchangePlugin() {
        let advice = Self.advice(.connectionClosed, 503, "COMMAND_INVALID - unknown exchange type 'x-foo'") {
            $0.exchange.type = "x-foo"
        }
        #expect(advice.contains("'x-foo'"))
    }

    @Test("a refused login: user and password, and that guest is local")
    func login() {
        let words = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the log."
        #expect(!Self.advice(.loginRefused, 403, words).contains("'guest'"))
        let remote = Self.advice(.loginRefused, 403, words) {
            $0.server.brokers = [AMQPURI(user: "guest", password: "hunter2", host: "broker.example")]
        }
        #expect(remote.contains("'guest' in from its own machine only"))
        #expect(!remote.contains("hunter2"))
        #expect(
            Self.advice(.loginRefused, stage: .greeting).contains("auth_mechanism=")
        )
    }

    @Test("certificates: what to set for each way in which they are refused, and which setting names a file")
    func certificates() {
        for (failure, words) in [
            (AMQPError.TLSFailure.unknownAuthority, "?cacertfile=PATH"), (.wrongName, "server_name_indication=NAME"),
            (.expired, "renewed"), (.notYetValid, "clocks"),
            (.clientCertificateRequired, "certfile=PATH and keyfile=PATH"),
            (.clientCertificateRefused, "its dates"), (.notTLS, "5671"), (.noCommonVersion, "TLS 1.2"),
            (.unknownServerName, "server_name_indication=NAME"), (.handshakeRefused, "certfile=PATH"), (.other, "log"),
        ] {
            #expect(Self.advice(.tlsFailed, stage: .securing, tls: failure).contains(words))
        }
        for (key, path) in [("cacertfile", "/ca.pem"), ("certfile", "/c.pem"), ("keyfile", "/k.pem")] {
            let advice = Self.advice(.invalidArgument, stage: .securing, file: path) { configuration in
                var broker = AMQPURI(scheme: .amqps)
                broker.caCertificateFile = "/ca.pem"
                broker.certificateFile = "/c.pem"
                broker.keyFile = "/k.pem"
                configuration.server.brokers = [broker]
            }
            #expect(advice == "it is named by \(key) in [server] url")
        }
    }

    @Test("a deadline that passed: what to check is where it passed")
    func deadlines() {
        #expect(Self.advice(.timedOut, stage: .resolving).contains("host"))
        #expect(Self.advice(.timedOut, stage: .connecting).contains("port"))
        #expect(Self.advice(.timedOut, stage: .securing).contains("5671"))
        #expect(Self.advice(.timedOut, stage: .greeting).contains("rabbitmqctl status"))
        #expect(Self.advice(.timedOut, stage: .open).contains("rabbitmqctl status"))
    }

    @Test("with what status a command ends")
    func exitStatus() {
        func status(_ code: AMQPError.Code, _ reply: UInt16? = nil, _ text: String = "") -> PsistatsAgent.ExitStatus {
            AMQPError(code, scope: .channel, "", reply: reply.map { AMQPError.Reply(code: $0, text: text) }).exitStatus
        }
        #expect(status(.invalidArgument) == .configuration)
        #expect(status(.loginRefused, 403) == .noPermission)
        #expect(status(.virtualHostRefused, 530) == .noPermission)
        #expect(status(.channelClosed, 403) == .noPermission)
        for code in [404, 405, 406] as [UInt16] { #expect(status(.channelClosed, code) == .configuration) }
        #expect(status(.connectionClosed, 503, "COMMAND_INVALID - unknown exchange type 'x'") == .configuration)
        #expect(status(.connectionClosed, 541, "Feature `transient_nonexcl_queues` is deprecated") == .configuration)
        #expect(
            status(.connectionClosed, 530, "connection refused: node connection limit (1) is reached") == .unavailable
        )
        for code in [.unreachable, .tlsFailed, .timedOut, .connectionLost, .protocolMismatch] as [AMQPError.Code] {
            #expect(status(code) == .unavailable)
        }
    }

    @Test("an explanation has the broker's words once, and the advice in the place of the general remedy")
    func explanation() {
        let words = "PRECONDITION_FAILED - inequivalent arg 'durable' …"
        let error = AMQPError(
            .channelClosed,
            scope: .channel,
            stage: .open,
            "the broker closed the channel because of queue.declare: \(words) (406)",
            remedy: "it exists with other settings: declare it as it is, or delete it first",
            reply: AMQPError.Reply(code: 406, text: words)
        )
        let explanation = BrokerAdvice.explanation(of: error, configuration: Configuration(), hostname: "box")
        #expect(
            explanation.hasPrefix(
                "the broker closed the channel because of queue.declare: \(words) (406): compare [queue] and [exchange]"
            )
        )
    }

    @Test("where no broker answered, what the client says to check stands before what the settings have to do with it")
    func saidOnce() {
        let error = AMQPError(
            .unreachable,
            stage: .connecting,
            "connection refused by 127.0.0.1:5672",
            remedy: "check that the broker runs and listens on that port",
            errno: 111
        )
        #expect(
            BrokerAdvice.explanation(of: error, configuration: Configuration(), hostname: "box")
                == "connection refused by 127.0.0.1:5672: check that the broker runs and listens on that port; host and port "
                + "stand in [server] url"
        )
    }

    @Test("every kind of error has its advice")
    func everyCode() {
        let codes: [AMQPError.Code] = [
            .unreachable, .tlsFailed, .protocolMismatch, .loginRefused, .virtualHostRefused, .negotiationFailed,
            .connectionLost, .connectionClosed, .channelClosed, .closed, .malformedInput, .unexpectedFrame, .timedOut,
            .cancelled, .invalidArgument, .tooManyChannels, .publishRefused, .publishReturned, .consumerCancelled,
        ]
        for code in codes {
            for reply in [nil, 312, 320, 402, 403, 404, 405, 406, 501, 530, 541, 65_535] as [UInt16?] {
                #expect(Self.advice(code, reply, "").count > 15)
            }
        }
    }
}
#endif
