#if Agent
import CLinux
import Glibc
import Synchronization

/// The thread on which all tasks of the program run, and their timer.
///
/// Stands in for libdispatch's pool of threads, which ends the process by a trap when no file can be opened any more, and runs
/// nothing, without a word, where no thread can be started. This thread is started once, with an error if that is impossible,
/// and needs nothing of the system afterwards.
///
/// Tasks take turns here, so none may block for long.
final class TaskThread: TaskExecutor {
    /// The one of this process. Tasks are begun with `Task(executorPreference: TaskThread.shared)` after ``start()``.
    static let shared = TaskThread()

    private struct Alarm {
        var number: UInt64
        var moment: SuspendingClock.Instant
        var ring: @Sendable () -> Void
    }

    private struct State {
        /// Nil until the thread was started.
        var doorbell: EventDescriptor?
        var jobs: [UnownedJob] = []
        var alarms: [Alarm] = []
        var lastNumber: UInt64 = 0
        /// Whether the thread waits, or is about to, and has to be woken.
        var isAsleep = false

        /// Whether the doorbell has to be rung for something new.
        mutating func wake() -> EventDescriptor? {
            guard isAsleep else { return nil }
            isAsleep = false
            return doorbell
        }

        mutating func takeDue(at now: SuspendingClock.Instant) -> [Alarm] {
            guard alarms.contains(where: { $0.moment <= now }) else { return [] }
            let due = alarms.filter { $0.moment <= now }
            alarms.removeAll { $0.moment <= now }
            return due
        }
    }

    private let state = Mutex(State())

    /// Starts the thread, unless it runs.
    ///
    /// - Throws: where the system has no thread or no descriptor to spare.
    func start() throws(SystemError) {
        let failure = state.withLock { state -> SystemError? in
            guard state.doorbell == nil else { return nil }
            do throws(SystemError) {
                let doorbell = try EventDescriptor()
                let code = DetachedThread.start(name: "psistats-tasks") { [self] in run(doorbell) }
                guard code == 0 else { throw SystemError(code: code, context: "start a thread") }
                state.doorbell = doorbell
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
    }

    /// Starts the thread of this process, for a command.
    static func startShared() throws(CommandFailure) {
        do throws(SystemError) {
            try shared.start()
        } catch {
            throw CommandFailure(error, remedy: ": raise the limit (ulimit -u, or TasksMax= in the unit)")
        }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let doorbell = state.withLock { state in
            state.jobs.append(job)
            return state.wake()
        }
        doorbell?.ring()
    }

    /// Has a closure called on this thread at a moment, or as soon as possible after it.
    ///
    /// - Returns: the number to cancel it by.
    func setAlarm(at moment: SuspendingClock.Instant, ring: @escaping @Sendable () -> Void) -> UInt64 {
        let (number, doorbell) = state.withLock { state in
            state.lastNumber &+= 1
            state.alarms.append(Alarm(number: state.lastNumber, moment: moment, ring: ring))
            return (state.lastNumber, state.wake())
        }
        doorbell?.ring()
        return number
    }

    /// Forgets an alarm. One that rings at this very moment still does.
    func cancelAlarm(_ number: UInt64) {
        state.withLock { $0.alarms.removeAll { $0.number == number } }
    }

    /// Lets the task that calls it wait; returns early where that is cancelled.
    func sleep(for time: Duration) async {
        await Wakeup().wait(atMost: time, timer: self)
    }

    private func run(_ doorbell: EventDescriptor) {
        let executor = asUnownedTaskExecutor()
        while true {
            let (jobs, due, next) = state.withLock { state in
                let jobs = state.jobs
                state.jobs.removeAll(keepingCapacity: true)
                let due = state.takeDue(at: .now)
                state.isAsleep = jobs.isEmpty && due.isEmpty
                return (jobs, due, state.alarms.map(\.moment).min())
            }
            for alarm in due { alarm.ring() }
            for job in jobs { job.runSynchronously(on: executor) }
            guard jobs.isEmpty, due.isEmpty else { continue }
            wait(until: next, for: [doorbell.number])
            doorbell.clear()
        }
    }
}
#endif
