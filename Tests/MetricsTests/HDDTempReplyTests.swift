import Testing

@testable import HostMetrics

@Suite struct HDDTempReplyTests {
    private func drives(_ octets: [UInt8]) -> [String] {
        HDDTempReply(octets).drives.map(Self.text)
    }

    /// Name, model, temperature and state, with `-` for what is absent.
    static func text(_ drive: HDDTempSample.Drive) -> String {
        "\(drive.name) [\(drive.model ?? "-")] \(drive.celsius.map { "\($0)" } ?? "-") \(drive.state)"
    }

    /// What is in each reply, and how many of its parts cannot be read.
    static let expected: [String: (drives: [String], unreadable: Int)] = [
        "one-drive": (["/dev/hda [ST340014A] 36.0 ok"], 0),
        "one-asleep": (["/dev/hda [ST380011A] 46.0 ok", "/dev/hdd [ST340016A] - sleeping"], 0),
        "asleep-with-unit": (["/dev/sda [foobar] - sleeping"], 0),
        "fahrenheit": (["/dev/sda [WDC] 50.0 ok", "/dev/sdb [WDC] 36.1 ok", "/dev/sdc [WDC] -20.0 ok"], 0),
        "every-state": (
            [
                "/dev/sda [Model A] -7.0 ok", "/dev/sdb [Model B] - sleeping", "/dev/sdc [Model C] - unknown",
                "/dev/sdd [Model D] - noSensor", "/dev/sde [Model E] - notAvailable", "/dev/sdf [Model F] - error",
                "/dev/sdg [Model G] 0.0 ok",
            ], 0
        ),
        "other-separator": (["/dev/sda [WDC WD10EADS-00L5B1] 31.0 ok", "/dev/sdb [-] - sleeping"], 0),
        "odd-models": (
            [
                "/dev/sda [-] 30.0 ok", "/dev/sdb [-] 31.0 ok", "/dev/sdc [A|B] 32.0 ok", "/dev/sdd [|A||B|] 33.0 ok",
                "/dev/sde [V\u{FFFD}st \u{FFFD}] 34.0 ok", "/dev/sdf [C|35|C] 36.0 ok",
            ], 0
        ),
        "truncated-first": (["/dev/sdb [ST4000] 35.0 ok"], 1),
        "truncated-between": (["/dev/sda [ST3000] 34.0 ok", "/dev/sdc [ST5000] - sleeping"], 1),
        "truncated-last": (["/dev/sda [ST3000] 34.0 ok"], 1),
        "truncated-in-the-value": (["/dev/sda [ST3000] 34.0 ok", "/dev/sdc [ST5000] 33.0 ok"], 1),
        "just-fits": (
            [
                "/dev/sda [ST3000] 34.0 ok", "/dev/sdb [\(String(repeating: "M", count: 113))] 36.0 ok",
                "/dev/sdc [ST5000] 33.0 ok",
            ], 0
        ),
    ]

    @Test("every fixture is read as it is meant") func everyFixtureIsReadAs() throws {
        #expect(try Fixture.hddtempReplies() == Self.expected.keys.sorted())
        for (name, expected) in Self.expected {
            let reply = HDDTempReply(try Fixture.hddtempReply(name))
            #expect(reply.drives.map(Self.text) == expected.drives, "\(name)")
            #expect(reply.unreadableCount >= expected.unreadable, "\(name)")
            #expect((reply.unreadableCount == 0) == (expected.unreadable == 0), "\(name)")
        }
    }

    @Test("a reply that breaks off yields the drives that came whole, and no other") func aReplyThatBreaksOff() throws {
        for name in Self.expected.keys.sorted() {
            let whole = try Fixture.hddtempReply(name)
            let all = drives(whole)
            for count in 0..<whole.count {
                let some = drives(Array(whole[..<count]))
                // A model that looks like the end of a record is one, as long as the rest is missing.
                if name == "odd-models", some.last == "/dev/sdf [C] 35.0 ok" { continue }
                #expect(some == Array(all.prefix(some.count)), "\(name), \(count) octets")
            }
        }
    }

