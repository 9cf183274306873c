/// Octets written as words, a word per field; the opposite codec of these tests, which shares nothing with the one under
/// test. Words:
///
/// - `00 003c 0000000c`: hexadecimal digits, as many octets as pairs;
/// - `'text'`: the octets of the text;
/// - `1'text'`, `4'text'`: the same after a length of one or four octets;
/// - `1{ … }`, `4{ … }`: words after the length, in one or four octets, of what they amount to.
///
/// A mistake in the words ends the test process: they are the programmer's.
func octets(_ words: String) -> [UInt8] {
    var rest = words.unicodeScalars[...]
    let result = octets(&rest)
    precondition(rest.isEmpty, "closing brace without an opening one: \(words)")
    return result
}

/// The octets of a whole frame around a payload.
func frame(_ type: UInt8, channel: UInt16, _ payload: [UInt8]) -> [UInt8] {
    [type] + bigEndian(channel) + bigEndian(UInt32(payload.count)) + payload + [0xCE]
}

/// The octets of a frame around a payload written as words.
func frame(_ type: UInt8, channel: UInt16, _ payload: String) -> [UInt8] {
    frame(type, channel: channel, octets(payload))
}

/// An integer, most significant octet first.
func bigEndian<Integer: FixedWidthInteger>(_ integer: Integer) -> [UInt8] {
    stride(from: Integer.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: integer >> $0) }
}

private func octets(_ rest: inout Substring.UnicodeScalarView) -> [UInt8] {
    var result: [UInt8] = []
    while let first = rest.first, first != "}" {
        if first == " " || first == "\n" {
            rest.removeFirst()
            continue
        }
        let word = rest.prefix { !" \n'{}".unicodeScalars.contains($0) }
        rest = rest[word.endIndex...]
        switch rest.first {
        case "'":
            rest.removeFirst()
            let text = rest.prefix { $0 != "'" }
            rest = rest[text.endIndex...].dropFirst()
            result += counted(Array(String(text).utf8), by: word)
        case "{":
            rest.removeFirst()
            let group = octets(&rest)
            precondition(rest.popFirst() == "}", "a group does not end")
            result += counted(group, by: word)
        default:
            precondition(word.count % 2 == 0, "odd number of digits in \(String(word))")
            var digits = word
            while let high = digits.popFirst(), let low = digits.popFirst() {
                result.append(UInt8(String(high) + String(low), radix: 16)!)
            }
        }
    }
    return result
}

private func counted(_ octets: [UInt8], by word: Substring.UnicodeScalarView) -> [UInt8] {
    switch String(word) {
    case "": octets
    case "1": bigEndian(UInt8(octets.count)) + octets
    case "4": bigEndian(UInt32(octets.count)) + octets
    default: preconditionFailure("a length has one or four octets, not \(String(word))")
    }
}
