#if Agent
import HostMetrics
import Synchronization

/// One kind of statistics: its collector, and how its samples stand in a message.
///
/// Only one reading is taken at a time; who asks meanwhile waits.
final class Reporter: Sendable {
    /// The name of its section in the configuration and of its logger: `cpu_temp`, say.
    let name: String
    let timing: Configuration.Timing
    /// Whether a reading may wait for something outside the machine's memory: a disk, a daemon, a driver.
    let mayBlock: Bool
    private let source: Mutex<any ReadingSource>

    /// - Parameters:
    ///   - collector: nobody else may use it.
    ///   - note: what is to be told once about the collector's latest reading.
    ///   - reading: what a sample of the collector's comes to in a message.
    init<C: Collector>(
        _ timing: Configuration.Timing,
        mayBlock: Bool = false,
        collector: sending C,
        note: (@Sendable (C) -> String?)? = nil,
        reading: @escaping @Sendable (C.Sample) -> Reading
    ) {
        name = C.name
        self.timing = timing
        self.mayBlock = mayBlock
        source = Mutex(CollectorSource(collector: collector, note: note, reading: reading))
    }

    /// Takes one reading. A failure is part of it.
    func read(at now: SuspendingClock.Instant) -> Reading {
        source.withLock { $0.read(at: now) }
    }

    /// Makes the next reading begin afresh, unless one is under way, which then is old news anyway.
    func discardBaseline() {
        _ = source.withLockIfAvailable { $0.discardBaseline() }
    }
}

/// A collector of any kind, with what becomes of its samples.
private protocol ReadingSource {
    func read(at now: SuspendingClock.Instant) -> Reading
    func discardBaseline()
}

private struct CollectorSource<C: Collector>: ReadingSource {
    let collector: C
    let note: (@Sendable (C) -> String?)?
    let reading: @Sendable (C.Sample) -> Reading

    func read(at now: SuspendingClock.Instant) -> Reading {
        do throws(CollectorError) {
            let sample = try collector.read(at: now)
            var result = sample.map(reading) ?? Reading()
            if let note = note?(collector) { result.notes.append(note) }
            return result
        } catch {
            return Reading(failures: [error])
        }
    }

    func discardBaseline() {
        collector.discardBaseline()
    }
}
#endif
