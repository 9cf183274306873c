import Testing

@testable import AMQPWire

@Suite("A handshake")
struct HandshakeTests {
    private func settings(_ change: (inout Handshake.Settings) -> Void) -> ConnectionCore.Options {
        CoreRig.options { change(&$0.handshake) }
    }

    private func startOk(_ rig: CoreRig) throws -> [PeerValue] {
        let frame = try #require(rig.takeSent().first)
        #expect(frame.method == .connectionStartOk)
        return frame.values
    }

    @Test("starts with the protocol header and nothing else")
    func header() {
        #expect(CoreRig().sentOctets == Array("AMQP".utf8) + [0, 0, 9, 1])
    }

    @Test("agrees, opens the virtual host, and tells who waits")
    func whole() throws {
        let rig = CoreRig(settings { $0.virtualHost = "/stats" })
        let opening = try #require(rig.opening)
        rig.open()
        #expect(rig.takeSent().map(\.method) == [.connectionStartOk, .connectionTuneOk, .connectionOpen])
        #expect(rig.isDone(opening))
        guard case .opened(let outcome)? = rig.takeEvents().first else {
            Issue.record("not opened")
            return
        }
        #expect(outcome.limits == AMQPConnectionLimits(channelMax: 2_047, frameMax: 131_072, heartbeat: 0))
        #expect(outcome.mechanism == .plain)
        rig.finish()
    }

    @Test("logs in with PLAIN: an empty identity, user and password between zeros")
    func plain() throws {
        let rig = CoreRig(settings { $0.credentials = AMQPCredentials(user: "pi", password: "s3crét") })
        rig.receive(.connectionStart, 0, CoreRig.start)
        let values = try startOk(rig)
        #expect(values[1] == "PLAIN")
        #expect(values[2] == .octets([0] + Array("pi".utf8) + [0] + Array("s3crét".utf8)))
        #expect(values[3] == "en_US")
    }

    @Test("logs in with AMQPLAIN: a table without its length")
    func amqplain() throws {
        let rig = CoreRig(settings { $0.credentials = AMQPCredentials(user: "pi", password: "pw") })
        rig.receive(.connectionStart, 0, [0, 9, "", "AMQPLAIN CRAM-MD5", "en_US"])
        let values = try startOk(rig)
        #expect(values[1] == "AMQPLAIN")
        let table =
            [5] + Array("LOGIN".utf8) + Array("S".utf8) + [0, 0, 0, 2] + Array("pi".utf8)
            + [8] + Array("PASSWORD".utf8) + Array("S".utf8) + [0, 0, 0, 2] + Array("pw".utf8)
        #expect(values[2] == .octets(table))
    }

    @Test("logs in with EXTERNAL: the user alone")
    func external() throws {
        let rig = CoreRig(settings { $0.mechanisms = [.external, .plain] })
        rig.receive(.connectionStart, 0, [0, 9, "", "PLAIN EXTERNAL", "en_US"])
        let values = try startOk(rig)
        #expect(values[1] == "EXTERNAL")
        #expect(values[2] == "guest")
    }

    @Test("takes our preference, whatever the broker's order, and whole words only")
    func preference() throws {
        let rig = CoreRig(settings { $0.mechanisms = [.plain, .amqplain] })
        rig.receive(.connectionStart, 0, [0, 9, "", "XPLAIN AMQPLAIN PLAINER", "en_US"])
        #expect(try startOk(rig)[1] == "AMQPLAIN")
    }

    @Test("fails where no mechanism is common to both")
    func noMechanism() {
        let rig = CoreRig()
        rig.receive(.connectionStart, 0, [0, 9, "", "CRAM-MD5", "en_US"])
        #expect(rig.end?.code == .loginRefused)
        #expect(rig.end?.message.contains("CRAM-MD5") == true)
        rig.finish()
    }

    @Test("answers an empty challenge, and refuses one that none of its mechanisms has")
    func secure() {
        let rig = CoreRig()
        rig.receive(.connectionStart, 0, CoreRig.start)
        rig.receive(.connectionSecure, 0, [""])
        #expect(rig.takeSent().map(\.method) == [.connectionStartOk, .connectionSecureOk])
        rig.receive(.connectionSecure, 0, ["what is your name?"])
        #expect(rig.end?.code == .loginRefused)
        rig.finish()
    }

    /// Ours, theirs, agreed: channel-max, frame-max, heartbeat; more than fits is none of ours.
    private static let limits: [([UInt64], [UInt64], [UInt64])] = [
        ([2_047, 131_072, 60], [2_047, 131_072, 60], [2_047, 131_072, 60]),
        ([0, 0, 0], [0, 0, 0], [65_535, 0, 0]),
        ([0, 0, 0], [9, 8_192, 5], [9, 8_192, 0]),
        ([0, 0, 999_999], [9, 8_192, 5], [9, 8_192, 5]),
        ([0, 0, 999_999], [9, 8_192, 0], [9, 8_192, 0]),
        ([9, 8_192, 5], [0, 0, 0], [9, 8_192, 5]),
        ([10, 4_096, 60], [2_047, 131_072, 10], [10, 4_096, 10]),
        ([65_535, 0, 1], [65_535, 0xFFFF_FFFF, 65_535], [65_535, 0xFFFF_FFFF, 1]),
    ]

