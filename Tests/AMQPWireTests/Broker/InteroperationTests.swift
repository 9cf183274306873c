import Glibc
import Testing

@testable import AMQPWire

/// What other clients publish is read equal, and the other way round.
@Suite("Interoperation", .enabled(if: TestBroker.isThere, TestBroker.absence), .timeLimit(.minutes(2)))
struct InteroperationTests {
    private static let repository = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")

    private static let headersInPython = """
        {"true": True, "false": False, "small": 1, "negative": -1, "large": 1 << 40, "decimal": Decimal("3.14"),
         "timestamp": datetime(2020, 9, 13, 12, 26, 40, tzinfo=timezone.utc), "string": "Zürich", "empty": "",
         "bytes": b"\\x00\\xce\\xff", "array": [1, "two", None, [True], {"in": "array"}],
         "table": {"a": {"b": {"c": "nested"}}}, "void": None}
        """

    /// The same, in the types that pika writes.
    private static let headers: AMQPTable = [
        "true": true, "false": false, "small": 1, "negative": -1, "large": .int64(1_099_511_627_776),
        "decimal": .decimal(.init(scale: 2, value: 314)), "timestamp": .timestamp(1_600_000_000), "string": "Zürich",
        "empty": "", "bytes": .bytes([0, 0xCE, 0xFF]),
        "array": [1, "two", .void, [true], .table(["in": "array"])],
        "table": .table(["a": .table(["b": .table(["c": "nested"])])]), "void": .void,
    ]

    private static var properties: AMQPProperties {
        var properties = AMQPProperties()
        properties.contentType = "application/json"
        properties.contentEncoding = "utf-8"
        properties.headers = headers
        properties.deliveryMode = 2
        properties.priority = 5
        properties.correlationID = "correlation"
        properties.replyTo = "replies"
        properties.expiration = "60000"
        properties.messageID = "message"
        properties.timestamp = 1_600_000_000
        properties.type = "cpu"
        properties.userID = "guest"
        properties.appID = "test"
        properties.reserved = "reserved"
        return properties
    }

    private static let propertiesInPython = """
        pika.BasicProperties(content_type="application/json", content_encoding="utf-8", headers=headers,
            delivery_mode=2, priority=5, correlation_id="correlation", reply_to="replies", expiration="60000",
            message_id="message", timestamp=1600000000, type="cpu", user_id="guest", app_id="test",
            cluster_id="reserved")
        """

    private func python(_ body: String) async throws -> String {
        let interpreter = try await Shell.run([Self.repository + "/Scripts/python-env"])
            .split(separator: "\n").last.map(String.init)
        let program = """
            import sys, pika
            from datetime import datetime, timezone
            from decimal import Decimal
            headers = \(Self.headersInPython)
            properties = \(Self.propertiesInPython)
            connection = pika.BlockingConnection(pika.URLParameters("\(TestBroker.uri)/%2F"))
            channel = connection.channel()
            \(body)
            connection.close()
            print("all is well")
            """
        return try await Shell.run([try #require(interpreter), "-c", program])
    }

    private func withQueue(_ body: (AMQPChannel, String) async throws -> Void) async throws {
        try await TestBroker.rabbitmq.withChannel { _, channel in
            // Another connection uses it, so it cannot be exclusive.
            let queue = try await channel.declareQueue(uniqueName("interoperation"), arguments: ["x-expires": 60_000])
                .name
            do {
                try await body(channel, queue)
            } catch {
                Issue.record(error)
            }
            _ = try? await channel.deleteQueue(queue)
        }
    }

    @Test("what pika publishes, with every property and every type of its tables")
    func fromPika() async throws {
        try await withQueue { channel, queue in
            _ = try await python(#"channel.basic_publish("", "\#(queue)", bytes(range(256)), properties)"#)
            let delivery = try #require(try await channel.get(queue, noAck: true))
            #expect(delivery.body == Array(0...255))
            var meant = Self.properties
            meant.headers = Self.headers.asBrokerReturns
            for (came, meant) in zip(delivery.properties.headers?.entries ?? [], meant.headers?.entries ?? []) {
                #expect(came == meant)
            }
            #expect(delivery.properties == meant)
        }
    }

    @Test("what pika reads of ours is equal to what it writes itself")
    func toPika() async throws {
        try await withQueue { channel, queue in
            try await channel.publish(Array(0...255), routingKey: queue, properties: Self.properties)
            let output = try await python(
                """
                method, came, body = channel.basic_get("\(queue)", auto_ack=True)
                assert body == bytes(range(256)), body
                for key, value in headers.items():
                    assert came.headers[key] == value, (key, came.headers[key], value)
                assert came.headers == headers
                properties.headers = came.headers = None
                assert came == properties, (came, properties)
                """
            )
            #expect(output.contains("all is well"))
        }
    }

    @Test("what the tools of rabbitmq-c publish")
    func fromTools() async throws {
        try await withQueue { channel, queue in
            _ = try await Shell.run([
                "amqp-publish", "--url=\(TestBroker.uri)/%2F", "-r", queue, "-C", "text/plain", "-E", "utf-8", "-p",
                "-H",
                "host: pi", "-b", "from the tool",
            ])
            let delivery = try #require(try await channel.get(queue, noAck: true))
            #expect(delivery.body == Array("from the tool".utf8))
            #expect(delivery.properties.contentType == "text/plain")
            #expect(delivery.properties.contentEncoding == "utf-8")
            #expect(delivery.properties.deliveryMode == 2)
            #expect(delivery.properties.headers?["host"]?.string?.trimmed == "pi")
        }
    }

    @Test("what the tools of rabbitmq-c get and consume of ours")
    func toTools() async throws {
        try await withQueue { channel, queue in
            let text = String(repeating: "über ", count: 50_000)
            try await channel.publish(text, routingKey: queue)
            #expect(try await Shell.run(["amqp-get", "--url=\(TestBroker.uri)/%2F", "-q", queue]) == text)
            for number in 0..<5 { try await channel.publish("\(number);", routingKey: queue) }
            let output = try await Shell.run([
                "amqp-consume", "--url=\(TestBroker.uri)/%2F", "-q", queue, "-c", "5", "cat",
            ])
            #expect(output.hasSuffix("0;1;2;3;4;") || output.contains("0;1;2;3;4;"))
        }
    }
}

extension String {
    fileprivate var trimmed: String { split(separator: " ").joined(separator: " ") }
}
