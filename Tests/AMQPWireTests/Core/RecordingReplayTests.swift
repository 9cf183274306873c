import FoundationEssentials
import Testing

@testable import AMQPWire

/// A recorded session: who sent which octets in which order.
private struct ReplayedSession {
    enum Turn {
        case client([UInt8])
        case server([UInt8])
    }

    var turns: [Turn] = []
    let client: [UInt8]

    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures/amqp")

    init(_ name: String) throws {
        func octets(_ ending: String) throws -> [UInt8] {
            Array(try Data(contentsOf: Self.folder.appending(path: "\(name).\(ending)")))
        }
        client = try octets("client")
        var rest = (client: client[...], server: try octets("server")[...])
        for line in String(decoding: try octets("turns"), as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            let count = Int(words[1])!
            if words[0] == "C" {
                turns.append(.client(Array(rest.client.prefix(count))))
                rest.client = rest.client.dropFirst(count)
            } else {
                turns.append(.server(Array(rest.server.prefix(count))))
                rest.server = rest.server.dropFirst(count)
            }
        }
    }

    static let names: [String] = {
        let clients = ["pika", "rabbitmq-c", "handmade"]
        return Recording.releases.flatMap { release in clients.map { release + $0 } }.flatMap { part in
            let files = try? FileManager.default.contentsOfDirectory(atPath: folder.appending(path: part).path)
            return (files ?? []).filter { $0.hasSuffix(".turns") }.map { "\(part)/\($0.dropLast(6))" }.sorted()
        }
    }()

    /// Those whose client does what ours never does, or whose broker answers that.
    static let notOurs = Set(Recording.releases.flatMap { release in sessionsNotOurs.map { release + $0 } })

    private static let sessionsNotOurs = [
        "handmade/unknown-method", "handmade/wrong-protocol-header", "handmade/cancel-answered",
        "handmade/reserved-flag-words", "handmade/login-refused-silently", "handmade/tune-refused-silently",
        // Several calls in flight on a channel, answered in another order.
        "handmade/pipelined-replies",
    ]
}

/// Does with a core what a recorded client did.
private struct Replay {
    let rig: CoreRig
    private var calls: [WaiterID] = []
    private var publish: (method: AMQPMethod.BasicPublish, channel: UInt16, header: AMQPContentHeader?, body: [UInt8])?
    private(set) var problems: [String] = []

    init(_ recording: ReplayedSession) throws {
        var options = CoreRig.options()
        for frame in try Self.frames(recording.client) {
            switch frame.payload {
            case .method(.connectionStartOk(let startOk)):
                let mechanism = AMQPSASLMechanism.known.first { $0.name == startOk.mechanism.string }
                options.handshake.mechanisms = [mechanism ?? .plain]
                let parts = startOk.response.octets.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
                if mechanism == .plain, parts.count == 2 {
                    options.handshake.credentials = AMQPCredentials(user: parts[0], password: parts[1])
                }
            case .method(.connectionTuneOk(let tuneOk)):
                options.handshake.limits = AMQPConnectionLimits(
                    channelMax: tuneOk.channelMax,
                    frameMax: tuneOk.frameMax,
                    heartbeat: tuneOk.heartbeat
                )
            case .method(.connectionOpen(let open)): options.handshake.virtualHost = open.virtualHost.string
            case .protocolHeader, .method, .header, .body, .heartbeat: break
            }
        }
        rig = CoreRig(options)
    }

    static func frames(_ octets: [UInt8]) throws -> [AMQPFrame] {
        var decoder = AMQPFrameDecoder(limits: AMQPWireLimits(frameSize: 0))
        decoder.append(octets)
        var frames: [AMQPFrame] = []
        while let frame = try decoder.next() { frames.append(frame) }
        return frames
    }

    mutating func run(_ recording: ReplayedSession) throws {
        // A decoder knows the protocol header at the start of a stream only, so the client's octets are decoded as one.
        var frames = try Self.frames(recording.client)[...]
        var end: UInt64 = 0
        for turn in recording.turns {
            switch turn {
            case .server(let octets): rig.receive(octets)
            case .client(let octets):
                end += UInt64(octets.count)
                while let frame = frames.first, frame.offset < end {
                    frames.removeFirst()
                    do { try act(frame) } catch { problems.append("\(frame.payload): \(error)") }
                }
            }
        }
    }

    private mutating func act(_ frame: AMQPFrame) throws {
        switch frame.payload {
        case .protocolHeader, .heartbeat: break
        case .header(let header):
            publish?.header = header
            if header.bodySize == 0 { try finishPublish() }
        case .body(let octets):
            publish?.body += octets
            if let publish, let header = publish.header, publish.body.count >= Int(header.bodySize) {
                try finishPublish()
            }
        case .method(let method): try act(method, frame.channel)
        }
    }

