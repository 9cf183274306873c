#if Agent
/// Draws a `WatchModel` into a grid of the window's size: a title, the headings, a row for each host, and the keys.
/// Does no output.
struct WatchScreen: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// What is watched, for the title.
    var subject: String
    /// Whether the terminal takes UTF-8.
    var usesUnicode = true
    /// Hosts that are scrolled out at the top.
    private(set) var offset = 0
    /// Whether a bar for each core stands in the place of the load's history.
    private(set) var showsCores = false

    init(subject: String, usesUnicode: Bool = true) {
        self.subject = subject
        self.usesUnicode = usesUnicode
    }

    /// Which lines of a window of some height are for what. The lower it is, the fewer things have one.
    struct Lines: Hashable {
        var headings: Int?
        var hosts: Range<Int>
        var status: Int?
        var keys: Int?

        init(rows: Int, hasStatus: Bool) {
            var (top, bottom) = (min(1, rows), rows)
            if rows >= 5 {
                bottom -= 1
                keys = bottom
            }
            if hasStatus, rows >= 2 {
                bottom -= 1
                status = bottom
            }
            if rows >= 4 {
                headings = top
                top += 1
            }
            hosts = top..<max(top, bottom)
        }
    }

    /// How many hosts are to be seen in a window of some height.
    func pageSize(rows: Int, link: WatchLink) -> Int {
        Lines(rows: rows, hasStatus: link != .watching).hosts.count
    }

    /// Beyond any host.
    private static let farthest = Int.max / 4

    /// Shows other hosts; how far one can go is settled when the screen is drawn.
    mutating func scroll(by count: Int) {
        offset = max(0, offset + min(max(count, -Self.farthest), Self.farthest))
        offset = min(offset, Self.farthest)
    }

    mutating func scrollToStart() {
        offset = 0
    }

    mutating func scrollToEnd() {
        offset = Self.farthest
    }

    mutating func toggleCores() {
        showsCores.toggle()
    }

    /// The grid for a window.
    mutating func grid(of model: WatchModel, size: WindowSize, at now: Instant) -> CellGrid {
        var grid = CellGrid(size)
        let status = status(model.link)
        let lines = Lines(rows: grid.rows, hasStatus: status != nil)
        let hosts = model.sortedNames()
        offset = max(0, min(offset, hosts.count - lines.hosts.count))
        let visible = hosts[offset..<min(hosts.count, offset + lines.hosts.count)].compactMap { model.hosts[$0] }
        let widest = visible.map { DisplayText($0.shownName).width }.max() ?? 0
        let columns = WatchColumns(width: grid.columns, hostnameWidth: widest)

        // In a window of one line a status takes it.
        let statusRow = lines.status ?? (status == nil ? nil : 0)
        if statusRow != 0 { drawTitle(of: model, at: now, into: &grid) }
        if let row = lines.headings { drawHeadings(columns, model, row, &grid) }
        for (row, host) in zip(lines.hosts, visible) { draw(host, columns, row, at: now, &grid) }
        if hosts.isEmpty, status == nil {
            grid.put("no message yet", row: lines.hosts.lowerBound, column: 0, style: CellStyle(isDim: true))
        }
        if let status, let statusRow {
            let style = CellStyle(color: status.isTrouble ? .red : .yellow, isBold: true)
            grid.put(shown(status.text), row: statusRow, column: 0, style: style)
        }
        if let row = lines.keys { drawKeys(hosts.count, visible.count, row, &grid) }
        return grid
    }

    // MARK: Lines

    private func status(_ link: WatchLink) -> (text: String, isTrouble: Bool)? {
        switch link {
        case .watching: nil
        case .connecting, .waiting: (link.summary, false)
        case .lost(_, nil): (link.summary, true)
        case .lost(_, let retry?):
            (link.summary + "; trying again after \(WatchFormat.decimal(retry / .seconds(1))) s", true)
        }
    }

    private func drawTitle(of model: WatchModel, at now: Instant, into grid: inout CellGrid) {
        let silent = model.silentCount(at: now)
        var right = model.hosts.count == 1 ? "1 host" : "\(model.hosts.count) hosts"
        if silent > 0 { right += ", \(silent) silent" }
        if model.forgottenCount > 0 { right += ", \(model.forgottenCount) dropped" }
        if model.unreadableCount > 0 { right += ", \(model.unreadableCount) unreadable" }
        right += "  \(WatchFormat.decimal(model.messagesPerSecond(at: now))) msg/s"
        let style = CellStyle(isBold: true)
        let width = right.utf8.count
        guard grid.columns > width + 1 else {
            grid.put(right, row: 0, column: 0, style: style)
            return
        }
        grid.put(shown("psistats  " + subject), row: 0, column: 0, width: grid.columns - width - 1, style: style)
        grid.put(right, row: 0, column: grid.columns - width, style: style)
    }

    private func drawHeadings(_ columns: WatchColumns, _ model: WatchModel, _ row: Int, _ grid: inout CellGrid) {
        for (column, range) in columns.places {
            let isSorted = column.order == model.order
            let mark = usesUnicode ? (model.isReversed ? "▴" : "▾") : (model.isReversed ? "^" : "v")
            var text = column == .history && showsCores ? "CORES" : column.title
            if isSorted { text += mark }
            if column.isNumeric {
                grid.put(text, row: row, rightIn: range)
            } else {
                grid.put(text, row: row, column: range.lowerBound, width: range.count)
            }
        }
        grid.restyle(row: row) { $0.isReversed = true }
    }

    private func drawKeys(_ count: Int, _ visible: Int, _ row: Int, _ grid: inout CellGrid) {
        var text = "q quit  sort: h host  a age  c cpu  m mem  t temp  p cores"
        if visible < count { text += "  \(offset + 1)-\(offset + visible) of \(count), arrows scroll" }
        grid.put(text, row: row, column: 0, style: CellStyle(isDim: true))
    }

    // MARK: Hosts

    private func draw(_ host: WatchHost, _ columns: WatchColumns, _ row: Int, at now: Instant, _ grid: inout CellGrid) {
        for (column, range) in columns.places {
            func number(_ value: Double?, _ level: Level?, _ text: (Double) -> String) {
                guard let value else { return }
                grid.put(text(value), row: row, rightIn: range, style: level?.style(for: value) ?? .plain)
            }
            func left(_ text: String, _ style: CellStyle = .plain) {
                grid.put(shown(text), row: row, column: range.lowerBound, width: range.count, style: style)
            }
            switch column {
            case .hostname: left(host.shownName, CellStyle(isBold: true))
            case .age: number(host.age(at: now), nil, WatchFormat.age)
            case .cpu: number(host.cpuMean, .share, WatchFormat.percent)
            case .mem: number(host.mem, .share, WatchFormat.percent)
            case .temperature:
                number(host.temperature, .temperature) {
                    WatchFormat.temperature($0, usesUnicode: usesUnicode)
                }
            case .uptime: number(host.uptime(at: now), nil, WatchFormat.uptime)
            case .addresses: left(host.addresses.joined(separator: " "))
            case .history: drawBars(of: host, range, row, &grid)
            }
        }
        if host.isSilent(at: now) {
            grid.restyle(row: row) { $0 = CellStyle(isDim: true) }
        }
    }

    private func drawBars(of host: WatchHost, _ range: Range<Int>, _ row: Int, _ grid: inout CellGrid) {
        let percents: [UInt8]
        if showsCores {
            percents = host.cpu.prefix(range.count).map(History.whole)
        } else {
            percents = host.cpuHistory.values.suffix(range.count)
        }
        // The newest stands at the right end.
        var column = showsCores ? range.lowerBound : range.upperBound - percents.count
        for percent in percents {
            let bar = String(Sparkline.bar(percent, usesUnicode: usesUnicode))
            grid.put(bar, row: row, column: column, style: Level.share.style(for: Double(percent)))
            column += 1
        }
    }

    /// The text in the characters that the terminal has.
    private func shown(_ text: String) -> String {
        guard !usesUnicode else { return text }
        return String(text.map { $0.isASCII ? $0 : "?" })
    }
}

/// From where on a value is high.
struct Level: Hashable, Sendable {
    var warning: Double
    var critical: Double

    /// Percent of something that can be used up.
    static let share = Level(warning: 60, critical: 85)
    /// Degrees Celsius of a processor.
    static let temperature = Level(warning: 65, critical: 80)

    func style(for value: Double) -> CellStyle {
        if value >= critical { return CellStyle(color: .red, isBold: true) }
        return CellStyle(color: value >= warning ? .yellow : .green)
    }
}
#endif
