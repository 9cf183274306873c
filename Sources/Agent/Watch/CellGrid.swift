#if Agent
/// How a cell of the terminal looks.
struct CellStyle: Hashable, Sendable {
    enum Color: Hashable, Sendable {
        case usual, green, yellow, red
    }

    var color = Color.usual
    var isBold = false
    var isDim = false
    var isReversed = false

    static let plain = CellStyle()

    /// The sequence that sets this style, whatever was set before.
    func sequence(usesColor: Bool) -> String {
        var codes = "0"
        if isBold { codes += ";1" }
        if isDim { codes += ";2" }
        if isReversed { codes += ";7" }
        if usesColor {
            switch color {
            case .usual: break
            case .red: codes += ";31"
            case .green: codes += ";32"
            case .yellow: codes += ";33"
            }
        }
        return "\u{1B}[\(codes)m"
    }
}

/// What a terminal is to show, cell for cell. Nothing that is put into it can leave its place. Knows nothing of terminals.
struct CellGrid: Hashable, Sendable {
    /// A place in the grid.
    struct Cell: Hashable, Sendable {
        /// One character; empty where the wide character on the left reaches into the cell.
        var text = " "
        var style = CellStyle.plain
    }

    let rows: Int
    let columns: Int
    private(set) var cells: [Cell]

    /// More than any window that people look at; a window's size is set by anybody.
    static let largest = WindowSize(rows: 500, columns: 1_000)

    init(_ size: WindowSize) {
        rows = min(max(0, size.rows), Self.largest.rows)
        columns = min(max(0, size.columns), Self.largest.columns)
        cells = [Cell](repeating: Cell(), count: rows * columns)
    }

    subscript(row: Int, column: Int) -> Cell { cells[row * columns + column] }

    /// Puts text into a row, cut off at `width` columns and at the grid's edge.
    ///
    /// - Returns: the columns that it took.
    @discardableResult
    mutating func put(_ text: DisplayText, row: Int, column: Int, width: Int = .max, style: CellStyle = .plain) -> Int {
        guard (0..<rows).contains(row), (0..<columns).contains(column), width > 0 else { return 0 }
        let end = column + min(width, columns - column)
        var place = column
        for cluster in text.clusters {
            guard place + cluster.width <= end else { break }
            cells[row * columns + place] = Cell(text: cluster.text, style: style)
            if cluster.width == 2 { cells[row * columns + place + 1] = Cell(text: "", style: style) }
            place += cluster.width
        }
        return place - column
    }

    /// Puts text of our own into a row.
    @discardableResult
    mutating func put(_ text: String, row: Int, column: Int, width: Int = .max, style: CellStyle = .plain) -> Int {
        put(DisplayText(text, limit: columns), row: row, column: column, width: width, style: style)
    }

    /// Puts text at the right end of `width` columns. Where it is wider, its end is cut off.
    mutating func put(_ text: String, row: Int, rightIn range: Range<Int>, style: CellStyle = .plain) {
        let text = DisplayText(text, limit: columns)
        let start = max(range.lowerBound, range.upperBound - text.width)
        put(text, row: row, column: start, width: range.upperBound - start, style: style)
    }

    /// Gives all cells of a row a style, their text unchanged.
    mutating func restyle(row: Int, _ change: (inout CellStyle) -> Void) {
        guard (0..<rows).contains(row) else { return }
        for index in row * columns..<(row + 1) * columns { change(&cells[index].style) }
    }

    /// The text of a row, as it is seen.
    func text(row: Int) -> String {
        guard (0..<rows).contains(row) else { return "" }
        return cells[row * columns..<(row + 1) * columns].reduce(into: "") { $0 += $1.text }
    }
}

/// A window's size in characters.
struct WindowSize: Hashable, Sendable {
    var rows: Int
    var columns: Int
}

/// Turns grids into the octets that make a terminal show them: of each, what differs from the one before.
struct GridPainter {
    let usesColor: Bool
    /// What the terminal shows; nil if that is not known.
    private var shown: CellGrid?

    init(usesColor: Bool) {
        self.usesColor = usesColor
    }

    /// Draws everything with the next grid: the terminal was cleared, or something else wrote to it.
    mutating func forget() {
        shown = nil
    }

    /// The octets that make the terminal show a grid.
    mutating func octets(for grid: CellGrid) -> [UInt8] {
        var output = ""
        var before = shown.flatMap { $0.rows == grid.rows && $0.columns == grid.columns ? $0 : nil }
        if before == nil {
            output += "\u{1B}[0m\u{1B}[2J"
            before = CellGrid(WindowSize(rows: grid.rows, columns: grid.columns))
        }
        var style: CellStyle?
        for row in 0..<grid.rows {
            // Where the cursor is in this row; nil if it is elsewhere or not known.
            var cursor: Int?
            for column in 0..<grid.columns {
                let cell = grid[row, column]
                guard cell != before?[row, column], !cell.text.isEmpty else { continue }
                if cursor != column { output += "\u{1B}[\(row + 1);\(column + 1)H" }
                if style != cell.style {
                    output += cell.style.sequence(usesColor: usesColor)
                    style = cell.style
                }
                output += cell.text
                // Terminals disagree about the width of much that is not ASCII.
                let isASCII = cell.text.utf8.count == 1
                cursor = isASCII ? column + 1 : nil
            }
        }
        shown = grid
        if style != nil { output += "\u{1B}[0m" }
        return Array(output.utf8)
    }
}
#endif