    private mutating func act(_ method: AMQPMethod, _ channel: UInt16) throws {
        switch method {
        case .connectionStartOk, .connectionTuneOk, .connectionOpen, .connectionCloseOk, .channelCloseOk,
            .connectionSecureOk, .channelFlowOk, .basicCancelOk:
            break  // The core's own answers.
        case .connectionClose: _ = try rig.close()
        case .channelOpen:
            // Other clients take a number again at once that the broker closed; this one would take it last.
            rig.core.closedByBroker[channel] = nil
            let (number, waiter) = try rig.core.openChannel(confirmWindow: 1_000, deadline: nil)
            calls.append(rig.watch(waiter))
            if number != channel { problems.append("channel \(number) for \(channel)") }
        case .channelClose: _ = try rig.closeChannel(channel)
        case .basicPublish(let publish): self.publish = (publish, channel, nil, [])
        default:
            if method.id.traits.replies.isEmpty || Self.isWithoutWait(method) {
                try rig.send(method, channel)
            } else {
                calls.append(try rig.call(method, channel))
            }
        }
    }

    private static func isWithoutWait(_ method: AMQPMethod) -> Bool {
        switch method {
        case .queueDeclare(let declare): declare.noWait
        case .basicConsume(let consume): consume.noWait
        case .basicCancel(let cancel): cancel.noWait
        case .confirmSelect(let select): select.nowait
        default: false
        }
    }

    private mutating func finishPublish() throws {
        guard let publish, let header = publish.header else { return }
        self.publish = nil
        let channel = try rig.core.usableChannel(publish.channel)
        _ = try publish.body.withUnsafeBytes { body in
            try rig.core.publish(publish.method, properties: header.properties, body: body, on: channel)
        }
        rig.settle()
    }
}

@Suite("A recorded session")
struct RecordingReplayTests {
    /// What is the client's own business: who it says it is, what it says as it goes, and when it beats.
    private static func compared(_ frames: [PeerFrame]) -> [PeerFrame] {
        frames.compactMap { frame in
            switch frame.method {
            case .connectionStartOk, .connectionTuneOk, .connectionClose, .channelClose:
                PeerFrame(type: 1, channel: frame.channel, payload: Array(frame.payload.prefix(4)))
            // Its last bit is reserved; pika and rabbitmq-c set it.
            case .connectionOpen: PeerFrame(type: 1, channel: 0, payload: frame.payload.dropLast())
            case nil where frame.type == 8: nil
            default: frame
            }
        }
    }

    @Test(
        "is repeated octet for octet, and the broker's part in it never judged wrong",
        arguments: ReplayedSession.names.filter { !ReplayedSession.notOurs.contains($0) }
    )
    func replay(name: String) throws {
        let recording = try ReplayedSession(name)
        var replay = try Replay(recording)
        try replay.run(recording)
        let rig = replay.rig
        #expect(replay.problems.isEmpty)
        if let end = rig.end {
            let expected: Set<AMQPError.Code> = [.closed, .connectionClosed, .loginRefused, .virtualHostRefused]
            #expect(expected.contains(end.code), "\(end)")
        }
        let ours = Self.compared(rig.takeSent())
        var theirs = Self.compared(PeerCodec.frames(recording.client))
        // Not every client answers the close with which it ends.
        if ours.count == theirs.count + 1, let last = ours.last,
            last.method == .connectionCloseOk || last.method == .channelCloseOk
        {
            theirs.append(last)
        }
        #expect(ours.map(\.description) == theirs.map(\.description))
        for (our, their) in zip(ours, theirs) where our != their {
            // These write a true as 2, which no other does.
            let differences = zip(our.payload, their.payload).filter { $0 != $1 }
            if name.contains("every-table-type"), differences.count == 1, differences[0] == (1, 2) { continue }
            Issue.record("\(our): \(hexadecimal(our.payload)), recorded \(hexadecimal(their.payload))")
        }
        rig.finish()
    }

    @Test("is there for every scenario")
    func count() {
        #expect(ReplayedSession.names.count >= 120)
        #expect(ReplayedSession.notOurs.isSubset(of: ReplayedSession.names))
    }

    @Test("with octets changed at random ends the connection or goes on, and answers everyone")
    func mutations() throws {
        var random = SplitMix64(seed: 11)
        for name in ReplayedSession.names where !ReplayedSession.notOurs.contains(name) {
            var recording = try ReplayedSession(name)
            guard recording.client.count < 20_000 else { continue }
            let original = recording.turns
            for _ in 0..<12 {
                recording.turns = original.map { turn in
                    guard case .server(var octets) = turn, Int.random(in: 0..<3, using: &random) == 0 else {
                        return turn
                    }
                    for _ in 0..<Int.random(in: 1...3, using: &random) where !octets.isEmpty {
                        let index = Int.random(in: 0..<octets.count, using: &random)
                        switch Int.random(in: 0..<4, using: &random) {
                        case 0: octets[index] = UInt8.random(in: 0...255, using: &random)
                        case 1: octets[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                        case 2: octets.removeSubrange(index..<min(octets.count, index + 4))
                        default: octets.insert(contentsOf: octets[index..<min(octets.count, index + 16)], at: index)
                        }
                    }
                    return .server(octets)
                }
                var replay = try Replay(recording)
                try replay.run(recording)
                replay.rig.finish("\(name)")
            }
        }
    }
}
