import Testing

@testable import AMQPWire

/// A method with a distinctive value in each field, and its payload as words.
struct GoldenMethod: Sendable, CustomTestStringConvertible {
    let method: AMQPMethod
    let words: String

    init(_ method: AMQPMethod, _ words: String) {
        self.method = method
        self.words = words
    }

    var testDescription: String { method.id.name }

    /// The channel that ``frame`` names.
    static let channel: UInt16 = 0x0102

    /// The whole frame.
    var frame: [UInt8] { AMQPWireTests.frame(1, channel: Self.channel, words) }
}

/// Every method once, in the order of ``AMQPMethodID``.
let goldenMethods: [GoldenMethod] =
    connectionMethods + channelMethods + exchangeMethods + queueMethods
    + basicMethods + transactionMethods + confirmMethods

private let connectionMethods: [GoldenMethod] = [
    GoldenMethod(
        .connectionStart(
            .init(
                versionMajor: 0x11,
                versionMinor: 0x22,
                serverProperties: ["product": "Rabbit", "capabilities": ["basic.nack": true]],
                mechanisms: "PLAIN AMQPLAIN",
                locales: "de_DE"
            )
        ),
        """
        000a 000a 11 22
        4{ 1'product' 'S' 4'Rabbit' 1'capabilities' 'F' 4{ 1'basic.nack' 't' 01 } }
        4'PLAIN AMQPLAIN' 4'de_DE'
        """
    ),
    GoldenMethod(
        .connectionStartOk(
            .init(
                clientProperties: ["product": "psistats"],
                mechanism: "EXTERNAL",
                response: AMQPSecret(octets: [0, 0x75, 0, 0x70]),
                locale: "fr_FR"
            )
        ),
        "000a 000b 4{ 1'product' 'S' 4'psistats' } 1'EXTERNAL' 4{ 00 'u' 00 'p' } 1'fr_FR'"
    ),
    GoldenMethod(.connectionSecure(.init(challenge: AMQPSecret("why?"))), "000a 0014 4'why?'"),
    GoldenMethod(.connectionSecureOk(.init(response: AMQPSecret("because"))), "000a 0015 4'because'"),
    GoldenMethod(
        .connectionTune(.init(channelMax: 0x1234, frameMax: 0x5678_9abc, heartbeat: 0xdef0)),
        "000a 001e 1234 56789abc def0"
    ),
    GoldenMethod(
        .connectionTuneOk(.init(channelMax: 0x4321, frameMax: 0x8765_cba9, heartbeat: 0x0fed)),
        "000a 001f 4321 8765cba9 0fed"
    ),
    GoldenMethod(
        .connectionOpen(.init(virtualHost: "/stats", reserved1: "caps", reserved2: true)),
        "000a 0028 1'/stats' 1'caps' 01"
    ),
    GoldenMethod(.connectionOpenOk(.init(reserved1: "hosts")), "000a 0029 1'hosts'"),
    GoldenMethod(
        .connectionClose(.init(replyCode: 0x0140, replyText: "CONNECTION_FORCED", classID: 0x1213, methodID: 0x1415)),
        "000a 0032 0140 1'CONNECTION_FORCED' 1213 1415"
    ),
    GoldenMethod(.connectionCloseOk(.init()), "000a 0033"),
    GoldenMethod(.connectionBlocked(.init(reason: "low on memory")), "000a 003c 1'low on memory'"),
    GoldenMethod(.connectionUnblocked(.init()), "000a 003d"),
    GoldenMethod(
        .connectionUpdateSecret(.init(newSecret: AMQPSecret("token"), reason: "expires soon")),
        "000a 0046 4'token' 1'expires soon'"
    ),
    GoldenMethod(.connectionUpdateSecretOk(.init()), "000a 0047"),
]

private let channelMethods: [GoldenMethod] = [
    GoldenMethod(.channelOpen(.init(reserved1: "oob")), "0014 000a 1'oob'"),
    GoldenMethod(.channelOpenOk(.init(reserved1: "id")), "0014 000b 4'id'"),
    GoldenMethod(.channelFlow(.init(active: true)), "0014 0014 01"),
    GoldenMethod(.channelFlowOk(.init(active: true)), "0014 0015 01"),
    GoldenMethod(
        .channelClose(.init(replyCode: 0x0194, replyText: "NOT_FOUND", classID: 0x2122, methodID: 0x2324)),
        "0014 0028 0194 1'NOT_FOUND' 2122 2324"
    ),
    GoldenMethod(.channelCloseOk(.init()), "0014 0029"),
]

