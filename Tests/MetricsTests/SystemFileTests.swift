import Testing

@testable import HostMetrics

@Suite struct SystemFileTests {
    private func text(_ file: SystemFile) throws -> String {
        try file.read { (scanner) throws(CollectorError) in scanner.text }
    }

    @Test("a file of any size up to the limit is read whole, in both forms") func aFileOfAnySizeUp() throws {
        let tree = try HostTree()
        for form in [SystemFile.Form.whole, .pieces] {
            for count in [0, 1, 4_095, 4_096, 4_097, 16_384, 70_000, 100_000] {
                tree.write("proc/x", [UInt8](repeating: 0x61, count: count))
                let file = SystemFile(path: tree.path + "/proc/x", form: form, limit: 100_000)
                #expect(try text(file).utf8.count == count)
                #expect(try text(file).utf8.count == count)
            }
        }
    }

    @Test("a file over the limit is an error, and the next reading starts afresh") func aFileOverTheLimitIs() throws {
        let tree = try HostTree()
        tree.write("proc/x", [UInt8](repeating: 0x61, count: 100_001))
        let file = SystemFile(path: tree.path + "/proc/x", limit: 100_000)
        let error = #expect(throws: CollectorError.self) { try text(file) }
        #expect(error?.reason == .tooLarge(limit: 100_000))
        tree.write("proc/x", "short")
        #expect(try text(file) == "short")
    }

    @Test("a folder in the place of a file is an error") func aFolderInThePlaceOf() throws {
        let tree = try HostTree()
        #expect(throws: CollectorError.self) { try text(SystemFile(path: tree.path + "/proc")) }
    }

    @Test("the environment moves each directory by itself") func theEnvironmentMovesEachDirectoryBy() {
        let root = SystemRoot(environment: ["HOST_PROC": "/host/proc/", "HOST_SYS": ""])
        #expect(root == SystemRoot(proc: "/host/proc", sys: "/sys", etc: "/etc", mounts: ""))
        #expect(SystemRoot(environment: [:]) == .running)
        #expect(SystemRoot(prefix: "/").proc == "/proc")
    }
}
