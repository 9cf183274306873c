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
        message: String = "",
        errno: Int32? = nil,
        change: (inout Configuration) -> Void = { _ in }
    ) -> String {
        var configuration = Configuration()
        change(&configuration)
        let error = AMQPError(code, message, replyCode: replyCode, replyText: replyText, errno: errno)
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
        #expect(ArgumentMismatch(words)?.current == "5000")
        for length in 0..<words.count {
            #expect(ArgumentMismatch(String(words.prefix(length))) == nil)
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
            Self.advice(.loginRefused, message: "the broker offers the login mechanisms PLAIN, this client was …")
                .contains("auth_mechanism=")
        )
    }

    @Test("an explanation has the broker's words once, and the advice in the place of the general remedy")
    func explanation() {
        for (code, replyCode, text, message, expected) in [
            (
                AMQPError.Code.channelClosed, 406, "PRECONDITION_FAILED - inequivalent arg 'durable' …",
                "the broker closed the channel because of queue.declare: PRECONDITION_FAILED - inequivalent arg 'durable' … "
                    + "(406); it exists with other settings: declare it as it is, or delete it first",
                "the broker closed the channel because of queue.declare: PRECONDITION_FAILED - inequivalent arg 'durable' … "
                    + "(406): compare [queue] and [exchange] with what exists on the broker"
            ),
            (
                .loginRefused, 403, "ACCESS_REFUSED - Login was refused",
                "the broker h:5672 refused the login of user 'u': check user and password (403: ACCESS_REFUSED - Login was "
                    + "refused)",
                "the broker h:5672 refused the login of user 'u': ACCESS_REFUSED - Login was refused (403): correct user and "
                    + "password"
            ),
            (
                .virtualHostRefused, 530, "NOT_ALLOWED - vhost x not found",
                "the broker h:5672 refused the virtual host 'x': make sure that it exists and grant user 'u' access to it "
                    + "(530: NOT_ALLOWED - vhost x not found)",
                "the broker h:5672 refused the virtual host 'x': NOT_ALLOWED - vhost x not found (530): correct the vhost"
            ),
        ] as [(AMQPError.Code, UInt16, String, String, String)] {
            let explanation = BrokerAdvice.explanation(
                of: AMQPError(code, message, replyCode: replyCode, replyText: text),
                configuration: Configuration(),
                hostname: "box"
            )
            #expect(explanation.hasPrefix(expected), "\(explanation)")
        }
    }

    @Test("what the client says to check is not said again")
    func saidOnce() {
        let error = AMQPError(
            .unreachable,
            "connection refused by 127.0.0.1:5672: check that the broker runs and listens on that port",
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