    @Test("a record is found again behind anything, or not at all") func aRecordIsFoundAgainBehind() {
        for (text, expected) in [
            ("", []), ("|", []), ("||", []), ("||||||||", []), ("|/dev/sda|M|36|C", []), ("|/dev/sda|M|36|K|", []),
            ("|/dev/sda|M||C|", []), ("|/dev/sda|M|3x|C|", []), ("|/dev/sda|M|36|*|", []), ("|/dev/sda|36|C|", []),
            ("|/dev/sda|M|12345678901234567890|C|", []), ("||M|36|C|", []), ("SSH-2.0-OpenSSH_9.2p1\r\n", []),
            ("|/dev/sda|M|36|C|\n", ["/dev/sda [M] 36.0 ok"]), ("|sda|M|36|C|", ["sda [M] 36.0 ok"]),
            ("|/dev/sda|M|251|C|", ["/dev/sda [M] - unknown"]), ("|/dev/sda|M|-460|F|", ["/dev/sda [M] - unknown"]),
            ("|/dev/sda|M|", []), ("|/dev/sda|M|||/dev/sdb|N|1|C|", ["/dev/sdb [N] 1.0 ok"]),
            ("|/dev/sda|M\0|36|C||/dev/sdb|N|1|C|", ["/dev/sdb [N] 1.0 ok"]),
            ("|/dev/sda|M|36|C|junk|/dev/sdb|N|1|C|", ["/dev/sda [M|36|C|junk|/dev/sdb|N] 1.0 ok"]),
            ("|/dev/sda|M|36|C||junk||/dev/sdb|N|1|C|", ["/dev/sda [M] 36.0 ok", "/dev/sdb [N] 1.0 ok"]),
        ] as [(String, [String])] {
            #expect(drives(Array(text.utf8)) == expected, "\(text)")
        }
    }

    @Test("no damage to a reply ends the process, or takes long", .timeLimit(.minutes(2)))
    func noDamageToAReplyEnds() throws {
        var random = SplitMix64(state: 5)
        for name in ["every-state", "odd-models", "other-separator", "truncated-between"] {
            for octets in Damage.variants(of: try Fixture.hddtempReply(name), &random) {
                // The collector takes no more of a reply.
                let reply = HDDTempReply(Array(octets.prefix(1 << 20)))
                #expect(reply.drives.allSatisfy { ($0.celsius == nil) == ($0.state != .ok) && !$0.name.isEmpty })
            }
        }
        for piece in ["|", "||/", "|/a||/", "|36|C", "|36|C|", "|SLP|*|", "/", "|/d|m|1|C|"] {
            _ = HDDTempReply(Array(("|" + String(repeating: piece, count: (1 << 20) / piece.count)).utf8))
        }
    }

    @Test("records on lines of their own are as many records", arguments: ["\n", "\r\n", "\n\n"])
    func recordsOnLinesOfTheirOwn(end: String) {
        let reply = HDDTempReply(
            Array(
                "|/dev/sda|WDC WD10EZEX|33|C|\(end)|/dev/sdb|ST4000|34|C|\(end)|/dev/sdc|X|SLP|*||/dev/sdd|Y|36|C|\(end)"
                    .utf8
            )
        )
        #expect(
            reply.drives.map(Self.text) == [
                "/dev/sda [WDC WD10EZEX] 33.0 ok", "/dev/sdb [ST4000] 34.0 ok", "/dev/sdc [X] - sleeping",
                "/dev/sdd [Y] 36.0 ok",
            ]
        )
        #expect(reply.unreadableCount == 0)
    }

    @Test("decimals and a degree sign, which others than the daemon send, are understood") func decimalsAndADegreeSign()
    {
        let reply = HDDTempReply(
            Array("|/dev/sda|A|33.5|C||/dev/sdb|B|33|°C||/dev/sdc|C|-1.5|C||/dev/sdd|D|3.|C|".utf8)
        )
        #expect(
            reply.drives.map(Self.text) == ["/dev/sda [A] 33.5 ok", "/dev/sdb [B] 33.0 ok", "/dev/sdc [C] -1.5 ok"]
        )
        #expect(reply.unreadableCount == 1)
    }
}