    @Test(
        "agrees on limits: the smaller, or the other's where one sets none; no heartbeats where we want none",
        arguments: limits
    )
    func negotiation(ours: [UInt64], theirs: [UInt64], agreed: [UInt64]) throws {
        let rig = CoreRig(
            settings {
                $0.limits = AMQPConnectionLimits(
                    channelMax: UInt16(ours[0]),
                    frameMax: UInt32(ours[1]),
                    heartbeat: UInt16(exactly: ours[2])
                )
            }
        )
        rig.receive(.connectionStart, 0, CoreRig.start)
        _ = rig.takeSent()
        rig.tune(theirs[0], theirs[1], theirs[2])
        #expect(rig.takeSent().first?.values == agreed.map(PeerValue.number))
        rig.receive(.connectionOpenOk)
        #expect(rig.end == nil, "the frames that follow are within the limits agreed on")
        rig.finish()
    }

    @Test("fails where frames smaller than the protocol's least were agreed on", arguments: [1, 8, 4_095])
    func smallFrames(frameMax: UInt64) {
        let rig = CoreRig()
        rig.receive(.connectionStart, 0, CoreRig.start)
        _ = rig.takeSent()
        rig.tune(0, frameMax, 0)
        #expect(rig.end?.code == .negotiationFailed)
        #expect(rig.takeSent().isEmpty)
        rig.finish()
    }

    @Test("fails where the broker leaves tune out")
    func noTune() {
        let rig = CoreRig()
        rig.receive(.connectionStart, 0, CoreRig.start)
        rig.receive(.connectionOpenOk)
        #expect(rig.end?.code == .unexpectedFrame)
        rig.finish()
    }

    @Test("fails where the broker is of another version, by header or by start")
    func version() {
        let byHeader = CoreRig()
        byHeader.receive(Array("AMQP".utf8) + [0, 1, 0, 0])
        #expect(byHeader.end?.code == .protocolMismatch)
        #expect(byHeader.end?.message.contains("41 4d 51 50 00 01 00 00") == true)
        byHeader.finish()
        let byStart = CoreRig()
        byStart.receive(.connectionStart, 0, [8, 0, "", "PLAIN", "en_US"])
        #expect(byStart.end?.code == .protocolMismatch)
        byStart.finish()
    }

