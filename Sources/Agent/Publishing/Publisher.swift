#if Agent
import AMQPWire
import Logging
import Synchronization

/// Takes messages from the outbox to the broker: connects, declares what is needed, publishes, and keeps at it.
///
/// A message leaves the outbox when the broker has confirmed it. After any failure publishing begins again with the oldest one
/// kept, so the order stays and nothing is left out; a message may arrive twice then, with the same id.
///
///     apart ──session──> connected, declared ──publish, confirm──> ...
///       ^                                         │
///       └── pause, longer each time <── failure ──┘
///
/// Knows when to begin a session and what to say about failures; ``PublishingSession`` is what happens in one.
final class Publisher: Sendable {
    struct State {
        var settings: BrokerSettings
        /// Higher with every change of settings that needs a new connection.
        var generation = 0
        /// Whether to end when the outbox is empty.
        var isFinishing = false
        var status = PublisherStatus()
        /// The session under way.
        var session: Task<AMQPError?, Never>?
        var throttles: [Line: LogThrottle] = [:]
    }

    /// Kinds of lines in the log that what a broker does leads to.
    enum Line {
        case connected, failed, blocked, unblocked, refused, taken, repaired, dropped, event
    }

    let outbox: Outbox
    let log: Logger
    let state: Mutex<State>
    /// Whether publishing makes progress; to wait for a broker counts as such.
    let liveness = Liveness()
    private let thread = TaskThread.shared

    init(_ settings: BrokerSettings, outbox: Outbox, log: Logger) {
        state = Mutex(State(settings: settings))
        self.outbox = outbox
        self.log = log
    }

    var status: PublisherStatus { state.withLock { $0.status } }
    var isFinishing: Bool { state.withLock { $0.isFinishing } }

    /// Goes by these settings from now on, whatever is under way.
    func apply(_ settings: BrokerSettings) {
        state.withLock { state in
            if settings.needsNewConnection(after: state.settings) {
                state.generation += 1
                // It may wait for a host that does not answer, or for a broker that is blocked.
                state.session?.cancel()
            }
            state.settings = settings
        }
        outbox.wakeup.ring()
    }

    /// Ends `run()` once the outbox is empty, or at the next failure.
    func finish() {
        state.withLock { $0.isFinishing = true }
        outbox.wakeup.ring()
    }

    /// Writes a line to the log, unless there were too many of its kind.
    func write(_ line: Line, _ level: Logger.Level, _ text: @autoclosure () -> String, to log: Logger? = nil) {
        guard let addition = state.withLock({ $0.throttles[line, default: LogThrottle()].admit(now: .now) }) else {
            return
        }
        (log ?? self.log).log(level: level, "\(text())\(addition)")
    }

    /// Waits until somebody rings at the outbox, at most so long.
    func rest(atMost time: Duration) async {
        liveness.step(nextWithin: time)
        await outbox.wakeup.wait(atMost: time, timer: thread)
    }

    /// Begins to publish, in a task of its own.
    ///
    /// - Parameter whenDone: called when it has ended.
    func start(whenDone: @escaping @Sendable () -> Void) -> Task<Void, Never> {
        Task(executorPreference: thread) { [self] in
            await run()
            liveness.end()
            whenDone()
        }
    }

    /// Publishes until it is finished or its task is cancelled. No failure ends it.
    private func run() async {
        var outage = Outage()
        var pauses: Backoff?
        var random = SystemRandomNumberGenerator()
        while true {
            let (settings, generation) = state.withLock { ($0.settings, $0.generation) }
            let app = settings.configuration.app
            let configured = Backoff(first: app.retryPause, longest: app.longestRetryPause)
            if pauses?.first != configured.first || pauses?.longest != configured.longest { pauses = configured }
            let works = Mutex(false)
            liveness.step(nextWithin: settings.longestConnect)
            let failure = await session(settings, generation) { [self, outage] broker in
                works.withLock { $0 = true }
                let dropped = outbox.endEpisode()
                write(.connected, .info, outage.end(at: broker, dropped: dropped))
            }
            if works.withLock({ $0 }) {
                outage = Outage()
                pauses?.reset()
            }
            if isFinishing || Task.isCancelled { return }
            guard let failure, state.withLock({ $0.generation == generation }) else { continue }
            note(failure, settings, &outage)
            if let pause = pauses?.next(using: &random) { await wait(pause, generation) }
        }
    }

    /// Runs one session, which ends early where there are other settings.
    private func session(
        _ settings: BrokerSettings,
        _ generation: Int,
        whenItWorks: @escaping @Sendable (String) -> Void
    ) async -> AMQPError? {
        let session = Task(executorPreference: thread) { [self] () async -> AMQPError? in
            do throws(AMQPError) {
                try await PublishingSession.run(self, settings, whenItWorks: whenItWorks)
                return nil
            } catch {
                return error
            }
        }
        state.withLock { state in
            state.session = session
            if state.generation != generation { session.cancel() }
        }
        defer { state.withLock { $0.session = nil } }
        return await withTaskCancellationHandler {
            await session.value
        } onCancel: {
            session.cancel()
        }
    }

    /// Writes a failure to the log, unless it has been there often enough.
    private func note(_ error: AMQPError, _ settings: BrokerSettings, _ outage: inout Outage) {
        let reason = outage.reason(error, settings, now: .now)
        state.withLock { $0.status.lastError = .init(text: reason, at: WallClock.now()) }
        switch outage.log.failed(reason) {
        case .nothing: break
        case .first(let reason): write(.failed, .error, "\(reason); will go on trying")
        case .still(let reason, let failures):
            write(.failed, .error, "still failing after \(failures) attempts: \(reason)")
        }
    }

    /// Waits before the next attempt; cut short when there is something new to do.
    private func wait(_ pause: Duration, _ generation: Int) async {
        let end = SuspendingClock.now.advanced(by: pause)
        let retryPause = state.withLock { $0.settings.configuration.app.retryPause }
        while !Task.isCancelled {
            let left = SuspendingClock.now.duration(to: end)
            let isOver = state.withLock { state in
                state.isFinishing || state.generation != generation
                    || state.settings.configuration.app.retryPause != retryPause
            }
            if left <= .zero || isOver { return }
            await rest(atMost: left)
        }
    }
}

/// From the first failure until a message is confirmed again.
private struct Outage {
    var log = OutageLog()
    /// When the queue was first found held by another connection.
    private var heldSince: SuspendingClock.Instant?

    /// What to say of a failure, with what to do about it.
    ///
    /// A queue that another connection holds (405) may for two heartbeats be held by the one that was just lost, which the
    /// broker has not missed yet.
    mutating func reason(_ error: AMQPError, _ settings: BrokerSettings, now: SuspendingClock.Instant) -> String {
        if error.reply?.kind == .resourceLocked {
            let since = heldSince ?? now
            heldSince = since
            let heartbeat = settings.configuration.server.brokers.first?.heartbeat ?? 60
            if since.duration(to: now) <= .seconds(2 * Int(heartbeat)) {
                return "the queue '\(settings.routingKey)' is held by another connection (405), "
                    + "which may be the one just lost"
            }
        }
        return BrokerAdvice.explanation(
            of: error,
            configuration: settings.configuration,
            hostname: settings.hostname
        )
    }

    /// What to say when it is over.
    func end(at broker: String, dropped: UInt64) -> String {
        var text = "connected to \(broker)"
        if log.failures > 0 { text += " after \(log.failures) failed attempts" }
        if dropped > 0 { text += "; \(dropped) messages were dropped meanwhile" }
        return text
    }
}
#endif
