#if Agent
import Foundation
import Glibc
import Testing

@testable import PsistatsAgent

@Suite("What waits is kept on disk")
struct JournalTests {
    private func report(_ number: Int, bytes: Int = 20) -> OutgoingReport {
        OutgoingReport(
            id: "run-\(number)",
            type: "report",
            measuredAt: 1_700_000_000 + UInt64(number),
            body: Array("{\"n\":\(number)}".utf8) + [UInt8](repeating: 0x20, count: bytes)
        )
    }

    private func journal(_ folder: String, _ sync: Journal.Sync = .never, mostBytes: Int = 1 << 20) throws -> Journal {
        try Journal(.init(folder: folder, sync: sync, mostBytes: mostBytes))
    }

    private func waiting(_ folder: String) -> [String] { JournalReading(folder: folder).waiting.map(\.report.id) }

    private func segments(_ folder: String) -> [String] {
        JournalFiles.numbers(in: folder).map { JournalFiles.path($0, in: folder) }
    }

    // MARK: Records

    @Test("records are read as they were written")
    func records() {
        let records: [JournalRecord] = [
            .message(.init(run: .max, number: 0), report(1)), .done(.init(run: 1, number: .max)),
            .message(
                .init(run: 0, number: 7),
                OutgoingReport(id: "", type: "é", measuredAt: 0, body: Array("PsR1PsR1".utf8))
            ),
        ]
        var bytes: [UInt8] = []
        for record in records { record.write(to: &bytes) }
        let (read, damages, end) = JournalRecord.read(bytes[...])
        #expect(read == records && damages == 0 && end == bytes.count)
        #expect(CRC32.of(Array("123456789".utf8)[...]) == 0xCBF4_3926)
    }

    @Test("cut off anywhere, the whole records before the cut are read, and the rest is counted")
    func torn() {
        var bytes: [UInt8] = []
        var ends: [Int] = []
        for number in 0..<5 {
            JournalRecord.message(.init(run: 1, number: UInt64(number)), report(number)).write(to: &bytes)
            ends.append(bytes.count)
        }
        for cut in 0...bytes.count {
            let (records, damages, end) = JournalRecord.read(bytes[..<cut])
            let whole = ends.filter { $0 <= cut }
            #expect(records.count == whole.count)
            #expect(end == whole.last ?? 0)
            #expect(damages == (end == cut ? 0 : 1))
        }
    }

    @Test("with any byte changed, no record but the one it is in is lost, and none is made up")
    func corrupt() {
        var bytes: [UInt8] = []
        for number in 0..<5 {
            JournalRecord.message(.init(run: 1, number: UInt64(number)), report(number)).write(to: &bytes)
        }
        let all = JournalRecord.read(bytes[...]).records
        for index in bytes.indices {
            for change: UInt8 in [0x01, 0x80, 0xFF] {
                var changed = bytes
                changed[index] ^= change
                let (records, damages, _) = JournalRecord.read(changed[...])
                #expect(records.count == 4 && damages == 1)
                #expect(records.allSatisfy(all.contains))
            }
        }
    }

