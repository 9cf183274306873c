import Testing

@testable import AMQPWire

/// What brokers write with their reply codes, word for word: RabbitMQ 3.10.8, 4.0.5 and 4.3.6, LavinMQ and GarageMQ.
@Suite("Replies read into facts")
struct ReplyTests {
    typealias Reply = AMQPError.Reply

    static func queue(_ name: String, _ vhost: String? = "/") -> Reply.Resource {
        Reply.Resource(kind: .queue, name: name, virtualHost: vhost)
    }

    static func exchange(_ name: String, _ vhost: String? = "/") -> Reply.Resource {
        Reply.Resource(kind: .exchange, name: name, virtualHost: vhost)
    }

    static func vhost(_ name: String) -> Reply.Resource { Reply.Resource(kind: .virtualHost, name: name) }

    struct Case: Sendable, CustomTestStringConvertible {
        var code: UInt16
        var text: String
        var kind: Reply.Kind
        var resource: Reply.Resource?
        var user: String?
        var permission: String?
        var argument: Reply.Argument?
        var limit: UInt64?
        var size: UInt64?
        var feature: String?

        var testDescription: String { "\(code) \(text.prefix(60))" }
    }

    static let cases: [Case] = [
        // Access.
        Case(
            code: 403,
            text: "ACCESS_REFUSED - access to queue 'a.b' in vhost '/' refused for user 'limited'",
            kind: .accessRefused,
            resource: queue("a.b"),
            user: "limited"
        ),
        Case(
            code: 403,
            text: "ACCESS_REFUSED - configure access to exchange 'it's' in vhost 'v'w' refused for user 'o'neill'",
            kind: .accessRefused,
            resource: exchange("it's", "v'w"),
            // Where the name ends cannot be known.
            user: "o",
            permission: "configure"
        ),
        Case(
            code: 403,
            text:
                "ACCESS_REFUSED - write access to topic 'a.b' in exchange 'psistats' in vhost '/' refused for user 'u'",
            kind: .accessRefused,
            resource: Reply.Resource(kind: .topic, name: "a.b", virtualHost: "/", exchange: "psistats"),
            user: "u",
            permission: "write"
        ),
        Case(
            code: 403,
            text:
                "ACCESS_REFUSED - read access to queue 'q' in vhost '/' refused for user 'u' by backend rabbit_auth: no",
            kind: .accessRefused,
            resource: queue("q"),
            user: "u",
            permission: "read"
        ),
        Case(
            code: 403,
            text: "ACCESS_REFUSED - User doesn't have permissions to queue 'q'",
            kind: .accessRefused,
            resource: queue("q", nil)
        ),
        Case(
            code: 403,
            text: "ACCESS_REFUSED - exchange name 'amq.foo' contains reserved prefix 'amq.*'",
            kind: .reservedName
        ),
        Case(
            code: 403,
            text: "ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed",
            kind: .reservedName,
            resource: exchange("amq.direct")
        ),
        Case(code: 403, text: "ACCESS_REFUSED - operation not permitted on the default exchange", kind: .reservedName),
        Case(
            code: 403,
            text: "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use",
            kind: .exclusiveConsumer,
            resource: queue("q")
        ),
        Case(
            code: 403,
            text: "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker "
                + "logfile.",
            kind: .loginRefused
        ),
        Case(code: 530, text: "NOT_ALLOWED - login failure", kind: .loginRefused),
        Case(code: 530, text: "NOT_ALLOWED - New secret was refused by one of the backends", kind: .loginRefused),
        // Virtual hosts.
        Case(code: 530, text: "NOT_ALLOWED - vhost nope not found", kind: .notFound, resource: vhost("nope")),
        Case(code: 530, text: "NOT_ALLOWED - vhost 'a b' not found", kind: .notFound, resource: vhost("a b")),
        Case(
            code: 402,
            text: "INVALID_PATH - virtualHost 'x' does not exist",
            kind: .notFound,
            resource: vhost("x")
        ),
        Case(
            code: 530,
            text: "NOT_ALLOWED - access to vhost 'stats' refused for user 'limited'",
            kind: .accessRefused,
            resource: vhost("stats"),
            user: "limited"
        ),
        Case(
            code: 530,
            text: "NOT_ALLOWED - access to vhost 'stats' refused for user 'u': vhost 'stats' is down",
            kind: .unavailable,
            resource: vhost("stats"),
            user: "u"
        ),
        // Limits.
        Case(
            code: 530,
            text: "NOT_ALLOWED - access to vhost 'v2' refused for user 'u': connection limit (5) is reached",
            kind: .connectionLimit,
            resource: vhost("v2"),
            user: "u",
            limit: 5
        ),
        Case(
            code: 530,
            text: "NOT_ALLOWED - connection refused for user 'u': user connection limit (0) is reached",
            kind: .connectionLimit,
            user: "u",
            limit: 0
        ),
        Case(
            code: 530,
            text: "NOT_ALLOWED - connection refused: node connection limit (100) is reached",
            kind: .connectionLimit,
            limit: 100
        ),
        Case(
            code: 530,
            text:
                "NOT_ALLOWED - number of channels opened for user 'u' has reached the maximum allowed user limit of (7)",
            kind: .channelLimit,
            user: "u",
            limit: 7
        ),
        Case(
            code: 530,
            text: "NOT_ALLOWED - number of channels opened (2047) has reached the negotiated channel_max (2047)",
            kind: .channelLimit,
            limit: 2_047
        ),
        Case(
            code: 406,
            text: "PRECONDITION_FAILED - cannot declare queue 'q': queue limit in vhost '/' (10) is reached",
            kind: .queueLimit,
            resource: vhost("/"),
            limit: 10
        ),
        Case(
            code: 530,
            text: "NOT_ALLOWED - reached maximum (20) of consumers per channel",
            kind: .consumerLimit,
            limit: 20
        ),
        Case(
            code: 406,
            text: "PRECONDITION_FAILED - message size 16777300 is larger than configured max size 16777216",
            kind: .messageTooLarge,
            limit: 16_777_216,
            size: 16_777_300
        ),
        Case(
            code: 406,
            text: "PRECONDITION_FAILED - message size 536870913 is larger than max size 536870912",
            kind: .messageTooLarge,
            limit: 536_870_912,
            size: 536_870_913
        ),
        Case(
            code: 530,
            text: "NOT_ALLOWED - negotiated frame_max = 4096 is lower than the minimum allowed value (8192)",
            kind: .limitsRefused,
            argument: Reply.Argument(name: "frame_max", received: "4096"),
            limit: 8_192
        ),
        // Declaring.
        Case(
            code: 406,
            text:
                "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received the value "
                + "'10000' of type 'signedint' but current is the value '5000' of type 'long'",
            kind: .argumentMismatch,
            resource: queue("q"),
            argument: Reply.Argument(name: "x-message-ttl", received: "10000", current: "5000")
        ),
        Case(
            code: 406,
            text: "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'it's' in vhost '/': received 'true' but "
                + "current is 'false'",
            kind: .argumentMismatch,
            resource: queue("it's"),
            argument: Reply.Argument(name: "durable", received: "true", current: "false")
        ),
        Case(
            code: 406,
            text: "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received none but "
                + "current is the value 'quorum' of type 'longstr'",
            kind: .argumentMismatch,
            resource: queue("q"),
            argument: Reply.Argument(name: "x-queue-type", received: nil, current: "quorum")
        ),
        Case(
            code: 406,
            text:
                "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'e' in vhost 'v': received 'topic' but current "
                + "is 'fanout'",
            kind: .argumentMismatch,
            resource: exchange("e", "v"),
            argument: Reply.Argument(name: "type", received: "topic", current: "fanout")
        ),
        Case(
            code: 406,
            text: "PRECONDITION_FAILED - invalid arg 'x-dead-letter-exchange' for queue 'q' in vhost '/': "
                + "{unacceptable_type,signedint}",
            kind: .invalidArgument,
            resource: queue("q"),
            argument: Reply.Argument(name: "x-dead-letter-exchange")
        ),
        Case(
            code: 406,
            text:
                "PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in exchange 'e' in vhost '/'",
            kind: .invalidArgument,
            resource: exchange("e"),
            argument: Reply.Argument(name: "alternate-exchange")
        ),
        Case(
            code: 406,
            text: "PRECONDITION_FAILED - invalid property 'exclusive-owner' for queue 'q' in vhost '/'",
            kind: .invalidArgument,
            resource: queue("q"),
            argument: Reply.Argument(name: "exclusive-owner")
        ),
        Case(
            code: 406,
            text: #"PRECONDITION_FAILED - invalid expiration 'soon': {leftover_string,"soon"}"#,
            kind: .invalidArgument,
            argument: Reply.Argument(name: "expiration", received: "soon")
        ),
        Case(
            code: 406,
            text: "PRECONDITION_FAILED - user_id property set to 'a' but authenticated user was 'b'",
            kind: .invalidArgument,
            user: "b",
            argument: Reply.Argument(name: "user_id", received: "a")
        ),
        Case(
            code: 503,
            text: "COMMAND_INVALID - unknown exchange type 'x-foo'",
            kind: .unknownExchangeType,
            argument: Reply.Argument(name: "type", received: "x-foo")
        ),
        Case(
            code: 406,
            text: "PRECONDITION_FAILED - unknown exchange type 'x-foo'",
            kind: .unknownExchangeType,
            argument: Reply.Argument(name: "type", received: "x-foo")
        ),
        Case(
            code: 541,
            text:
                "INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated.\nIts use is not permitted per the "
                + "configuration (overriding the default, which is permitted):\n    \"deprecated_features.permit.trans",
            kind: .featureNotPermitted,
            feature: "transient_nonexcl_queues"
        ),
        Case(
            code: 541,
            text:
                "INTERNAL_ERROR - Feature `global_qos` is deprecated.\nBy default, this feature is not permitted anymore.",
            kind: .featureNotPermitted,
            feature: "global_qos"
        ),
        Case(
            code: 406,
            text: "PRECONDITION_FAILED - use of deprecated queue-master-locator argument is not permitted",
            kind: .featureNotPermitted,
            feature: "queue-master-locator"
        ),
        // Queues and exchanges.
        Case(code: 404, text: "NOT_FOUND - no queue 'q' in vhost '/'", kind: .notFound, resource: queue("q")),
        Case(code: 404, text: "NOT_FOUND - no exchange 'e' in vhost '/'", kind: .notFound, resource: exchange("e")),
        Case(
            code: 404,
            text: "NOT_FOUND - home node 'rabbit@b' of durable queue 'q' in vhost '/' is down or inaccessible",
            kind: .unavailable,
            resource: queue("q")
        ),
        Case(
            code: 405,
            text:
                "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally "
                + "declared on another connection or the exclusive property value does not match that of the original "
                + "declaration.",
            kind: .resourceLocked,
            resource: queue("q")
        ),
        Case(
            code: 406,
            text: "PRECONDITION_FAILED - queue 'q' in vhost '/' in use",
            kind: .resourceInUse,
            resource: queue("q")
        ),
        Case(
            code: 406,
            text: "PRECONDITION_FAILED - queue 'q' in vhost '/' not empty",
            kind: .resourceNotEmpty,
            resource: queue("q")
        ),
        // Messages and consumers.
        Case(code: 406, text: "PRECONDITION_FAILED - unknown delivery tag 7", kind: .unknownDeliveryTag),
        Case(
            code: 406,
            text:
                "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 1800000 ms. "
                + "This timeout value can be configured, see consumers doc guide to learn more",
            kind: .acknowledgementTimeout
        ),
        Case(
            code: 406,
            text: "PRECONDITION_FAILED - fast reply consumer does not exist",
            kind: .noReplyConsumer
        ),
        Case(code: 530, text: "NOT_ALLOWED - attempt to reuse consumer tag 'c'", kind: .consumerTagInUse),
        Case(code: 406, text: "PRECONDITION_FAILED - Disk space is low", kind: .lowOnDisk),
        Case(code: 312, text: "NO_ROUTE", kind: .unroutable),
        Case(code: 313, text: "NO_CONSUMERS", kind: .noConsumers),
        Case(
            code: 320,
            text: "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'",
            kind: .shutdown
        ),
        Case(code: 320, text: "CONNECTION_FORCED - Closed via management plugin", kind: .closedByOperator),
        // Codes alone, and nothing known.
        Case(code: 403, text: "", kind: .accessRefused),
        Case(code: 404, text: "", kind: .notFound),
        Case(code: 405, text: "", kind: .resourceLocked),
        Case(code: 406, text: "", kind: .other),
        Case(code: 541, text: "INTERNAL_ERROR", kind: .other),
    ]

