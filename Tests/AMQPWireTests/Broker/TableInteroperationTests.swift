import Testing

@testable import AMQPWire

/// Every field type, between us and what others make of it.
@Suite("Tables of others", .enabled(if: TestBroker.isThere, TestBroker.absence), .timeLimit(.minutes(2)))
struct TableInteroperationTests {
    private static let repository = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")

    /// The table of `Scripts/interoperation/tables.c`: each type, numbers at the end of their range.
    private static let headers: AMQPTable = [
        "true": true, "false": false, "i8": .int8(.min), "u8": .uint8(.max), "i16": .int16(.min), "u16": .uint16(.max),
        "i32": .int32(.min), "u32": .uint32(.max), "i64": .int64(.min), "u64": .int64L(1_099_511_627_776),
        "float": .float(1.5),
        "double": .double(0.1), "decimal": .decimal(.init(scale: 2, value: 314)), "string": "Zürich", "empty": "",
        "array": [1, "two", .void, true, ["b": ["c": "nested", "n": .int16(-2)]], []],
        "timestamp": .timestamp(1_600_000_000), "table": ["b": ["c": "nested", "n": .int16(-2)]], "void": .void,
        "bytes": .bytes([0, 0xCE, 0xFF]),
    ]

    /// What pika makes of it: of floating-point numbers it keeps the whole part only.
    private static let headersInPython = """
        {"true": True, "false": False, "i8": -128, "u8": 255, "i16": -(1 << 15), "u16": (1 << 16) - 1,
         "i32": -(1 << 31), "u32": (1 << 32) - 1, "i64": -(1 << 63), "u64": 1 << 40, "float": 1, "double": 0,
         "decimal": Decimal("3.14"), "string": "Zürich", "empty": "",
         "array": [1, "two", None, True, {"b": {"c": "nested", "n": -2}}, []],
         "timestamp": datetime(2020, 9, 13, 12, 26, 40, tzinfo=timezone.utc),
         "table": {"b": {"c": "nested", "n": -2}}, "void": None, "bytes": b"\\x00\\xce\\xff"}
        """

    private func withQueue(_ body: (AMQPChannel, String) async throws -> Void) async throws {
        try await TestBroker.rabbitmq.withChannel { _, channel in
            // Another connection uses it, so it cannot be exclusive.
            let arguments: AMQPTable = ["x-expires": 60_000]
            let queue = try await channel.declareQueue(uniqueName("tables"), arguments: arguments).name
            try await body(channel, queue)
            _ = try await channel.deleteQueue(queue)
        }
    }

    private func rabbitmqC(_ what: String, _ queue: String) async throws -> String {
        try await Shell.run([Self.repository + "/Scripts/rabbitmq-c-tables", what, "\(TestBroker.port ?? 1)", queue])
    }

    private func expectEqual(_ came: AMQPTable?) {
        let entries = came?.entries ?? []
        for (came, meant) in zip(entries, Self.headers.asBrokerReturns.entries) { #expect(came == meant) }
        #expect(entries.count == Self.headers.entries.count)
    }

    @Test("hold each type that there is")
    func complete() {
        let letters = Self.headers.entries.map { entry -> Character in
            switch entry.value {
            case .boolean: "t"
            case .int8: "b"
            case .uint8: "B"
            case .int16: "s"
            case .uint16: "u"
            case .int32: "I"
            case .uint32: "i"
            case .int64: "l"
            case .int64L: "L"
            case .float: "f"
            case .double: "d"
            case .decimal: "D"
            case .string: "S"
            case .array: "A"
            case .timestamp: "T"
            case .table: "F"
            case .bytes: "x"
            case .void: "V"
            }
        }
        #expect(Set(letters) == Set("tbBsuIilLfdDSATFxV"))
    }

    @Test("are read equal when rabbitmq-c publishes every type")
    func fromRabbitMQC() async throws {
        try await withQueue { channel, queue in
            #expect(try await rabbitmqC("publish", queue) == "all is well\n")
            let delivery = try #require(try await channel.get(queue, noAck: true))
            expectEqual(delivery.properties.headers)
            #expect(delivery.body == Array("typed".utf8))
        }
    }

    @Test("are read equal by rabbitmq-c when we publish every type, and a wrong one is noticed")
    func toRabbitMQC() async throws {
        try await withQueue { channel, queue in
            try await channel.publish("typed", routingKey: queue, properties: AMQPProperties(headers: Self.headers))
            #expect(try await rabbitmqC("expect", queue) == "all is well\n")
            var other = Self.headers
            other["u16"] = .uint16(1)
            try await channel.publish("typed", routingKey: queue, properties: AMQPProperties(headers: other))
            let failure = await #expect(throws: Shell.Failure.self) { try await rabbitmqC("expect", queue) }
            #expect(failure?.description.contains("this field is another: u16") == true)
        }
    }

    @Test("are read equal by pika when we publish every type, those that it never writes among them")
    func toPika() async throws {
        let interpreter = try await Shell.run([Self.repository + "/Scripts/python-env"])
            .split(separator: "\n").last.map(String.init)
        try await withQueue { channel, queue in
            try await channel.publish("typed", routingKey: queue, properties: AMQPProperties(headers: Self.headers))
            let program = """
                import pika
                from datetime import datetime, timezone
                from decimal import Decimal
                headers = \(Self.headersInPython)
                connection = pika.BlockingConnection(pika.URLParameters("\(TestBroker.uri)/%2F"))
                method, properties, body = connection.channel().basic_get("\(queue)", auto_ack=True)
                for key, value in headers.items():
                    assert properties.headers[key] == value, (key, properties.headers[key], value)
                assert properties.headers == headers
                connection.close()
                print("all is well")
                """
            let output = try await Shell.run([try #require(interpreter), "-c", program])
            #expect(output.contains("all is well"))
        }
    }

    @Test(
        "come back equal from a broker that decodes and encodes them, as it does with those of exchanges and bindings"
    )
    func throughTheBroker() async throws {
        try await withQueue { channel, queue in
            // Dead-lettered messages get one more header, for which the broker writes all of them anew.
            let arguments: AMQPTable = [
                "x-message-ttl": 0, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": .string(AMQPText(queue)),
            ]
            let through = try await channel.makeQueue(arguments: arguments)
            try await channel.publish("typed", routingKey: through, properties: AMQPProperties(headers: Self.headers))
            try await channel.expectMessages(1, in: queue)
            let delivery = try #require(try await channel.get(queue, noAck: true))
            for entry in Self.headers.entries {
                let came = delivery.properties.headers?[entry.key]
                // It knows one type of 64 bits.
                let meant = entry.value == .int64L(1 << 40) ? AMQPFieldValue.int64(1 << 40) : entry.value
                #expect(came == meant, "\(entry.key)")
            }
        }
    }
}
