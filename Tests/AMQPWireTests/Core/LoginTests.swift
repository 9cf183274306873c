import Testing

@testable import AMQPWire

/// Mechanisms besides the usual, and how large a login may be.
@Suite("Logging in")
struct LoginTests {
    private func rig(
        _ mechanisms: String,
        server: AMQPTable = [:],
        _ change: (inout Handshake.Settings) -> Void
    ) throws -> CoreRig {
        let rig = CoreRig(CoreRig.options { change(&$0.handshake) })
        var encoder = AMQPFrameEncoder()
        try encoder.write(server)
        let properties = Array(encoder.bytes.copy().dropFirst(4))
        rig.receive(.connectionStart, 0, [0, 9, .octets(properties), .octets(Array(mechanisms.utf8)), "en_US"])
        return rig
    }

    private static func rabbitMQ(_ version: String) -> AMQPTable {
        ["product": "RabbitMQ", "version": AMQPFieldValue(version)]
    }

    @Test("ANONYMOUS says nothing, and needs neither user nor password")
    func anonymous() throws {
        let rig = try rig("PLAIN ANONYMOUS") { $0.mechanisms = [.anonymous] }
        let frame = try #require(rig.takeSent().first)
        #expect(frame.values[1] == "ANONYMOUS" && frame.values[2] == "")
        rig.finish()
    }

    /// Says its password backwards, and then counts the questions.
    private struct Backwards: AMQPSASLConversation {
        var credentials: AMQPCredentials
        var questions = 0

        mutating func start() throws -> AMQPSecret { AMQPSecret(octets: credentials.password.octets.reversed()) }

        mutating func respond(to challenge: AMQPSecret) throws -> AMQPSecret {
            questions += 1
            guard challenge.octets != Array("die".utf8) else { throw Refusal() }
            return AMQPSecret("\(questions): \(String(decoding: challenge.octets, as: UTF8.self))")
        }

        struct Refusal: Error, CustomStringConvertible { let description = "no more questions" }
    }

    @Test("a mechanism of one's own has as many steps as it likes, and may end the login")
    func ownMechanism() throws {
        let rig = try rig("PLAIN BACKWARDS") { settings in
            settings.mechanisms = [AMQPSASLMechanism("BACKWARDS") { Backwards(credentials: $0) }, .plain]
            settings.credentials = AMQPCredentials(user: "u", password: "abc")
        }
        #expect(rig.takeSent().first?.values[2] == "cba")
        rig.receive(.connectionSecure, 0, ["who"])
        rig.receive(.connectionSecure, 0, ["why"])
        #expect(rig.takeSent().map { $0.values[0] } == ["1: who", "2: why"])
        rig.receive(.connectionSecure, 0, ["die"])
        #expect(rig.end?.code == .loginRefused && rig.end?.stage == .login)
        #expect(rig.end?.message == "BACKWARDS ended the login: no more questions")
        rig.finish()
    }

    @Test("a URI names mechanisms of the configuration's own, too, in any case of letters")
    func mechanismsOfURI() throws {
        let own = AMQPSASLMechanism("Own") { Backwards(credentials: $0) }
        let uri = try AMQPURI("amqp://h?auth_mechanism=OWN&auth_mechanism=anonymous")
        #expect(try uri.mechanisms(among: [.plain, own]) == [own, .anonymous])
        #expect(throws: AMQPError.self) { try uri.mechanisms(among: [.plain]) }
        #expect(try AMQPURI("amqp://h").mechanisms(among: [own]) == [own])
    }

    @Test(
        "a login that is larger than the broker takes is refused before it is sent, with its size",
        arguments: [("3.10.8", 4_096), ("4.0.5", 4_096), ("4.1.0", 8_192), ("4.3.6", 8_192), ("5.0", 8_192)]
    )
    func tooLarge(_ version: String, _ most: Int) throws {
        func start(_ length: Int, _ change: (inout Handshake.Settings) -> Void = { _ in }) throws -> CoreRig {
            try rig("PLAIN", server: Self.rabbitMQ(version)) { settings in
                settings.credentials = AMQPCredentials(user: "u", password: String(repeating: "p", count: length))
                change(&settings)
            }
        }
        let small = try start(1)
        let size = small.sentOctets.count - 8  // Without the protocol header.
        let fits = try start(most - size + 1)
        #expect(fits.takeSent().map(\.method) == [.connectionStartOk] && fits.end == nil)
        let beyond = try start(most - size + 2)
        #expect(beyond.takeSent().isEmpty)
        #expect(beyond.end?.code == .invalidArgument && beyond.end?.stage == .greeting)
        #expect(beyond.end?.message.contains("a frame of \(most + 1) bytes") == true)
        #expect(beyond.end?.message.contains("takes \(most)") == true)
        // Its operator may have raised it, or have no limit.
        for raised in [UInt32(most) + 1, 0] {
            #expect(try start(most - size + 2) { $0.initialFrameMax = raised }.end == nil)
        }
        for rig in [small, fits] { rig.finish() }
    }

    @Test("where the limit is not known it is sent, and the broker's hanging up is told with its size")
    func hungUp() throws {
        let rig = try rig("PLAIN", server: ["product": "LavinMQ", "version": "2.0"]) { settings in
            settings.credentials = AMQPCredentials(user: "u", password: String(repeating: "p", count: 5_000))
        }
        #expect(rig.takeSent().map(\.method) == [.connectionStartOk])
        rig.core.transportEnded(AMQPError(.connectionLost, "end of stream"))
        rig.settle()
        #expect(rig.end?.code == .loginRefused && rig.end?.stage == .login)
        #expect(rig.end?.remedy?.contains("the login is a frame of 5") == true)
        rig.finish()
    }
}
