#if Agent
import Glibc
import Testing

@testable import PsistatsAgent

@Suite("Log files that rotate", .serialized)
struct LoggingRotationTests {
    static let units: [String: LoggingConfiguration.Schedule.Unit] = [
        "S": .seconds, "M": .minutes, "H": .hours, "D": .days, "MIDNIGHT": .midnight,
        "W0": .weekday(0), "W1": .weekday(1), "W2": .weekday(2), "W3": .weekday(3), "W4": .weekday(4),
        "W5": .weekday(5),
        "W6": .weekday(6),
    ]

    static func outlet(_ target: LoggingConfiguration.Target, now: Int, _ reports: Reports = Reports()) throws
        -> LogOutlet
    {
        let sink = try target.sink(now: LogTime(seconds: now), knownFiles: [])
        let handler = LoggingConfiguration.Handler(name: "h", target: target)
        let outlet = LogOutlet(handler, sink: sink, report: { reports.add($0) })
        try outlet.begin()
        return outlet
    }

    @Test(
        "files are renamed and removed at the times and under the names that Python gives them",
        arguments: [("timed", 66), ("calendar", 71)]
    )
    func timedAsPython(_ name: String, _ count: Int) throws {
        let blocks = try loggingBlocks(name, head: "case")
        #expect(blocks.count == count)
        for (head, lines) in blocks {
            let words = head.split(separator: " ").map(String.init)
            let start = try #require(Int(words[5]))
            var schedule = LoggingConfiguration.Schedule()
            schedule.unit = try #require(Self.units[words[0].uppercased()])
            schedule.interval = try #require(Int(words[1]))
            schedule.backups = try #require(Int(words[2]))
            schedule.isUTC = words[3] == "1"
            if words[4] == "03:30:00" { schedule.secondOfDay = 12_600 }
            let directory = try LogDirectory()
            for name in ["a.log", "a.log.1999-01-01", "c", "b", "a.log.note"] {
                try directory.write(name, "old\n", modified: start)
            }
            let outlet = try Self.outlet(
                .timedRotatingFile(LoggingConfiguration.File(path: directory["a.log"]), schedule),
                now: start
            )
            for second in words.dropFirst(6).compactMap({ Int($0) }) { outlet.write(.sample("at \(second)", second)) }
            #expect(directory.listing == lines, "\(head)")
        }
    }

    @Test("files are renamed when they would reach their size, as Python does it")
    func sizesAsPython() throws {
        let blocks = try loggingBlocks("sizes", head: "case")
        #expect(blocks.count == 5)
        for (head, lines) in blocks {
            let numbers = head.split(separator: " ").compactMap { Int($0) }
            let directory = try LogDirectory()
            try directory.write("a.log", "old\n")
            let outlet = try Self.outlet(
                .rotatingFile(
                    LoggingConfiguration.File(path: directory["a.log"], mode: .truncate),
                    LoggingConfiguration.Size(limit: numbers[0], backups: numbers[1])
                ),
                now: 0
            )
            for (index, length) in numbers.dropFirst(2).enumerated() {
                let letter = Unicode.Scalar(UInt8(97 + index % 26))
                outlet.write(.sample(String(repeating: Character(letter), count: length)))
            }
            #expect(directory.listing == lines, "\(head)")
        }
    }

    @Test("a message longer than the limit leaves no empty file behind it")
    func longMessage() throws {
        let directory = try LogDirectory()
        let outlet = try Self.outlet(
            .rotatingFile(
                LoggingConfiguration.File(path: directory["a.log"]),
                LoggingConfiguration.Size(limit: 10, backups: 2)
            ),
            now: 0
        )
        for letter in ["a", "b"] { outlet.write(.sample(String(repeating: letter, count: 20))) }
        #expect(directory.names == ["a.log", "a.log.1"])
        #expect(directory.text("a.log.1") == String(repeating: "a", count: 20) + "\n")
    }

    @Test(
        "midnight and weekdays end with the day where a change of the clock makes it shorter or longer",
        arguments: [
            // 2026-03-29 has 23 hours: from 2026-03-28 23:00 UTC to 22:00 UTC.
            (LoggingConfiguration.Schedule.Unit.midnight, 1, 1_774_738_800 + 3_600, 1_774_821_600, "2026-03-29"),
            // 2026-10-25 has 25 hours: from 2026-10-24 22:00 UTC to 23:00 UTC.
            (.midnight, 1, 1_792_879_200 + 3_600, 1_792_969_200, "2026-10-25"),
            // Sunday is that day.
            (.weekday(6), 1, 1_792_879_200 + 3_600, 1_792_969_200, "2026-10-19"),
            (.midnight, 2, 1_774_738_800 - 3_600, 1_774_821_600, "2026-03-28"),
        ]
    )
    func clockChanges(
        _ unit: LoggingConfiguration.Schedule.Unit,
        _ interval: Int,
        _ seconds: Int,
        _ end: Int,
        _ name: String
    ) throws {
        LogDirectory.zone
        var settings = LoggingConfiguration.Schedule()
        settings.unit = unit
        settings.interval = interval
        let schedule = RotationSchedule(settings)
        #expect(schedule.rollover(after: seconds) == end)
        // The first record thereafter may come late, when clocks were changed again.
        for now in [end, end + 90_000, end + 200 * 86_400] {
            #expect(schedule.suffix(rolloverAt: end, now: now) == name)
        }
    }

