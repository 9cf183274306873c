#if Agent
import Synchronization

/// What was measured and not confirmed yet: collectors put messages in, the publisher takes them out when the broker has them.
///
/// Holds a bounded number; above it the oldest are dropped and counted. With a journal, what waits for longer than a tick is on
/// disk as well. Knows nothing of brokers.
final class Outbox: Sendable {
    private struct State {
        var store: MemoryStore
        var dropped: UInt64 = 0
        /// Those of them since the broker last took messages.
        var droppedInEpisode: UInt64 = 0
        var disk: DiskState?

        /// Takes in a message; the oldest go where there is no room. Returns how many.
        mutating func append(_ report: OutgoingReport) -> Int {
            let gone = store.append(report)
            guard gone.count > 0 else { return 0 }
            for number in gone { disk?.forget(number) }
            drop(gone.count)
            return gone.count
        }

        mutating func remove(_ number: UInt64) -> Bool {
            guard store.remove(number) else { return false }
            disk?.forget(number)
            return true
        }

        mutating func drop(_ count: Int) {
            dropped += UInt64(count)
            droppedInEpisode += UInt64(count)
        }
    }

    /// What of the messages is on disk.
    private struct DiskState {
        var written: [UInt64: Place] = [:]
        /// On disk, and no longer to be kept.
        var done: [Place] = []
        /// Messages below this number were written, or have gone.
        var next: UInt64 = 0
        /// Messages from this number on came since the last time something was written.
        var young: UInt64 = 0

        struct Place {
            var key: JournalRecord.Key
            var segment: UInt64
        }

        mutating func forget(_ number: UInt64) {
            if let place = written.removeValue(forKey: number) { done.append(place) }
        }
    }

    private let state: Mutex<State>
    /// Used by the thread that calls ``save(all:)`` alone.
    private nonisolated(unsafe) let journal: Journal?
    /// Rung when a message came, and by whoever wants the publisher to look up.
    let wakeup = Wakeup()
    /// What of earlier runs was found on disk.
    let recovered: Recovered

    struct Recovered: Hashable, Sendable {
        var messages = 0
        var damages = 0
        var leftAlone: [String] = []
    }

    /// - Parameters:
    ///   - limit: how many messages are kept.
    ///   - journal: where they are kept beyond the end of the process.
    init(limit: Int, journal: Journal? = nil) {
        var state = State(store: MemoryStore(limit: limit))
        var recovered = Recovered()
        if let journal {
            let reading = journal.recover()
            var disk = DiskState()
            for (number, message) in reading.waiting.enumerated() {
                disk.written[UInt64(number)] = .init(key: message.key, segment: message.segment)
            }
            disk.next = UInt64(reading.waiting.count)
            disk.young = disk.next
            state.disk = disk
            for message in reading.waiting { _ = state.append(message.report) }
            recovered = Recovered(
                messages: reading.waiting.count,
                damages: reading.damages,
                leftAlone: reading.leftAlone
            )
        }
        self.recovered = recovered
        self.journal = journal
        self.state = Mutex(state)
    }

    /// How many messages wait.
    var count: Int { state.withLock { $0.store.count } }
    /// How many messages were dropped for want of room, or because the broker would never take them.
    var dropped: UInt64 { state.withLock { $0.dropped } }
    /// The number of the oldest message.
    var firstNumber: UInt64 { state.withLock { $0.store.firstNumber } }

    /// Takes a message in.
    ///
    /// - Returns: whether the oldest went for it, as the first since the broker last took messages.
    @discardableResult
    func append(_ report: OutgoingReport) -> Bool {
        let isFirstDrop = state.withLock { state in
            let droppedBefore = state.droppedInEpisode
            return state.append(report) > 0 && droppedBefore == 0
        }
        wakeup.ring()
        return isFirstDrop
    }

