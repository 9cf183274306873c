import Foundation
import Glibc
import Testing

@testable import HostMetrics

/// What can be seen without chips. The rest is in `SensorsRealTests`.
@Suite struct SensorsCollectorTests {
    private func warnings(_ collector: SensorsCollector) throws -> [String] {
        try collector.read()?.warnings ?? []
    }

    @Test("a machine without the library is told how to get it") func aMachineWithoutTheLibraryIs() {
        let collector = SensorsCollector(root: .running, choices: nil, library: "libsensors-nowhere.so.5")
        let error = #expect(throws: CollectorError.self) { try collector.read() }
        #expect(error?.source == "libsensors-nowhere.so.5")
        guard case .library(let text) = error?.reason else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(text.contains("No such file or directory"))
        #expect(text.contains("apt install libsensors5"))
    }

    @Test("a library that is another one is an error") func aLibraryThatIsAnotherOne() {
        let collector = SensorsCollector(root: .running, choices: nil, library: "libc.so.6")
        let error = #expect(throws: CollectorError.self) { try collector.read() }
        #expect(error?.description == "libc.so.6: has no sensors_init: not the library that was expected")
    }

    @Test("nothing is linked with the library") func nothingIsLinkedWithTheLibrary() throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["readelf", "-d", MadeUpSensors.ownImage()]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(text.contains("(NEEDED)"))
        #expect(text.contains("libc.so.6"))
        #expect(!text.contains("libsensors"))
    }

    @Test("files are taken in the library's order; hidden ones and folders are not") func filesAreTakenInTheLibrarys()
        throws
    {
        let tree = try HostTree()
        let empty = SensorsConfiguration(etc: tree.root.etc)
        #expect(empty.files.isEmpty && empty.warnings.isEmpty)
        tree.write("etc/sensors.conf", "old")
        for name in ["b", "a.conf", "C", ".d", "e~"] { tree.write("etc/sensors.d/" + name, name) }
        tree.makeFolder("etc/sensors.d/folder")
        tree.link("etc/sensors.d/dangling", to: "nowhere")
        let before = SensorsConfiguration(etc: tree.root.etc)
        #expect(before.warnings.isEmpty)
        #expect(before.files.map { String(decoding: $0.octets, as: UTF8.self) } == ["old", "C", "a.conf", "b", "e~"])
        tree.write("etc/sensors3.conf", "new")
        let after = SensorsConfiguration(etc: tree.root.etc)
        #expect(after.files.first?.path == "\(tree.path)/etc/sensors3.conf")
        #expect(after.files.count == 5)
    }

    @Test("a report names the file and the line that it is about") func aReportNamesTheFileAnd() {
        let text = SensorsConfiguration.Text([
            .init(path: "a", octets: Array("1\n2".utf8)), .init(path: "b", octets: []),
            .init(path: "c", octets: [0x0A]),
        ])
        let lines = String(decoding: text.octets, as: UTF8.self).split(
            separator: "\n",
            omittingEmptySubsequences: false
        )
        #expect(lines[1...2] == ["1", "2"])
        func place(_ line: Int) -> String { text.describe(.init(message: "m", line: line)) }
        #expect([0, 1, 2, 3].map(place) == ["m", "m", "a, line 1: m", "a, line 2: m"])
        #expect(place(5) == "b, line 1: m")
        #expect(place(7) == "c, line 1: m")
    }

    @Test("a configuration that cannot be read is told and left out", .enabled(if: Self.hasLibrary))
    func aConfigurationThatCannotBeRead() throws {
        let tree = try HostTree()
        tree.makeFolder("etc/sensors3.conf")
        tree.write("etc/sensors.d/large.conf", [UInt8](repeating: 0x20, count: (1 << 18) + 1))
        // Would need more stack than there is.
        let sum =
            [UInt8]("chip \"*-*\"\n  compute temp1 @".utf8)
            + [UInt8]([[UInt8]](repeating: [0x2B, 0x31], count: 60_000).joined())
        tree.write("etc/sensors.d/long.conf", sum + Array(", @\n".utf8))
        tree.write("etc/sensors.d/longer.conf", Array(sum.map { $0 == 0x2B ? [0x5C, 0x0A, 0x2B] : [$0] }.joined()))
        tree.write("etc/sensors.d/remarks.conf", [UInt8](repeating: 0x23, count: 100_000))
        let folder = "\(tree.path)/etc/sensors"
        #expect(
            try warnings(SensorsCollector(root: tree.root)) == [
                "\(folder)3.conf: read: Is a directory",
                "\(folder).d/large.conf: more than 262144 octets",
                "\(folder).d/long.conf: has a statement of more than 4096 octets",
                "\(folder).d/longer.conf: has a statement of more than 4096 octets",
            ]
        )
    }

    @Test("labels before any chip do no harm, however often they are read", .enabled(if: Self.hasLibrary))
    func labelsBeforeAnyChipDoNo() throws {
        let tree = try HostTree()
        for round in 0..<20 {
            // Another folder makes the library read anew.
            tree.write(
                "etc\(round)/sensors3.conf",
                "  label temp1 \"CPU\"\n  compute temp1 @, @\nchip \"a-*\"\nlabel in0 \"x\"\n"
            )
            let collector = SensorsCollector(root: SystemRoot(etc: "\(tree.path)/etc\(round)"))
            #expect(try warnings(collector).isEmpty)
        }
    }

    @Test("two collectors with configurations of their own do not mix them up", .enabled(if: Self.hasLibrary))
    func twoCollectorsWithConfigurationsOfTheir() throws {
        let tree = try HostTree()
        tree.write("one/sensors3.conf", "nonsense\n")
        tree.write("two/sensors3.conf", "\n\nnonsense\n")
        let one = SensorsCollector(root: SystemRoot(etc: tree.path + "/one"))
        let two = SensorsCollector(root: SystemRoot(etc: tree.path + "/two"))
        for _ in 0..<3 {
            #expect(try warnings(one) == ["\(tree.path)/one/sensors3.conf, line 1: Invalid keyword"])
            #expect(try warnings(two) == ["\(tree.path)/two/sensors3.conf, line 3: Invalid keyword"])
        }
    }

    @Test("collectors on many threads wait for each other", .enabled(if: Self.hasLibrary))
    func collectorsOnManyThreadsWaitFor() throws {
        let tree = try HostTree()
        for number in 0..<4 {
            tree.write("\(number)/sensors3.conf", String(repeating: "\n", count: number) + "nonsense\n")
        }
        let path = tree.path
        DispatchQueue.concurrentPerform(iterations: 8) { index in
            let number = index % 4
            let collector = SensorsCollector(root: SystemRoot(etc: "\(path)/\(number)"))
            for _ in 0..<20 {
                let warnings = (try? collector.read())??.warnings
                #expect(warnings == ["\(path)/\(number)/sensors3.conf, line \(number + 1): Invalid keyword"])
            }
        }
    }

    @Test("no damage to the configuration ends the process", .enabled(if: Self.hasLibrary))
    func noDamageToTheConfigurationEnds() throws {
        let tree = try HostTree()
        let text = """
            bus "i2c-0" "SMBus I801 adapter at 8000"
            chip "lm78-*" "w83627hf-i2c-0-*"
                label in0 "VCore \\t1" # remark
                compute in3 ((6.8/10)+1)*@ , @/((6.8/10)+1)
                compute temp2 `(^(-@)) + in0_max, @
                ignore fan3
                set in0_min 2.5 * \\
                    0.95
            """
        var random = SplitMix64(state: 3)
        for (number, octets) in Damage.variants(of: Array(text.utf8), &random).enumerated() {
            tree.write("\(number % 2)/sensors3.conf", octets)
            _ = try? SensorsCollector(root: SystemRoot(etc: "\(tree.path)/\(number % 2)")).read()
        }
    }

    @Test("when the library gives up, the process lives on, and who asks later is told") func whenTheLibraryGivesUp()
        async
    {
        await #expect(processExitsWith: .success) {
            // The library's variables for handlers.
            let variables = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: 3)
            SensorsReports.install(parse: variables, parseWithFile: variables + 1, fatal: variables + 2)
            let fatal = UnsafeRawPointer(variables + 2).load(as: SensorsReports.Fatal.self)
            Thread { fatal("sysfs_read_attr", "Out of memory") }.start()
            while SensorsReports.fatalFailure == nil { sched_yield() }
            let expected = CollectorError(
                source: "libsensors.so.5",
                reason: .library("gave up in sysfs_read_attr: Out of memory")
            )
            #expect(throws: expected) { try SensorsCollector().read() }
        }
    }

    private static let hasLibrary: Bool = dlopen("libsensors.so.5", RTLD_NOW) != nil

    @Test("too few descriptors are not a library that is missing") func tooFewDescriptorsAreNot() async {
        await #expect(processExitsWith: .success) {
            var limit = rlimit()
            guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { exit(2) }
            limit.rlim_cur = 3
            guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { exit(3) }
            do throws(CollectorError) {
                _ = try SensorsLibrary(name: "libsensors-that-is-not-there.so")
                exit(4)
            } catch {
                exit(error.reason == .system(call: "open", errno: EMFILE) ? 0 : 5)
            }
        }
    }
}
