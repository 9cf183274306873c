/// Goes through octets from front to back: words, numbers, lines. Cannot trap, whatever the octets are.
///
/// A scan that finds nothing leaves the scanner where it was. Blanks are spaces and tabs. Knows nothing of files.
///
/// It refers to memory that it does not own: it must not outlive the call that it was handed to.
struct ByteScanner {
    private let octets: UnsafeRawBufferPointer
    private(set) var position = 0

    init(_ octets: UnsafeRawBufferPointer) {
        self.octets = octets
    }

    var isAtEnd: Bool { position >= octets.count }

    /// The octet at hand.
    var next: UInt8? { position < octets.count ? octets[position] : nil }

    /// Runs `body` over the octets of a text, of a name in a fixture, say.
    static func scan<Value, Failure>(
        _ array: [UInt8],
        _ body: (inout ByteScanner) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        try array.withUnsafeBufferPointer { (buffer) throws(Failure) in
            var scanner = ByteScanner(UnsafeRawBufferPointer(buffer))
            return try body(&scanner)
        }
    }

    mutating func skipBlanks() {
        while let octet = next, octet == 0x20 || octet == 0x09 { position &+= 1 }
    }

    /// Goes over `octet` if it is the one at hand.
    mutating func skip(_ octet: UInt8) -> Bool {
        guard next == octet else { return false }
        position &+= 1
        return true
    }

    /// Goes over `text` if it stands here.
    mutating func skip(_ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard octets.count - position >= count else { return false }
        for index in 0..<count where octets[position &+ index] != text.utf8Start[index] { return false }
        position &+= count
        return true
    }

    /// Goes over `text` if it stands here.
    mutating func skip(_ text: [UInt8]) -> Bool {
        guard octets.count - position >= text.count else { return false }
        for index in text.indices where octets[position &+ index] != text[index] { return false }
        position &+= text.count
        return true
    }

    /// Goes on to the start of the next line, or to the end.
    mutating func skipLine() {
        while let octet = next {
            position &+= 1
            if octet == 0x0A { return }
        }
    }

    /// The line at hand without its end, as a scanner of its own; nil at the end of all. Goes on to the next line.
    mutating func line() -> ByteScanner? {
        guard !isAtEnd else { return nil }
        let start = position
        while let octet = next, octet != 0x0A { position &+= 1 }
        let line = ByteScanner(UnsafeRawBufferPointer(rebasing: octets[start..<position]))
        if position < octets.count { position &+= 1 }
        return line
    }

    /// The octets up to the next blank or end of line, blanks before them left out; nil if there are none on this line.
    mutating func word() -> ByteScanner? {
        let before = position
        skipBlanks()
        let start = position
        while let octet = next, octet != 0x20, octet != 0x09, octet != 0x0A { position &+= 1 }
        guard position > start else {
            position = before
            return nil
        }
        return ByteScanner(UnsafeRawBufferPointer(rebasing: octets[start..<position]))
    }

    /// The octets before `octet`, which is gone over; nil if it does not occur on this line.
    mutating func field(before octet: UInt8) -> ByteScanner? {
        var end = position
        while end < octets.count, octets[end] != octet {
            if octets[end] == 0x0A { return nil }
            end &+= 1
        }
        guard end < octets.count else { return nil }
        let field = ByteScanner(UnsafeRawBufferPointer(rebasing: octets[position..<end]))
        position = end &+ 1
        return field
    }

    /// The octets before the last `octet` of this line, which is gone over; nil if it does not occur on this line.
    mutating func field(beforeLast octet: UInt8) -> ByteScanner? {
        var end: Int?
        var index = position
        while index < octets.count, octets[index] != 0x0A {
            if octets[index] == octet { end = index }
            index &+= 1
        }
        guard let end else { return nil }
        let field = ByteScanner(UnsafeRawBufferPointer(rebasing: octets[position..<end]))
        position = end &+ 1
        return field
    }

    /// The decimal number after blanks; nil if there is none. What does not fit into 64 bits counts as the largest number.
    mutating func unsigned() -> UInt64? {
        let before = position
        skipBlanks()
        let start = position
        var value: UInt64 = 0
        while let octet = next, octet >= 0x30, octet <= 0x39 {
            let (tens, overflow1) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow2) = tens.addingReportingOverflow(UInt64(octet &- 0x30))
            value = overflow1 || overflow2 ? .max : sum
            position &+= 1
        }
        guard position > start else {
            position = before
            return nil
        }
        return value
    }

    /// The decimal number after blanks, with or without a sign; nil if there is none. What does not fit counts as the nearest.
    mutating func signed() -> Int64? {
        let before = position
        skipBlanks()
        let isNegative = skip(0x2D)
        if !isNegative { _ = skip(0x2B) }
        guard let octet = next, octet >= 0x30, octet <= 0x39, let magnitude = unsigned() else {
            position = before
            return nil
        }
        let value = Int64(clamping: magnitude)
        return isNegative ? 0 &- value : value
    }

    /// The number with decimals after blanks, `11094.88`; nil if there is none. The double that is nearest to what is written,
    /// up to 15 digits in all.
    mutating func decimal() -> Double? {
        let before = position
        skipBlanks()
        let isNegative = skip(0x2D)
        guard let octet = next, octet >= 0x30, octet <= 0x39, let whole = unsigned() else {
            position = before
            return nil
        }
        var digits = whole
        var scale = 1.0
        if skip(0x2E) {
            // Exact as long as both are below 2^53: then one division rounds once.
            while let octet = next, octet >= 0x30, octet <= 0x39 {
                let (tens, overflow1) = digits.multipliedReportingOverflow(by: 10)
                let (sum, overflow2) = tens.addingReportingOverflow(UInt64(octet &- 0x30))
                if !overflow1, !overflow2, scale < 1e15 {
                    digits = sum
                    scale *= 10
                }
                position &+= 1
            }
        }
        let value = Double(digits) / scale
        return isNegative ? -value : value
    }

    /// Whether the rest is exactly this text.
    func isExactly(_ text: StaticString) -> Bool {
        var copy = self
        return copy.skip(text) && copy.isAtEnd
    }

    /// Whether the rest is exactly these octets.
    func isExactly(_ octets: [UInt8]) -> Bool {
        octets.count == count && octets.elementsEqual(self.octets[min(position, self.octets.count)...])
    }

    /// The rest as text; what is not UTF-8 becomes U+FFFD.
    var text: String { String(decoding: octets[min(position, octets.count)...], as: UTF8.self) }

    /// The rest without the blanks at its beginning and its end, and without carriage returns at its end.
    var trimmed: ByteScanner {
        var start = position
        var end = octets.count
        while start < end, octets[start] == 0x20 || octets[start] == 0x09 { start &+= 1 }
        while start < end, octets[end &- 1] == 0x20 || octets[end &- 1] == 0x09 || octets[end &- 1] == 0x0D {
            end &-= 1
        }
        return ByteScanner(UnsafeRawBufferPointer(rebasing: octets[min(start, end)..<end]))
    }

    /// How many octets are left.
    var count: Int { octets.count - position }

    /// Copies of the octets left.
    var remaining: [UInt8] { Array(octets[min(position, octets.count)...]) }
}
