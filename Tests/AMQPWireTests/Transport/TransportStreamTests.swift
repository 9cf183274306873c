import Glibc
import Testing

@testable import AMQPWire

@Suite("Byte streams", .timeLimit(.minutes(1)))
struct TransportStreamTests {
    /// A connected pair: our end, watched, and the peer's.
    private func connected(pieceSize: Int = 64 << 10) async throws -> (Collector, LoopbackPeer) {
        let listener = try LoopbackListener()
        let stream = try await Connector.connect(to: listener.target, deadline: soon())
        let peer = try await onThread { try listener.accept() }
        return (try Collector(stream, pieceSize: pieceSize), peer)
    }

    @Test("octets arrive in both directions")
    func bothDirections() async throws {
        let (end, peer) = try await connected()
        defer { end.finish() }
        try await end.write([1, 2, 3])
        #expect(try await onThread { try peer.read(3) } == [1, 2, 3])
        try await onThread { try peer.write([4, 5]) }
        #expect(try await end.contents.wait { $0.octets.count == 2 }.octets == [4, 5])
    }

    @Test("what the peer wrote before it closed is read before the end")
    func endOfStream() async throws {
        let (end, peer) = try await connected(pieceSize: 2)
        defer { end.finish() }
        try await onThread {
            try peer.write([1, 2, 3, 4, 5])
            peer.close()
        }
        let contents = try await end.contents.wait { $0.end != nil }
        #expect(contents.octets == [1, 2, 3, 4, 5])
        #expect(contents.end == .closed)
    }

    @Test("a reset while reading is an error that names the peer")
    func reset() async throws {
        let (end, peer) = try await connected()
        defer { end.finish() }
        try await onThread { try peer.write([1]) }
        try await end.contents.wait { $0.octets == [1] }
        peer.reset()
        let contents = try await end.contents.wait { $0.end != nil }
        let expected = TransportError(.read, errno: ECONNRESET, endpoint: end.stream.peer)
        #expect(contents.end == .failed(expected))
        #expect(expected.description == "reading from \(end.stream.peer) failed: connection reset by the peer")
    }

    @Test("more than the kernel takes is written as the peer reads, nothing lost")
    func slowReader() async throws {
        let (end, peer) = try await connected()
        defer { end.finish() }
        let octets = pattern(32 << 20)
        let gate = ThreadGate()
        async let received = onThread {
            gate.wait()
            return try peer.read(32 << 20)
        }
        // The first attempt beyond the kernel's buffers would block; only then does the peer begin to read.
        var sent = 0
        filling: while true {
            switch octets[sent...].withUnsafeBytes({ end.stream.write($0) }) {
            case .sent(let count): sent += count
            case .wouldBlock: break filling
            case .failed(let error): throw error
            }
        }
        #expect(sent > 0 && sent < octets.count)
        gate.open()
        try await end.write(Array(octets[sent...]))
        #expect(try await received == octets)
    }

    @Test("writing to a peer that has gone is an error and no signal")
    func writeAfterReset() async throws {
        await #expect(processExitsWith: .success) {
            let listener = try LoopbackListener()
            let stream = try await Connector.connect(to: listener.target, deadline: soon())
            let peer = try await onThread { try listener.accept() }
            let end = try Collector(stream)
            peer.reset()
            try await end.contents.wait { $0.end != nil }
            for _ in 0..<2 {
                guard case .failed(let error) = [1].withUnsafeBytes({ stream.write($0) }) else { exit(1) }
                guard error.phase == .write else { exit(2) }
            }
        }
    }

    @Test("half-closed: the peer sees the end, and its answer still arrives")
    func halfClosed() async throws {
        let (end, peer) = try await connected()
        defer { end.finish() }
        try await end.write([1, 2])
        end.stream.shutdownWrite()
        let heard = try await onThread {
            let heard = try peer.read(100)
            try peer.write([9])
            peer.close()
            return heard
        }
        #expect(heard == [1, 2])
        let contents = try await end.contents.wait { $0.end != nil }
        #expect(contents.octets == [9])
        #expect(contents.end == .closed)
    }

    @Test("closing is told to the peer at once, even while the loop watches, and again is harmless")
    func closing() async throws {
        let (end, peer) = try await connected()
        end.stream.close()
        end.stream.close()
        #expect(try await onThread { try peer.read(1) }.isEmpty)
        #expect(end.stream.isClosed)
        guard case .failed(let error) = [1].withUnsafeBytes({ end.stream.write($0) }) else {
            Issue.record("a closed stream takes nothing")
            return
        }
        #expect(error.reason == .closed)
        end.detach()
    }

    @Test("a descriptor is given back only when the last user is done, and once")
    func descriptorUse() throws {
        do {
            var pair: [Int32] = [-1, -1]
            try #require(pipe(&pair) == 0)
            let (one, other) = (Descriptor(owning: pair[0]), Descriptor(owning: pair[1]))
            try #require(one.beginUse() == pair[0])
            one.close()
            #expect(fcntl(pair[0], F_GETFD) >= 0, "still open: someone uses it")
            #expect(one.beginUse() == nil)
            #expect(one.use { $0 } == nil)
            one.endUse()
            #expect(one.isClosed)
            other.close()
            other.close()
        }
    }
}
