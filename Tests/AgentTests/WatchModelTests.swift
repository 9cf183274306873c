#if Agent
import Testing

@testable import PsistatsAgent

@Suite("What watch knows of hosts")
struct WatchModelTests {
    private let start = ContinuousClock.now

    private func message(_ hostname: String, cpu: [Double] = [], mem: Double? = nil) -> WatchMessage {
        var message = WatchMessage(hostname: hostname)
        message.cpu = cpu
        message.mem = mem
        return message
    }

    /// The hosts as they are to be shown.
    private func rows(_ model: WatchModel) -> [WatchHost] {
        model.sortedNames().compactMap { model.hosts[$0] }
    }

    @Test("each host has a row with the last of each value")
    func merging() throws {
        var model = WatchModel()
        var first = message("a", cpu: [10], mem: 50)
        first.temperature = 70
        model.received(first, at: start)
        model.received(message("a", cpu: [20, 40]), at: start + .seconds(2))
        model.received(message("b"), at: start + .seconds(3))
        let row = try #require(rows(model).first)
        #expect(rows(model).map(\.name) == ["a", "b"])
        #expect(row.cpuMean == 30)
        #expect(row.cpu == [20, 40])
        #expect(row.cpuHistory.values == [10, 30])
        #expect(row.mem == 50)
        #expect(row.temperature == 70)
        #expect(row.age(at: start + .seconds(5)) == 3)
    }

    @Test("the rows can be sorted by each value, either way, and what is not known comes last")
    func sorting() {
        var model = WatchModel()
        model.received(message("b", cpu: [10], mem: 30), at: start)
        model.received(message("c", cpu: [90]), at: start + .seconds(1))
        model.received(message("a", mem: 20), at: start + .seconds(2))
        func names() -> String { model.sortedNames().joined() }
        #expect(names() == "abc")
        model.sort(by: .hostname)
        #expect(names() == "cba")
        model.sort(by: .cpu)
        #expect(names() == "cba")
        model.sort(by: .cpu)
        #expect(names() == "bca")
        model.sort(by: .mem)
        #expect(names() == "bac")
        model.sort(by: .age)
        #expect(names() == "bca")
        model.sort(by: .temperature)
        #expect(names() == "abc")
    }

    @Test("a host that sends often is silent after ten seconds, one that sends rarely after three of its gaps")
    func silence() {
        var model = WatchModel()
        model.received(message("often"), at: start)
        for minute in 0..<5 {
            // Several messages at once, then none for a minute.
            for _ in 0..<3 { model.received(message("rarely"), at: start + .seconds(60 * minute)) }
        }
        #expect(model.hosts["often"]?.isSilent(at: start + .seconds(10)) == false)
        #expect(model.hosts["often"]?.isSilent(at: start + .seconds(11)) == true)
        #expect(model.hosts["rarely"]?.isSilent(at: start + .seconds(240 + 120)) == false)
        #expect(model.hosts["rarely"]?.isSilent(at: start + .seconds(240 + 181)) == true)
        #expect(model.silentCount(at: start + .seconds(300)) == 1)
    }

    @Test("a message that waited before it left is as old as its timestamp says, and its host is heard of all the same")
    func lateMessages() throws {
        var model = WatchModel()
        var late = message("a")
        late.delay = .seconds(60)
        late.uptime = 100
        model.received(late, at: start)
        var host = try #require(model.hosts["a"])
        #expect(host.age(at: start + .seconds(1)) == 61)
        #expect(!host.isSilent(at: start + .seconds(1)))
        #expect(host.uptime(at: start) == 160)
        model.received(message("a"), at: start + .seconds(2))
        // One that comes behind a younger one makes the host no older.
        model.received(late, at: start + .seconds(3))
        host = try #require(model.hosts["a"])
        #expect(host.age(at: start + .seconds(5)) == 3)
    }

    @Test(
        "a timestamp counts where it can be right",
        arguments: [
            (nil, 0), (1_000, 0), (999, 0.5), (940, 59.5), (1_005, 0), (1_000_000, 0), (UInt64.max, 0), (0, 999.5),
        ] as [(UInt64?, Double)]
    )
    func delays(timestamp: UInt64?, seconds: Double) {
        #expect(WatchMessage.delay(from: timestamp, to: 1_000.5) == .seconds(seconds))
    }

    @Test("a timestamp older than a day says nothing")
    func oldTimestamp() {
        #expect(WatchMessage.delay(from: 100_000, to: 186_401) == .zero)
        #expect(WatchMessage.delay(from: 100_000, to: 186_399) == .seconds(86_398))
    }

