import AMQPWire
import Glibc
import HostMetrics
import Logging

/// The agent at work: samples go from the reporters through the outbox to the broker. Beside that line stand signals, the
/// control socket and the log.
///
/// One loop on the thread that calls `run` waits for everything but the broker: for the next reading, for a reading that comes
/// back, for signals and for those who ask how it does. Publishing is a task of its own.
final class Agent {
    /// How the agent reads its configuration again.
    typealias Reload = () throws(ConfigurationError) -> Configuration

    private let configurationPath: String
    private let reload: Reload
    private let machineName: String
    private let log: Logger
    private let signals: SignalInbox
    private let control: ControlSocket?
    private let isForeground: Bool
    private let outbox: Outbox
    private let publisher: Publisher
    private let published: EventDescriptor
    private let startedAt = WallClock.now()
    private let messageIDs = MessageIDs()
    private var configuration: Configuration
    private var sampler: Sampler
    private var encoder: ReportEncoder
    /// How often the configuration was read again, and what was wrong with it the last time.
    private var reloads = 0
    private var reloadError: String?
    /// Until when nobody is answered at the control socket.
    private var deafUntil = SuspendingClock.now

    /// - Parameters:
    ///   - signals: those that ``handledSignals`` lists, held back.
    ///   - control: answered while the agent runs.
    ///   - isForeground: whether the log goes to standard error as well.
    init(
        configuration: Configuration,
        path: String,
        machineName: String,
        log: Logger,
        signals: consuming SignalInbox,
        control: ControlSocket?,
        isForeground: Bool,
        reload: @escaping Reload
    ) throws(SystemError) {
        self.configuration = configuration
        configurationPath = path
        self.machineName = machineName
        self.log = log
        self.signals = signals
        self.control = control
        self.isForeground = isForeground
        self.reload = reload
        published = try EventDescriptor()
        outbox = Outbox(limit: configuration.buffer.maxMessages)
        let hostname = configuration.hostname.name ?? machineName
        publisher = Publisher(
            BrokerSettings(configuration: configuration, hostname: hostname),
            outbox: outbox,
            log: log
        )
        encoder = ReportEncoder(hostname: configuration.hostname.isEnabled ? hostname : nil)
        sampler = try Sampler(
            Reporters.enabled(in: configuration),
            form: configuration.app.messageForm,
            log: log,
            worker: BlockingWorker(name: "psistats-read", spareThreads: 2)
        )
    }

    /// What ends the agent, makes it read its configuration again, and makes it write its status to the log.
    static let handledSignals = [SIGTERM, SIGINT, SIGHUP, SIGUSR1]

    /// Works until SIGTERM or SIGINT, then publishes what is buffered, as far as that goes within a few seconds.
    func run() {
        let task = Task { [publisher, published] in
            await publisher.run()
            published.ring()
        }
        loop()
        finish(task)
    }

    var status: AgentStatus {
        AgentStatus(
            configuration: configurationPath,
            startedAt: startedAt,
            pid: getpid(),
            publisher: publisher.status,
            outbox: outbox,
            skipped: sampler.skipped,
            reloads: reloads,
            reloadError: reloadError
        )
    }

    /// Returns when the agent is to end.
    private func loop() {
        while true {
            for report in sampler.step() { send(report) }
            _ = waitAnswering(until: sampler.nextMoment, for: [signals.descriptor, sampler.arrivals.number])
            for signal in signals.take() {
                switch signal {
                case SIGHUP: applyAnew()
                case SIGUSR1: log.notice("\(status.text(now: WallClock.now()).replacing("\n", with: "; "))")
                default:
                    log.info("ending, \(outbox.count) messages to send")
                    return
                }
            }
        }
    }

