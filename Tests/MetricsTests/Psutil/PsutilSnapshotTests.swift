import Foundation
import Testing

@testable import HostMetrics

/// Both sides read the same copy of `/proc`, so what they say has to be the same to the last digit.
@Suite(.enabled(if: PsutilChild.isThere, PsutilChild.absence)) struct PsutilSnapshotTests {
    private static let readings = ["cpu", "mem", "swap", "uptime", "hddio", "net", "processes"]

    /// Our collectors on a tree.
    private struct Ours {
        let cpu: CPUCollector
        let memory: MemoryCollector
        let uptime: UptimeCollector
        let disks: DiskIOCollector
        let network: NetworkCollector
        let processes: ProcessCollector

        init(_ root: SystemRoot) {
            cpu = CPUCollector(root: root, perCore: true)
            memory = MemoryCollector(root: root)
            uptime = UptimeCollector(root: root)
            disks = DiskIOCollector(root: root, devices: ["*"])
            network = NetworkCollector(root: root, loopback: true)
            processes = ProcessCollector(root: root)
        }
    }

    @Test("30 readings under changing load are psutil's to the last digit, rates too") func readingsUnderChangingLoad()
        throws
    {
        let tree = try HostTree()
        let psutil = try PsutilChild()
        let ours = Ours(tree.root)
        let load = try Load()
        let start = SuspendingClock.now
        var before: PsutilAnswer?
        for index in 0...30 {
            try load.step(index)
            Snapshot.take(into: tree)
            let theirs = try psutil.read(Self.readings, proc: tree.path + "/proc")
            // What the clock says does not matter: both sides are told the same.
            let now = start + .milliseconds(1_500 * index)

            expectSame(try ours.cpu.read(at: now), theirs.cpu?.value, isFirst: index == 0)
            #expect(try ours.memory.read(at: now).map(PsutilAnswer.Memory.init) == theirs.mem?.value)
            #expect(PsutilAnswer.Swap(try ours.memory.read(at: now)?.swap) == theirs.swap?.value)
            #expect(try ours.uptime.read(at: now) == theirs.uptime?.value)
            #expect(try ours.processes.read(at: now).map(PsutilAnswer.Processes.init) == theirs.processes?.value)
            expectSame(try ours.disks.read(at: now), theirs.hddio?.value, before?.hddio?.value)
            expectSame(try ours.network.read(at: now), theirs.net?.value, before?.net?.value)
            before = theirs
        }
    }

    /// What psutil cannot read, or what is not to be copied from it.
    private static let known: [String: [String: String]] = [
        "container": [
            "cpu": "psutil knows no kernel with four counters",
            "mem": "psutil wants a blank behind the colon",
            "swap": "the same",
            "net": "psutil reads the container's network, not that of its host",
            "processes": "there is no process with a state",
        ],
        "storage": ["processes": "there is no process with a state"],
        "lxc-guest": ["swap": "psutil says -100 % where more is free than there is"],
    ]

    @Test(
        "on each fixture the readings are psutil's, save those known to differ",
        arguments: [
            "server", "raspberry-pi", "many-cores", "container", "old-kernel", "lxc-guest", "laptop", "storage",
        ]
    ) func onEachFixtureTheReadingsAre(host: String) throws {
        let tree = try HostTree(copying: host)
        let psutil = try PsutilChild()
        let ours = Ours(tree.root)
        let known = Self.known[host] ?? [:]
        let start = SuspendingClock.now
        var random = SplitMix64(state: 99)
        var before: PsutilAnswer?
        for index in 0..<10 {
            let theirs = try psutil.read(Self.readings, proc: tree.path + "/proc")
            let now = start + .milliseconds(1_500 * index)
            if known["cpu"] == nil { expectSame(try ours.cpu.read(at: now), theirs.cpu?.value, isFirst: index == 0) }
            if known["mem"] == nil {
                #expect(try ours.memory.read(at: now).map(PsutilAnswer.Memory.init) == theirs.mem?.value)
            }
            if known["swap"] == nil {
                #expect(PsutilAnswer.Swap(try ours.memory.read(at: now)?.swap) == theirs.swap?.value)
            }
            if theirs.uptime?.value != nil { #expect(try ours.uptime.read(at: now) == theirs.uptime?.value) }
            if known["processes"] == nil {
                #expect(try ours.processes.read(at: now).map(PsutilAnswer.Processes.init) == theirs.processes?.value)
            }
            expectSame(try ours.disks.read(at: now), theirs.hddio?.value, before?.hddio?.value)
            if known["net"] == nil {
                expectSame(try ours.network.read(at: now), theirs.net?.value, before?.net?.value)
            }
            before = theirs
            try Snapshot.grow(tree, &random)
        }
    }

    private func expectSame(_ ours: CPUSample?, _ theirs: PsutilAnswer.CPU?, isFirst: Bool) {
        guard !isFirst else {
            #expect(ours == nil)
            return
        }
        guard let ours, let theirs else {
            Issue.record("no reading of one of the two")
            return
        }
        let pairs = zip(
            [ours.percent] + ours.cores.map(\.percent),
            zip([theirs.percent] + theirs.cores, theirs.unrounded)
        )
        #expect(ours.cores.count == theirs.cores.count)
        #expect(theirs.unrounded.count == theirs.cores.count + 1)
        for (ours, (theirs, unrounded)) in pairs {
            // psutil divides ticks by 100 before it subtracts them. Where the exact value lies just between two decimals, what
            // that costs decides to which it is rounded.
            let tenths = unrounded * 10
            let isBetween = abs(tenths - tenths.rounded(.down) - 0.5) < 1e-6
            #expect(
                ours == theirs || (isBetween && abs(ours - theirs) < 0.11),
                "\(ours), psutil \(theirs) of \(unrounded)"
            )
        }
    }

    private func expectSame(
        _ ours: DiskIOSample?,
        _ theirs: [String: PsutilAnswer.Disk]?,
        _ before: [String: PsutilAnswer.Disk]?
    ) {
        guard let theirs, let before else {
            #expect(ours == nil)
            return
        }
        #expect(ours?.devices.count ?? 0 == theirs.count)
        for device in ours?.devices ?? [] {
            #expect(device.total.numbers == theirs[device.name]?.counters)
            #expect(
                device.perSecond.numbers == Self.rates(theirs[device.name]?.counters, before[device.name]?.counters)
            )
        }
    }

    private func expectSame(_ ours: NetworkSample?, _ theirs: [String: [UInt64]]?, _ before: [String: [UInt64]]?) {
        guard let theirs, let before else {
            #expect(ours == nil)
            return
        }
        #expect(ours?.interfaces.count == theirs.count)
        for interface in ours?.interfaces ?? [] {
            #expect(interface.total.numbers == theirs[interface.name])
            #expect(interface.perSecond.numbers == Self.rates(theirs[interface.name], before[interface.name]))
        }
    }

    /// By the second, of readings that are 1.5 s apart; nil if psutil did not know the device.
    private static func rates(_ after: [UInt64]?, _ before: [UInt64]?) -> [Double]? {
        guard let after, let before else { return nil }
        return zip(after, before).map { Double($0 - $1) / 1.5 }
    }
}
