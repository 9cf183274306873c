import AMQPWire
import Testing

@Suite("A rehearsal")
struct RehearsalTests {
    /// The methods that are sent, after the protocol header.
    private func methods(_ octets: [UInt8]) throws -> [AMQPMethod] {
        var decoder = AMQPFrameDecoder()
        decoder.append(octets)
        var methods: [AMQPMethod] = []
        while let frame = try decoder.next() {
            if case .method(let method) = frame.payload { methods.append(method) }
        }
        #expect(decoder.pendingCount == 0)
        return methods
    }

    @Test("opens a connection and a channel, then makes the requests in their order")
    func order() throws {
        let octets = try AMQPRehearsal().octets(
            AMQPURI(vhost: "stats"),
            requests: [.queueDeclare(.init(queue: "q")), .confirmSelect(.init()), .queueDelete(.init(queue: "q"))]
        )
        #expect(octets.starts(with: AMQPProtocolHeader.octets))
        let methods = try methods(octets)
        #expect(
            methods.map(\.id) == [
                .connectionStartOk, .connectionTuneOk, .connectionOpen, .channelOpen, .queueDeclare, .confirmSelect,
                .queueDelete,
            ]
        )
        #expect(methods[2] == .connectionOpen(.init(virtualHost: "stats")))
    }

    @Test("agrees on the smaller limits")
    func limits() throws {
        var uri = AMQPURI()
        uri.heartbeat = 5
        uri.frameMax = 0
        let rehearsal = AMQPRehearsal(brokerLimits: AMQPConnectionLimits(channelMax: 9, frameMax: 8_192, heartbeat: 60))
        let methods = try methods(try rehearsal.octets(uri, requests: []))
        #expect(methods[1] == .connectionTuneOk(.init(channelMax: 9, frameMax: 8_192, heartbeat: 5)))
    }

    @Test("fails as the client does where the broker offers no mechanism that is wanted")
    func noMechanism() throws {
        var uri = AMQPURI()
        uri.authMechanisms = ["external"]
        let error = #expect(throws: AMQPError.self) {
            try AMQPRehearsal(brokerMechanisms: "PLAIN").octets(uri, requests: [])
        }
        #expect(error?.code == .loginRefused)
    }

    @Test("a request that cannot be written fails")
    func invalid() throws {
        let name = AMQPText(String(repeating: "n", count: 256))
        let error = #expect(throws: AMQPError.self) {
            try AMQPRehearsal().octets(AMQPURI(), requests: [.queueDeclare(.init(queue: name))])
        }
        #expect(error?.code == .invalidArgument)
    }

    @Test("a request without a scripted answer fails instead of being left out")
    func unanswered() throws {
        let error = #expect(throws: AMQPError.self) {
            try AMQPRehearsal().octets(
                AMQPURI(),
                requests: [.basicGet(.init(queue: "q")), .queueDelete(.init(queue: "q"))]
            )
        }
        #expect(error?.code == .invalidArgument)
    }
}
