#if Agent
import Glibc
import Logging
import Synchronization

/// Stands between swift-log and the handlers of a configuration, which can be exchanged at any time.
///
/// Before the first configuration everything is dropped.
final class LoggingRouter: Sendable {
    /// The one that swift-log uses after ``bootstrap()``.
    static let shared = LoggingRouter()

    /// What a record's time is taken from.
    let clock: @Sendable () -> LogTime
    /// When logging began.
    let start: LogTime
    private let report: @Sendable (String) -> Void
    private let state = Mutex(State())

    private struct State {
        var tree = LoggerTree(.unspecified)
        var outlets: [String: LogOutlet] = [:]
        /// What the outlets were made for.
        var targets: [String: LoggingConfiguration.Target] = [:]
        var channels: [String: LogChannel] = [:]
        /// Files that were written to already.
        var knownFiles: Set<String> = []
    }

    /// - Parameters:
    ///   - clock: the wall clock.
    ///   - report: takes a line about a handler that fails.
    init(
        clock: @escaping @Sendable () -> LogTime = LogTime.now,
        report: @escaping @Sendable (String) -> Void = LoggingRouter.reportOnStandardError
    ) {
        self.clock = clock
        self.report = report
        start = clock()
    }

    private static let installation: Void = LoggingSystem.bootstrap { label in shared.handler(for: label) }

    /// Has swift-log use ``shared``. May be called again, which does nothing.
    static func bootstrap() {
        installation
    }

    /// Puts a configuration in the place of the present one, or throws and changes nothing.
    ///
    /// All files are opened first; a file that is to be emptied is emptied when all could be opened. A handler whose target is as
    /// it was goes on with it.
    func apply(_ configuration: LoggingConfiguration) throws(ConfigurationError) {
        let (known, present, presentTargets) = state.withLock { ($0.knownFiles, $0.outlets, $0.targets) }
        let now = clock()
        var outlets: [String: LogOutlet] = [:]
        var problems: [ConfigurationProblem] = []
        let kept = Self.keep(presentTargets, for: configuration.handlers)
        for handler in configuration.handlers {
            if let name = kept[handler.name], let outlet = present[name] {
                outlets[handler.name] = outlet
                continue
            }
            do {
                let sink = try handler.target.sink(now: now, knownFiles: known)
                outlets[handler.name] = LogOutlet(handler, sink: sink, report: report)
            } catch {
                problems.append(handler.problem(error))
            }
        }
        if !problems.isEmpty { throw ConfigurationError(problems: problems) }
        for handler in configuration.handlers where kept[handler.name] == nil {
            do {
                try outlets[handler.name]?.begin()
            } catch {
                problems.append(handler.problem(error))
            }
        }
        if !problems.isEmpty { throw ConfigurationError(problems: problems) }
        for handler in configuration.handlers where kept[handler.name] != nil { outlets[handler.name]?.adopt(handler) }
        let tree = LoggerTree(configuration)
        let targets = configuration.handlers.map { ($0.name, $0.target) }
        let files = configuration.handlers.compactMap(\.target.file?.path)
        // The old outlets close their files when they go, which is not done under the lock.
        let old = state.withLock { state in
            let old = state.outlets
            state.tree = tree
            state.outlets = outlets
            state.targets = Dictionary(targets) { $1 }
            state.knownFiles.formUnion(files)
            for channel in state.channels.values { Self.connect(channel, state) }
            return old
        }
        _ = consume old
    }

    /// Which handlers go on with a present one's target, and its name: that of the same name first, then of any.
    private static func keep(
        _ present: [String: LoggingConfiguration.Target],
        for handlers: [LoggingConfiguration.Handler]
    ) -> [String: String] {
        var free = present
        var result: [String: String] = [:]
        for handler in handlers where free[handler.name] == handler.target {
            result[handler.name] = handler.name
            free[handler.name] = nil
        }
        for handler in handlers where result[handler.name] == nil {
            guard let name = free.keys.sorted().first(where: { free[$0] == handler.target }) else { continue }
            result[handler.name] = name
            free[name] = nil
        }
        return result
    }

    /// Opens all log files anew: for SIGHUP, after something renamed them. What cannot be opened is reported and written on.
    func reopen() {
        let outlets = state.withLock { Array($0.outlets.values) }
        for outlet in outlets { outlet.reopen() }
    }

    /// What swift-log's `Logger` of this label hands its events to.
    func handler(for label: String) -> RoutedLogHandler {
        RoutedLogHandler(channel: channel(for: LoggerTree.canonical(label)), router: self)
    }

    /// A logger that needs no ``bootstrap()``.
    func logger(_ name: String) -> Logger {
        Logger(label: name) { handler(for: $0) }
    }

    private func channel(for name: String) -> LogChannel {
        state.withLock { state in
            if let known = state.channels[name] { return known }
            let channel = LogChannel(name: name)
            Self.connect(channel, state)
            state.channels[name] = channel
            return channel
        }
    }

    private static func connect(_ channel: LogChannel, _ state: State) {
        let route = state.tree.route(for: channel.name)
        let standIn = state.tree.standIn
        let routes = LogChannel.Outlets(
            shown: route.handlers.filter(state.tree.shown.contains).compactMap { state.outlets[$0] },
            standIn: route.handlers.filter { $0 == standIn }.prefix(1).compactMap { state.outlets[$0] }.first,
            others: route.handlers.filter { $0 != standIn && !state.tree.shown.contains($0) }
                .compactMap { state.outlets[$0] }
        )
        // Nothing is put together for nobody.
        channel.connect(to: routes, from: routes.isEmpty ? nil : route.level ?? .notSet)
    }

    /// Writes a line to standard error, if that takes it at once.
    static func reportOnStandardError(_ line: String) {
        _ = LogStream(STDERR_FILENO).write(Array(line.shown.utf8) + [0x0A])
    }
}

/// A name that is logged under, and where its records go at present.
final class LogChannel: Sendable {
    let name: String
    /// The least level that goes anywhere.
    private let threshold = Atomic(Int.max)
    private let outlets = Mutex(Outlets())

    /// Where records go.
    struct Outlets {
        /// Those that come out where standard error leads, and the one for records that none of them takes.
        var shown: [LogOutlet] = []
        var standIn: LogOutlet?
        var others: [LogOutlet] = []

        var isEmpty: Bool { shown.isEmpty && standIn == nil && others.isEmpty }
    }

    init(name: String) {
        self.name = name
    }

    /// - Parameter level: nil for nothing.
    fileprivate func connect(to outlets: Outlets, from level: LogLevel?) {
        let old = self.outlets.withLock { present in
            defer { present = outlets }
            return present
        }
        threshold.store(level?.number ?? .max, ordering: .releasing)
        _ = consume old
    }

    var level: LogLevel { LogLevel(number: threshold.load(ordering: .relaxed)) }

    func write(_ record: borrowing LogRecord) {
        // Copied, so that no thread waits for another's handler here.
        let outlets = self.outlets.withLock { $0 }
        var isShown = false
        for outlet in outlets.shown where outlet.write(record) { isShown = true }
        for outlet in outlets.others { outlet.write(record) }
        if !isShown { outlets.standIn?.write(record) }
    }
}
#endif
