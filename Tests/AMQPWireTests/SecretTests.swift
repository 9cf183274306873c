import Testing

@testable import AMQPWire

@Suite("Secrets never print")
struct SecretTests {
    static let secret = AMQPSecret("hunter2")

    /// All that holds a secret, and a frame around it.
    static let holders: [AMQPMethod] = [
        .connectionStartOk(.init(response: secret)), .connectionSecure(.init(challenge: secret)),
        .connectionSecureOk(.init(response: secret)), .connectionUpdateSecret(.init(newSecret: secret)),
    ]

    @Test("description, reflection, dump and interpolation show that there is one and nothing else")
    func secret() {
        #expect("\(Self.secret)" == "********")
        for text in texts(Self.secret) { expectNoSecret(text) }
        #expect(Mirror(reflecting: Self.secret).children.isEmpty)
    }

    @Test("a method that holds one prints without it", arguments: holders)
    func method(_ method: AMQPMethod) throws {
        for text in texts(method) + texts(method.payload) { expectNoSecret(text) }
        var encoder = AMQPFrameEncoder()
        try encoder.append(method, channel: 0)
        var decoder = AMQPFrameDecoder()
        decoder.append(encoder.bytes.copy())
        let frame = try #require(try decoder.next())
        #expect(frame.payload == .method(method))
        for text in texts(frame) + texts(decoder.fields()) { expectNoSecret(text) }
    }

    @Test("every field that carries a credential is a secret")
    func fields() throws {
        var names: Set<String> = []
        for golden in goldenMethods {
            var decoder = AMQPFrameDecoder()
            decoder.append(golden.frame)
            _ = try decoder.next()
            for field in decoder.fields() {
                if case .secret = field.value { names.insert("\(golden.method.id.name) \(field.name)") }
            }
        }
        let expected: Set = [
            "connection.start-ok response", "connection.secure challenge", "connection.secure-ok response",
            "connection.update-secret new-secret",
        ]
        #expect(names == expected)
    }

    @Test("an error in a method that holds one prints without it")
    func error() {
        var encoder = AMQPFrameEncoder(maxFrameSize: 16)
        for holder in Self.holders {
            let error = wireError { () throws(AMQPWireError) in try encoder.append(holder, channel: 0) }
            for text in texts(error as Any) { expectNoSecret(text) }
        }
    }

    private func texts(_ value: Any) -> [String] {
        var dumped = ""
        dump(value, to: &dumped)
        return [
            "\(value)", String(describing: value), String(reflecting: value), dumped, "\([value])", "\(value as Any?)",
        ]
    }

    private func expectNoSecret(_ text: String) {
        #expect(!text.contains("hunter2"))
        // The octets as numbers.
        #expect(!text.contains("104, 117"))
        #expect(!text.contains("117\n"))
    }
}
