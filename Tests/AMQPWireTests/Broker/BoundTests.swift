import Glibc
import Testing

@testable import AMQPWire

/// What a peer can make this side keep, and its bounds.
///
/// | what | bound |
/// |---|---|
/// | a frame that has not come whole | the frame size, or 1 MiB for methods and headers |
/// | a message that has not come whole | `maxMessageSize` for each open channel, as far as it came |
/// | deliveries that nobody took | four times `deliveryHighWaterMark`, 64 MiB at least; the mark itself while nobody waits for anything else |
/// | events that the application was not told yet | `deliveryHighWaterMark` |
/// | answers that the peer does not read | 256 KiB and what one read asks for; it is given up after 30 s |
/// | failed publishes whose receipts nobody asked | 10,000 for each channel, without their bodies |
/// | buffers of large messages | twice `highWaterMark` for each connection once they are sent |
@Suite("What a peer can make a client keep", .timeLimit(.minutes(2)))
struct BoundTests {
    private static func short(_ text: String) -> [UInt8] { [UInt8(text.utf8.count)] + Array(text.utf8) }

    private static func frame(_ type: UInt8, _ payload: [UInt8]) -> [UInt8] {
        let size = UInt32(payload.count)
        return [type, 0, 1] + (0..<4).map { UInt8(truncatingIfNeeded: size >> (24 - 8 * $0)) } + payload + [0xCE]
    }

