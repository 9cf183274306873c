import Foundation
import Testing

@testable import HostMetrics

/// Both sides read the running machine, where no two readings are of the same moment: ours, psutil's, ours again. What only
/// grows must lie between; what stays must be equal.
@Suite(.enabled(if: PsutilChild.isThere, PsutilChild.absence), .serialized) struct PsutilLiveTests {
    private static let readingCount = 30

    @Test("over 30 readings under changing load psutil's counters lie between ours")
    func overThirtyReadingsUnderChanging() throws {
        let psutil = try PsutilChild()
        let disks = DiskIOCollector(devices: ["*"])
        let usualDisks = DiskIOCollector()
        let network = NetworkCollector(loopback: true)
        let uptime = UptimeCollector()
        // A sample takes an earlier reading.
        _ = try disks.read()
        _ = try usualDisks.read()
        _ = try network.read()
        let load = try Load()
        for index in 0..<Self.readingCount {
            try load.step(index)
            let disksBefore = totals(try disks.read())
            let networkBefore = totals(try network.read())
            let uptimeBefore = try #require(try uptime.read())
            let theirs = try psutil.read(["hddio", "net", "uptime", "start"])
            let disksAfter = totals(try disks.read())
            let networkAfter = totals(try network.read())
            let uptimeAfter = try #require(try uptime.read())

            let theirDisks = try #require(theirs.hddio?.value)
            expectBetween(disksBefore, theirDisks.mapValues(\.counters), disksAfter)
            expectBetween(networkBefore, try #require(theirs.net?.value), networkAfter)
            let start = try #require(theirs.start?.value)
            let theirUptime = try #require(theirs.uptime?.value)
            #expect(uptimeBefore <= theirUptime && theirUptime <= uptimeAfter)
            // The file's decimals are cut off.
            #expect(uptimeBefore <= start.clock && start.clock < uptimeAfter + 0.01)
            // psutil's moment of the start is cut off to a second.
            #expect(uptimeBefore - 0.02 <= start.sinceStart && start.sinceStart < uptimeAfter + 1.02)

            let whole = theirDisks.filter { $0.value.isWhole && $0.value.counters.contains { $0 > 0 } }
            let usual = Set(
                try usualDisks.read()?.devices.filter { $0.total.numbers.contains { $0 > 0 } }.map(\.name) ?? []
            )
            #expect(usual == Set(whole.keys))
        }
    }

    @Test("over 30 readings under changing load psutil's percentage lies where ticks at the moments of reading allow")
    func overThirtyReadingsPercentages() throws {
        let psutil = try PsutilChild()
        let cpu = CPUCollector()
        let load = try Load()
        var differences: [Double] = []
        var earliest = try Ticks()
        _ = try cpu.read()
        _ = try psutil.read(["cpu"])
        var latest = try Ticks()
        for index in 0..<Self.readingCount {
            try load.step(index)
            let before = try Ticks()
            let ours = try #require(try cpu.read()).percent
            let theirs = try #require(try psutil.read(["cpu"]).cpu?.value).percent
            let after = try Ticks()
            let (lowest, highest) = Ticks.percentages(earliest: earliest, latest: latest, before: before, after: after)
            // Both are rounded to a decimal.
            #expect((lowest - 0.06...highest + 0.06).contains(ours))
            #expect((lowest - 0.06...highest + 0.06).contains(theirs))
            differences.append(theirs - ours)
            (earliest, latest) = (before, after)
        }
        report("cpu, psutil less HostMetrics, in percent of the time", differences)
    }

    @Test("over 30 readings under changing load psutil's memory is ours, where ours does not change in between")
    func overThirtyReadingsMemory() throws {
        let psutil = try PsutilChild()
        let memory = MemoryCollector()
        let averages = LoadCollector()
        let load = try Load()
        var differences: [Double] = []
        for index in 0..<Self.readingCount {
            try load.step(index)
            // Memory goes up and down: a reading counts when it lies between ours, which a few attempts find.
            var isBetween = false
            for _ in 0..<200 where !isBetween {
                let before = try #require(try memory.read())
                let theirs = try psutil.read(["mem", "swap"])
                let after = try #require(try memory.read())
                let their = try #require(theirs.mem?.value)
                #expect(their.total == before.total)
                #expect(their.used == their.total - their.available)
                isBetween =
                    min(before.available, after.available) <= their.available
                    && their.available <= max(before.available, after.available)
                    && min(before.percent, after.percent) <= their.percent
                    && their.percent <= max(before.percent, after.percent)
                    && theirs.swap?.value?.total == before.swap?.total ?? 0
                if isBetween { differences.append(their.percent - before.percent) }
            }
            #expect(isBetween)
            // The averages change every 5 seconds only.
            for _ in 0..<5 {
                let before = try #require(try averages.read())
                let theirs = try #require(try psutil.read(["load"]).load?.value)
                guard try averages.read() == before else { continue }
                let ours = [before.oneMinute, before.fiveMinutes, before.fifteenMinutes]
                for (ours, theirs) in zip(ours, theirs) { #expect(abs(ours - theirs) < 0.006) }
                break
            }
        }
        report("mem, psutil less HostMetrics, in percent", differences)
    }

    @Test("psutil's addresses are ours, of all kinds") func psutilsAddressesAreOursOf() throws {
        let psutil = try PsutilChild()
        let collector = AddressCollector(loopback: true, linkLocal: true)
        for _ in 0..<Self.readingCount {
            let ours = try #require(try collector.read()).addresses.map { "\($0.interface) \($0.family) \($0)" }
            #expect(ours.sorted() == (try psutil.read(["ipaddr"]).ipaddr?.value))
        }
    }

    private func totals(_ sample: DiskIOSample?) -> [String: [UInt64]] {
        Dictionary((sample?.devices ?? []).map { ($0.name, $0.total.numbers) }, uniquingKeysWith: { first, _ in first })
    }

    private func totals(_ sample: NetworkSample?) -> [String: [UInt64]] {
        Dictionary(
            (sample?.interfaces ?? []).map { ($0.name, $0.total.numbers) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    private func expectBetween(_ before: [String: [UInt64]], _ theirs: [String: [UInt64]], _ after: [String: [UInt64]])
    {
        #expect(Set(before.keys) == Set(theirs.keys) && Set(after.keys) == Set(theirs.keys))
        for (name, theirs) in theirs {
            let bounds = zip(before[name] ?? [], after[name] ?? [])
            for (their, (before, after)) in zip(theirs, bounds) {
                #expect(before <= their && their <= after, "\(name)")
            }
        }
    }

    private func report(_ what: String, _ differences: [Double]) {
        let sorted = differences.sorted()
        guard let lowest = sorted.first, let highest = sorted.last else { return }
        let equal = differences.filter { abs($0) < 0.05 }.count
        func text(_ value: Double) -> String { String(format: "%+.1f", value) }
        print(
            "\(what), \(differences.count) readings: \(equal) equal; lowest \(text(lowest)),",
            "quartiles \(text(sorted[sorted.count / 4])) \(text(sorted[sorted.count / 2]))",
            "\(text(sorted[sorted.count * 3 / 4])), highest \(text(highest))"
        )
    }
}
