import Testing

@testable import HostMetrics

@Suite struct ByteScannerTests {
    private func scan<Value>(_ text: String, _ body: (inout ByteScanner) -> Value) -> Value {
        ByteScanner.scan(Array(text.utf8)) { body(&$0) }
    }

    @Test("numbers that do not fit count as the nearest that does") func numbersThatDoNotFitCount() {
        #expect(scan(" 18446744073709551615 ") { $0.unsigned() } == .max)
        #expect(scan("18446744073709551616") { $0.unsigned() } == .max)
        #expect(
            scan("99999999999999999999999999 7") { (scanner: inout ByteScanner) -> UInt64? in
                _ = scanner.unsigned()
                return scanner.unsigned()
            } == 7
        )
        #expect(scan("-9223372036854775809") { $0.signed() } == -.max)
        #expect(scan("+5") { $0.signed() } == 5)
    }

    @Test("what is no number leaves the scanner where it was") func whatIsNoNumberLeavesThe() {
        #expect(scan("  x") { scanner in scanner.unsigned() == nil && scanner.position == 0 })
        #expect(scan(" -x") { scanner in scanner.signed() == nil && scanner.position == 0 })
        #expect(scan(" -.5") { scanner in scanner.decimal() == nil && scanner.position == 0 })
        #expect(scan("") { $0.decimal() } == nil)
    }

    @Test("decimals are the nearest double") func decimalsAreTheNearestDouble() {
        #expect(scan("11094.88") { $0.decimal() } == 11_094.88)
        #expect(scan("0.1") { $0.decimal() } == 0.1)
        #expect(scan("-12.5") { $0.decimal() } == -12.5)
        #expect(scan("7.") { $0.decimal() } == 7)
        #expect(scan("0.00000000000000000000000000001") { $0.decimal() }.map { $0 < 1e-10 } == true)
    }

    @Test("lines come without their ends, the last one too") func linesComeWithoutTheirEndsThe() {
        #expect(
            scan("a b\n\nc") { scanner in
                var lines: [String] = []
                while let line = scanner.line() { lines.append(line.text) }
                return lines
            } == ["a b", "", "c"]
        )
    }

    @Test("words and fields end with their line") func wordsAndFieldsEndWithTheir() {
        #expect(scan(" ab\tc\nd") { [$0.word()?.text, $0.word()?.text, $0.word()?.text] } == ["ab", "c", nil])
        #expect(scan("key: 7") { $0.field(before: 0x3A)?.text } == "key")
        #expect(scan("key\n: 7") { $0.field(before: 0x3A)?.text } == nil)
        #expect(scan("cpu0") { scanner in scanner.skip("cpu1") || scanner.position != 0 } == false)
    }
}
