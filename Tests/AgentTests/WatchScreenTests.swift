#if Agent
import Testing

@testable import PsistatsAgent

@Suite("What watch draws")
struct WatchScreenTests {
    private let start = ContinuousClock.now

    private func model(_ hosts: [String] = ["alpha", "beta"]) -> WatchModel {
        var model = WatchModel()
        model.link = .watching
        for (index, name) in hosts.enumerated() {
            var message = WatchMessage(hostname: name)
            message.cpu = [Double(index % 101)]
            message.mem = 70
            message.temperature = 90
            message.uptime = 130583
            message.addresses = ["192.168.1.101", "192.168.1.102"]
            model.received(message, at: start)
        }
        return model
    }

    private func lines(_ model: WatchModel, rows: Int, columns: Int, after: Int = 2) -> [String] {
        var screen = WatchScreen(subject: "broker:5672 exchange psistats")
        let size = WindowSize(rows: rows, columns: columns)
        let grid = screen.grid(of: model, size: size, at: start + .seconds(after))
        return (0..<grid.rows).map { grid.text(row: $0) }
    }

    @Test("a wide window shows everything of each host")
    func wide() {
        var model = model()
        for percent in [0.0, 50, 100] {
            var message = WatchMessage(hostname: "beta")
            message.cpu = [percent]
            model.received(message, at: start)
        }
        let lines = lines(model, rows: 6, columns: 120)
        #expect(lines[0].hasPrefix("psistats  broker:5672 exchange psistats "))
        #expect(lines[0].hasSuffix(" 2 hosts  1.7 msg/s"))
        #expect(lines[1].hasPrefix("HOST▾"))
        #expect(lines[1].contains("AGE") && lines[1].contains("TEMP") && lines[1].contains("ADDRESSES"))
        let words = lines[3].split(separator: " ").map(String.init)
        #expect(
            words == [
                "beta", "2s", "100.0%", "▁▁▅█", "70.0%", "90.0°C", "1d", "12:16", "192.168.1.101", "192.168.1.102",
            ]
        )
        #expect(lines[4].allSatisfy { $0 == " " })
        #expect(lines[5].hasPrefix("q quit"))
    }

    @Test("a narrow window shows the more important columns")
    func narrow() {
        let words = { (columns: Int) in
            self.lines(self.model(), rows: 6, columns: columns)[2].split(separator: " ").count
        }
        #expect(words(20) == 2)
        #expect(words(23) == 3)
        #expect(words(28) == 4)
        #expect(lines(model(), rows: 6, columns: 20)[2] == "alpha      0.0%     ")
        #expect(lines(model(), rows: 6, columns: 5)[2] == "alpha")
        #expect(lines(model(), rows: 6, columns: 3)[2] == "alp")
    }

    @Test("columns lie side by side within every width")
    func columns() {
        for width in 0...400 {
            for hostname in [0, 1, 8, 39, 40, 41, 200] {
                let places = WatchColumns(width: width, hostnameWidth: hostname).places
                var end = -1
                for place in places {
                    #expect(place.range.lowerBound == end + 1)
                    #expect(!place.range.isEmpty)
                    end = place.range.upperBound
                }
                #expect(end <= width)
                #expect(width == 0 || places.first?.column == .hostname)
            }
        }
        #expect(WatchColumns(width: 200, hostnameWidth: 30).places.count == WatchColumns.Column.allCases.count)
    }

    @Test("a window of any size is filled exactly, whatever the hosts are called")
    func sizes() {
        let names = [
            "a", "日本語のホスト名", "e\u{301}\u{302}\u{303}", "\u{1B}[2J", "👩‍👩‍👧 host", String(repeating: "x", count: 300),
        ]
        var model = model(names + (0..<150).map { "host\($0)" })
        let links: [WatchLink] = [.watching, .connecting, .waiting("w日"), .lost("gone\u{1B}[1m", retry: .seconds(2))]
        for rows in [0, 1, 2, 3, 4, 5, 6, 24, 100] {
            for columns in [0, 1, 2, 3, 5, 8, 10, 16, 40, 79, 80, 132, 300] {
                for link in links {
                    model.link = link
                    var virtual = VirtualScreen(rows: rows, columns: columns)
                    virtual.feed(Terminal.entering.utf8)
                    var painter = GridPainter(usesColor: true)
                    var screen = WatchScreen(subject: "日本")
                    screen.scroll(by: rows / 2)
                    let size = WindowSize(rows: rows, columns: columns)
                    let grid = screen.grid(of: model, size: size, at: start)
                    virtual.feed(painter.octets(for: grid))
                    #expect(virtual.faults.isEmpty)
                    #expect((0..<grid.rows).allSatisfy { grid.text(row: $0) == virtual.cells[$0].map(\.text).joined() })
                }
            }
        }
    }

    @Test("drawing what changed shows the same as drawing everything")
    func differences() {
        var random = SplitMix64(seed: 5)
        let words = ["", "a", "日本", "xyz", "é", "host 日", "e\u{301}", "ABCDEFGHIJ"]
        var screen = VirtualScreen(rows: 5, columns: 11)
        var painter = GridPainter(usesColor: true)
        for _ in 0..<500 {
            var grid = CellGrid(WindowSize(rows: 5, columns: 11))
            for row in 0..<5 {
                let style = CellStyle(color: random.element(of: [.usual, .red]), isBold: Bool.random(using: &random))
                grid.put(
                    random.element(of: words),
                    row: row,
                    column: Int.random(in: 0..<11, using: &random),
                    style: style
                )
            }
            screen.feed(painter.octets(for: grid))
            var whole = VirtualScreen(rows: 5, columns: 11)
            var fresh = GridPainter(usesColor: true)
            whole.feed(fresh.octets(for: grid))
            #expect(screen.cells == whole.cells)
            #expect(screen.faults.isEmpty)
        }
    }

    @Test("nothing is sent where nothing changed")
    func frugality() {
        var painter = GridPainter(usesColor: true)
        var screen = WatchScreen(subject: "s")
        let size = WindowSize(rows: 24, columns: 80)
        let grid = screen.grid(of: model(), size: size, at: start)
        #expect(!painter.octets(for: grid).isEmpty)
        #expect(painter.octets(for: grid).isEmpty)
        let later = painter.octets(for: screen.grid(of: model(), size: size, at: start + .seconds(1)))
        // Two ages, and the messages a second.
        #expect((1..<60).contains(later.count))
        painter.forget()
        #expect(painter.octets(for: grid).count > 300)
    }

    @Test("values are coloured by how high they are, and not at all where colours are not wanted")
    func levels() {
        var model = WatchModel()
        model.link = .watching
        for (name, cpu) in [("low", 59.9), ("warm", 60), ("high", 85)] {
            var message = WatchMessage(hostname: name)
            message.cpu = [cpu]
            message.temperature = 64
            model.received(message, at: start)
        }
        for usesColor in [true, false] {
            var screen = WatchScreen(subject: "s")
            var painter = GridPainter(usesColor: usesColor)
            var virtual = VirtualScreen(rows: 8, columns: 100)
            virtual.feed(
                painter.octets(for: screen.grid(of: model, size: WindowSize(rows: 8, columns: 100), at: start))
            )
            #expect(virtual.attributes(of: "59.9%") == (usesColor ? "0;32" : "0"))
            #expect(virtual.attributes(of: "60.0%") == (usesColor ? "0;33" : "0"))
            #expect(virtual.attributes(of: "85.0%") == (usesColor ? "0;1;31" : "0;1"))
            #expect(virtual.attributes(of: "64.0°C") == (usesColor ? "0;32" : "0"))
            #expect(virtual.attributes(of: "HOST") == "0;7")
        }
    }

    @Test("a silent host is dimmed and counted")
    func silence() {
        var screen = WatchScreen(subject: "s")
        let size = WindowSize(rows: 8, columns: 100)
        let grid = screen.grid(of: model(), size: size, at: start + .seconds(90))
        #expect(grid.text(row: 0).contains("2 hosts, 2 silent"))
        #expect(grid[2, 0].style == CellStyle(isDim: true))
        #expect(grid.text(row: 2).contains(" 90s "))
    }

    @Test("a lost connection is told of, and the rows stay")
    func status() {
        var model = model()
        model.link = .lost("connection reset", retry: .milliseconds(2_500))
        let all = lines(model, rows: 6, columns: 80)
        #expect(all[2].hasPrefix("alpha"))
        #expect(all[3].hasPrefix("beta"))
        #expect(all[4].hasPrefix("connection lost: connection reset; trying again after 2.5 s"))
        #expect(lines(model, rows: 1, columns: 80)[0].hasPrefix("connection lost"))
        model.link = .waiting("waiting for it")
        #expect(lines(model, rows: 6, columns: 80)[4].hasPrefix("waiting for it"))
    }

    @Test("more hosts than lines can be scrolled through, and no further")
    func scrolling() {
        var screen = WatchScreen(subject: "s")
        let model = model((0..<100).map { "host\($0 + 100)" })
        let size = WindowSize(rows: 13, columns: 100)
        func shown() -> [String] {
            let grid = screen.grid(of: model, size: size, at: start)
            return (2..<12).map { String(grid.text(row: $0).prefix(7)) }
        }
        #expect(screen.pageSize(rows: 13, link: .watching) == 10)
        #expect(shown() == (100..<110).map { "host\($0)" })
        screen.scroll(by: -1)
        #expect(shown().first == "host100")
        screen.scroll(by: 15)
        #expect(shown().first == "host115")
        screen.scrollToEnd()
        #expect(shown().last == "host199")
        screen.scroll(by: 5)
        #expect(shown().last == "host199")
        screen.scroll(by: -1)
        #expect(shown().last == "host198")
        screen.scrollToStart()
        #expect(shown().first == "host100")
        screen.scroll(by: .max)
        screen.scroll(by: .max)
        #expect(shown().last == "host199")
    }

    @Test("a terminal without UTF-8 gets ASCII only")
    func ascii() {
        var screen = WatchScreen(subject: "brøker", usesUnicode: false)
        var painter = GridPainter(usesColor: true)
        let grid = screen.grid(of: model(["hôst", "日本"]), size: WindowSize(rows: 10, columns: 140), at: start)
        #expect(painter.octets(for: grid).allSatisfy { $0 < 0x80 })
        #expect(grid.text(row: 2).hasPrefix("h?st"))
    }

    @Test("a window of absurd size is drawn in part")
    func absurdity() {
        var screen = WatchScreen(subject: "s")
        let grid = screen.grid(of: model(), size: WindowSize(rows: 65_535, columns: 65_535), at: start)
        #expect((grid.rows, grid.columns) == (500, 1_000))
        #expect(CellGrid(WindowSize(rows: -1, columns: -1)).cells.isEmpty)
    }

    @Test("bars of the cores take the place of the history when asked for")
    func cores() {
        var model = WatchModel()
        model.link = .watching
        var message = WatchMessage(hostname: "a")
        message.cpu = [0, 100, 50]
        model.received(message, at: start)
        var screen = WatchScreen(subject: "s")
        let size = WindowSize(rows: 10, columns: 100)
        #expect(screen.grid(of: model, size: size, at: start).text(row: 2).contains(" ▅ "))
        screen.toggleCores()
        #expect(screen.grid(of: model, size: size, at: start).text(row: 2).contains(" ▁█▅ "))
        #expect(screen.grid(of: model, size: size, at: start).text(row: 1).contains("CORES"))
    }
}

