#if Agent
/// The last percentages of something, oldest first. Keeps whole numbers from 0 to 100, an octet each.
struct History: Hashable, Sendable {
    /// How many are kept.
    static let limit = 60

    private(set) var values: [UInt8] = []

    /// Appends a percentage; what is beyond 0...100 counts as the nearer of the two.
    mutating func append(_ percent: Double) {
        guard !percent.isNaN else { return }
        if values.count >= Self.limit { values.removeFirst(values.count - Self.limit + 1) }
        values.append(Self.whole(percent))
    }

    /// A percentage as it is kept.
    static func whole(_ percent: Double) -> UInt8 {
        UInt8(min(100, max(0, percent.isNaN ? 0 : percent)).rounded())
    }
}

/// Percentages as a row of bars, one character each.
enum Sparkline {
    private static let blocks: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
    private static let ascii: [Character] = ["_", ".", ":", "-", "=", "+", "*", "#"]

    /// The bar for a percentage.
    static func bar(_ percent: UInt8, usesUnicode: Bool) -> Character {
        let index = min(7, Int(percent) * 8 / 100)
        return usesUnicode ? blocks[index] : ascii[index]
    }

    /// The bars of the last percentages that fit into `width` columns.
    static func text(_ percents: [UInt8], width: Int, usesUnicode: Bool = true) -> String {
        String(percents.suffix(max(0, width)).map { bar($0, usesUnicode: usesUnicode) })
    }
}
#endif