    @Test("bytes of any kind are read without harm")
    func garbage() {
        var random = SplitMix64(seed: 11)
        var bytes: [UInt8] = []
        JournalRecord.message(.init(run: 1, number: 1), report(1)).write(to: &bytes)
        for _ in 0..<2_000 {
            var noise = (0..<Int.random(in: 0...200, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            if Bool.random(using: &random) { noise += bytes.prefix(Int.random(in: 0...bytes.count, using: &random)) }
            if Bool.random(using: &random) { noise += bytes }
            _ = JournalRecord.read(noise[...])
        }
    }

    // MARK: The folder

    @Test("the folder is the user's alone, its files too; two agents do not share it, and others' folders are refused")
    func folder() throws {
        let directory = try TemporaryDirectory()
        let folder = directory.path + "/buffer"
        let first = try journal(folder)
        _ = first.recover()
        _ = try first.write([(.init(run: first.run, number: 0), report(0))], done: [])
        for (path, mode) in [(folder, 0o700), (folder + "/lock", 0o600)] + segments(folder).map({ ($0, 0o600) }) {
            var status = stat()
            #expect(lstat(path, &status) == 0 && status.st_mode & 0o777 == mode_t(mode), "\(path)")
        }
        let open = directory.path + "/open"
        #expect(mkdir(open, 0o755) == 0 && chmod(open, 0o777) == 0)
        #expect(throws: Journal.Failure.self) { _ = try journal(open) }
        #expect(throws: Journal.Failure.self) { _ = try journal(directory.path + "/a/b") }
    }

    @Test("what a run leaves is found by the next one, in order, and goes with its confirms")
    func successive() throws {
        let directory = try TemporaryDirectory()
        let folder = directory.path + "/buffer"
        do {
            let outbox = Outbox(limit: 100, journal: try journal(folder))
            #expect(outbox.recovered == Outbox.Recovered())
            for number in 0..<5 { outbox.append(report(number)) }
            outbox.confirmed(1)
            try outbox.save(all: true)
            outbox.confirmed(3)
            try outbox.save(all: true)
        }
        #expect(waiting(folder) == ["run-0", "run-2", "run-4"])
        do {
            let outbox = Outbox(limit: 100, journal: try journal(folder))
            #expect(outbox.recovered.messages == 3)
            outbox.append(report(5))
            #expect(outbox.count == 4)
            #expect(outbox.report(from: 0)?.report == report(0))
            outbox.confirmed(0)
            try outbox.save()
        }
        #expect(waiting(folder) == ["run-2", "run-4", "run-5"])
        do {
            let outbox = Outbox(limit: 2, journal: try journal(folder))
            #expect(outbox.dropped == 1)
            while let (number, _) = outbox.report(from: 0) { outbox.confirmed(number) }
            try outbox.save()
        }
        #expect(segments(folder).isEmpty)
    }

    @Test(
        "nothing is written while a broker confirms each message before the next, unless that is asked for",
        arguments: Journal.Sync.allCases
    )
    func sparing(_ sync: Journal.Sync) throws {
        let directory = try TemporaryDirectory()
        let folder = directory.path + "/buffer"
        let outbox = Outbox(limit: 100, journal: try journal(folder, sync))
        for number in 0..<5 {
            outbox.append(report(number))
            try outbox.save()
            #expect(waiting(folder) == (sync == .message ? ["run-\(number)"] : []))
            outbox.confirmed(UInt64(number))
        }
        // It takes no more: from the second one on each is written with its tick.
        for number in 5..<8 {
            outbox.append(report(number))
            try outbox.save()
            let written = (5...number).map { "run-\($0)" }
            #expect(waiting(folder) == (number == 5 && sync != .message ? [] : written))
        }
    }

    @Test("segments go oldest first as what is in them is confirmed, and all of them when nothing waits")
    func removal() throws {
        let directory = try TemporaryDirectory()
        let folder = directory.path + "/buffer"
        let outbox = Outbox(limit: 1_000, journal: try journal(folder, mostBytes: 160_000))
        for number in 0..<100 {
            outbox.append(report(number, bytes: 1_000))
            try outbox.save(all: true)
        }
        let before = segments(folder)
        #expect(before.count >= 5)
        for number in 0..<50 { outbox.confirmed(UInt64(number)) }
        try outbox.save()
        let after = segments(folder)
        #expect(after.count < before.count && after.count > 1)
        #expect(waiting(folder) == (50..<100).map { "run-\($0)" })
        for number in 50..<100 { outbox.confirmed(UInt64(number)) }
        try outbox.save()
        #expect(segments(folder).isEmpty)
    }

    @Test("there are never more bytes than allowed: the oldest messages are dropped and counted")
    func bounded() throws {
        let directory = try TemporaryDirectory()
        let folder = directory.path + "/buffer"
        let journal = try journal(folder, mostBytes: 200_000)
        let outbox = Outbox(limit: 100_000, journal: journal)
        for number in 0..<1_000 {
            outbox.append(report(number, bytes: 1_000))
            try outbox.save(all: true)
            #expect(journal.size <= 200_000 + 32 << 10)
        }
        #expect(outbox.dropped > 700)
        #expect(outbox.count == 1_000 - Int(outbox.dropped))
        #expect(waiting(folder).last == "run-999")
        #expect(waiting(folder).first == "run-\(outbox.dropped)")
    }

    @Test("a tail that was cut off and a middle that is damaged are passed over and counted")
    func damaged() throws {
        let directory = try TemporaryDirectory()
        let folder = directory.path + "/buffer"
        do {
            let outbox = Outbox(limit: 100, journal: try journal(folder))
            for number in 0..<10 { outbox.append(report(number)) }
            try outbox.save(all: true)
        }
        let path = try #require(segments(folder).last)
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        for cut in 0..<whole.count {
            try whole.prefix(cut).write(to: URL(fileURLWithPath: path))
            let reading = JournalReading(folder: folder)
            #expect(reading.leftAlone.isEmpty)
            #expect(reading.waiting.map(\.report.id) == (0..<reading.waiting.count).map { "run-\($0)" })
        }
        var damaged = whole
        damaged[damaged.count / 2] ^= 0x55
        try damaged.write(to: URL(fileURLWithPath: path))
        let outbox = Outbox(limit: 100, journal: try journal(folder))
        #expect(outbox.recovered.messages == 9 && outbox.recovered.damages == 1)
        outbox.append(report(10))
        try outbox.save(all: true)
        #expect(waiting(folder).count == 10)
    }

    @Test("a segment of a later version and what is none of ours are left alone and told")
    func foreign() throws {
        let directory = try TemporaryDirectory()
        let folder = directory.path + "/buffer"
        #expect(mkdir(folder, 0o700) == 0)
        let newer = JournalFiles.path(7, in: folder)
        try Data("PSISTATS".utf8 + [2, 0, 0, 0, 1, 2, 3]).write(to: URL(fileURLWithPath: newer))
        try Data("something else".utf8).write(to: URL(fileURLWithPath: JournalFiles.path(8, in: folder)))
        try Data("mine".utf8).write(to: URL(fileURLWithPath: folder + "/notes.log"))
        do {
            let outbox = Outbox(limit: 10, journal: try journal(folder))
            #expect(outbox.recovered.leftAlone.count == 2)
            #expect(outbox.recovered.leftAlone.first == "\(newer) was written by a later psistats (format 2)")
            outbox.append(report(1))
            try outbox.save(all: true)
            #expect(JournalFiles.numbers(in: folder) == [7, 8, 9])
            outbox.confirmed(0)
            try outbox.save()
        }
        #expect(JournalFiles.numbers(in: folder) == [7, 8])
    }

    @Test("where nothing can be written it goes on in memory, and writes when it can be again")
    func full() throws {
        let directory = try TemporaryDirectory()
        let folder = directory.path + "/buffer"
        let outbox = Outbox(limit: 100, journal: try journal(folder))
        outbox.append(report(0))
        // No room for a file: its name is taken.
        let obstacle = JournalFiles.path(1, in: folder)
        #expect(mkdir(obstacle, 0o700) == 0)
        #expect(throws: SystemError.self) { try outbox.save(all: true) }
        outbox.append(report(1))
        #expect(throws: SystemError.self) { try outbox.save(all: true) }
        #expect(outbox.count == 2)
        #expect(rmdir(obstacle) == 0)
        try outbox.save(all: true)
        #expect(waiting(folder) == ["run-0", "run-1"])
    }

    @Test("whatever happens in whatever order, the next run finds what was not confirmed when it was last saved")
    func model() throws {
        var random = SplitMix64(seed: 5)
        for _ in 0..<30 {
            let directory = try TemporaryDirectory()
            let folder = directory.path + "/buffer"
            var expected: [String] = []
            var next = 0
            for _ in 0..<4 {
                let outbox = Outbox(limit: 1_000, journal: try journal(folder))
                var numbers: [UInt64] = []
                var position: UInt64 = 0
                while let (number, report) = outbox.report(from: position) {
                    #expect(report.id == expected[numbers.count])
                    numbers.append(number)
                    position = number + 1
                }
                #expect(numbers.count == expected.count)
                for _ in 0..<60 {
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0, 1:
                        outbox.append(report(next, bytes: Int.random(in: 0...2_000, using: &random)))
                        numbers.append((outbox.report(from: numbers.last.map { $0 + 1 } ?? 0)?.number) ?? 0)
                        expected.append("run-\(next)")
                        next += 1
                    case 2 where !numbers.isEmpty:
                        let index = Int.random(in: numbers.indices, using: &random)
                        outbox.confirmed(numbers.remove(at: index))
                        expected.remove(at: index)
                    default: try outbox.save(all: Bool.random(using: &random))
                    }
                }
                try outbox.save(all: true)
            }
            #expect(waiting(folder) == expected)
        }
    }
}
#endif
