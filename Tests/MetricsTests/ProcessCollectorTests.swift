import Foundation
import Testing

@testable import HostMetrics

@Suite struct ProcessCollectorTests {
    @Test("states are read behind names that hold blanks and parentheses") func statesAreReadBehindNamesThat() throws {
        #expect(
            try ProcessCollector(root: Fixture.root("raspberry-pi")).read()
                == ProcessSample(total: 11, running: 2, blocked: 2, zombies: 1)
        )
    }

    @Test("processes that come and go are seen at the next reading; what is no process is passed over")
    func processesThatComeAndGoAre() throws {
        let tree = try HostTree()
        tree.write("proc/1/stat", "1 (init) S 0")
        tree.write("proc/12x/stat", "12 (x) R 0")
        tree.write("proc/123456789012345678901/stat", "1 (x) R 0")
        tree.write("proc/77", "a file")
        let collector = ProcessCollector(root: tree.root)
        #expect(try collector.read() == ProcessSample(total: 1, running: 0, blocked: 0, zombies: 0))
        tree.write("proc/2/stat", "2 (a) Z 1")
        tree.write("proc/1/stat", "1 (init) R 0")
        #expect(try collector.read() == ProcessSample(total: 2, running: 1, blocked: 0, zombies: 1))
        tree.remove("proc/2/stat")
        #expect(try collector.read() == ProcessSample(total: 1, running: 1, blocked: 0, zombies: 0))
    }

    @Test("a process whose state cannot be made out counts in the total") func aProcessWhoseStateCannotBe() throws {
        let tree = try HostTree()
        for (number, text) in ["", "7", "7 (x", "7 (x)", "7 (x) ", "7 (x)R 1"].enumerated() {
            tree.write("proc/\(number + 1)/stat", text)
        }
        #expect(
            try ProcessCollector(root: tree.root).read()
                == ProcessSample(total: 6, running: 0, blocked: 0, zombies: 0)
        )
    }

    @Test("a missing folder is an error, and once it is there a reading succeeds") func aMissingFolderIsAnError() throws
    {
        let tree = try HostTree()
        let collector = ProcessCollector(root: SystemRoot(proc: tree.path + "/host"))
        let error = #expect(throws: CollectorError.self) { try collector.read() }
        #expect(error?.description == "\(tree.path)/host: opendir: No such file or directory")
        tree.write("host/1/stat", "1 (init) R 0")
        #expect(try collector.read()?.running == 1)
    }

    @Test("a child that ended and was not asked how is a zombie") func aChildThatEndedAndWas() throws {
        var child = pid_t()
        var arguments = [strdup("true"), nil]
        defer { free(arguments[0]) }
        try #require(posix_spawn(&child, "/bin/true", nil, nil, &arguments, nil) == 0)
        defer { waitpid(child, nil, 0) }
        // Waits until it ended, and leaves it as it is.
        var information = siginfo_t()
        try #require(waitid(P_PID, id_t(child), &information, WEXITED | WNOWAIT) == 0)
        let sample = try #require(try ProcessCollector().read())
        #expect(sample.zombies >= 1)
        #expect(sample.total > sample.zombies)
    }

    @Test("no damage to the files ends the process") func noDamageToTheFilesEnds() throws {
        try Damage.everyKind(host: "raspberry-pi", files: ["proc/1033/stat"]) { root in
            #expect((try? ProcessCollector(root: root).read())?.total == 11)
        }
    }
}
