#if Agent
import CLinux
import Glibc
import HostMetrics
import Logging
import Synchronization

/// Asks the reporters when they are due, and hands on their reports. Driven by a loop that waits until `nextMoment` or until
/// `arrivals` becomes readable, and then calls `step`.
///
/// What cannot block is read on the spot; what can is read on a thread of the worker's, under its deadline.
final class Sampler {
    /// Readable when a reading came back from the worker.
    let arrivals: EventDescriptor
    private let reporters: [Reporter]
    private let loggers: [Logger]
    private let isCombined: Bool
    private let worker: BlockingWorker
    private var core: SamplerCore
    private let inbox = Inbox()
    /// What was wrong with each reporter since it was last well.
    private var troubles: [[CollectorError]]
    /// What was told of each reporter already that is no trouble.
    private var told: [Set<String>]
    private var suspension = Suspension()
    private let log: Logger
    private var skippedBefore = 0

    /// How often reporters are asked.
    enum Rhythm {
        /// Each at its interval, beginning now.
        case intervals
        /// All of them once, after a second, so that what needs an earlier reading to compare with has one. Their report waits
        /// for each until its deadline.
        case once
    }

    /// - Parameters:
    ///   - log: where failures go; each reporter's logger has its name after a point behind this one's.
    ///   - worker: kept across samplers, so that what is stuck is known to be.
    init(
        _ reporters: [Reporter],
        form: Configuration.MessageForm,
        log: Logger,
        worker: BlockingWorker,
        rhythm: Rhythm = .intervals
    ) throws(SystemError) {
        arrivals = try EventDescriptor()
        self.reporters = reporters
        self.worker = worker
        self.log = log
        isCombined = form == .combined
        loggers = reporters.map { Logger(label: "\(log.label).\($0.name)") }
        troubles = reporters.map { _ in [] }
        told = reporters.map { _ in [] }
        let now = SuspendingClock.now
        switch rhythm {
        case .intervals:
            core = SamplerCore(intervals: reporters.map(\.timing.interval), isCombined: isCombined, origin: now)
        case .once:
            let never = Duration.seconds(1 << 30)
            core = SamplerCore(
                intervals: reporters.map { _ in never },
                isCombined: isCombined,
                patience: reporters.map(\.timing.deadline).max(),
                origin: now.advanced(by: .seconds(1))
            )
            for reporter in reporters where !reporter.mayBlock { _ = reporter.read(at: now) }
        }
    }

    /// A sampler for other reporters that knows what this one knows: what is stuck, what was told already.
    func successor(_ reporters: [Reporter], _ form: Configuration.MessageForm) throws(SystemError) -> Sampler {
        let successor = try Sampler(reporters, form: form, log: log, worker: worker)
        successor.skippedBefore = skipped
        for (index, reporter) in reporters.enumerated() {
            if let old = self.reporters.firstIndex(where: { $0.name == reporter.name }) {
                successor.troubles[index] = troubles[old]
                successor.told[index] = told[old]
            }
        }
        return successor
    }

    /// The reports of what has come back so far; nothing more is asked.
    func finish() -> [Report] {
        for (index, reading) in inbox.take() { answered(index, reading) }
        core.finish()
        return core.takeBatches().flatMap(reports)
    }

    /// When `step` has to be called next; nil where there are no reporters.
    var nextMoment: SuspendingClock.Instant? { core.nextMoment }

    /// Whether the first report has left, or would have if there were anything in it.
    var hasFinishedFirstTick: Bool { core.tickCount > 0 && !core.hasOpenTick }

    /// How often a reporter was due while it had not come back yet.
    var skipped: Int { skippedBefore + core.skipped }

    /// Reads what is due, takes in what came back, and returns the reports that are complete.
    func step(now: SuspendingClock.Instant = .now) -> [Report] {
        arrivals.clear()
        if suspension.wasSuspended() {
            for reporter in reporters { reporter.discardBaseline() }
        }
        for (index, reading) in inbox.take() { answered(index, reading) }
        for index in core.timePassed(to: now, wallClock: WallClock.seconds()) { ask(index, now) }
        return core.takeBatches().flatMap(reports)
    }

    private func ask(_ index: Int, _ now: SuspendingClock.Instant) {
        let reporter = reporters[index]
        guard reporter.mayBlock else { return answered(index, reporter.read(at: now)) }
        let deadline = reporter.timing.deadline
        worker.start(reporter.name, within: deadline) {
            reporter.read(at: now)
        } completion: { [inbox, arrivals] outcome in
            let reading: Reading
            do throws(CollectorError) {
                reading = try outcome.value(of: reporter.name, within: deadline)
            } catch {
                reading = Reading(failures: [error])
            }
            inbox.put(index, reading)
            arrivals.ring()
        }
    }

    private func answered(_ index: Int, _ reading: Reading) {
        report(reading.failures, of: index)
        for note in reading.notes where told[index].count < Self.mostTroubles && told[index].insert(note).inserted {
            loggers[index].info("\(note)")
        }
        core.answered(index, reading)
    }

    /// Writes to the log what is newly wrong with a reporter, and that nothing is any more. What goes wrong by turns in two ways
    /// is told once for each.
    private func report(_ failures: [CollectorError], of index: Int) {
        if failures.isEmpty {
            if !troubles[index].isEmpty { loggers[index].info("can be read again") }
            troubles[index] = []
            return
        }
        for failure in failures where troubles[index].count < Self.mostTroubles && !troubles[index].contains(failure) {
            troubles[index].append(failure)
            loggers[index].error("\(failure)")
        }
    }

    /// How many troubles of one reporter are told until it has none.
    private static let mostTroubles = 100

    private func reports(_ batch: SamplerCore.Batch) -> [Report] {
        guard isCombined else {
            return batch.readings.filter { !$0.reading.fields.isEmpty }.map { index, reading in
                Report(type: reporters[index].name, measuredAt: batch.measuredAt, fields: reading.fields)
            }
        }
        let fields = batch.readings.flatMap(\.reading.fields)
        return fields.isEmpty ? [] : [Report(type: "report", measuredAt: batch.measuredAt, fields: fields)]
    }
}

/// Readings that came back from the worker's threads.
private final class Inbox: Sendable {
    private let readings = Mutex<[(Int, Reading)]>([])

    func put(_ index: Int, _ reading: Reading) {
        readings.withLock { $0.append((index, reading)) }
    }

    func take() -> [(Int, Reading)] {
        readings.withLock { readings in
            defer { readings.removeAll(keepingCapacity: true) }
            return readings
        }
    }
}

/// Notices that the machine slept: one of the kernel's clocks goes on then, the other does not.
private struct Suspension {
    private var asleep: Int64?

    /// Whether the machine has slept a second or more since the last call.
    mutating func wasSuspended() -> Bool {
        let now = Self.milliseconds(CLOCK_BOOTTIME) - Self.milliseconds(CLOCK_MONOTONIC)
        defer { asleep = now }
        return asleep.map { now - $0 >= 1_000 } ?? false
    }

    private static func milliseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }
}
#endif
