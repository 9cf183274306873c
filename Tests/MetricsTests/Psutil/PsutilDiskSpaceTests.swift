import Foundation
import Testing

@testable import HostMetrics

/// File systems have no copy that both sides could read: ours, psutil's, ours again, and where nothing was written in between all
/// three are the same.
@Suite(.enabled(if: PsutilChild.isThere, PsutilChild.absence)) struct PsutilDiskSpaceTests {
    private static let readingCount = 30
    private static let mostAttempts = 200

    /// Images that are always full are left out unless asked for; psutil has them.
    private static var options: DiskSpaceCollector.Options {
        var options = DiskSpaceCollector.Options()
        options.excludedTypes = []
        options.includesImages = true
        return options
    }

    @Test("over 30 readings while files are written psutil's space of every mount point is ours to the last digit")
    func overThirtyReadingsWhile() throws {
        let psutil = try PsutilChild()
        let collector = DiskSpaceCollector(options: Self.options)
        let tree = try HostTree()
        var differing: [String: Int] = [:]
        for index in 1...Self.readingCount {
            // More each time, written through to the disk, so that each reading is another.
            tree.write("file-\(index)", [UInt8](repeating: 0x78, count: index * 100_000))
            sync()
            var isEqual = false
            for attempt in 1...Self.mostAttempts where !isEqual {
                let before = try readings(collector)
                let theirs = try #require(try psutil.read(["hddspace"]).hddspace?.value)
                let after = try readings(collector)
                #expect(Set(before.keys).isSubset(of: theirs.keys))
                for (mountPoint, space) in before { #expect(space.total == theirs[mountPoint]?.total) }
                isEqual = before == after && before.allSatisfy { theirs[$0.key] == $0.value }
                if !isEqual { differing["\(index)"] = attempt }
            }
            #expect(isEqual, "after \(Self.mostAttempts) attempts")
        }
        print(
            "hddspace, \(Self.readingCount) readings of \(try readings(collector).count) mount points: all equal;",
            "written to by others in between: \(differing.values.reduce(0, +)) times"
        )
    }

    @Test("psutil's mount points are ours, save further places of a device, and a root that is on no device")
    func psutilsMountPointsAreOurs() throws {
        let psutil = try PsutilChild()
        let theirs = try #require(try psutil.read(["partitions"]).partitions?.value)
        expectSameMountPoints(Set(try readings(DiskSpaceCollector(options: Self.options)).keys), theirs)
    }

    @Test("so they are in the fixtures, save two that psutil has wrong", arguments: ["storage", "container"])
    func soTheyAreInTheFixtures(host: String) throws {
        let tree = try HostTree(copying: host)
        tree.write("proc/self/mounts", try Fixture.octets(at: tree.path + "/proc/1/mounts"))
        let psutil = try PsutilChild()
        var theirs = try #require(try psutil.read(["partitions"], proc: tree.path + "/proc").partitions?.value)
        // getmntent(3) of some C libraries leaves the number sign as the kernel escapes it.
        if let device = theirs.removeValue(forKey: "/mnt/tab\tline\nback\\slash\\043hash") {
            theirs["/mnt/tab\tline\nback\\slash#hash"] = device
        }
        // A tmpfs over it: the figures would be those of the tmpfs.
        #expect((theirs.removeValue(forKey: "/mnt/covered") != nil) == (host == "storage"))
        let collector = DiskSpaceCollector(root: tree.root, options: Self.options) { _ in .success(.init()) }
        expectSameMountPoints(Set(try readings(collector).keys), theirs)
    }

    private func expectSameMountPoints(_ ours: Set<String>, _ theirs: [String: String]) {
        #expect(ours.subtracting(theirs.keys).isSubset(of: ["/"]))
        let devices = Set(ours.compactMap { theirs[$0] })
        for (mountPoint, device) in theirs where !ours.contains(mountPoint) {
            #expect(devices.contains(device), "\(mountPoint) is missing, and so is its device \(device)")
        }
    }

    private func readings(_ collector: DiskSpaceCollector) throws -> [String: PsutilAnswer.Space] {
        let sample = try #require(try collector.read())
        #expect(sample.failures.isEmpty)
        return Dictionary(
            sample.fileSystems.map { ($0.mountPoint, PsutilAnswer.Space($0)) },
            uniquingKeysWith: { first, _ in first }
        )
    }
}