@Suite("Numbers as watch shows them")
struct WatchFormatTests {
    @Test("numbers have one decimal, and those nobody would believe a question mark")
    func decimals() {
        #expect(
            [0, -0.04, 24.06, -7.25, 99_999.9].map(WatchFormat.decimal) == ["0.0", "0.0", "24.1", "-7.3", "99999.9"]
        )
        #expect([1e5, -1e300, .infinity, .nan].map(WatchFormat.decimal) == ["?", "?", "?", "?"])
    }

    @Test("uptimes are days, hours and minutes")
    func uptimes() {
        #expect(
            [0, 59, 60, 3_600, 86_399, 86_400, 130_583.1].map(WatchFormat.uptime) == [
                "0:00", "0:00", "0:01", "1:00", "23:59", "1d 0:00", "1d 12:16",
            ]
        )
        #expect([-1, 1e10, .nan, .infinity].map(WatchFormat.uptime) == ["?", "?", "?", "?"])
    }

    @Test("ages have at most four characters")
    func ages() {
        #expect(
            [0, 99.9, 100, 5_999, 6_000, 172_799, 172_800, 9.9e6].map(WatchFormat.age) == [
                "0s", "99s", "1m", "99m", "1h", "47h", "2d", "114d",
            ]
        )
        #expect([-1, 1e7, .nan].map(WatchFormat.age) == ["?", "?", "?"])
    }
}