    /// The broker takes messages again.
    ///
    /// - Returns: how many were dropped since it last did.
    func endEpisode() -> UInt64 {
        state.withLock { state in
            defer { state.droppedInEpisode = 0 }
            return state.droppedInEpisode
        }
    }

    /// The oldest message from this number on.
    func report(from number: UInt64) -> (number: UInt64, report: OutgoingReport)? {
        state.withLock { $0.store.report(from: number) }
    }

    /// The broker has a message.
    func confirmed(_ number: UInt64) {
        state.withLock { _ = $0.remove(number) }
    }

    /// Gives up a message, if it is still kept.
    func drop(_ number: UInt64) {
        state.withLock { state in
            if state.remove(number) { state.drop(1) }
        }
    }

    /// Keeps so many messages from now on.
    func setLimit(_ limit: Int) {
        state.withLock { state in
            let gone = state.store.setLimit(limit)
            for number in gone { state.disk?.forget(number) }
            state.drop(gone.count)
        }
    }

    // MARK: The disk

    /// Writes to the disk what waits there for a broker that does not take it at once.
    ///
    /// A message that came since the last call is written only where others wait that came before it, so that nothing is
    /// written while a broker confirms everything within a tick.
    ///
    /// - Parameter all: write whatever waits.
    /// - Throws: what the system says; the messages are in memory, and are written by a later call.
    func save(all: Bool = false) throws(SystemError) {
        guard let journal else { return }
        giveUpOversized(journal)
        let (messages, done, isEmpty) = takeUnsaved(all: all || journal.settings.sync == .message, run: journal.run)
        if isEmpty {
            if journal.hasSegments { journal.removeAll() }
            return
        }
        guard !messages.isEmpty || !done.isEmpty else { return try journal.sync() }
        let segment: UInt64
        do throws(SystemError) {
            segment = try journal.write(
                messages.map { ($0.key, $0.report) },
                done: done.map { ($0.key, $0.segment) }
            )
        } catch {
            // They are next again.
            state.withLock { state in
                state.disk?.done.insert(contentsOf: done, at: 0)
                if let first = messages.first { state.disk?.next = first.number }
            }
            throw error
        }
        state.withLock { state in
            for message in messages {
                let place = DiskState.Place(key: message.key, segment: segment)
                // Confirmed meanwhile.
                if state.store.holds(message.number) {
                    state.disk?.written[message.number] = place
                } else {
                    state.disk?.done.append(place)
                }
            }
        }
    }

    private typealias Unsaved = (number: UInt64, key: JournalRecord.Key, report: OutgoingReport)

    private func takeUnsaved(all: Bool, run: UInt64) -> (messages: [Unsaved], done: [DiskState.Place], isEmpty: Bool) {
        state.withLock { state in
            guard var disk = state.disk else { return ([], [], false) }
            defer { state.disk = disk }
            if state.store.count == 0 {
                // Nothing has to be kept, so nothing has to be written about what need not be.
                disk = DiskState()
                disk.next = state.store.firstNumber
                disk.young = disk.next
                return ([], [], true)
            }
            let writesYoung = all || state.store.firstNumber < disk.young
            var messages: [Unsaved] = []
            while let (number, report) = state.store.report(from: disk.next), writesYoung || number < disk.young {
                messages.append((number, JournalRecord.Key(run: run, number: number), report))
                disk.next = number + 1
            }
            disk.young = state.store.endNumber
            defer { disk.done = [] }
            return (messages, disk.done, false)
        }
    }

    /// Gives up the messages of the oldest segment where there are too many bytes.
    private func giveUpOversized(_ journal: Journal) {
        while let segment = journal.oversized {
            state.withLock { state in
                let numbers = state.disk?.written.filter { $0.value.segment == segment }.map(\.key) ?? []
                for number in numbers where state.remove(number) { state.drop(1) }
                state.disk?.done.removeAll { $0.segment == segment }
            }
            journal.removeOldest()
        }
    }
}
#endif
