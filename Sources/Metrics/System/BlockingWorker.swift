/// Runs what may block for ever (`statvfs` on a dead mount, a sensor's driver, a daemon) on threads of its own, under deadlines.
///
/// A thread in a system call cannot be interrupted, so what is late is given up: its thread stays until it comes back, and its
/// result is dropped. Everything that is asked has a key, and while one piece of work with a key is out, no other with that
/// key is begun: a dead mount holds one thread, however often it is asked about. Threads are used again; there are never more
/// than one for each piece of work that is out, one that watches deadlines, and those that are kept for the next.
///
/// Uses no tasks, can be called on any thread, and what is run with one key happens before what is run next with that key: a
/// collector, which belongs to one thread at a time, may be handed in under a key of its own. When the last reference to a
/// worker goes, work that is out is still answered, and its threads end when there is nothing more for them to do.
public final class BlockingWorker: Sendable {
    /// What came of a piece of work.
    public enum Outcome<Value: Sendable>: Sendable {
        /// It came back in time.
        case finished(Value)
        /// It did not come back in time, and has been given up.
        case late
        /// It was not begun: an earlier one with the same key is still out.
        case stillWaiting
        /// It was not begun: the system has no thread for it; the number says why.
        case noThread(errno: Int32)

        /// The result of what finished, or else an error about `source`.
        public func value(of source: String, within time: Duration) throws(CollectorError) -> Value {
            switch self {
            case .finished(let value): return value
            case .late: throw CollectorError(source: source, reason: .late(after: time))
            case .stillWaiting: throw CollectorError(source: source, reason: .stillWaiting)
            case .noThread(let number):
                throw CollectorError(source: source, reason: .system(call: "pthread_create", errno: number))
            }
        }
    }

    private let crew: WorkerCrew

    /// - Parameters:
    ///   - name: how the threads are called; 15 octets show.
    ///   - spareThreads: how many threads without work are kept; at least one. Threads are started only when needed.
    public init(name: String, spareThreads: Int = 1) {
        crew = WorkerCrew(name: name, spareThreads: max(1, spareThreads))
    }

    deinit {
        crew.close()
    }

    /// How many threads there are, stuck ones included.
    public var threadCount: Int { crew.threadCount }

    /// Runs `body` on another thread and waits for it, at most for `time`.
    public func run<Value: Sendable>(
        _ key: String,
        within time: Duration,
        _ body: @escaping @Sendable () -> Value
    ) -> Outcome<Value> {
        let deadline = Deadline(after: time)
        let reply = Reply<Value>()
        let refusal = crew.enlist(key, watch: nil) { [crew] in
            let value = body()
            crew.answer(key) { reply.value = value }
        }
        if let refusal { return Self.outcome(of: refusal) }
        guard let value = crew.wait(until: deadline, for: { reply.value }) else { return .late }
        return .finished(value)
    }

    /// Has `body` run on another thread, and `completion` called with the outcome, exactly once: not later than `time` from now.
    ///
    /// - Parameter completion: called on one of the worker's threads, or on this one before the call returns where `body` is not
    ///   begun. Other work may have to wait for it, so it should only pass the outcome on. May begin other work, with the same
    ///   key too unless it was late.
    public func start<Value: Sendable>(
        _ key: String,
        within time: Duration,
        _ body: @escaping @Sendable () -> Value,
        completion: @escaping @Sendable (Outcome<Value>) -> Void
    ) {
        let watch = WorkerCrew.Watch(deadline: Deadline(after: time)) { completion(.late) }
        let refusal = crew.enlist(key, watch: watch) { [crew] in
            let value = body()
            if crew.comeBack(key) { completion(.finished(value)) }
            crew.becomeIdle()
        }
        if let refusal { completion(Self.outcome(of: refusal)) }
    }

    /// Has `collector` take a reading on another thread and waits for it, at most for `time`. Not to be read in any other way.
    ///
    /// - Throws: what the collector throws, and `.late` or `.stillWaiting` about `source`.
    public func read<One: Collector & SendableMetatype>(
        _ collector: One,
        at now: SuspendingClock.Instant = .now,
        within time: Duration,
        source: String = One.name
    ) throws(CollectorError) -> One.Sample? {
        // What runs with one key happens one after another, so only one thread at a time has the collector.
        nonisolated(unsafe) let collector = collector
        let outcome = run("\(One.name) \(ObjectIdentifier(collector))", within: time) {
            () -> Result<One.Sample?, CollectorError> in
            do throws(CollectorError) {
                return .success(try collector.read(at: now))
            } catch {
                return .failure(error)
            }
        }
        return try outcome.value(of: source, within: time).get()
    }

    /// Where the thread that runs the work leaves its result for the one that waits.
    // Unchecked: it is touched under the crew's lock only.
    private final class Reply<Value>: @unchecked Sendable {
        var value: Value?
    }

    private static func outcome<Value>(of refusal: WorkerCrew.Refusal) -> Outcome<Value> {
        switch refusal {
        case .keyIsOut: .stillWaiting
        case .noThread(let number): .noThread(errno: number)
        }
    }
}
