import Testing

@testable import AMQPWire

@Suite("What a decoder refuses, and where")
struct DecoderLimitTests {
    @Test("a frame may be as large as the limit, header and end octet included, and no larger")
    func frameSize() {
        let limits = AMQPWireLimits(frameSize: 100)
        #expect(verify(frame(3, channel: 1, [UInt8](repeating: 7, count: 92)), limits: limits).frames.count == 1)
        let larger = verify(frame(3, channel: 1, [UInt8](repeating: 7, count: 93)), limits: limits)
        #expect(larger.frames == [])
        #expect(larger.error == AMQPWireError(.frameTooLarge(size: 101, limit: 100), offset: 0))
    }

    @Test("a frame that is too large is refused at its header, before its payload comes")
    func earlyRefusal() {
        let decoding = verify(octets("03 0001 ffffffff"))
        #expect(decoding.error == AMQPWireError(.frameTooLarge(size: 0x1_0000_0007, limit: 131_072), offset: 0))
    }

    @Test("the limit may change between frames, as negotiation does")
    func changingLimit() throws {
        var decoder = AMQPFrameDecoder()
        decoder.append(frame(3, channel: 1, [UInt8](repeating: 0, count: 5000)))
        #expect(try decoder.next()?.size == 5008)
        decoder.limits.frameSize = 4096
        decoder.append(octets("08 0000 00000000 ce") + frame(3, channel: 1, [UInt8](repeating: 0, count: 4089)))
        #expect(try decoder.next()?.payload == .heartbeat)
        let error = wireError { () throws(AMQPWireError) in _ = try decoder.next() }
        #expect(error == AMQPWireError(.frameTooLarge(size: 4097, limit: 4096), offset: 5016))
    }

    @Test("an announced length takes no memory")
    func announcedLength() throws {
        var decoder = AMQPFrameDecoder(limits: AMQPWireLimits(frameSize: 0, tableSize: .max))
        decoder.append(octets("03 0001 fffffff0 00 01 02"))
        #expect(try decoder.next() == nil)
        #expect(decoder.pendingCount == 10)
        #expect(decoder.capacity <= 4096)
    }

