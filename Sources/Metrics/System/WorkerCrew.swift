/// The threads of a `BlockingWorker`, and what they have to do. The threads own it, so it outlives the worker where one is stuck.
final class WorkerCrew: Sendable {
    /// Until when somebody wants to hear of a piece of work, and how he is told that it is late.
    struct Watch: Sendable {
        let deadline: Deadline
        let giveUp: @Sendable () -> Void
    }

    enum Refusal {
        case keyIsOut
        case noThread(errno: Int32)
    }

    /// A piece of work that has not come back.
    private struct Outstanding {
        /// Nil where whoever asked watches himself.
        var watch: Watch?
        var isGivenUp = false
    }

    private struct State {
        var threads = 0
        /// How many threads have no work, those included that are about to see what they were woken or started for.
        var idle = 0
        /// Not begun, oldest first. There is an idle thread for each.
        var queue: [@Sendable () -> Void] = []
        /// Begun or in the queue.
        var out: [String: Outstanding] = [:]
        var isClosed = false

        var earliestDeadline: Deadline? {
            out.values.reduce(nil) { Deadline.earlier($0, $1.watch?.deadline) }
        }

        /// Marks one piece of work that is late as given up.
        mutating func takeLate() -> Watch? {
            for (key, outstanding) in out {
                guard let watch = outstanding.watch, watch.deadline.hasPassed else { continue }
                out[key] = Outstanding(watch: nil, isGivenUp: true)
                return watch
            }
            return nil
        }
    }

    private enum Step {
        case work(@Sendable () -> Void)
        case giveUp(Watch)
        case end
    }

    private let name: String
    private let spareThreads: Int
    private let monitor = Monitor(State())

    init(name: String, spareThreads: Int) {
        self.name = name
        self.spareThreads = spareThreads
    }

    var threadCount: Int { monitor.withLock { $0.threads } }

    func close() {
        monitor.withLock { $0.isClosed = true }
        monitor.wakeAll()
    }

    /// Puts a piece of work in the queue. When it is done it says so by `answer` or by `comeBack` and `becomeIdle`.
    func enlist(_ key: String, watch: Watch?, _ work: @escaping @Sendable () -> Void) -> Refusal? {
        let refusal = monitor.withLock { state -> Refusal? in
            guard state.out[key] == nil else { return .keyIsOut }
            var needed = state.queue.count + 1
            if watch != nil || state.earliestDeadline != nil { needed += 1 }
            while state.idle < needed {
                // Under the lock, so that nobody counts on a thread that could not be started.
                let failure = WorkerThread.start(name: name) { self.workUntilTheEnd() }
                guard failure == 0 else { return .noThread(errno: failure) }
                state.threads += 1
                state.idle += 1
            }
            state.out[key] = Outstanding(watch: watch)
            state.queue.append(work)
            return nil
        }
        if refusal == nil { monitor.wakeAll() }
        return refusal
    }

    /// Waits for what the other side leaves by `answer`.
    func wait<Value>(until deadline: Deadline, for answer: () -> Value?) -> Value? {
        monitor.wait(until: { _ in deadline }, for: { _ in answer() })
    }

    /// A piece of work has come back, and its thread is idle once more: in one step, or else whoever asks next, having got his
    /// answer, would find no idle thread and start another.
    func answer(_ key: String, leave: () -> Void) {
        monitor.withLock { state in
            state.out[key] = nil
            state.idle += 1
            leave()
        }
        monitor.wakeAll()
    }

    /// A piece of work has come back. Returns whether somebody still waits for it.
    func comeBack(_ key: String) -> Bool {
        monitor.withLock { state in
            let outstanding = state.out.removeValue(forKey: key)
            return outstanding?.isGivenUp == false
        }
    }

    func becomeIdle() {
        monitor.withLock { $0.idle += 1 }
    }

    private func workUntilTheEnd() {
        while true {
            let step = monitor.wait(until: { $0.earliestDeadline }, for: { nextStep(&$0) })
            switch step {
            case .work(let work): work()
            case .giveUp(let watch):
                watch.giveUp()
                becomeIdle()
            case .end: return
            case nil: continue
            }
        }
    }

    private func nextStep(_ state: inout State) -> Step? {
        if !state.queue.isEmpty {
            state.idle -= 1
            return .work(state.queue.removeFirst())
        }
        if let late = state.takeLate() {
            state.idle -= 1
            return .giveUp(late)
        }
        guard state.idle > spareThreads || (state.isClosed && state.earliestDeadline == nil) else { return nil }
        state.idle -= 1
        state.threads -= 1
        return .end
    }
}
