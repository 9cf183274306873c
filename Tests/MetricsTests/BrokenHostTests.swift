import Foundation
import Testing

@testable import HostMetrics

/// What all collectors have to stand, whatever they read: files cut off anywhere, and other things in the places of files.
@Suite struct BrokenHostTests {
    private static let hosts = [
        "server", "raspberry-pi", "many-cores", "container", "old-kernel", "lxc-guest", "laptop", "storage",
    ]

    /// Takes a reading; what is wrong with the machine, if that is what came of it.
    private typealias Reading = (SuspendingClock.Instant) throws(CollectorError) -> Void

    private static func reading<One: Collector>(_ collector: One) -> Reading {
        { (now) throws(CollectorError) in _ = try collector.read(at: now) }
    }

    private static func reading(_ drives: DriveTemperatures, _ worker: BlockingWorker) -> Reading {
        { (_) throws(CollectorError) in _ = try drives.read(within: .seconds(60), worker) }
    }

    /// Makes what reads a file of a tree; empty if nothing does.
    private static func readings(of file: String, _ root: SystemRoot, _ worker: BlockingWorker) -> [Reading] {
        let name = file.split(separator: "/").last.map(String.init) ?? ""
        switch name {
        case "stat" where file == "proc/stat": return [reading(CPUCollector(root: root, perCore: true))]
        case "stat": return [reading(ProcessCollector(root: root))]
        case "meminfo", "zoneinfo": return [reading(MemoryCollector(root: root))]
        case "uptime": return [reading(UptimeCollector(root: root))]
        case "loadavg": return [reading(LoadCollector(root: root))]
        case "diskstats": return [reading(DiskIOCollector(root: root, partitions: true))]
        case "dev": return [reading(NetworkCollector(root: root, loopback: true))]
        case "mounts", "filesystems":
            var options = DiskSpaceCollector.Options()
            options.deadline = .seconds(60)
            return [reading(DiskSpaceCollector(root: root, options: options) { _ in .success(.init()) })]
        case "os-release": return [reading(OSCollector(root: root))]
        default:
            guard file.hasPrefix("sys/") else { return [] }
            return [
                reading(CPUTemperatureCollector(root: root)),
                reading(DriveTemperatures(root: root), worker),
            ]
        }
    }

    @Test("every file of every host may be cut off anywhere, also between two readings", arguments: hosts)
    func everyFileOfEveryHost(host: String) throws {
        let tree = try HostTree(copying: host)
        let worker = BlockingWorker(name: "broken-host")
        let start = SuspendingClock.now
        for file in try Fixture.files(in: tree.path) {
            let whole = try Fixture.octets(at: "\(tree.path)/\(file)")
            // These are there before and keep the file open, others come when it is cut off already.
            let old = Self.readings(of: file, tree.root, worker)
            #expect(!old.isEmpty, "nothing reads \(file)")
            for count in stride(from: whole.count, through: 0, by: -1) {
                #expect(truncate("\(tree.path)/\(file)", count) == 0)
                let now = start + .seconds(whole.count - count)
                for read in old + Self.readings(of: file, tree.root, worker) {
                    do throws(CollectorError) { try read(now) } catch { #expect(!error.source.isEmpty) }
                }
            }
            tree.write(file, whole)
        }
    }

    /// What may stand where a file was expected.
    private enum Impostor: CaseIterable {
        case folder, pipe, socket, loop, deadEnd, endless, unreadable, huge, empty

        func take(theFormOf path: String) throws {
            try #require(unlink(path) == 0)
            switch self {
            case .folder: try #require(mkdir(path, 0o755) == 0)
            case .pipe: try #require(mkfifo(path, 0o600) == 0)
            case .socket: try #require(mknod(path, S_IFSOCK | 0o600, 0) == 0)
            case .loop: try #require(symlink(path, path) == 0)
            case .deadEnd: try #require(symlink("/nowhere/at/all", path) == 0)
            case .endless: try #require(symlink("/dev/zero", path) == 0)
            // Opens, but reading fails; permissions would not keep root out.
            case .unreadable: try #require(symlink("/proc/self/mem", path) == 0)
            case .huge, .empty:
                let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
                try #require(file >= 0)
                defer { close(file) }
                if self == .huge { try #require(ftruncate(file, 1 << 40) == 0) }
            }
        }
    }

    @Test("anything else may stand where a file was, and the file come back", arguments: hosts)
    func anythingElseMayStand(host: String) throws {
        let tree = try HostTree(copying: host)
        let worker = BlockingWorker(name: "broken-host")
        var now = SuspendingClock.now
        for file in try Fixture.files(in: tree.path) {
            let path = "\(tree.path)/\(file)"
            let whole = try Fixture.octets(at: path)
            for impostor in Impostor.allCases {
                let readings = Self.readings(of: file, tree.root, worker)
                try impostor.take(theFormOf: path)
                for read in readings {
                    now += .seconds(1)
                    do throws(CollectorError) { try read(now) } catch {
                        // The file, or where a file is one of several that say the same, another one.
                        #expect(error.source.hasPrefix(tree.path), "\(impostor): \(error)")
                    }
                }
                #expect(remove(path) == 0)
                tree.write(file, whole)
                // Whatever went wrong is over; what has no baseline has nothing to report.
                for read in readings {
                    now += .seconds(1)
                    #expect(throws: Never.self, "\(file) after \(impostor)") { try read(now) }
                }
            }
        }
    }

    @Test("a host without any file has no reading, and says which file is missing where there has to be one")
    func aHostWithoutAnyFile() throws {
        let tree = try HostTree()
        let root = tree.root
        func failure<One: Collector>(_ collector: One) -> CollectorError? {
            do throws(CollectorError) {
                _ = try collector.read()
                return nil
            } catch {
                return error
            }
        }
        for error in [
            failure(CPUCollector(root: root)), failure(MemoryCollector(root: root)),
            failure(UptimeCollector(root: root)), failure(LoadCollector(root: root)),
            failure(DiskIOCollector(root: root)), failure(NetworkCollector(root: root)),
            failure(DiskSpaceCollector(root: root)),
        ] {
            #expect(error?.isAbsence == true, "\(String(describing: error))")
            #expect(error?.source.hasPrefix(root.proc + "/") == true)
        }
        #expect(try ProcessCollector(root: root).read() == nil)
        #expect(try CPUTemperatureCollector(root: root).read() == nil)
        let worker = BlockingWorker(name: "broken-host")
        #expect(try DriveTemperatures(root: root).read(within: .seconds(60), worker) == nil)
        let system = try #require(try OSCollector(root: root).read())
        #expect(system.name == nil && system.prettyName == nil && !system.kernel.isEmpty)
    }
}
