/// Runs tasks on the event loop's thread. Starts no thread of its own, and moves no task off the thread that it blocks.
final class LoopExecutor: TaskExecutor {
    private let loop: EventLoop

    init(_ loop: EventLoop) {
        self.loop = loop
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // Without descriptors for a loop there is no connection either, but the task must run.
        if !loop.enqueue(job, on: self) { job.runElsewhere() }
    }
}

extension UnownedJob {
    fileprivate func runElsewhere() {
        globalConcurrentExecutor.enqueue(self)
    }
}

extension EventLoop {
    /// A piece of a task, and the executor in whose name it runs.
    struct Job {
        let job: UnownedJob
        let executor: LoopExecutor
    }

    /// Has a piece of a task run on the loop's thread in its next round, or in this one where it comes from there. False if
    /// the loop cannot be started.
    fileprivate func enqueue(_ job: UnownedJob, on executor: LoopExecutor) -> Bool {
        state.withLock { state in
            if state.kernel == nil, startLocked(&state) != nil { return false }
            state.jobs.append(Job(job: job, executor: executor))
            state.wake()
            return true
        }
    }

    /// Runs the jobs that are there, and not those that they lead to: sockets and deadlines have their turn between.
    func runJobs() {
        var count = state.withLock { $0.jobs.count }
        while count > 0, let next = state.withLock({ $0.jobs.popFirst() }) {
            count -= 1
            next.job.runSynchronously(on: next.executor.asUnownedTaskExecutor())
        }
    }
}
