#if Agent
/// Octets as `xxd` prints them: offset, sixteen octets in groups of two, and their text. `xxd -r` reads it back.
enum HexDump {
    /// Lines for octets, the first of which stands at offset 0.
    static func text(_ octets: [UInt8]) -> String {
        var text = ""
        for start in stride(from: 0, to: octets.count, by: 16) {
            let row = octets[start..<min(start + 16, octets.count)]
            var columns = ""
            for (index, octet) in row.enumerated() {
                if index > 0, index.isMultiple(of: 2) { columns += " " }
                columns += hexadecimal(octet)
            }
            let shown = row.map { $0 >= 0x20 && $0 < 0x7F ? Character(Unicode.Scalar($0)) : "." }
            text += "\(offset(start)): \(columns.padded(to: 39))  \(String(shown))\n"
        }
        return text
    }

    /// An octet as two digits.
    static func hexadecimal(_ octet: UInt8) -> String {
        String(octet >> 4, radix: 16) + String(octet & 0xF, radix: 16)
    }

    /// An offset as eight digits, or more where it takes them.
    static func offset(_ offset: Int) -> String {
        let digits = String(offset, radix: 16)
        return String(repeating: "0", count: max(0, 8 - digits.count)) + digits
    }
}

extension String {
    /// The text with blanks behind it, `width` characters wide.
    func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}
#endif