    /// Waits for one of these descriptors. Whoever asks at the control socket meanwhile is answered.
    private func waitAnswering(until moment: SuspendingClock.Instant?, for descriptors: [Int32]) -> Set<Int32> {
        guard let control else { return wait(until: moment, for: descriptors) }
        guard deafUntil <= .now else {
            return wait(until: moment.map { min($0, deafUntil) } ?? deafUntil, for: descriptors)
        }
        let ready = wait(until: moment, for: descriptors + [control.descriptor])
        // Whom it could not answer makes the socket readable again at once: it is left alone for a while.
        if ready.contains(control.descriptor), !answer(control) { deafUntil = .now.advanced(by: .seconds(1)) }
        return ready
    }

    private func answer(_ control: ControlSocket) -> Bool {
        control.answer {
            do throws(SystemError) {
                return Array(try status.line().utf8) + [0x0A]
            } catch {
                log.error("\(error.context): \(error.reason)")
                return []
            }
        }
    }

    private func send(_ report: Report) {
        let body: [UInt8]
        do {
            body = try encoder.encode(report.fields)
        } catch {
            log.error("a report could not be written as JSON: \(error)")
            return
        }
        let message = OutgoingReport(
            id: messageIDs.next(),
            type: report.type,
            measuredAt: report.measuredAt,
            body: body
        )
        if outbox.append(message) {
            log.warning("the buffer is full: the oldest messages are dropped (max_messages in [buffer])")
        }
    }

    /// Reads the configuration again and takes over all of it, or nothing if it is wrong.
    private func applyAnew() {
        LoggingRouter.shared.reopen()
        reloads += 1
        do {
            let new = try reload()
            let newSampler =
                try needsNewSampler(new) ? sampler.successor(Reporters.enabled(in: new), new.app.messageForm) : nil
            try LoggingRouter.shared.apply(new.logging.resolved(foreground: isForeground))
            reloadError = nil
            take(over: new, newSampler)
        } catch {
            let text = "\((error as? SystemError).map { "\($0.context): \($0.reason)" } ?? "\(error)")"
            reloadError = text
            log.error("the configuration stays as it was")
            for line in text.split(separator: "\n") { log.error("\(line)") }
        }
    }

    private func take(over new: Configuration, _ newSampler: Sampler?) {
        if new.app.pidfile != configuration.app.pidfile {
            log.warning("the new pidfile takes effect with the next start")
        }
        configuration = new
        if let newSampler {
            for report in sampler.finish() { send(report) }
            sampler = newSampler
        }
        let hostname = new.hostname.name ?? machineName
        encoder = ReportEncoder(hostname: new.hostname.isEnabled ? hostname : nil)
        outbox.setLimit(new.buffer.maxMessages)
        publisher.apply(BrokerSettings(configuration: new, hostname: hostname))
        log.notice("the configuration was read again: \(configurationPath)")
    }

    /// Whether other things are to be measured, or in another way.
    private func needsNewSampler(_ new: Configuration) -> Bool {
        new.reporters != configuration.reporters || new.system != configuration.system
            || new.app.messageForm != configuration.app.messageForm
    }

    /// Has what is buffered published, and waits for that until it is done, the time is up or another signal comes.
    private func finish(_ task: Task<Void, Never>) {
        publisher.finish()
        let patience = Self.drainTime(configuration.app.pidfileTimeout)
        let end = SuspendingClock.now.advanced(by: patience)
        while SuspendingClock.now < end {
            if waitAnswering(until: end, for: [published.number, signals.descriptor]).contains(published.number) {
                break
            }
            // Whoever sends a second one is in a hurry.
            if signals.take().contains(where: { $0 == SIGTERM || $0 == SIGINT }) { break }
        }
        task.cancel()
        // For the last words to the broker; they, too, have to be said before `psistats stop` kills.
        let lastWords = min(.milliseconds(500), patience / 8)
        _ = waitAnswering(until: .now.advanced(by: lastWords), for: [published.number])
        if outbox.count > 0 {
            log.warning("ended with \(outbox.count) messages that no broker confirmed")
        } else {
            log.info("ended; all messages are confirmed")
        }
    }

    /// Somewhat less than `psistats stop` waits before it kills.
    static func drainTime(_ patience: Duration) -> Duration {
        min(.seconds(30), patience * 0.8)
    }
}
