import Glibc
import Synchronization
import Testing

@testable import HostMetrics

@Suite(.timeLimit(.minutes(2))) struct BlockingWorkerTests {
    /// The outcomes that completions were called with, in order.
    private final class Outcomes: Sendable {
        private let seen = Mutex<[String]>([])
        private let gate: Gate

        init() throws { gate = try Gate() }

        var all: [String] { seen.withLock { $0 } }

        func add(_ key: String, _ outcome: BlockingWorker.Outcome<Int>) {
            seen.withLock { $0.append("\(key) \(outcome)") }
            gate.open()
        }

        /// Waits for one more.
        func next() -> Bool { gate.isOpenedInTime() }
    }

    @Test("what comes back in time is handed over, by one thread that has the worker's name")
    func whatComesBackInTimeIs() throws {
        let worker = BlockingWorker(name: "mounts-of-test")
        #expect(worker.threadCount == 0)
        for number in 0..<100 {
            let outcome = worker.run("key \(number)", within: .seconds(60)) { number }
            #expect(try outcome.value(of: "test", within: .zero) == number)
            #expect(worker.threadCount == 1)
        }
        let name = worker.run("name", within: .seconds(60)) { () -> String in
            var octets = [UInt8](repeating: 0, count: 64)
            let descriptor = open("/proc/thread-self/comm", O_RDONLY)
            let count = read(descriptor, &octets, octets.count)
            close(descriptor)
            return String(decoding: octets.prefix(max(0, count)), as: UTF8.self)
        }
        #expect(try name.value(of: "test", within: .zero) == "mounts-of-test\n")
    }

    @Test("what is late is given up, and not asked again until it came back") func whatIsLateIsGivenUp() throws {
        let worker = BlockingWorker(name: "test")
        let gate = try Gate()
        guard case .late = worker.run("dead", within: .milliseconds(1), { gate.pass() }) else {
            Issue.record("not late")
            return
        }
        for _ in 0..<1_000 {
            guard case .stillWaiting = worker.run("dead", within: .seconds(60), { Issue.record("begun") }) else {
                Issue.record("begun")
                return
            }
            // Others are not held up.
            guard case .finished = worker.run("alive", within: .seconds(60), {}) else {
                Issue.record("held up")
                return
            }
        }
        #expect(worker.threadCount == 2)
        gate.open()
        #expect(
            becomesTrue {
                if case .finished = worker.run("dead", within: .seconds(60), {}) { true } else { false }
            }
        )
        #expect(becomesTrue { worker.threadCount == 1 })
    }

    @Test("each stuck key holds one thread, and one more does the rest") func eachStuckKeyHoldsOne() throws {
        let worker = BlockingWorker(name: "test")
        let gate = try Gate()
        for number in 0..<5 {
            guard case .late = worker.run("dead \(number)", within: .zero, { gate.pass() }) else {
                Issue.record("not late")
                return
            }
            guard case .finished = worker.run("alive", within: .seconds(60), {}) else {
                Issue.record("held up")
                return
            }
            #expect(worker.threadCount == number + 2)
        }
        for _ in 0..<5 { gate.open() }
        #expect(becomesTrue { worker.threadCount == 1 })
    }

    @Test("one thread starts several pieces of work, and hears once of each: in time or late")
    func oneThreadStartsSeveral()
        throws
    {
        let worker = BlockingWorker(name: "test", spareThreads: 3)
        let outcomes = try Outcomes()
        let slow = try Gate()
        let dead = try Gate()
        worker.start(
            "slow",
            within: .seconds(60),
            {
                slow.pass()
                return 1
            },
            completion: { outcomes.add("slow", $0) }
        )
        worker.start(
            "dead",
            within: .milliseconds(5),
            {
                dead.pass()
                return 2
            },
            completion: { outcomes.add("dead", $0) }
        )
        worker.start("fast", within: .seconds(60), { 3 }, completion: { outcomes.add("fast", $0) })
        #expect(outcomes.next() && outcomes.next())
        #expect(Set(outcomes.all) == ["fast finished(3)", "dead late"])
        worker.start("dead", within: .seconds(60), { 4 }, completion: { outcomes.add("dead", $0) })
        #expect(outcomes.next())
        #expect(outcomes.all.last == "dead stillWaiting")
        slow.open()
        #expect(outcomes.next())
        #expect(outcomes.all.last == "slow finished(1)")
        dead.open()
        #expect(becomesTrue { worker.threadCount == 3 })
        #expect(outcomes.all.count == 4)
    }

    @Test("a completion may begin the next piece of work with its key") func aCompletionMayBeginTheNext() throws {
        let worker = BlockingWorker(name: "test")
        let outcomes = try Outcomes()
        worker.start(
            "key",
            within: .seconds(60),
            { 1 },
            completion: { first in
                worker.start(
                    "key",
                    within: .seconds(60),
                    { 2 },
                    completion: { second in
                        outcomes.add("first", first)
                        outcomes.add("second", second)
                    }
                )
            }
        )
        #expect(outcomes.next() && outcomes.next())
        #expect(outcomes.all == ["first finished(1)", "second finished(2)"])
    }

    @Test("a worker that goes while work is out still answers, and its threads end") func aWorkerThatGoesWhileWork()
        throws
    {
        let outcomes = try Outcomes()
        let gate = try Gate()
        let name = "gone-\(getpid() % 100_000)"
        do {
            let worker = BlockingWorker(name: name)
            worker.start(
                "dead",
                within: .milliseconds(20),
                {
                    gate.pass()
                    return 7
                },
                completion: { outcomes.add("dead", $0) }
            )
            worker.start("fast", within: .seconds(60), { 1 }, completion: { outcomes.add("fast", $0) })
        }
        #expect(outcomes.next() && outcomes.next())
        #expect(Set(outcomes.all) == ["fast finished(1)", "dead late"])
        #expect(Self.threads(named: name) >= 1)
        gate.open()
        #expect(becomesTrue { Self.threads(named: name) == 0 })
    }

    private static func threads(named name: String) -> Int {
        guard let folder = opendir("/proc/self/task") else { return -1 }
        defer { closedir(folder) }
        var count = 0
        while let entry = readdir(folder) {
            let task = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            var octets = [UInt8](repeating: 0, count: 64)
            let descriptor = open("/proc/self/task/\(task)/comm", O_RDONLY)
            guard descriptor >= 0 else { continue }
            let length = read(descriptor, &octets, octets.count)
            close(descriptor)
            if String(decoding: octets.prefix(max(0, length)), as: UTF8.self) == name + "\n" { count += 1 }
        }
        return count
    }

    @Test("callers on many threads each get their own answer") func callersOnManyThreadsEach() throws {
        let worker = BlockingWorker(name: "test", spareThreads: 2)
        let wrong = Atomic(0)
        let done = try Gate()
        let callers = 8
        // A second worker's threads are the callers.
        let pool = BlockingWorker(name: "callers")
        for caller in 0..<callers {
            pool.start(
                "\(caller)",
                within: .seconds(110),
                {
                    for number in 0..<500 {
                        if case .finished(number) = worker.run("\(caller)", within: .seconds(60), { number }) {
                            continue
                        }
                        wrong.add(1, ordering: .relaxed)
                    }
                },
                completion: { _ in done.open() }
            )
        }
        for _ in 0..<callers { #expect(done.isOpenedInTime()) }
        #expect(wrong.load(ordering: .relaxed) == 0)
        #expect(becomesTrue { worker.threadCount <= 2 })
    }

    /// Passes a gate, and has a sample or an error, in turns.
    private final class SlowCollector: Collector {
        static let name = "slow"
        let gate: Gate
        private var count = 0

        init(gate: Gate) { self.gate = gate }

        func read(at now: SuspendingClock.Instant) throws(CollectorError) -> Int? {
            gate.pass()
            count += 1
            guard count % 2 == 1 else { throw CollectorError(source: "gate", reason: .malformed("\(count)")) }
            return count
        }
    }

    @Test("a collector is read under a deadline, and not again while it is out; its errors are its own")
    func aCollectorIsReadUnder() throws {
        let worker = BlockingWorker(name: "test")
        let (slow, other) = (SlowCollector(gate: try Gate()), SlowCollector(gate: try Gate()))
        func failure(_ collector: SlowCollector, within time: Duration = .seconds(60)) -> CollectorError.Reason? {
            do throws(CollectorError) {
                _ = try worker.read(collector, within: time)
                return nil
            } catch {
                return error.reason
            }
        }
        #expect(failure(slow, within: .milliseconds(1)) == .late(after: .milliseconds(1)))
        #expect(failure(slow) == .stillWaiting)
        other.gate.open()
        #expect(try worker.read(other, within: .seconds(60)) == 1)
        slow.gate.open()
        slow.gate.open()
        #expect(becomesTrue { failure(slow) != .stillWaiting })
        slow.gate.open()
        #expect(try worker.read(slow, within: .seconds(60)) == 3)
        slow.gate.open()
        #expect(failure(slow) == .malformed("4"))
    }
}
