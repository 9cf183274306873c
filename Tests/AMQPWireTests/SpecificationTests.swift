import Testing

@testable import AMQPWire

/// The codec against the official description, so that no field can be wrong unnoticed.
@Suite("The codec has what the official description has")
struct SpecificationTests {
    /// RabbitMQ's methods of which its published description says nothing. Source: rabbitmq.com, "Protocol Extensions":
    /// Blocked Connections and Update AMQPSecret. Their octets are checked by `MethodVectorTests`.
    static let undescribed: Set<AMQPMethodID> = [
        .connectionBlocked, .connectionUnblocked, .connectionUpdateSecret, .connectionUpdateSecretOk,
    ]

    /// Replies that the description forgets. basic.recover is described as asynchronous and without an answer, though
    /// basic.recover-ok is described and sent.
    static let undescribedReplies: [AMQPMethodID: [String]] = [.basicRecover: ["basic.recover-ok"]]

    let specification: Specification

    init() throws {
        specification = try Specification.read()
    }

    @Test("every described method is there, and no other but the undescribed extensions")
    func sameMethods() {
        #expect(specification.methods.count == 60)
        let described = Set(specification.methods.map(\.name))
        let known = Set(AMQPMethodID.allCases.map(\.name))
        #expect(described.subtracting(known) == [])
        #expect(known.subtracting(described) == Set(Self.undescribed.map(\.name)))
    }

    @Test("ids, content, synchronicity, receivers and replies are the described ones")
    func traits() throws {
        for described in specification.methods {
            let id = try #require(AMQPMethodID(classID: described.classID, methodID: described.methodID))
            let traits = id.traits
            #expect(id.name == described.name)
            #expect(traits.isSynchronous == described.isSynchronous, "\(id)")
            #expect(traits.hasContent == described.hasContent, "\(id)")
            #expect(traits.receiver == receiver(described.receivers), "\(id)")
            let replies = Self.undescribedReplies[id] ?? described.replies
            #expect(traits.replies.map(\.name) == replies, "\(id)")
        }
    }

    @Test("the undescribed extensions are RabbitMQ's")
    func extensions() {
        #expect(AMQPMethodID.connectionBlocked.rawValue == 0x000A_003C)
        #expect(AMQPMethodID.connectionUnblocked.rawValue == 0x000A_003D)
        #expect(AMQPMethodID.connectionUpdateSecret.rawValue == 0x000A_0046)
        #expect(AMQPMethodID.connectionUpdateSecretOk.rawValue == 0x000A_0047)
        for id in Self.undescribed {
            let isRequest = id == .connectionUpdateSecret
            #expect(id.traits.receiver == (isRequest ? .server : .client))
            #expect(id.traits.replies == (isRequest ? [.connectionUpdateSecretOk] : []))
            #expect(!id.traits.hasContent)
        }
        #expect(!AMQPMethodID.connectionBlocked.traits.isSynchronous)
        #expect(!AMQPMethodID.connectionUnblocked.traits.isSynchronous)
        #expect(AMQPMethodID.connectionUpdateSecret.traits.isSynchronous)
        #expect(AMQPMethodID.connectionUpdateSecretOk.traits.isSynchronous)
    }

    @Test("each method walks the described fields: names, types and order")
    func fields() throws {
        for described in specification.methods {
            let golden = try #require(goldenMethods.first { $0.method.id.name == described.name })
            #expect(try recordedFields(golden.method) == described.fields, "\(described.name)")
        }
    }

    @Test("the undescribed extensions walk RabbitMQ's fields")
    func extensionFields() throws {
        let expected: [AMQPMethodID: [Specification.Field]] = [
            .connectionBlocked: [.init(name: "reason", type: "shortstr")],
            .connectionUnblocked: [],
            .connectionUpdateSecret: [
                .init(name: "new-secret", type: "longstr"), .init(name: "reason", type: "shortstr"),
            ],
            .connectionUpdateSecretOk: [],
        ]
        for golden in goldenMethods where Self.undescribed.contains(golden.method.id) {
            #expect(try recordedFields(golden.method) == expected[golden.method.id])
        }
    }

    @Test("the properties are those of class basic, and no other class has content")
    func properties() throws {
        #expect(specification.properties.keys.sorted() == ["basic"])
        let described = try #require(specification.properties["basic"])
        #expect(described.count == 14)
        var recorder = FieldRecorder()
        var properties = allProperties
        try properties.fields(&recorder)
        #expect(recorder.fields == described)
        #expect(recorder.flags == 0xFFFC)
    }

    @Test("each property has its own flag, from bit 15 down in the described order")
    func propertyFlags() throws {
        let values = [
            "shortstr": "1'v'", "table": "4{ 1'k' 'V' }", "octet": "07", "timestamp": "0000000000000009",
        ]
        for (index, property) in try #require(specification.properties["basic"]).enumerated() {
            let flags: UInt16 = 1 << (15 - index)
            let value = try #require(values[property.type])
            let payload = octets("003c 0000 0000000000000000") + bigEndian(flags) + octets(value)
            var decoder = AMQPFrameDecoder()
            decoder.append(frame(2, channel: 1, payload))
            let decoded = try #require(try decoder.next())
            #expect(decoded.notes == [])
            #expect(decoder.fields().dropFirst(3).map(\.name) == [property.name])
            #expect(decoder.fields().dropFirst(3).map(\.type) == [property.type])
            #expect(try encode(decoded) == frame(2, channel: 1, payload))
        }
    }

    @Test("a listing names types as the description does")
    func listing() throws {
        for described in specification.methods {
            let golden = try #require(goldenMethods.first { $0.method.id.name == described.name })
            var decoder = AMQPFrameDecoder()
            decoder.append(golden.frame)
            _ = try decoder.next()
            let listed = decoder.fields().map { Specification.Field(name: $0.name, type: $0.type) }
            #expect(listed == described.fields, "\(described.name)")
        }
    }

    @Test("frame types, end octet and reply codes are the described constants")
    func constants() {
        #expect(specification.constants["frame-method"] == Int(FrameType.method.rawValue))
        #expect(specification.constants["frame-header"] == Int(FrameType.header.rawValue))
        #expect(specification.constants["frame-body"] == Int(FrameType.body.rawValue))
        #expect(specification.constants["frame-heartbeat"] == Int(FrameType.heartbeat.rawValue))
        #expect(specification.constants["frame-end"] == Int(FrameFormat.end))
        let codes: [(AMQPWireError.Code, String)] = [
            (.missingFrameEnd(0), "frame-error"), (.unknownFrameType(0), "frame-error"),
            (.unknownMethod(classID: 0, methodID: 0), "command-invalid"), (.heartbeatOnChannel(1), "unexpected-frame"),
            (.truncated(needed: 1, available: 0), "syntax-error"),
        ]
        for (code, name) in codes {
            #expect(specification.constants[name] == Int(AMQPWireError(code, offset: 0).replyCode), "\(code)")
        }
    }

    private func receiver(_ names: Set<String>) -> AMQPMethodTraits.Receiver? {
        switch names {
        case ["client"]: .client
        case ["server"]: .server
        case ["client", "server"]: .either
        default: nil
        }
    }

    private func recordedFields(_ method: AMQPMethod) throws -> [Specification.Field] {
        var recorder = FieldRecorder()
        var payload = method.payload
        try payload.fields(&recorder)
        return recorder.fields
    }
}
