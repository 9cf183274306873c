#if Agent
/// What a terminal shows after it was sent some octets: as much of a VT100 with xterm's extensions as a program may use that
/// draws with absolute positions. Anything else is noted as a fault.
struct VirtualScreen {
    struct Cell: Hashable {
        var text: String = " "
        var attributes = "0"
    }

    private(set) var rows: Int
    private(set) var columns: Int
    private(set) var cells: [[Cell]]
    private(set) var isAlternate = false
    private(set) var isCursorVisible = true
    private(set) var wraps = true
    /// Sequences that this screen does not know, and attempts to write outside of it.
    private(set) var faults: [String] = []
    /// What is shown, and where the cursor is, outside of the alternate screen.
    private var usual: (cells: [[Cell]], row: Int, column: Int) = ([], 0, 0)
    private var row = 0
    private var column = 0
    private var attributes = "0"
    private var pending: [UInt8] = []

    init(rows: Int, columns: Int) {
        self.rows = rows
        self.columns = columns
        cells = Self.empty(rows, columns)
    }

    private static func empty(_ rows: Int, _ columns: Int) -> [[Cell]] {
        [[Cell]](repeating: [Cell](repeating: Cell(), count: columns), count: rows)
    }

    /// The lines, without the blanks at their ends.
    var lines: [String] {
        cells.map { line in
            var text = line.map(\.text).joined()
            while text.last == " " { text.removeLast() }
            return text
        }
    }

    var text: String { lines.joined(separator: "\n") }

    /// A line; empty where the screen has none.
    func line(_ row: Int) -> String { lines.indices.contains(row) ? lines[row] : "" }

    /// The line that contains something.
    func line(with text: String) -> String? { lines.first { $0.contains(text) } }

    /// The attributes of the cell at which some text begins, such as `0;1;31`; nil where it is not there.
    func attributes(of text: String) -> String? {
        for line in cells {
            for start in line.indices where line[start...].map(\.text).joined().hasPrefix(text) {
                return line[start].attributes
            }
        }
        return nil
    }

    /// Gives the screen another size. What it shows is no longer known, as with most terminals.
    mutating func resize(rows: Int, columns: Int) {
        self.rows = rows
        self.columns = columns
        cells = Self.empty(rows, columns)
        row = min(row, rows - 1)
        column = min(column, columns)
    }

    mutating func feed(_ octets: some Sequence<UInt8>) {
        pending += octets
        while let taken = takeOne() { pending.removeFirst(taken) }
    }

    /// Takes a character or a sequence; nil where it is not complete.
    private mutating func takeOne() -> Int? {
        guard let first = pending.first else { return nil }
        switch first {
        case 0x1B: return takeSequence()
        case 0x0D:
            column = 0
            return 1
        case 0x0A:
            feedLine()
            return 1
        case 0x18: return 1
        case ..<0x20, 0x7F:
            faults.append("control character \(first)")
            return 1
        default: return takeCharacter()
        }
    }

    private mutating func feedLine() {
        if row + 1 < rows {
            row += 1
        } else if rows > 0 {
            cells.removeFirst()
            cells.append([Cell](repeating: Cell(), count: columns))
        }
    }

    private mutating func takeCharacter() -> Int? {
        let length =
            switch pending[0] {
            case ..<0x80: 1
            case 0xC2..<0xE0: 2
            case 0xE0..<0xF0: 3
            default: 4
            }
        guard pending.count >= length else { return nil }
        let text = String(decoding: pending.prefix(length), as: UTF8.self)
        guard let scalar = text.unicodeScalars.first, text.unicodeScalars.count == 1 else {
            faults.append("not UTF-8: \(pending.prefix(length))")
            return 1
        }
        print(scalar)
        return length
    }

    private mutating func print(_ scalar: Unicode.Scalar) {
        if (0x80..<0xA0).contains(scalar.value) { return faults.append("control character \(scalar.value)") }
        if (0x300...0x36F).contains(scalar.value) {
            if column > 0 { cells[row][column - 1].text.unicodeScalars.append(scalar) }
            return
        }
        let width = Self.isWide(scalar) ? 2 : 1
        if wraps, column + width > columns {
            column = 0
            feedLine()
        }
        guard row < rows, column + width <= columns else {
            return faults.append("'\(scalar)' at \(row), \(column) is outside of \(rows) x \(columns)")
        }
        cells[row][column] = Cell(text: String(scalar), attributes: attributes)
        if width == 2 { cells[row][column + 1] = Cell(text: "", attributes: attributes) }
        column += width
    }

    private static func isWide(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF01...0xFF60,
            0x1F300...0x1FAFF, 0x20000...0x3FFFD:
            true
        default: false
        }
    }

    private mutating func takeSequence() -> Int? {
        guard pending.count >= 2 else { return nil }
        guard pending[1] == UInt8(ascii: "[") else {
            faults.append("ESC \(pending[1])")
            return 2
        }
        guard let end = pending[2...].firstIndex(where: { (0x40..<0x7F).contains($0) }) else { return nil }
        let parameters = String(decoding: pending[2..<end], as: UTF8.self)
        obey(Character(Unicode.Scalar(pending[end])), parameters)
        return end + 1
    }

    private mutating func obey(_ final: Character, _ parameters: String) {
        switch (final, parameters) {
        case ("H", _):
            let numbers = parameters.split(separator: ";").map { Int($0) ?? 1 }
            row = (numbers.first ?? 1) - 1
            column = (numbers.count > 1 ? numbers[1] : 1) - 1
            // What was meant for the size before still comes after a change.
            row = max(0, min(row, rows - 1))
            column = max(0, min(column, columns))
        case ("J", "2"): cells = Self.empty(rows, columns)
        case ("m", _): attributes = parameters.isEmpty ? "0" : parameters
        case ("h", "?1049"):
            if !isAlternate { usual = (cells, row, column) }
            isAlternate = true
        case ("l", "?1049"):
            if isAlternate {
                row = min(usual.row, rows - 1)
                column = min(usual.column, columns)
                // After a change of size it is not known.
                let isKnown = usual.cells.count == rows && usual.cells.first?.count == columns
                cells = isKnown ? usual.cells : Self.empty(rows, columns)
            }
            isAlternate = false
        case ("h", "?25"): isCursorVisible = true
        case ("l", "?25"): isCursorVisible = false
        case ("h", "?7"): wraps = true
        case ("l", "?7"): wraps = false
        default: faults.append("ESC [ \(parameters) \(final)")
        }
    }
}
#endif