    /// A method with content, on channel 1: body bytes and bytes of a header.
    private static func content(_ method: [UInt8], body: Int, headers: Int = 0) -> [UInt8] {
        var header: [UInt8] = [0, 60, 0, 0] + (0..<8).map { UInt8(truncatingIfNeeded: UInt64(body) >> (56 - 8 * $0)) }
        if headers > 0 {
            // A list of nothings: what takes the most memory for its size.
            let list = [UInt8](repeating: UInt8(ascii: "V"), count: headers)
            func long(_ count: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: count >> (24 - 8 * $0)) } }
            let entry = short("k") + [UInt8(ascii: "A")] + long(list.count) + list
            header += [0x20, 0] + long(entry.count) + entry
        } else {
            header += [0, 0]
        }
        return frame(1, method) + frame(2, header) + (body > 0 ? frame(3, [UInt8](repeating: 0, count: body)) : [])
    }

    private static let flow = frame(1, [0, 20, 0, 20, 1])
    private static let cancel = frame(1, [0, 60, 0, 30] + short(String(repeating: "c", count: 255)) + [0])
    private static let returned = frame(1, [0, 60, 0, 50, 1, 56] + short("NO_ROUTE") + short("") + short("k"))

    private static func deliver(_ tag: String) -> [UInt8] {
        [0, 60, 0, 60] + short(tag) + [0, 0, 0, 0, 0, 0, 0, 1, 0] + short("") + short("q")
    }

    /// Sends without end and reads nothing; says how many bytes were taken once no more are, or when it is far too much.
    private static func flood(_ peer: PeerSocket, _ octets: [UInt8]) -> Int {
        var block: [UInt8] = []
        while block.count < 65_536 { block += octets }
        var taken = 0
        while taken < 512 << 20, let count = peer.writeSome(block) { taken += count }
        return taken
    }

    /// What the kernel's buffers on both sides may hold.
    private static let kernel = 24 << 20

    /// Residents of this process, in bytes.
    private static var residentMemory: Int {
        var resident = 0
        eachLine("/proc/self/status") { line in
            if line.hasPrefix("VmRSS:") {
                resident = line.split(separator: " ").compactMap { Int($0) }.first.map { $0 << 10 } ?? 0
            }
        }
        return resident
    }

    enum Flood: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case flows, cancels
        var testDescription: String { rawValue }
        fileprivate var octets: [UInt8] {
            switch self {
            case .flows: BoundTests.flow
            case .cancels: BoundTests.cancel
            }
        }
    }

    @Test("answers for a peer that asks without end and reads nothing", arguments: Flood.allCases)
    func answers(_ flood: Flood) async throws {
        let (counts, continuation) = AsyncStream.makeStream(of: Int.self)
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands()
            try peer.openChannel()
            continuation.yield(Self.flood(peer, flood.octets))
            peer.waitForEnd()
        }
        let connection = try await AMQPConnection.connect(peer.configuration)
        let channel = try await connection.openChannel()
        var iterator = counts.makeAsyncIterator()
        let taken = try #require(await iterator.next())
        #expect(taken < Self.kernel * 4)
        let (waiting, isPaused) = connection.driver.state.withLock { state in
            (state.core.encoder.bytes.capacity + state.core.inTransit, state.isReadingPaused)
        }
        #expect(waiting < 4 << 20 && isPaused)
        withExtendedLifetime(channel) {}
        connection.driver.abandon()
    }

    @Test("deliveries that nobody takes, though another reader waits", arguments: [(0, 100_000), (100_000, 0), (0, 0)])
    func deliveries(_ headers: Int, _ body: Int) async throws {
        let (counts, continuation) = AsyncStream.makeStream(of: Int.self)
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands()
            try peer.openChannel()
            for tag in ["idle", "busy"] {
                if tag == "idle" {
                    try peer.await(.basicQos)
                    try peer.write(.basicQosOk(.init()), channel: 1)
                }
                try peer.await(.basicConsume)
                try peer.write(.basicConsumeOk(.init(consumerTag: AMQPText(tag))), channel: 1)
            }
            try peer.write(Self.content(Self.deliver("busy"), body: 1))
            try peer.await(.basicAck)
            continuation.yield(Self.flood(peer, Self.content(Self.deliver("busy"), body: body, headers: headers)))
            peer.waitForEnd()
        }
        var configuration = peer.configuration
        configuration.deliveryHighWaterMark = 4 << 20
        let connection = try await AMQPConnection.connect(configuration)
        let channel = try await connection.openChannel()
        let idle = Task { for try await _ in channel.consume("q", consumerTag: "idle") {} }
        try await eventually {
            connection.driver.state.withLock { _ in channel.record.consumers["idle"]?.isStarted == true }
        }
        var busy = channel.consume("q", consumerTag: "busy").makeAsyncIterator()
        let before = Self.residentMemory
        try await busy.next()?.ack()
        var iterator = counts.makeAsyncIterator()
        let taken = try #require(await iterator.next())
        #expect(taken < Self.kernel * 4)
        #expect(connection.driver.state.withLock { $0.isReadingPaused })
        #expect(Self.residentMemory - before < 256 << 20)
        connection.driver.abandon()
        try? await idle.value0()
        _ = try? await busy.next()
    }

    @Test("events that the application is slow to hear")
    func events() async throws {
        let (counts, continuation) = AsyncStream.makeStream(of: Int.self)
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands()
            try peer.openChannel()
            try peer.await(.channelFlow)
            continuation.yield(
                Self.flood(peer, Self.content(Array(Self.returned.dropFirst(7).dropLast()), body: 10_000))
            )
            peer.waitForEnd()
        }
        let (gate, isTelling) = (ThreadGate(), Signal())
        var configuration = peer.configuration
        configuration.deliveryHighWaterMark = 4 << 20
        configuration.onEvent = { event in
            guard event.kind == .queueRenamed else { return }
            isTelling.set()
            gate.wait()
        }
        let connection = try await AMQPConnection.connect(configuration)
        let channel = try await connection.openChannel()
        async let telling: Void = onThread { connection.driver.announce(.queueRenamed(from: "a", to: "b")) }
        await isTelling.wait()
        let signal = Task { try await channel.setFlow(active: true) }
        var iterator = counts.makeAsyncIterator()
        let taken = try #require(await iterator.next())
        #expect(taken < Self.kernel * 4)
        #expect(connection.driver.state.withLock { $0.isReadingPaused })
        gate.open()
        try await telling
        try await eventually { connection.driver.state.withLock { !$0.isReadingPaused } }
        connection.driver.abandon()
        _ = await signal.result
    }

    @Test("a large message leaves no large buffer behind, sent or received")
    func largeMessage() async {
        await #expect(processExitsWith: .success) {
            let size = 100 << 20
            let peer = try ScriptedPeer { peer in
                try peer.shakeHands()
                try peer.openChannel()
                try peer.await(.basicPublish)
                var missing = size
                _ = try peer.frame()
                while missing > 0 { missing -= try peer.frame().payload.count }
                try peer.write(.basicAck(.init(deliveryTag: 1)), channel: 1)
                try peer.await(.basicGet)
                let getOk: [UInt8] = [0, 60, 0, 71, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0x6B, 0, 0, 0, 0]
                try peer.write(BoundTests.frame(1, getOk))
                let header: [UInt8] =
                    [0, 60, 0, 0] + (0..<8).map { UInt8(truncatingIfNeeded: UInt64(size) >> (56 - 8 * $0)) }
                try peer.write(BoundTests.frame(2, header + [0, 0]))
                let block = BoundTests.frame(3, [UInt8](repeating: 1, count: 1 << 16))
                for _ in 0..<size >> 16 { try peer.write(block) }
                peer.waitForEnd()
            }
            let connection = try await AMQPConnection.connect(peer.configuration)
            let channel = try await connection.openChannel()
            let before = BoundTests.residentMemory
            func sendAndReceive() async throws {
                try await channel.publish([UInt8](repeating: 1, count: size), routingKey: "k")
                guard try await channel.get("q", noAck: true)?.body.count == size else { exit(1) }
            }
            try await sendAndReceive()
            guard await comesTrue({ BoundTests.residentMemory - before < 16 << 20 }) else { exit(2) }
            connection.driver.abandon()
        }
    }
}

extension PeerSocket {
    /// Writes something of a block; nil where nothing is taken for two seconds, or no more.
    func writeSome(_ octets: [UInt8]) -> Int? {
        octets.withUnsafeBytes { octets in
            var sent = 0
            while sent < octets.count {
                guard let count = sendOnce(UnsafeRawBufferPointer(rebasing: octets[sent...])) else { return nil }
                sent += count
            }
            return sent
        }
    }
}