    @Test("kind, resource, user, argument, limit and feature are found", arguments: cases)
    func known(_ expected: Case) {
        let reply = Reply(code: expected.code, text: expected.text)
        #expect(reply.kind == expected.kind)
        #expect(reply.resource == expected.resource)
        #expect(reply.user == expected.user)
        #expect(reply.permission == expected.permission)
        #expect(reply.argument == expected.argument)
        #expect(reply.limit == expected.limit)
        #expect(reply.size == expected.size)
        #expect(reply.feature == expected.feature)
        #expect(reply.code == expected.code && reply.text == expected.text)
    }

    @Test("words that were cut off, as those above 255 bytes are, name no value that was not there", arguments: cases)
    func cutOff(_ whole: Case) {
        let reply = Reply(code: whole.code, text: whole.text)
        for length in 0..<whole.text.utf8.count {
            let part = Reply(code: whole.code, text: String(decoding: whole.text.utf8.prefix(length), as: UTF8.self))
            #expect(part.argument?.current == nil || part.argument?.current == reply.argument?.current)
            #expect(part.argument?.received == nil || part.argument?.received == reply.argument?.received)
            #expect(part.feature == nil || part.feature == reply.feature)
            #expect(
                part.resource?.name == nil || part.resource?.name == reply.resource?.name || whole.text.contains("it's")
            )
        }
    }

    @Test("any bytes are read without a trap")
    func garbage() {
        var random = SplitMix64(seed: 7)
        let parts =
            Self.cases.map(\.text) + ["'", "' in vhost '", "inequivalent arg '", "\u{FFFD}", "99999999999999999999"]
        for _ in 0..<2_000 {
            var text = ""
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                let part = parts.randomElement(using: &random) ?? ""
                text += String(decoding: part.utf8.shuffled(using: &random).prefix(40), as: UTF8.self) + part.suffix(70)
            }
            for code in [403, 404, 405, 406, 530, 541] as [UInt16] { _ = Reply(code: code, text: text) }
        }
    }

    @Test("an error's words are one line, and its remedy stands apart")
    func oneLine() {
        let close = AMQPMethod.ChannelClose(
            replyCode: 541,
            replyText: "INTERNAL_ERROR - Feature `global_qos` is deprecated.\nIts use\r\n    is not permitted",
            classID: 60,
            methodID: 10
        )
        let error = AMQPError(channelClosed: close, channel: 3)
        #expect(
            error.message
                == "the broker closed the channel because of basic.qos: INTERNAL_ERROR - Feature `global_qos` is "
                + "deprecated. Its use is not permitted (541)"
        )
        #expect(error.remedy == "do without it, or permit it in the broker's configuration")
        #expect(error.channel == 3 && error.stage == .open && error.scope == .channel && error.method == .basicQos)
        #expect(error.description == "\(error.message): \(error.remedy ?? "")")
    }
}
