import Testing

@testable import AMQPWire

@Suite("A buffer is a queue of octets")
struct WireBufferTests {
    @Test("a new buffer is empty, whatever its room", arguments: [-1, 0, 1, 1000])
    func empty(capacity: Int) {
        let buffer = AMQPWireBuffer(capacity: capacity)
        let isEmpty = buffer.isEmpty
        #expect(isEmpty)
        #expect(buffer.count == 0)
        #expect(buffer.copy() == [])
        #expect(buffer.capacity == max(0, capacity))
    }

    @Test("integers are appended most significant octet first")
    func integers() {
        var buffer = AMQPWireBuffer()
        buffer.append(integer: UInt8(0x01))
        buffer.append(integer: UInt16(0x0203))
        buffer.append(integer: UInt32(0x0405_0607))
        buffer.append(integer: UInt64(0x0809_0a0b_0c0d_0e0f))
        buffer.append(integer: Int16(-2))
        #expect(buffer.copy() == octets("01 0203 04050607 08090a0b0c0d0e0f fffe"))
    }

    @Test("octets may come as an array, a slice, raw memory, or one by one")
    func sequences() {
        var buffer = AMQPWireBuffer()
        buffer.append([1, 2])
        buffer.append([0, 3, 4, 0][1...2])
        [UInt8]([5, 6]).withUnsafeBytes { buffer.append($0) }
        buffer.append(sequence(first: UInt8(7)) { $0 < 9 ? $0 + 1 : nil })
        buffer.append([UInt8]())
        buffer.append(UnsafeRawBufferPointer(start: nil, count: 0))
        #expect(buffer.copy() == [1, 2, 3, 4, 5, 6, 7, 8, 9])
    }

    @Test("it behaves as an array does, through any appends and drops")
    func asArray() {
        var generator = SplitMix64(seed: 1)
        for capacity in [0, 1, 64, 4096] {
            var buffer = AMQPWireBuffer(capacity: capacity)
            var model: [UInt8] = []
            for round in 0..<4_000 {
                switch Int.random(in: 0..<6, using: &generator) {
                case 0, 1:
                    let count = Int.random(in: 0...(round % 100 == 0 ? 3000 : 40), using: &generator)
                    let octets = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
                    buffer.append(octets)
                    model += octets
                case 2:
                    buffer.append(integer: UInt16(truncatingIfNeeded: round))
                    model += bigEndian(UInt16(truncatingIfNeeded: round))
                case 3:
                    let count = Int.random(in: 0...model.count, using: &generator)
                    buffer.removeFirst(count)
                    model.removeFirst(count)
                case 4:
                    let count = Int.random(in: (model.count / 2)...model.count, using: &generator)
                    buffer.truncate(to: count)
                    model.removeLast(model.count - count)
                default:
                    guard model.count >= 4 else { continue }
                    let position = Int.random(in: 0...(model.count - 4), using: &generator)
                    buffer.overwrite(at: position, with: UInt32(round))
                    model.replaceSubrange(position..<(position + 4), with: bigEndian(UInt32(round)))
                }
                #expect(buffer.count == model.count)
            }
            #expect(buffer.copy() == model)
        }
    }

    @Test("steady traffic takes no more memory than its peak")
    func steadyTraffic() {
        var buffer = AMQPWireBuffer()
        let chunk = [UInt8](repeating: 1, count: 1000)
        buffer.append(chunk)
        for _ in 0..<10_000 {
            buffer.append(chunk)
            buffer.removeFirst(1000)
        }
        #expect(buffer.count == 1000)
        #expect(buffer.capacity <= 8000)
    }

    @Test("room that was dropped at the front is used again before the buffer grows")
    func compaction() {
        var buffer = AMQPWireBuffer(capacity: 100)
        buffer.append([UInt8](repeating: 1, count: 90))
        buffer.removeFirst(80)
        buffer.append([UInt8](repeating: 2, count: 80))
        #expect(buffer.capacity == 100)
        #expect(buffer.copy() == [UInt8](repeating: 1, count: 10) + [UInt8](repeating: 2, count: 80))
    }

    @Test("a buffer that is almost full grows, instead of moving what it holds for every few octets dropped")
    func growth() {
        var buffer = AMQPWireBuffer(capacity: 100)
        buffer.append([UInt8](repeating: 1, count: 100))
        buffer.removeFirst(10)
        buffer.append([2, 2, 2, 2, 2])
        #expect(buffer.capacity >= 200)
        #expect(buffer.copy() == [UInt8](repeating: 1, count: 90) + [2, 2, 2, 2, 2])
    }

    @Test("a buffer drained to its end starts at its front again")
    func draining() {
        var buffer = AMQPWireBuffer(capacity: 16)
        for _ in 0..<1_000 {
            buffer.append([UInt8](repeating: 3, count: 16))
            buffer.removeFirst(9)
            buffer.removeFirst(7)
        }
        #expect(buffer.capacity == 16)
    }

    @Test("what a reader fills counts as far as it says")
    func filling() throws {
        var buffer = AMQPWireBuffer()
        let written = buffer.appendFilled(upTo: 10) { room in
            room.storeBytes(of: 0xAB, as: UInt8.self)
            return room.count == 10 ? 1 : 0
        }
        #expect(written == 1)
        #expect(buffer.copy() == [0xAB])
        #expect(buffer.appendFilled(upTo: 0) { $0.count } == 0)
        struct Interrupted: Error {}
        #expect(throws: Interrupted.self) {
            try buffer.appendFilled(upTo: 5) { (_) throws(Interrupted) in throw Interrupted() }
        }
        #expect(buffer.copy() == [0xAB])
    }

    @Test("more dropped than held is the programmer's mistake")
    func overdraw() async {
        await #expect(processExitsWith: .failure) {
            var buffer = AMQPWireBuffer()
            buffer.append([1])
            buffer.removeFirst(2)
        }
        await #expect(processExitsWith: .failure) {
            var buffer = AMQPWireBuffer()
            buffer.append([1, 2])
            buffer.overwrite(at: 1, with: UInt16(0))
        }
        await #expect(processExitsWith: .failure) {
            var buffer = AMQPWireBuffer()
            buffer.truncate(to: 1)
        }
    }

    @Test("a stream of tiny frames is decoded in time that grows with its length, not with its square")
    func tinyFrames() throws {
        // 125,000 heartbeats in one piece; moving the rest after each one would touch 62 GB.
        let heartbeat = octets("08 0000 00000000 ce")
        var decoder = AMQPFrameDecoder()
        decoder.append([UInt8]((0..<1_000_000).map { heartbeat[$0 % 8] }))
        var count = 0
        while try decoder.next() != nil { count += 1 }
        #expect(count == 125_000)
        #expect(decoder.position == 1_000_000)
    }
}
