#if Agent
import Synchronization

/// A handler at work: its level, its format, its sink, and what happens when that fails.
///
/// A failure never reaches whoever logs. The first lost record is reported through `report`; each further record tries
/// anew; and the first that gets through is followed by a line that says how many were lost.
final class LogOutlet: Sendable {
    let name: String
    private let level: LogLevel
    private let format: LogFormat
    private let report: @Sendable (String) -> Void
    private let state: Mutex<State>

    private struct State {
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
        name = handler.name
        level = handler.level
        format = handler.format
        self.report = report
        state = Mutex(State(sink: sink))
    }

    /// How many records were lost here.
    var lostCount: Int { state.withLock { $0.lostInAll } }

    /// Writes a record, if it is serious enough.
    func write(_ record: borrowing LogRecord) {
        guard record.level >= level else { return }
        let message = state.withLock { state in
            do throws(SystemError) {
                try send(record, &state)
            } catch {
                state.lost += 1
                state.lostInAll += 1
                defer { state.reason = error }
                return state.lost == 1
                    ? "\(error.context): \(error.reason): messages are lost until this is put right" : nil
            }
            if state.lost > 0 { tellOfLoss(after: record, &state) }
            return state.sink.takeTrouble().map { "\($0.context): \($0.reason): the old file is kept and written on" }
        }
        if let message { report("psistats: log handler '\(name)': \(message)") }
    }

    private func send(_ record: borrowing LogRecord, _ state: inout State) throws(SystemError) {
        state.text.removeAll(keepingCapacity: state.text.capacity <= Self.keptCapacity)
        format.render(record, into: &state.text, dates: &state.dates)
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
            if notice.level >= level { try send(notice, &state) }
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
                return "\(error.context): cannot be opened anew: \(error.reason): the old file is written on"
            }
        }
        if let message { report("psistats: log handler '\(name)': \(message)") }
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