private let exchangeMethods: [GoldenMethod] = [
    GoldenMethod(
        .exchangeDeclare(
            .init(
                reserved1: 0x3132,
                exchange: "metrics",
                type: "topic",
                passive: true,
                durable: false,
                autoDelete: true,
                internal: false,
                noWait: true,
                arguments: ["alternate-exchange": "spill"]
            )
        ),
        "0028 000a 3132 1'metrics' 1'topic' 15 4{ 1'alternate-exchange' 'S' 4'spill' }"
    ),
    GoldenMethod(.exchangeDeclareOk(.init()), "0028 000b"),
    GoldenMethod(
        .exchangeDelete(.init(reserved1: 0x3334, exchange: "metrics", ifUnused: false, noWait: true)),
        "0028 0014 3334 1'metrics' 02"
    ),
    GoldenMethod(.exchangeDeleteOk(.init()), "0028 0015"),
    GoldenMethod(
        .exchangeBind(
            .init(
                reserved1: 0x3536,
                destination: "to",
                source: "from",
                routingKey: "a.#",
                noWait: true,
                arguments: ["x": 1]
            )
        ),
        "0028 001e 3536 1'to' 1'from' 1'a.#' 01 4{ 1'x' 'I' 00000001 }"
    ),
    GoldenMethod(.exchangeBindOk(.init()), "0028 001f"),
    GoldenMethod(
        .exchangeUnbind(
            .init(
                reserved1: 0x3738,
                destination: "to",
                source: "from",
                routingKey: "b.*",
                noWait: true,
                arguments: ["y": 2]
            )
        ),
        "0028 0028 3738 1'to' 1'from' 1'b.*' 01 4{ 1'y' 'I' 00000002 }"
    ),
    GoldenMethod(.exchangeUnbindOk(.init()), "0028 0033"),
]

private let queueMethods: [GoldenMethod] = [
    GoldenMethod(
        .queueDeclare(
            .init(
                reserved1: 0x4142,
                queue: "psistats.host",
                passive: false,
                durable: true,
                exclusive: false,
                autoDelete: true,
                noWait: true,
                arguments: ["x-message-ttl": 10_000]
            )
        ),
        "0032 000a 4142 1'psistats.host' 1a 4{ 1'x-message-ttl' 'I' 00002710 }"
    ),
    GoldenMethod(
        .queueDeclareOk(.init(queue: "amq.gen-1", messageCount: 0x0102_0304, consumerCount: 0x0506_0708)),
        "0032 000b 1'amq.gen-1' 01020304 05060708"
    ),
    GoldenMethod(
        .queueBind(
            .init(
                reserved1: 0x4344,
                queue: "q",
                exchange: "metrics",
                routingKey: "host.cpu",
                noWait: true,
                arguments: ["x-match": "all"]
            )
        ),
        "0032 0014 4344 1'q' 1'metrics' 1'host.cpu' 01 4{ 1'x-match' 'S' 4'all' }"
    ),
    GoldenMethod(.queueBindOk(.init()), "0032 0015"),
    GoldenMethod(
        .queueUnbind(
            .init(
                reserved1: 0x4546,
                queue: "q",
                exchange: "metrics",
                routingKey: "host.mem",
                arguments: ["x-match": "any"]
            )
        ),
        "0032 0032 4546 1'q' 1'metrics' 1'host.mem' 4{ 1'x-match' 'S' 4'any' }"
    ),
    GoldenMethod(.queueUnbindOk(.init()), "0032 0033"),
    GoldenMethod(.queuePurge(.init(reserved1: 0x4748, queue: "full", noWait: true)), "0032 001e 4748 1'full' 01"),
    GoldenMethod(.queuePurgeOk(.init(messageCount: 0x1122_3344)), "0032 001f 11223344"),
    GoldenMethod(
        .queueDelete(.init(reserved1: 0x494a, queue: "old", ifUnused: true, ifEmpty: false, noWait: true)),
        "0032 0028 494a 1'old' 05"
    ),
    GoldenMethod(.queueDeleteOk(.init(messageCount: 0x5566_7788)), "0032 0029 55667788"),
]

