#if Agent
/// The columns of the table, and where they are in a window of some width. The narrower, the fewer.
struct WatchColumns: Hashable, Sendable {
    enum Column: Hashable, Sendable, CaseIterable {
        case hostname, age, cpu, history, mem, temperature, uptime, addresses
    }

    /// Those that are shown, from the left.
    private(set) var places: [(column: Column, range: Range<Int>)] = []

    static func == (left: WatchColumns, right: WatchColumns) -> Bool {
        left.places.elementsEqual(right.places) { $0.column == $1.column && $0.range == $1.range }
    }

    func hash(into hasher: inout Hasher) {
        for place in places { hasher.combine(place.range) }
    }

    /// The more important come first.
    private static let byImportance: [Column] = [
        .hostname, .cpu, .mem, .age, .temperature, .history, .uptime, .addresses,
    ]
    private static let widestHostname = 40
    private static let widestHistory = 30

    /// Lays out the columns.
    ///
    /// - Parameters:
    ///   - width: of the window.
    ///   - hostnameWidth: of the longest hostname that is shown.
    init(width: Int, hostnameWidth: Int) {
        var chosen: [Column: Int] = [:]
        var rest = width
        for column in Self.byImportance {
            let gap = chosen.isEmpty ? 0 : 1
            let least = Self.leastWidth(of: column)
            guard rest >= least + gap else {
                // A window may be narrower than anything.
                if chosen.isEmpty, rest > 0 {
                    chosen[column] = rest
                    rest = 0
                }
                break
            }
            chosen[column] = least
            rest -= least + gap
        }
        func widen(_ column: Column, to wanted: Int) {
            guard let width = chosen[column] else { return }
            let more = max(0, min(rest, wanted - width))
            chosen[column] = width + more
            rest -= more
        }
        widen(.hostname, to: min(hostnameWidth, Self.widestHostname))
        widen(.history, to: Self.widestHistory - 10)
        widen(.addresses, to: 48)
        widen(.history, to: Self.widestHistory)
        var position = 0
        for column in Column.allCases {
            guard let width = chosen[column] else { continue }
            places.append((column, position..<position + width))
            position += width + 1
        }
    }

    private static func leastWidth(of column: Column) -> Int {
        switch column {
        case .hostname: 8
        case .age: 4
        case .cpu: 6
        case .history: 8
        case .mem: 6
        case .temperature: 7
        case .uptime: 9
        case .addresses: 15
        }
    }
}

extension WatchColumns.Column {
    /// The column's heading.
    var title: String {
        switch self {
        case .hostname: "HOST"
        case .age: "AGE"
        case .cpu: "CPU"
        case .history: ""
        case .mem: "MEM"
        case .temperature: "TEMP"
        case .uptime: "UPTIME"
        case .addresses: "ADDRESSES"
        }
    }

    /// Whether numbers stand in it, at its right end.
    var isNumeric: Bool {
        switch self {
        case .hostname, .history, .addresses: false
        case .age, .cpu, .mem, .temperature, .uptime: true
        }
    }

    /// What the table can be sorted by here.
    var order: WatchModel.Order? {
        switch self {
        case .hostname: .hostname
        case .age: .age
        case .cpu: .cpu
        case .mem: .mem
        case .temperature: .temperature
        case .history, .uptime, .addresses: nil
        }
    }
}
#endif