    @Test("an old file is never replaced: the hour that comes twice stays with the one after it")
    func twiceTheHour() throws {
        // 2026-10-25 00:00 UTC is 02:00, and so is the hour after it.
        let midnight = 1_792_886_400
        let directory = try LogDirectory()
        try directory.write("a.log", "", modified: midnight)
        let outlet = try Self.outlet(
            .timedRotatingFile(LoggingConfiguration.File(path: directory["a.log"]), LoggingConfiguration.Schedule()),
            now: midnight
        )
        for hour in 0...4 { outlet.write(.sample("\(hour)", midnight + hour * 3_600)) }
        let kept = directory.names.compactMap { directory.text($0) }.joined().split(separator: "\n").sorted()
        #expect(kept == ["0", "1", "2", "3", "4"])
        #expect(directory.text("a.log") == "4\n")
    }

    @Test("old files are known by their dates, with or without one further extension")
    func suffixes() {
        let schedule = RotationSchedule(LoggingConfiguration.Schedule())
        for suffix in ["2026-11-22_17", "2026-11-22_17.gz", "0000-00-00_00.A_9"] { #expect(schedule.isSuffix(suffix)) }
        for suffix in [
            "", "2026-11-22", "2026-11-22_1", "2026-11-22_17.", "2026-11-22_17x", "2026-11-22_17.a.b", "2026_11-22_17",
            "x026-11-22_17", "1", "2026-11-22_17-30",
        ] { #expect(!schedule.isSuffix(suffix), "\(suffix)") }
    }

    @Test("every schedule lies ahead, whatever the moment")
    func alwaysAhead() {
        LogDirectory.zone
        var generator = SplitMix64(seed: 0x5EED_0101)
        for _ in 0..<2_000 {
            var settings = LoggingConfiguration.Schedule()
            settings.unit = generator.element(of: Array(Self.units.values).sorted { "\($0)" < "\($1)" })
            settings.interval = Int.random(in: 1...10_000, using: &generator)
            settings.isUTC = Bool.random(using: &generator)
            settings.secondOfDay = Bool.random(using: &generator) ? Int.random(in: 0..<86_400, using: &generator) : nil
            let now = Int.random(in: 0..<4_000_000_000, using: &generator)
            let schedule = RotationSchedule(settings)
            let next = schedule.rollover(after: now)
            #expect(next > now, "\(settings) \(now)")
            #expect(schedule.isSuffix(schedule.suffix(rolloverAt: next, now: now)), "\(settings) \(now)")
        }
    }

    @Test("a file that cannot be renamed is written on, reported once, and renamed a minute later")
    func cannotRename() throws {
        let directory = try LogDirectory()
        try directory.write("a.log", "old\n")
        // A directory in the way cannot be replaced by a file.
        try #require(mkdir(directory["a.log.1"], 0o700) == 0)
        let reports = Reports()
        let outlet = try Self.outlet(
            .rotatingFile(
                LoggingConfiguration.File(path: directory["a.log"]),
                LoggingConfiguration.Size(limit: 5, backups: 1)
            ),
            now: 0,
            reports
        )
        outlet.write(.sample("one", 1_000))
        outlet.write(.sample("two", 1_001))
        #expect(directory.text("a.log") == "old\none\ntwo\n")
        #expect(reports.lines.count == 1)
        #expect(reports.lines.first?.contains("a.log.1: ") == true)
        #expect(outlet.lostCount == 0)
        try #require(rmdir(directory["a.log.1"]) == 0)
        outlet.write(.sample("three", 1_060))
        #expect(directory.text("a.log") == "three\n")
        #expect(directory.text("a.log.1") == "old\none\ntwo\n")
    }

    @Test("what is no regular file is never renamed")
    func notRegular() throws {
        let directory = try LogDirectory()
        try #require(symlink("/dev/null", directory["a.log"]) == 0)
        let file = LoggingConfiguration.File(path: directory["a.log"])
        var schedule = LoggingConfiguration.Schedule()
        schedule.unit = .seconds
        let timed = try Self.outlet(.timedRotatingFile(file, schedule), now: 0)
        timed.write(.sample("x", 5_000_000_000))
        let sized = try Self.outlet(.rotatingFile(file, LoggingConfiguration.Size(limit: 1, backups: 1)), now: 0)
        sized.write(.sample("x"))
        #expect(directory.names == ["a.log"])
        #expect(timed.lostCount + sized.lostCount == 0)
    }
}
#endif