    @Test("the uptime goes on while a host is heard of, and stands still when it is not")
    func uptime() throws {
        var model = WatchModel()
        var first = message("a")
        first.uptime = 100
        model.received(first, at: start)
        model.received(message("a"), at: start + .seconds(5))
        let host = try #require(model.hosts["a"])
        #expect(host.uptime(at: start + .seconds(8)) == 108)
        #expect(host.uptime(at: start + .seconds(1_000)) == 105)
    }

    @Test("of more hosts than there is room for, those silent for longest are dropped and counted")
    func bound() {
        var model = WatchModel(limit: 1_000)
        for number in 0..<1_000 { model.received(message("\(number)"), at: start + .seconds(number)) }
        model.received(message("0"), at: start + .seconds(1_000))
        model.received(message("new"), at: start + .seconds(1_001))
        #expect(model.hosts["new"] != nil)
        #expect(model.hosts["0"] != nil)
        #expect((1...10).allSatisfy { model.hosts["\($0)"] == nil })
        #expect(model.hosts["11"] != nil)
        #expect(model.forgottenCount == 10)
        for number in 0..<3_000 { model.received(message("other \(number)"), at: start + .seconds(1_002)) }
        #expect(model.hosts.count <= 1_000)
    }

    @Test("messages a second are those of the last ten seconds, unreadable ones too")
    func rate() {
        var model = WatchModel()
        #expect(model.messagesPerSecond(at: start) == 0)
        for second in 0..<20 {
            for _ in 0..<4 { model.received(message("a"), at: start + .seconds(second)) }
            model.receivedUnreadable(at: start + .seconds(second))
        }
        #expect(model.messagesPerSecond(at: start + .seconds(19)) == 5)
        #expect(model.messagesPerSecond(at: start + .seconds(24)) == 2.5)
        #expect(model.messagesPerSecond(at: start + .seconds(60)) == 0)
        #expect(model.unreadableCount == 20)
        // A clock that is read a little late takes nothing away.
        #expect(model.messagesPerSecond(at: start + .seconds(5)) == 5)
    }

    @Test("the history keeps the last values, within 0 and 100")
    func history() {
        var history = History()
        for value in [-5, 0, 49.6, 100, 1e300, .infinity, .nan] { history.append(value) }
        #expect(history.values == [0, 0, 50, 100, 100, 100])
        for _ in 0..<1_000 { history.append(7) }
        #expect(history.values == [UInt8](repeating: 7, count: History.limit))
    }

    @Test("a sparkline has a bar for each value, the newest at its end")
    func sparkline() {
        #expect(Sparkline.text([0, 13, 25, 38, 50, 63, 75, 88, 100], width: 20) == "▁▂▃▄▅▆▇██")
        #expect(Sparkline.text([0, 50, 100], width: 2) == "▅█")
        #expect(Sparkline.text([0, 50, 100], width: 3, usesUnicode: false) == "_=#")
        #expect(Sparkline.text([1, 2], width: 0) == "")
        #expect(Sparkline.text([], width: 5) == "")
    }
}

@Suite("What watch reads from a message")
struct WatchMessageTests {
    private func read(_ body: String, routingKey: String = "psistats.key") throws -> WatchMessage {
        try WatchMessage(Array(body.utf8), routingKey: routingKey, prefix: "psistats")
    }

    @Test("all that is shown is read")
    func full() throws {
        let message = try read(
            """
            {"hostname": "my-computer", "uptime": 130583.1, "cpu": 24.1, "mem": 34, "ipaddr": ["192.168.1.101", "::1"],
             "cpu_temp": 72.4, "os": "Debian", "hddspace": [{"/": 4}]}
            """
        )
        #expect(message.hostname == "my-computer")
        #expect(message.uptime == 130583.1)
        #expect(message.cpu == [24.1])
        #expect(message.mem == 34)
        #expect(message.addresses == ["192.168.1.101", "::1"])
        #expect(message.temperature == 72.4)
        #expect(message.others == ["hddspace", "os"])
    }