private let basicMethods: [GoldenMethod] = [
    GoldenMethod(
        .basicQos(.init(prefetchSize: 0x0102_0304, prefetchCount: 0x0506, global: true)),
        "003c 000a 01020304 0506 01"
    ),
    GoldenMethod(.basicQosOk(.init()), "003c 000b"),
    GoldenMethod(
        .basicConsume(
            .init(
                reserved1: 0x5152,
                queue: "work",
                consumerTag: "worker-1",
                noLocal: true,
                noAck: false,
                exclusive: false,
                noWait: true,
                arguments: ["x-priority": -5]
            )
        ),
        "003c 0014 5152 1'work' 1'worker-1' 09 4{ 1'x-priority' 'I' fffffffb }"
    ),
    GoldenMethod(.basicConsumeOk(.init(consumerTag: "worker-1")), "003c 0015 1'worker-1'"),
    GoldenMethod(.basicCancel(.init(consumerTag: "worker-2", noWait: true)), "003c 001e 1'worker-2' 01"),
    GoldenMethod(.basicCancelOk(.init(consumerTag: "worker-3")), "003c 001f 1'worker-3'"),
    GoldenMethod(
        .basicPublish(
            .init(reserved1: 0x5354, exchange: "metrics", routingKey: "host.load", mandatory: false, immediate: true)
        ),
        "003c 0028 5354 1'metrics' 1'host.load' 02"
    ),
    GoldenMethod(
        .basicReturn(.init(replyCode: 0x0138, replyText: "NO_ROUTE", exchange: "metrics", routingKey: "nowhere")),
        "003c 0032 0138 1'NO_ROUTE' 1'metrics' 1'nowhere'"
    ),
    GoldenMethod(
        .basicDeliver(
            .init(
                consumerTag: "worker-4",
                deliveryTag: 0x0102_0304_0506_0708,
                redelivered: true,
                exchange: "metrics",
                routingKey: "host.disk"
            )
        ),
        "003c 003c 1'worker-4' 0102030405060708 01 1'metrics' 1'host.disk'"
    ),
    GoldenMethod(.basicGet(.init(reserved1: 0x5556, queue: "work", noAck: true)), "003c 0046 5556 1'work' 01"),
    GoldenMethod(
        .basicGetOk(
            .init(
                deliveryTag: 0x1112_1314_1516_1718,
                redelivered: true,
                exchange: "metrics",
                routingKey: "host.net",
                messageCount: 0x2122_2324
            )
        ),
        "003c 0047 1112131415161718 01 1'metrics' 1'host.net' 21222324"
    ),
    GoldenMethod(.basicGetEmpty(.init(reserved1: "cluster")), "003c 0048 1'cluster'"),
    GoldenMethod(
        .basicAck(.init(deliveryTag: 0x2122_2324_2526_2728, multiple: true)),
        "003c 0050 2122232425262728 01"
    ),
    GoldenMethod(
        .basicReject(.init(deliveryTag: 0x3132_3334_3536_3738, requeue: true)),
        "003c 005a 3132333435363738 01"
    ),
    GoldenMethod(.basicRecoverAsync(.init(requeue: true)), "003c 0064 01"),
    GoldenMethod(.basicRecover(.init(requeue: true)), "003c 006e 01"),
    GoldenMethod(.basicRecoverOk(.init()), "003c 006f"),
    GoldenMethod(
        .basicNack(.init(deliveryTag: 0x4142_4344_4546_4748, multiple: false, requeue: true)),
        "003c 0078 4142434445464748 02"
    ),
]

private let transactionMethods: [GoldenMethod] = [
    GoldenMethod(.txSelect(.init()), "005a 000a"),
    GoldenMethod(.txSelectOk(.init()), "005a 000b"),
    GoldenMethod(.txCommit(.init()), "005a 0014"),
    GoldenMethod(.txCommitOk(.init()), "005a 0015"),
    GoldenMethod(.txRollback(.init()), "005a 001e"),
    GoldenMethod(.txRollbackOk(.init()), "005a 001f"),
]

private let confirmMethods: [GoldenMethod] = [
    GoldenMethod(.confirmSelect(.init(nowait: true)), "0055 000a 01"),
    GoldenMethod(.confirmSelectOk(.init()), "0055 000b"),
]
