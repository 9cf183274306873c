/// Reads one kind of statistics from the machine, again and again.
///
/// A collector knows nothing of intervals, of encodings or of where its samples go. It belongs to whoever calls it: one thread
/// or task at a time.
///
/// What is cheap to keep between two readings (open files, buffers, the counters that a rate is computed from) is kept.
public protocol Collector: AnyObject {
    /// What one reading yields.
    associatedtype Sample: Sendable

    /// The name of the kind of statistics, `cpu`, say.
    static var name: String { get }

    /// Takes one reading.
    ///
    /// - Parameter now: the moment of the reading; rates are computed over the time between two of them.
    /// - Returns: nil when there is nothing to report: a rate has no earlier reading to compare with, or the machine has
    ///   nothing of this kind. Neither is an error, and neither is ever reported as 0.
    /// - Throws: why no part of the reading could be taken. A single bad device, mount or sensor is no reason to throw: it is
    ///   missing from the sample, or says in the sample what is wrong with it.
    func read(at now: SuspendingClock.Instant) throws(CollectorError) -> Sample?

    /// Forgets the reading that the next one would be compared with. To be called when the time between the two means nothing:
    /// the machine was suspended, say.
    func discardBaseline()
}

extension Collector {
    /// Nothing is compared with an earlier reading.
    public func discardBaseline() {}

    /// Takes one reading now.
    public func read() throws(CollectorError) -> Sample? {
        try read(at: .now)
    }
}