    private static let strangers: [[UInt8]] = [
        Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8), [0x15, 3, 1, 0, 2, 2, 70], Array("SSH-2.0-Open\r\n".utf8),
        Array("AMXP\u{0}\u{0}\u{9}\u{1}".utf8), Array("220 mail ESMTP\r\n".utf8), [1, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF],
    ]

    @Test("names a peer that does not speak AMQP as such", arguments: strangers)
    func stranger(greeting: [UInt8]) {
        let rig = CoreRig()
        rig.receive(greeting)
        #expect(rig.end?.code == .protocolMismatch)
        #expect(rig.end?.message.contains("broker:5672") == true)
        #expect(rig.takeSent().isEmpty)
        rig.finish()
    }

    @Test("says what a peer looks like that is none, and what to do")
    func advice() {
        func message(_ octets: [UInt8]) -> String {
            let rig = CoreRig()
            rig.receive(octets)
            rig.finish()
            return rig.end?.remedy ?? ""
        }
        let http = message(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
        #expect(http.contains("looks like an HTTP server") && http.contains("5672"))
        for tls in [[0x15, 3, 3, 0, 2, 2, 70], [0x15, 3, 1], [0x16, 3, 1, 2, 0, 1, 0]] as [[UInt8]] {
            let text = message(tls)
            #expect(text.contains("looks like a TLS port: use amqps://"))
        }
        #expect(message(Array("SSH-2.0-Open\r\n".utf8)).contains("looks like an SSH server"))
        #expect(message(Array("220 mail\r\n".utf8)).contains("check host and port, and whether it wants TLS"))
    }

    @Test("reports a refused login with the user's name and without the password")
    func loginRefused() {
        let rig = CoreRig(settings { $0.credentials = AMQPCredentials(user: "pi", password: "hunter2") })
        rig.receive(.connectionStart, 0, CoreRig.start)
        _ = rig.takeSent()
        rig.receive(.connectionClose, 0, [403, "ACCESS_REFUSED - Login was refused"])
        #expect(rig.takeSent().map(\.method) == [.connectionCloseOk])
        #expect(rig.end?.code == .loginRefused)
        #expect(rig.end?.replyCode == 403)
        #expect(rig.end?.message.contains("'pi'") == true)
        #expect(rig.end?.message.contains("hunter2") == false)
        rig.finish()
    }

    @Test("reports an end of stream after start-ok as a login refused, and elsewhere as it is")
    func endOfStream() {
        let lost = AMQPError(.connectionLost, "end of stream")
        let login = CoreRig()
        login.receive(.connectionStart, 0, CoreRig.start)
        login.core.transportEnded(lost)
        #expect(login.end?.code == .loginRefused)
        login.settle()
        login.finish()
        let greeting = CoreRig()
        greeting.core.transportEnded(lost)
        #expect(greeting.end?.code == .connectionLost)
        #expect(greeting.end?.message.hasPrefix("end of stream") == true)
        #expect(greeting.end?.remedy?.contains("amqps://") == true)
        greeting.settle()
        greeting.finish()
        let vhost = CoreRig()
        vhost.receive(.connectionStart, 0, CoreRig.start)
        vhost.tune(0, 0, 0)
        vhost.core.transportEnded(lost)
        #expect(vhost.end == lost.at(.virtualHost))
        vhost.settle()
        vhost.finish()
        let failed = CoreRig()
        failed.receive(.connectionStart, 0, CoreRig.start)
        failed.core.transportEnded(AMQPError(.closed, "given up here"))
        #expect(failed.end?.code == .closed)
        failed.settle()
        failed.finish()
    }

    private func refuseVirtualHost(_ code: UInt64, _ text: String) -> CoreRig {
        let rig = CoreRig(settings { $0.virtualHost = "/stats" })
        rig.receive(.connectionStart, 0, CoreRig.start)
        rig.tune(0, 0, 0)
        _ = rig.takeSent()
        rig.receive(.connectionClose, 0, [.number(code), .octets(Array(text.utf8)), 10, 40])
        return rig
    }

    @Test("reports a refused virtual host with its name")
    func virtualHostRefused() {
        let rig = refuseVirtualHost(530, "NOT_ALLOWED - vhost /stats not found")
        #expect(rig.takeSent().map(\.method) == [.connectionCloseOk])
        #expect(rig.end?.code == .virtualHostRefused)
        #expect(rig.end?.method == .connectionOpen)
        #expect(rig.end?.message.contains("'/stats'") == true)
        rig.finish()
    }

    @Test("does not take a limit of connections that is reached for a virtual host refused for good")
    func connectionLimit() {
        let rig = refuseVirtualHost(
            530,
            "NOT_ALLOWED - access to vhost '/stats' refused for user 'pi': connection limit (1) is reached"
        )
        #expect(rig.end?.code == .connectionClosed)
        #expect(rig.end?.replyCode == 530)
        rig.finish()
    }

    @Test("takes a heartbeat at any time")
    func heartbeats() {
        let rig = CoreRig()
        rig.receive(PeerCodec.heartbeat)
        rig.receive(.connectionStart, 0, CoreRig.start)
        rig.receive(PeerCodec.heartbeat)
        rig.tune(0, 0, 0)
        rig.receive(PeerCodec.heartbeat)
        rig.receive(.connectionOpenOk)
        #expect(rig.end == nil)
        rig.finish()
    }

    @Test("is ready whichever way its octets are cut")
    func pieces() {
        let rig = CoreRig()
        let stream =
            PeerCodec.method(.connectionStart, 0, CoreRig.start) + PeerCodec.method(.connectionTune, 0, [9, 8_192, 7])
            + PeerCodec.method(.connectionOpenOk, 0)
        for octet in stream { rig.receive([octet]) }
        #expect(rig.takeSent().map(\.method) == [.connectionStartOk, .connectionTuneOk, .connectionOpen])
        #expect(rig.outcome?.limits.channelMax == 9)
        rig.finish()
    }

    @Test("has one deadline for all of it", arguments: 0..<3)
    func deadline(steps: Int) throws {
        let rig = CoreRig(deadline: .seconds(10))
        let opening = try #require(rig.opening)
        if steps > 0 { rig.receive(.connectionStart, 0, CoreRig.start) }
        rig.pass(.seconds(6))
        if steps > 1 { rig.tune(0, 0, 0) }
        rig.pass(.seconds(3))
        #expect(rig.end == nil)
        rig.pass(.seconds(1))
        #expect(rig.end?.code == .timedOut)
        #expect(rig.failure(opening) == rig.end)
        rig.finish()
    }

    @Test("given up by its caller answers the caller, and goes on until somebody ends it")
    func givenUp() throws {
        let rig = CoreRig()
        let opening = try #require(rig.opening)
        rig.giveUp(opening)
        #expect(rig.failure(opening)?.code == .cancelled)
        rig.open()
        rig.finish()
    }

    @Test("refuses intents until it is done")
    func tooEarly() {
        let rig = CoreRig()
        #expect(throws: AMQPError.self) { try rig.core.openChannel(confirmWindow: 1, deadline: nil) }
        #expect(throws: AMQPError.self) { try rig.close() }
        #expect(throws: AMQPError.self) { try rig.publish() }
        rig.finish()
    }

    @Test("says what does not fit instead of sending it")
    func unsendable() {
        let rig = CoreRig(settings { $0.virtualHost = String(repeating: "v", count: 256) })
        rig.receive(.connectionStart, 0, CoreRig.start)
        rig.tune(0, 0, 0)
        #expect(rig.end?.code == .invalidArgument)
        rig.finish()
    }
}
