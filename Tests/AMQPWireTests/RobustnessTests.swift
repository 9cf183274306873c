import Testing

@testable import AMQPWire

/// Every golden frame, damaged in every place; ``verify(_:limits:sourceLocation:)`` says what must hold of what comes out.
@Suite("No damage to a frame traps the decoder or gets lost")
struct RobustnessTests {
    @Test("a frame cut anywhere waits for the rest", arguments: goldenFrames)
    func cut(_ golden: GoldenFrame) throws {
        for length in 0..<golden.octets.count {
            let decoding = verify(Array(golden.octets.prefix(length)))
            #expect(decoding.frames == [])
            #expect(decoding.error == nil)
            #expect(decoding.pending == length)
        }
    }

    @Test("a frame comes out with its last octet, in any two pieces", arguments: goldenFrames)
    func pieces(_ golden: GoldenFrame) throws {
        for length in 0..<golden.octets.count {
            var decoder = AMQPFrameDecoder()
            decoder.append(golden.octets.prefix(length))
            #expect(try decoder.next() == nil)
            decoder.append(golden.octets.dropFirst(length))
            #expect(try decoder.next()?.payload == golden.payload)
            #expect(try decoder.next() == nil)
            #expect(decoder.pendingCount == 0)
        }
    }

    @Test("any octet may have any of many values", arguments: goldenFrames)
    func changed(_ golden: GoldenFrame) throws {
        for index in golden.octets.indices {
            let octet = golden.octets[index]
            let values: Set<UInt8> = Set([0, 1, 0x7F, 0x80, 0xFF] + (0..<8).map { octet ^ (1 << $0) })
            for value in values where value != octet {
                var stream = golden.octets
                stream[index] = value
                verify(stream)
            }
        }
    }

    @Test("what follows a frame does not change it", arguments: goldenFrames)
    func followed(_ golden: GoldenFrame) throws {
        let types: Set<UInt8> = [1, 2, 3, 8]
        for octet in UInt8.min...UInt8.max {
            let decoding = verify(golden.octets + [octet])
            #expect(decoding.frames.map(\.payload) == [golden.payload])
            if types.contains(octet) {
                #expect(decoding.error == nil)
                #expect(decoding.pending == 1)
            } else {
                #expect(decoding.error?.code == .unknownFrameType(octet))
                #expect(decoding.error?.offset == UInt64(golden.octets.count))
            }
        }
    }

    @Test("one octet too many or too few in a payload is noted or refused", arguments: goldenFrames)
    func resized(_ golden: GoldenFrame) throws {
        let type = golden.octets[0]
        guard type != 8 else { return }
        let payload = Array(golden.octets[7..<(golden.octets.count - 1)])
        let longer = verify(frame(type, channel: golden.channel, payload + [0xAA]))
        let shorter = verify(frame(type, channel: golden.channel, payload.dropLast()))
        if case .body(let body) = golden.payload {
            #expect(longer.frames.map(\.payload) == [.body(body + [0xAA])])
            #expect(shorter.frames.map(\.payload) == [.body(body.dropLast())])
        } else {
            #expect(longer.frames.map(\.payload) == [golden.payload])
            #expect(longer.frames.map(\.notes) == [[.trailingOctets(1)]])
            #expect(shorter.frames == [])
            guard case .truncated = try #require(shorter.error).code.kind else {
                Issue.record("refused for another reason: \(String(describing: shorter.error))")
                return
            }
        }
    }

    @Test("all frames in one stream come out in order, in pieces of any size")
    func concatenated() {
        let stream =
            AMQPProtocolHeader.octets + goldenFrames.flatMap(\.octets) + goldenFrames.reversed().flatMap(\.octets)
        let payloads = goldenFrames.map(\.payload)
        let expected = [.protocolHeader(major: 0, minor: 9, revision: 1)] + payloads + payloads.reversed()
        for size in [1, 2, 3, 5, 7, 8, 13, 64, 1000, .max] {
            let decoding = decode(stream, piecesOf: size)
            #expect(decoding.error == nil)
            #expect(decoding.frames.map(\.payload) == expected)
        }
        verify(stream)
    }

    @Test("noise behind a frame header is never more than an error")
    func noise() {
        var generator = SplitMix64(seed: 0x5eed)
        for round in 0..<3_000 {
            let type: UInt8 = round % 2 == 0 ? 1 : 2
            var payload = goldenFrames.randomElement(using: &generator)!.octets.dropFirst(7).dropLast()
            for _ in 0..<Int.random(in: 1...6, using: &generator) where !payload.isEmpty {
                let index = payload.indices.randomElement(using: &generator)!
                payload[index] = UInt8.random(in: 0...255, using: &generator)
            }
            verify(frame(type, channel: 1, Array(payload)))
        }
    }

    @Test("an error stays, whatever is asked or comes afterwards")
    func sticky() throws {
        var decoder = AMQPFrameDecoder()
        decoder.append(octets("08 0000 00000000 ce 07"))
        #expect(try decoder.next()?.payload == .heartbeat)
        let first = wireError { () throws(AMQPWireError) in _ = try decoder.next() }
        #expect(first == AMQPWireError(.unknownFrameType(7), offset: 8))
        decoder.append(octets("08 0000 00000000 ce"))
        #expect(decoder.fields() == [])
        let second = wireError { () throws(AMQPWireError) in _ = try decoder.next() }
        #expect(second == first)
        #expect(decoder.position == 8)
    }

    @Test("an error in a payload stays, though its frame is whole")
    func stickyPayload() throws {
        var decoder = AMQPFrameDecoder()
        decoder.append(frame(1, channel: 1, "0063 0063") + octets("08 0000 00000000 ce"))
        for _ in 0..<3 {
            let error = wireError { () throws(AMQPWireError) in _ = try decoder.next() }
            #expect(error == AMQPWireError(.unknownMethod(classID: 0x63, methodID: 0x63), offset: 7))
        }
    }
}