    @Test(
        "a length inside a payload is compared with what is there",
        arguments: [
            "000a 0014 ffffffff 'x'", "000a 000a 00 09 ffffffff", "000a 000a 00 09 4{ 1'k' 'S' ffffffff 'x' } 00000000",
            "000a 000a 00 09 4{ 1'k' 'F' ffffffff } 00000000", "000a 000a 00 09 4{ 1'k' 'A' 7fffffff } 00000000",
            "000a 000a 00 09 4{ 1'k' 'x' 80000000 } 00000000", "000a 000a 00 09 4{ ff } 00000000",
        ]
    )
    func innerLengths(words: String) throws {
        let error = try #require(
            verify(frame(1, channel: 0, words), limits: AMQPWireLimits(frameSize: 0, tableSize: .max)).error
        )
        guard case .truncated(let needed, let available) = error.code.kind else {
            Issue.record("refused for another reason: \(error)")
            return
        }
        #expect(needed >= 255)
        #expect(available < 32)
    }

    @Test("tables may be nested as deep as the limit and no deeper")
    func nesting() throws {
        let deepest = tableFrame(nested(levels: 31))
        #expect(verify(deepest).error == nil)
        let deeper = try #require(verify(tableFrame(nested(levels: 32))).error)
        #expect(deeper.code == .nestingTooDeep(limit: 32))
        #expect(deeper.field == "queue.declare arguments")
        #expect(verify(tableFrame(nested(levels: 3)), limits: AMQPWireLimits(nesting: 4)).error == nil)
        #expect(
            verify(tableFrame(nested(levels: 4)), limits: AMQPWireLimits(nesting: 4)).error?.code
                == .nestingTooDeep(limit: 4)
        )
    }

    @Test("tables and arrays 17,000 deep are an error", arguments: ["46", "41"])
    func deepNesting(type: String) {
        let entry = octets(type == "46" ? "01 'k' 46" : "41")
        // Each level is its type, its key in a table, and its length.
        let overhead = entry.count + 4
        var entries = type == "46" ? [] : octets("01 'k'")
        for level in 0..<17_000 {
            entries += entry + bigEndian(UInt32((16_999 - level) * overhead))
        }
        let decoding = decode(tableFrame(entries), limits: AMQPWireLimits(frameSize: 0, tableSize: .max))
        #expect(decoding.error?.code == .nestingTooDeep(limit: 32))
    }

    @Test("a limit on nesting below one refuses every table")
    func noNesting() {
        for nesting in [0, -1, Int.min] {
            let decoding = verify(tableFrame([]), limits: AMQPWireLimits(nesting: nesting))
            #expect(decoding.error?.code == .nestingTooDeep(limit: nesting))
        }
    }

    @Test("a table may be as large as the limit and no larger")
    func tableSize() {
        let entries = octets("1'k' 'S' 4'0123456789'")
        let size = entries.count
        #expect(verify(tableFrame(entries), limits: AMQPWireLimits(tableSize: size)).error == nil)
        let decoding = verify(tableFrame(entries), limits: AMQPWireLimits(tableSize: size - 1))
        // Frame header 7, ids 4, reserved 2, queue 2, bits 1.
        let expected = AMQPWireError(
            .tableTooLarge(size: UInt64(size), limit: size - 1),
            offset: 16,
            field: "queue.declare arguments"
        )
        #expect(decoding.error == expected)
        #expect(
            verify(tableFrame(entries), limits: AMQPWireLimits(tableSize: -1)).error?.code
                == .tableTooLarge(size: UInt64(size), limit: -1)
        )
    }

    @Test("an entry may not reach beyond its table")
    func entryBeyondTable() {
        let words = "0032 000a 0000 1'q' 00 00000004 01 'k' 'I' 00000001"
        let decoding = verify(frame(1, channel: 1, words))
        let expected = AMQPWireError(.truncated(needed: 4, available: 1), offset: 23, field: "queue.declare arguments")
        #expect(decoding.error == expected)
    }

    @Test("further words of property flags are read over and noted")
    func flagContinuation() throws {
        let decoding = verify(frame(2, channel: 1, "003c 0000 0000000000000005 8001 0003 0000 1'text/plain' 'more'"))
        let expected = AMQPContentHeader(bodySize: 5, properties: AMQPProperties(contentType: "text/plain"))
        #expect(decoding.frames.map(\.payload) == [.header(expected)])
        #expect(decoding.frames.map(\.notes) == [[.unknownPropertyFlags, .trailingOctets(4)]])
        let first = try #require(decoding.frames.first)
        #expect(try encode(first) == frame(2, channel: 1, "003c 0000 0000000000000005 8000 1'text/plain'"))
    }

    @Test("an unassigned property flag is noted")
    func unassignedFlag() {
        let decoding = verify(frame(2, channel: 1, "003c 0000 0000000000000000 0002"))
        #expect(decoding.frames.map(\.notes) == [[.unknownPropertyFlags]])
    }

    @Test("property flags that do not end are refused")
    func endlessFlags() {
        let words = "003c 0000 0000000000000000" + String(repeating: " 0001", count: 15)
        #expect(verify(frame(2, channel: 1, words)).error?.code == .tooManyPropertyFlags)
        let fewer = "003c 0000 0000000000000000" + String(repeating: " 0001", count: 14)
        #expect(verify(frame(2, channel: 1, fewer + " 0000")).error == nil)
        guard case .truncated = verify(frame(2, channel: 1, fewer)).error?.code.kind else {
            Issue.record("flags that stop in the middle are not refused as such")
            return
        }
    }

    @Test("a body size may be any 64-bit number")
    func bodySize() throws {
        let decoding = verify(frame(2, channel: 1, "003c 0000 ffffffffffffffff 0000"))
        #expect(decoding.frames.map(\.payload) == [.header(AMQPContentHeader(bodySize: .max))])
    }

    @Test("content of another class than basic is refused")
    func contentClass() {
        let decoding = verify(frame(2, channel: 1, "0032 0000 0000000000000000 0000"))
        #expect(decoding.error?.code == .unknownContentClass(50))
        #expect(decoding.error?.offset == 7)
    }

    @Test("a heartbeat belongs to channel 0 and is empty")
    func heartbeats() {
        #expect(verify(octets("08 0001 00000000 ce")).error == AMQPWireError(.heartbeatOnChannel(1), offset: 0))
        #expect(
            verify(octets("08 0000 00000001 00 ce")).error == AMQPWireError(.heartbeatWithPayload(size: 1), offset: 0)
        )
        // Known from the header alone.
        #expect(verify(octets("08 0000 000000ff")).error == AMQPWireError(.heartbeatWithPayload(size: 255), offset: 0))
    }

    @Test("the end octet is checked, and its own place named")
    func endOctet() {
        for octet in UInt8.min...UInt8.max where octet != 0xCE {
            let decoding = verify(octets("03 0001 00000002 aabb") + [octet])
            #expect(decoding.error == AMQPWireError(.missingFrameEnd(octet), offset: 9))
        }
    }

    @Test("every first octet but the four types and the protocol header's is refused at once")
    func frameTypes() {
        let allowed: Set<UInt8> = [1, 2, 3, 8, 0x41]
        for octet in UInt8.min...UInt8.max where !allowed.contains(octet) {
            #expect(verify([octet]).error == AMQPWireError(.unknownFrameType(octet), offset: 0))
        }
    }

    @Test("a frame header of seven octets and nothing else waits")
    func headerOnly() {
        for type in ["01", "02", "03", "08"] {
            let decoding = verify(octets("\(type) 0000 00000000"))
            #expect(decoding.error == nil)
            #expect(decoding.frames == [])
            #expect(decoding.pending == 7)
        }
    }

    @Test("empty method and header payloads are errors, an empty body is a frame")
    func emptyPayloads() {
        let method = verify(octets("01 0000 00000000 ce"))
        #expect(method.error?.code == .truncated(needed: 2, available: 0))
        #expect(method.error?.offset == 7)
        #expect(verify(octets("02 0000 00000000 ce")).error?.code == .truncated(needed: 2, available: 0))
        #expect(verify(octets("03 0000 00000000 ce")).frames.map(\.payload) == [.body([])])
    }

    @Test("each pair of ids that names no method is refused")
    func unknownMethods() {
        let known = Set(goldenMethods.map(\.method.id.rawValue))
        for classID in UInt16(0)...100 {
            for methodID in UInt16(0)...130 where !known.contains(UInt32(classID) << 16 | UInt32(methodID)) {
                let decoding = decode(frame(1, channel: 1, bigEndian(classID) + bigEndian(methodID)))
                #expect(
                    decoding.error
                        == AMQPWireError(.unknownMethod(classID: classID, methodID: methodID), offset: 7)
                )
            }
        }
    }

    @Test("a protocol header opens a stream and stands nowhere else")
    func protocolHeader() {
        let header = verify(octets("'AMQP' 00 00 09 01"))
        #expect(header.frames.map(\.payload) == [.protocolHeader(major: 0, minor: 9, revision: 1)])
        #expect(header.frames.map(\.size) == [8])
        let later = verify(octets("08 0000 00000000 ce 'AMQP' 00 00 09 01"))
        #expect(later.error == AMQPWireError(.unknownFrameType(0x41), offset: 8))
        let twice = verify(octets("'AMQP' 00 00 09 01 'AMQP' 00 00 09 01"))
        #expect(twice.error == AMQPWireError(.unknownFrameType(0x41), offset: 8))
    }

    @Test(
        "a server that wants another version is refused with what it said",
        arguments: [
            // 1.0, its SASL layer, 0-10, 0-9 and 0-8, whose headers have the version's parts in other places.
            "'AMQP' 00 01 00 00", "'AMQP' 03 01 00 00", "'AMQP' 01 01 00 0a", "'AMQP' 01 01 00 09",
            "'AMQP' 01 01 08 00",
        ]
    )
    func otherVersions(words: String) {
        let decoding = verify(octets(words))
        #expect(decoding.frames == [])
        #expect(decoding.error == AMQPWireError(.unsupportedProtocol(octets(words)), offset: 0))
        #expect(decoding.error?.replyCode == 501)
    }

    @Test("what starts like a protocol header and is none is shown")
    func notAProtocolHeader() {
        let decoding = verify(octets("'AMQX' 00 00 09 01"))
        #expect(decoding.error == AMQPWireError(.unsupportedProtocol(octets("'AMQX' 00 00 09 01")), offset: 0))
        #expect(decoding.error?.reason == "not AMQP 0-9-1: the stream starts with 41 4d 51 58 00 00 09 01")
    }

    /// Inputs with which fuzzing ended amqp091-go; from its tests.
    @Test(
        "inputs that ended other clients are errors or wait",
        arguments: [
            "08 'é00000'", "02 16 10 efbfbd 5b efbfbd 09 bd 'ui' efbfbd 10 01 00 ff bf ef bf efbdbb 6e 99 00 10 72",
            "03 3030 00000004 30303030", "08 30 30 30 30 30 30",
        ]
    )
    func otherClientsCrashers(words: String) {
        #expect(verify(octets(words)).frames == [])
    }

    private func nested(levels: Int) -> [UInt8] {
        var entries: [UInt8] = []
        for _ in 0..<levels {
            entries = octets("1'k' 'F'") + bigEndian(UInt32(entries.count)) + entries
        }
        return entries
    }
}