    @Test("the load can be a list, and its mean is the load")
    func cores() throws {
        let message = try read(#"{"hostname": "a", "cpu": [10, 20, 60]}"#)
        #expect(message.cpu == [10, 20, 60])
        #expect(message.cpuMean == 30)
    }

    @Test(
        "a value of another kind than expected is left out, and the others are read",
        arguments: ["null", #""a lot""#, "true", "{}", #"["x"]"#, "1e999", "[1e999]", "[null]"]
    )
    func tolerance(value: String) throws {
        for key in ["cpu", "cpu_temp", "uptime"] {
            let message = try read(#"{"hostname": "a", "mem": 5, "\#(key)": \#(value)}"#)
            #expect(message.mem == 5)
            #expect(message.cpu.isEmpty)
            #expect(message.temperature == nil)
            #expect(message.uptime == nil)
        }
    }

    @Test("a message without a hostname is named after its routing key")
    func namelessness() throws {
        #expect(try read("{}", routingKey: "psistats.box").hostname == "box")
        #expect(try read(#"{"hostname": ""}"#, routingKey: "psistats.box").hostname == "box")
        #expect(try read(#"{"hostname": 5}"#, routingKey: "other.box").hostname == "other.box")
        #expect(try read("{}", routingKey: "psistats.").hostname == "psistats.")
        #expect(try read("{}", routingKey: "").hostname == "")
    }

    @Test("long names and lists are cut")
    func bounds() throws {
        let name = String(repeating: "n", count: 10_000)
        let numbers = String(repeating: "1,", count: 9_999) + "1"
        let message = try read(
            #"{"hostname": "\#(name)", "cpu": [\#(numbers)], "ipaddr": ["\#(name)", \#(numbers.replacing("1", with: "\"a\""))], "\#(name)": 1}"#
        )
        #expect(message.hostname.count == 255)
        #expect(message.cpu.count == 1_024)
        #expect(message.addresses?.map(\.count) == [64, 1, 1, 1, 1, 1, 1, 1])
        #expect(message.others.map(\.count) == [64])
        let keys = (0..<1_000).map { "\"key\($0)\": 1" }.joined(separator: ",")
        #expect(try read("{\(keys)}").others.count == 16)
    }

    @Test("what is no JSON object is refused, and so is what is too long")
    func refusals() throws {
        for body in ["", "{", "[]", "5", "\"x\"", "nonsense", "{\"a\":}", String(repeating: "[", count: 100_000)] {
            #expect(throws: WatchMessage.Unreadable.notAnObject) { try read(body) }
        }
        #expect(throws: WatchMessage.Unreadable.notUTF8) {
            try WatchMessage([0x7B, 0xFF, 0x7D], routingKey: "", prefix: "")
        }
        // UTF-16, which JSON decoders take by its look.
        #expect(throws: WatchMessage.Unreadable.self) {
            try WatchMessage([0, 0x7B, 0, 0x7D], routingKey: "", prefix: "")
        }
        let long = [UInt8](repeating: 0x20, count: WatchMessage.longestBody + 1)
        #expect(throws: WatchMessage.Unreadable.tooLong(octets: long.count)) {
            try WatchMessage(long, routingKey: "", prefix: "")
        }
    }

    @Test("octets made up at random never end the program")
    func noise() {
        var random = SplitMix64(seed: 7)
        let seed = Array(#"{"hostname": "a", "cpu": [1, 2.5e3], "mem": 5, "ipaddr": ["::1"], "cpu_temp": -1}"#.utf8)
        var read = 0
        for _ in 0..<3_000 {
            var body = seed
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                body[Int.random(in: 0..<body.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if (try? WatchMessage(body, routingKey: "r", prefix: "p")) != nil { read += 1 }
        }
        #expect((1..<3_000).contains(read))
    }

    @Test("a line says what a message holds, and nothing in it can reach the terminal")
    func lines() throws {
        let message = try read(
            #"""
            {"hostname": "my\u001b[2Jhost", "uptime": 130583.1, "cpu": [20, 28.2], "mem": 34.1, "cpu_temp": 72.4,
             "ipaddr": ["192.168.1.101", "\u009b31m"], "os\n": "x"}
            """#
        )
        #expect(
            WatchLine.text(message, time: "12:34:56")
                == "12:34:56 my\u{FFFD}[2Jhost cpu 24.1% (20.0 28.2) mem 34.1% temp 72.4°C uptime 1d 12:16 "
                + "ip 192.168.1.101 \u{FFFD}31m and os\u{FFFD}"
        )
        #expect(WatchLine.text(WatchMessage(hostname: ""), time: "t") == "t ?")
    }

    @Test("a raw line is one line, means the same, and nothing in it can reach the terminal")
    func rawLines() throws {
        let body = "{\r\n\t\"hostname\": \"a\u{7F}b\u{9B}31mé\u{A0}\"\n}"
        let line = WatchLine.raw(Array(body.utf8))
        #expect(String(decoding: line, as: UTF8.self) == #"{   "hostname": "a\u007fb\u009b31mé"# + "\u{A0}\" }")
        #expect(try WatchMessage(line, routingKey: "", prefix: "") == read(body))
        #expect(WatchLine.raw([0xC2]) == [0xC2])
    }
}
#endif
