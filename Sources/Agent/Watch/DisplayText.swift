#if Agent
/// Text from outside, made fit for a terminal: nothing of it can move the cursor, change colours or turn the line around.
///
/// What it consists of goes into cells, one or two columns wide. Terminals differ in how wide they take some characters to
/// be; whoever draws must not rely on the cursor's place after anything but ASCII.
struct DisplayText: Hashable, Sendable {
    /// A character with its marks, and how many columns it takes.
    struct Cluster: Hashable, Sendable {
        var text: String
        /// 1 or 2.
        var width: Int
    }

    private(set) var clusters: [Cluster] = []
    /// Columns that all of it takes.
    private(set) var width = 0

    /// What stands for a character that cannot be shown.
    static let replacement: Unicode.Scalar = "\u{FFFD}"
    /// Marks that a character may carry; more would spill over the lines above and below.
    private static let markLimit = 2

    /// Neutralises some text.
    ///
    /// - Parameters:
    ///   - text: anything at all.
    ///   - limit: the characters that are kept; of longer text the rest is dropped.
    init(_ text: some StringProtocol, limit: Int = 256) {
        var marks = 0
        for scalar in text.unicodeScalars {
            switch Self.role(of: scalar) {
            case .dropped: continue
            case .mark:
                guard marks < Self.markLimit, let last = clusters.indices.last else { continue }
                marks += 1
                clusters[last].text.unicodeScalars.append(scalar)
            case .shown(let shown, let columns):
                guard clusters.count < limit else { return }
                marks = 0
                clusters.append(Cluster(text: String(shown), width: columns))
                width += columns
            }
        }
    }

    /// The text, without what was neutralised.
    var string: String { clusters.reduce(into: "") { $0 += $1.text } }

    private enum Role {
        case shown(Unicode.Scalar, columns: Int)
        case mark
        case dropped
    }

    private static func role(of scalar: Unicode.Scalar) -> Role {
        if (0x20..<0x7F).contains(scalar.value) { return .shown(scalar, columns: 1) }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator:
            return .shown(replacement, columns: 1)
        case .spaceSeparator:
            return .shown(" ", columns: 1)
        case .nonspacingMark, .enclosingMark:
            // Variation selectors change how wide terminals draw the character before.
            return (0xFE00...0xFE0F).contains(scalar.value) || scalar.value >= 0xE0000 ? .dropped : .mark
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .spacingMark,
            .decimalNumber, .letterNumber, .otherNumber, .connectorPunctuation, .dashPunctuation, .openPunctuation,
            .closePunctuation, .initialPunctuation, .finalPunctuation, .otherPunctuation, .mathSymbol,
            .currencySymbol, .modifierSymbol, .otherSymbol:
            // Vowels and finals of Hangul take no column of their own behind an initial, and one elsewhere.
            if joining.contains(where: { $0.contains(scalar.value) }) { return .shown(replacement, columns: 1) }
            return .shown(scalar, columns: isWide(scalar) ? 2 : 1)
        @unknown default:
            return .shown(replacement, columns: 1)
        }
    }

    private static func isWide(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar.value >= 0x1100 else { return false }
        if regionalIndicators.contains(scalar.value) { return false }
        return wide.contains { $0.contains(scalar.value) } || scalar.properties.isEmojiPresentation
    }

    private static let joining: [ClosedRange<UInt32>] = [0x1160...0x11FF, 0xD7B0...0xD7FF]
    private static let regionalIndicators: ClosedRange<UInt32> = 0x1F1E6...0x1F1FF

    /// Characters that are wide or full-width in Unicode's EastAsianWidth.txt, and not emoji anyway.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2329...0x232A, 0x2E80...0x303E, 0x3041...0x4DBF, 0x4E00...0xA4CF, 0xA960...0xA97F,
        0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF01...0xFF60, 0xFFE0...0xFFE6,
        0x16FE0...0x18DFF, 0x1AFF0...0x1B2FF, 0x1F200...0x1F265, 0x20000...0x3FFFD,
    ]
}
#endif