@Suite("Text from outside in a terminal")
struct DisplayTextTests {
    @Test("control characters, escape sequences and what turns lines around are replaced")
    func controls() {
        for value in Array(0..<0x20) + Array(0x7F..<0xA0) {
            let text = DisplayText(String(Unicode.Scalar(UInt8(value))) + "[31m")
            #expect(text.string == "\u{FFFD}[31m")
        }
        #expect(
            DisplayText("a\u{202E}b\u{2066}c\u{200B}d\u{FEFF}e\u{2028}f\u{E000}g").string.contains { $0 == "\u{202E}" }
                == false
        )
        #expect(DisplayText("a\u{202E}b").string == "a\u{FFFD}b")
        #expect(DisplayText("a\u{A0}b").string == "a b")
        #expect(DisplayText("a\tb\r\nc").string == "a\u{FFFD}b\u{FFFD}\u{FFFD}c")
    }

    @Test(
        "characters are as wide as terminals draw them",
        arguments: [
            ("abc", 3), ("é", 1), ("e\u{301}", 1), ("日本", 4), ("한국", 4), ("ｆｕｌｌ", 8), ("😀", 2), ("⌚", 2), ("→", 1),
            ("Ω", 1), ("☃", 1), ("", 0), ("𠀀", 2), ("▁█", 2),
        ]
    )
    func widths(text: String, width: Int) {
        #expect(DisplayText(text).width == width)
        #expect(DisplayText(text).string == text)
    }

    @Test("a character keeps two marks, and marks alone are nothing")
    func marks() {
        let text = DisplayText("a" + String(repeating: "\u{301}", count: 1_000) + "b")
        #expect(text.clusters.map(\.text) == ["a\u{301}\u{301}", "b"])
        #expect(DisplayText("\u{301}\u{302}").clusters.isEmpty)
        #expect(DisplayText("☃\u{FE0F}").string == "☃")
    }

    @Test("long text is cut")
    func length() {
        #expect(DisplayText(String(repeating: "x", count: 100_000)).width == 256)
        #expect(DisplayText("abc", limit: 0).width == 0)
        #expect(DisplayText("abcdef", limit: 2).string == "ab")
    }

    @Test("every character there is takes one or two columns, or none and no place")
    func all() {
        for value in 0...0x10FFFF {
            guard let scalar = Unicode.Scalar(UInt32(value)) else { continue }
            let text = DisplayText(String(scalar))
            #expect(text.clusters.count <= 1 && (0...2).contains(text.width))
        }
    }
}

