#if Agent
import Synchronization

/// A handler at work: its level, its format, its sink, and what happens when that fails.
///
/// A failure never reaches whoever logs. The first lost record is reported through `report`; each further record tries
/// anew; and the first that gets through is followed by a line that says how many were lost.
///
/// It outlives a reload that leaves its target as it was: a rotation goes on by its schedule then.
final class LogOutlet: Sendable {
    private let report: @Sendable (String) -> Void
    private let state: Mutex<State>

    private struct State {
        var name: String
        var level: LogLevel
        var format: LogFormat
        var sink: any LogSink
        var text: [UInt8] = []
        var dates = LogFormat.DateCache()
        /// Since the last record that got through.
        var lost = 0
        var lostInAll = 0
        var reason: SystemError?
    }

    /// The memory that is kept from one record to the next, in octets.
    private static let keptCapacity = 16_384

    init(_ handler: LoggingConfiguration.Handler, sink: any LogSink, report: @escaping @Sendable (String) -> Void) {
        self.report = report
        state = Mutex(State(name: handler.name, level: handler.level, format: handler.format, sink: sink))
    }

    /// Goes by what another handler of the same target says.
    func adopt(_ handler: LoggingConfiguration.Handler) {
        state.withLock { state in
            state.name = handler.name
            state.level = handler.level
            guard state.format != handler.format else { return }
            state.format = handler.format
            state.dates = LogFormat.DateCache()
        }
    }

    /// How many records were lost here.
    var lostCount: Int { state.withLock { $0.lostInAll } }

    /// Writes a record, if it is serious enough, and says whether it is.
    @discardableResult
    func write(_ record: borrowing LogRecord) -> Bool {
        let (message, isTaken) = state.withLock { state -> (String?, Bool) in
            guard record.level >= state.level else { return (nil, false) }
            return (take(record, &state), true)
        }
        if let message { report("psistats: log handler \(message)") }
        return isTaken
    }

    /// Writes a record; returns what there is to report.
    private func take(_ record: borrowing LogRecord, _ state: inout State) -> String? {
        do throws(SystemError) {
            try send(record, &state)
        } catch {
            state.lost += 1
            state.lostInAll += 1
            defer { state.reason = error }
            return state.lost == 1
                ? "'\(state.name)': \(error.context): \(error.reason): messages are lost until this is put right" : nil
        }
        if state.lost > 0 { tellOfLoss(after: record, &state) }
        return state.sink.takeTrouble().map {
            "'\(state.name)': \($0.context): \($0.reason): the old file is kept and written on"
        }
    }

    private func send(_ record: borrowing LogRecord, _ state: inout State) throws(SystemError) {
        state.text.removeAll(keepingCapacity: state.text.capacity <= Self.keptCapacity)
        state.format.render(record, into: &state.text, dates: &state.dates)
        try state.sink.write(record, &state.text)
    }

    private func tellOfLoss(after record: borrowing LogRecord, _ state: inout State) {
        let reason = state.reason.map { ": \($0.context): \($0.reason)" } ?? ""
        let message = "messages missing before the last one: \(state.lost)\(reason)"
        var notice = LogRecord(name: "psistats.logging", level: .warning, message: message, time: record.time)
        notice.start = record.start
        notice.thread = record.thread
        notice.process = record.process
        do {
            if notice.level >= state.level { try send(notice, &state) }
            state.lost = 0
            state.reason = nil
        } catch {
            // Told after the next record that gets through.
        }
    }

    /// See ``LogSink/reopen()``. A failure is reported.
    func reopen() {
        let message = state.withLock { state -> String? in
            do throws(SystemError) {
                try state.sink.reopen()
                return nil
            } catch {
                return
                    "'\(state.name)': \(error.context): cannot be opened anew: \(error.reason): the old file is written on"
            }
        }
        if let message { report("psistats: log handler \(message)") }
    }

    /// See ``LogSink/begin()``.
    func begin() throws(SystemError) {
        let failure = state.withLock { state -> SystemError? in
            do throws(SystemError) {
                try state.sink.begin()
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
    }
}
#endif
