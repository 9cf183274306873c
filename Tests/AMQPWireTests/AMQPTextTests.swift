import Testing

@testable import AMQPWire

@Suite("Text is its octets")
struct AMQPTextTests {
    @Test("texts are equal when their octets are, and hash alike")
    func equality() {
        let text = AMQPText("grün")
        let octets = AMQPText(octets: Array("grün".utf8))
        #expect(text == octets)
        #expect(Set([text, octets]).count == 1)
        #expect(AMQPText(octets: [0xFF]) == AMQPText(octets: [0xFF]))
        #expect(AMQPText(octets: [0xFF]) != AMQPText(octets: [0xFE]))
        #expect(AMQPText("a") != "ab")
        #expect(AMQPText("") == AMQPText(octets: []))
    }

    @Test("composed and decomposed letters differ, as they do for a broker")
    func normalization() {
        #expect("\u{e9}" == "e\u{301}")
        #expect(AMQPText("\u{e9}") != AMQPText("e\u{301}"))
        let table: AMQPTable = ["\u{e9}": 1]
        #expect(table["e\u{301}"] == nil)
    }

    @Test("octets that are not UTF-8 do not equal the text that stands in for them")
    func replacement() {
        let broken = AMQPText(octets: [0x61, 0xFF])
        #expect(broken.string == "a\u{fffd}")
        #expect(broken != AMQPText("a\u{fffd}"))
        #expect(!broken.isValidUTF8)
        #expect(AMQPText("a\u{fffd}").isValidUTF8)
        #expect(broken.octetCount == 2)
        #expect("\(broken)" == "a\u{fffd}")
    }

    @Test(
        "octets come back as they went in",
        arguments: [
            [], [0], [0x61], [0xC3, 0xA9], [0xC3], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xC0, 0x80],
            [0xF0, 0x9F, 0x98, 0x80], [UInt8](repeating: 0x61, count: 300),
        ] as [[UInt8]]
    )
    func octetsKept(octets: [UInt8]) {
        let text = AMQPText(octets: octets)
        #expect(text.octets == octets)
        #expect(octets.withUnsafeBytes { AMQPText(octets: $0) } == text)
        #expect(octets.withUnsafeBytes { AMQPText(octets: $0).isValidUTF8 } == text.isValidUTF8)
        #expect(text.octetCount == octets.count)
        #expect(text.isEmpty == octets.isEmpty)
        #expect(text.withOctets { Array($0) } == octets)
        #expect(text.containsNUL == octets.contains(0))
    }

    @Test("a part of a string or an interpolation is text")
    func literals() {
        let name = "cpu"
        #expect(AMQPText("host.cpu".dropFirst(5)) == "\(name)")
    }
}
