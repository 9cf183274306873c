import Testing

@testable import AMQPWire

/// Limits that make no sense: they are clamped, and nothing traps or goes on for ever.
@Suite("Extreme limits")
struct ExtremeLimitTests {
    @Test(
        "a body is cut into frames of an octet each, under limits that leave it no room",
        arguments: 1...9 as ClosedRange<UInt32>
    )
    func tinyFrames(maxFrameSize: UInt32) {
        var encoder = AMQPFrameEncoder(maxFrameSize: maxFrameSize)
        [1, 2, 3].withUnsafeBytes { (octets: UnsafeRawBufferPointer) in
            encoder.append(body: UnsafeRawBufferPointer(rebasing: octets.prefix(3)), channel: 1)
        }
        let octets = encoder.bytes.copy()
        #expect(octets.count == 3 * Int(AMQPFrameEncoder.smallestBodyFrame))
        #expect(PeerCodec.frames(octets).allSatisfy { $0.type == 3 && $0.payload.count == 1 })
    }

    @Test("tables are read to a depth that fits a small stack, however deep they may be nested")
    func nesting() {
        for (levels, isRead) in [
            (AMQPWireLimits.deepestNesting - 1, true), (AMQPWireLimits.deepestNesting, false), (9_000, false),
        ] {
            var entries: [UInt8] = []
            for _ in 0..<levels {
                entries =
                    [1, UInt8(ascii: "k"), UInt8(ascii: "F")] + PeerCodec.bigEndian(UInt64(entries.count), 4) + entries
            }
            let frame = PeerCodec.method(.queueDeclare, 1, [0, "q", 0, .octets(entries)])
            var decoder = AMQPFrameDecoder(limits: AMQPWireLimits(frameSize: 0, nesting: .max, tableSize: .max))
            decoder.append(frame)
            if isRead {
                #expect(throws: Never.self) { try decoder.next() }
            } else {
                let error = #expect(throws: AMQPWireError.self) { try decoder.next() }
                #expect(error?.code == .nestingTooDeep(limit: AMQPWireLimits.deepestNesting))
            }
        }
    }

    @Test("a confirm window without a bound lets messages out")
    func window() throws {
        let rig = try CoreRig.withChannel(window: .max, confirms: true)
        guard case .free = try rig.core.room(1, retrying: false) else {
            Issue.record("no room in an empty window")
            return
        }
        try rig.publish([1])
        rig.finish()
    }
}
