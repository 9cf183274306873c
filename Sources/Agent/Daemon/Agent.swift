#if Agent
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

    let configurationPath: String
    let reload: Reload
    let machineName: String
    let log: Logger
    private let signals: SignalInbox
    private let control: ControlSocket?
    let service: ServiceNotification?
    let isForeground: Bool
    let outbox: Outbox
    let publisher: Publisher
    private let published: EventDescriptor
    private let startedAt = WallClock.now()
    private let messageIDs = MessageIDs()
    /// The configuration of the start, for what a reload cannot change.
    let initialConfiguration: Configuration
    var configuration: Configuration
    var sampler: Sampler
    var encoder: ReportEncoder
    /// How often the configuration was read again, what was wrong with it the last time, and what of it waits for a start.
    var reloads = 0
    var reloadError: String?
    var reloadNotes: [String] = []
    /// Why nothing can be written to the disk.
    private var diskTrouble: String?
    private var serviceReport: ServiceReport?
    private let probe = ThreadProbe(.shared)
    /// Until when nobody is answered at the control socket.
    private var deafUntil = SuspendingClock.now

    /// - Parameters:
    ///   - signals: those that ``handledSignals`` lists, held back.
    ///   - control: answered while the agent runs.
    ///   - journal: where what waits is kept beyond the end of the process.
    ///   - service: the service manager, if there is one that wants to know.
    ///   - isForeground: whether the log goes to standard error as well.
    init(
        configuration: Configuration,
        path: String,
        machineName: String,
        log: Logger,
        signals: consuming SignalInbox,
        control: ControlSocket?,
        service: ServiceNotification?,
        journal: Journal?,
        isForeground: Bool,
        reload: @escaping Reload
    ) throws(SystemError) {
        self.configuration = configuration
        initialConfiguration = configuration
        self.service = service
        serviceReport = service.map { ServiceReport(watchdogInterval: $0.watchdogInterval, now: .now) }
        configurationPath = path
        self.machineName = machineName
        self.log = log
        self.signals = signals
        self.control = control
        self.isForeground = isForeground
        self.reload = reload
        published = try EventDescriptor()
        outbox = Outbox(limit: configuration.buffer.maxMessages, journal: journal)
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
        tellOfRecovery()
        let task = publisher.start { [published] in published.ring() }
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
            reloadError: reloadError,
            reloadNotes: reloadNotes
        )
    }

    /// Returns when the agent is to end.
    private func loop() {
        while true {
            let reports = sampler.step()
            for report in reports { send(report) }
            if !reports.isEmpty { save() }
            tellService()
            let moments = [sampler.nextMoment, serviceReport?.nextMoment].compactMap { $0 }
            _ = waitAnswering(until: moments.min(), for: [signals.descriptor, sampler.arrivals.number])
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

    /// Writes to the disk what waits for a broker, where that is wanted. Goes on in memory where it cannot.
    private func save(all: Bool = false) {
        do throws(SystemError) {
            try outbox.save(all: all)
            if diskTrouble != nil { log.notice("what waits is kept on disk again") }
            diskTrouble = nil
        } catch {
            let text = "\(error.context): \(error.reason): what waits is kept in memory alone"
            if text != diskTrouble { log.error("\(text)") }
            diskTrouble = text
        }
    }

    /// Tells the log what earlier runs left on disk.
    private func tellOfRecovery() {
        let recovered = outbox.recovered
        if recovered.messages > 0 { log.notice("\(recovered.messages) messages of an earlier run wait to be sent") }
        if recovered.damages > 0 {
            log.warning("\(recovered.damages) damaged parts of the buffer on disk were passed over")
        }
        for text in recovered.leftAlone { log.warning("\(text): left alone") }
    }

    /// Tells the service manager what there is to tell.
    ///
    /// - Parameter time: how long the end will take, while the agent ends.
    private func tellService(extendingBy time: Duration? = nil) {
        guard let service, var report = serviceReport else { return }
        let status = publisher.status
        let condition = ServiceReport.Condition(
            isCollecting: sampler.hasFinishedFirstTick || sampler.nextMoment == nil,
            // This loop has just come round, so that readings are taken; the rest is the publisher's.
            isAlive: { [publisher, probe] in probe.isAlive() && publisher.liveness.isAlive() },
            broker: status.broker.map { "connected to \($0)" } ?? "no broker",
            counts: "\(status.confirmed) messages confirmed, \(outbox.count) buffered, \(outbox.dropped) dropped"
        )
        var assignments = report.assignments(condition, now: .now)
        serviceReport = report
        if let time { assignments.append("EXTEND_TIMEOUT_USEC=\(Int64(time / .microseconds(1)) + 1_000_000)") }
        service.send(assignments)
    }

    func send(_ report: Report) {
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

    /// Has what is buffered published, and waits for that until it is done, the time is up or another signal comes.
    private func finish(_ task: Task<Void, Never>) {
        publisher.finish()
        let patience = Self.drainTime(configuration.app.pidfileTimeout)
        // For the last words to the broker; they, too, have to be said before `psistats stop` kills.
        let lastWords = min(.milliseconds(500), patience / 8)
        let end = SuspendingClock.now.advanced(by: patience)
        service?.send(["STOPPING=1", "STATUS=ending, \(outbox.count) messages to send"])
        while case let left = SuspendingClock.now.duration(to: end), left > .zero {
            tellService(extendingBy: left + lastWords)
            let moment = service == nil ? end : min(end, .now.advanced(by: .seconds(1)))
            if waitAnswering(until: moment, for: [published.number, signals.descriptor]).contains(published.number) {
                break
            }
            // Whoever sends a second one is in a hurry.
            if signals.take().contains(where: { $0 == SIGTERM || $0 == SIGINT }) { break }
        }
        task.cancel()
        _ = waitAnswering(until: .now.advanced(by: lastWords), for: [published.number])
        save(all: true)
        if outbox.count > 0 {
            let place = initialConfiguration.buffer.journal.map { "; the next start finds them in \($0.folder)" } ?? ""
            log.warning("ended with \(outbox.count) messages that no broker confirmed\(place)")
        } else {
            log.info("ended; all messages are confirmed")
        }
    }

    /// Somewhat less than `psistats stop` waits before it kills.
    static func drainTime(_ patience: Duration) -> Duration {
        min(.seconds(30), patience * 0.8)
    }
}
#endif