@Suite("Keys")
struct KeyDecoderTests {
    @Test(
        "keys are known, whole or in pieces",
        arguments: [
            ("q", [KeyDecoder.Key.character(0x71)]), ("\u{1B}[A", [.up]), ("\u{1B}OB", [.down]),
            ("\u{1B}[5~", [.pageUp]),
            ("\u{1B}[6~", [.pageDown]), ("\u{1B}[H\u{1B}[F", [.home, .end]), ("\u{1B}[1~\u{1B}[4~", [.home, .end]),
            ("\u{1B}[200~x", [.character(0x78)]), ("\u{1B}q", [.character(0x71)]), ("\u{1B}\u{1B}[A", [.up]),
            ("\u{1B}[1;5A", [.up]), ("\u{1B}[\u{1B}[B", [.down]),
        ]
    )
    func keys(sequence: String, keys: [KeyDecoder.Key]) {
        var whole = KeyDecoder()
        #expect(whole.keys(in: sequence.utf8) == keys)
        var pieces = KeyDecoder()
        #expect(sequence.utf8.flatMap { pieces.keys(in: [$0]) } == keys)
    }

    @Test("a sequence without end takes no memory and costs no later key")
    func endless() {
        var decoder = KeyDecoder()
        #expect(decoder.keys(in: [0x1B, 0x5B] + [UInt8](repeating: 0x31, count: 100_000)).isEmpty)
        #expect(decoder.keys(in: Array("~q".utf8)) == [.character(0x71)])
    }
}
#endif
