import Synchronization

/// Joins the core to sockets and tasks: one lock around the state, and sending and resuming outside of it.
///
/// Whoever appended frames and finds nobody sending takes the buffer and sends it on its own thread; what comes meanwhile goes
/// with the next round, so there is one sender at a time and the order on the wire is that of the lock. What the kernel does not
/// take is left to the loop's thread. Under the lock there is bookkeeping only.
///
/// Publishes that need not leave at once are gathered: the first goes out immediately; those within a millisecond of another
/// wait for 64 KiB to come together or for half a millisecond to pass, whichever is first.
final class ConnectionDriver: Sendable {
    let configuration: AMQPConfiguration
    let loop: EventLoop
    let state: Mutex<State>

    /// How soon appended frames have to leave.
    enum Urgency {
        case now, soon
    }

    /// What the connection as a whole is doing.
    enum Mode {
        /// No connection is there yet; the first is being made.
        case connecting
        /// The connection is up and what was declared is being declared again; only recovery's own calls go out.
        case restoring
        case open
        /// The connection is lost and will be made anew.
        case recovering
        case closed(AMQPError)
    }

    struct State: ~Copyable, Sendable {
        var mode = Mode.connecting
        var core: ConnectionCore
        var link: Link?
        /// The tasks that wait, by the row of their waiter.
        var parked: [(waiter: WaiterID, continuation: UnsafeContinuation<Answer, Never>)?] = []
        /// Answers that came before their task was parked.
        var early: [WaiterID: Answer] = [:]
        /// Who waits for the connection to be usable again.
        var waitingForRecovery: [WaiterID] = []
        /// All channels that are not closed, in the order of their opening.
        var channels: [ChannelRecord] = []
        var channelsByNumber: [UInt16: ChannelRecord] = [:]
        var topology = Topology()
        var closedByUser = false
        /// Why everything is to end for good, as the last thing of this step.
        var closing: AMQPError?
        var recoveryTask: Task<Void, Never>?
        var nextConsumer: UInt64 = 1
        var epoch: UInt64 = 0

        // Sending.
        /// The buffer that is not being filled, while nobody sends it.
        var spare: WireBuffer? = WireBuffer(capacity: 4096)
        /// What the kernel did not take; writing goes on when the socket is writable.
        var unsent: WireBuffer?
        /// What the kernel did not take, now that it takes more.
        var resumed: WireBuffer?
        /// Some of what is in the encoder has to leave as soon as nobody sends.
        var isUrgent = false
        var linkToken: EventLoop.Token?
        var lastSent = Moment(nanoseconds: 0)
        var gatherUntil: Moment?
        var timer: EventLoop.Token?
        var scheduled: Moment?
        var events: [CoreEvent] = []

        /// What the application is still to hear, and whether somebody is about to tell it.
        var untold: [AMQPEvent] = []
        var isTelling = false
    }

    static let gatherSize = 64 * 1024
    static let gatherTime = Duration.microseconds(500)
    static let denseTraffic = Duration.milliseconds(1)

    init(_ configuration: AMQPConfiguration, loop: EventLoop = .shared) {
        self.configuration = configuration
        self.loop = loop
        state = Mutex(State(core: ConnectionCore(notConnected: WaiterTable())))
    }

    /// Does a step under the lock, and then what follows from it outside.
    func perform<Value: Sendable>(
        _ urgency: Urgency = .now,
        _ step: (inout State) throws(AMQPError) -> Value
    ) throws(AMQPError) -> Value {
        var aftermath = Aftermath()
        let result = state.withLock { state -> Result<Value, AMQPError> in
            let result = Result { () throws(AMQPError) in try step(&state) }
            state.conclude(urgency, self, &aftermath)
            return result
        }
        if !aftermath.isEmpty { finish(&aftermath) }
        return try result.get()
    }

    /// As ``perform(_:_:)``, for steps that cannot fail.
    func perform(_ urgency: Urgency = .now, _ step: (inout State) -> Void) {
        var aftermath = Aftermath()
        state.withLock { state in
            step(&state)
            state.conclude(urgency, self, &aftermath)
        }
        if !aftermath.isEmpty { finish(&aftermath) }
    }

    /// Does what must not be done under the lock; sending may lead to more of it.
    private func finish(_ aftermath: inout Aftermath) {
        resume(&aftermath)
        while let buffer = aftermath.buffer.take(), let link = aftermath.link {
            let outcome = Self.write(buffer, on: link)
            let now = EventLoop.now()
            aftermath = Aftermath()
            var rest: Outgoing? = consume outcome
            state.withLock { state in
                if let outcome = rest.take() { state.sent(outcome, on: link, now, loop) }
                state.conclude(.soon, self, &aftermath)
            }
            resume(&aftermath)
        }
    }

    /// Adds an event to those that the application hears.
    func notify(_ event: AMQPEvent) {
        guard configuration.onEvent != nil else { return }
        state.withLock { $0.untold.append(event) }
        tell()
    }

    /// Tells the application what happened: one event at a time, in order, whoever comes first telling for the others.
    func tell() {
        guard let onEvent = configuration.onEvent else { return }
        var isMine = false
        while true {
            let events = state.withLock { state -> [AMQPEvent] in
                if state.isTelling, !isMine { return [] }
                isMine = !state.untold.isEmpty
                state.isTelling = isMine
                defer { state.untold = [] }
                return state.untold
            }
            if events.isEmpty { return }
            for event in events { onEvent(event) }
        }
    }

    private func resume(_ aftermath: inout Aftermath) {
        for (continuation, answer) in aftermath.answers { continuation.resume(returning: answer) }
        for (continuation, delivery) in aftermath.deliveries { continuation.resume(returning: delivery) }
        if aftermath.tellsEvents { tell() }
        if let ending = aftermath.ending { end(ending, aftermath.endingToken, farewell: aftermath.farewell) }
        if aftermath.startsRecovery { startRecovery() }
    }
}

/// What follows from a step once the lock is released.
struct Aftermath: ~Copyable {
    var answers: [(UnsafeContinuation<Answer, Never>, Answer)] = []
    var deliveries: [(UnsafeContinuation<ConsumerRecord.Next, Never>, ConsumerRecord.Next)] = []
    var events: [AMQPEvent] = []
    var buffer: WireBuffer?
    var link: Link?
    var ending: Link?
    var endingToken: EventLoop.Token?
    var farewell: [UInt8] = []
    var startsRecovery = false
    var tellsEvents = false

    var isEmpty: Bool {
        buffer == nil && answers.isEmpty && deliveries.isEmpty && !tellsEvents && ending == nil && !startsRecovery
    }
}

// MARK: - Under the lock

extension ConnectionDriver.State {
    /// Distributes the core's events, and decides what is sent and when to wake up.
    mutating func conclude(
        _ urgency: ConnectionDriver.Urgency,
        _ driver: ConnectionDriver,
        _ aftermath: inout Aftermath
    ) {
        core.takeEvents(into: &events)
        if !events.isEmpty {
            distribute(driver, &aftermath)
        }
        if let error = closing.take() {
            finish(error, driver, &aftermath)
        }
        if !aftermath.events.isEmpty, driver.configuration.onEvent != nil {
            untold += aftermath.events
            aftermath.tellsEvents = true
        }
        takeForSending(urgency, &aftermath)
        reschedule(driver)
    }

    /// Takes the filled buffer if it is to be sent by the caller.
    private mutating func takeForSending(_ urgency: ConnectionDriver.Urgency, _ aftermath: inout Aftermath) {
        if let rest = resumed.take(), let link {
            aftermath.buffer = .some(rest)
            aftermath.link = link
            return
        }
        guard !core.encoder.bytes.isEmpty else { return }
        if urgency == .now { isUrgent = true }
        guard spare != nil, let link else { return }
        if !isUrgent, core.encoder.bytes.count < ConnectionDriver.gatherSize {
            if gatherUntil != nil { return }
            let now = EventLoop.now()
            if now < lastSent.advanced(by: ConnectionDriver.denseTraffic) {
                gatherUntil = now.advanced(by: ConnectionDriver.gatherTime)
                return
            }
        }
        guard var buffer = spare.take() else { return }
        isUrgent = false
        swap(&buffer, &core.encoder.bytes)
        core.inTransit = buffer.count
        aftermath.buffer = .some(buffer)
        aftermath.link = link
    }

    /// Books what a sender did, and gives its buffer back.
    mutating func sent(_ outcome: consuming ConnectionDriver.Outgoing, on link: Link, _ now: Moment, _ loop: EventLoop)
    {
        let written = outcome.written
        let failure = outcome.failure
        var buffer = outcome.buffer
        core.statistics.octetsSent &+= UInt64(written)
        guard self.link === link else {
            buffer.removeAll()
            spare = .some(buffer)
            return
        }
        if written > 0 {
            core.sent(now: now)
            lastSent = now
        }
        if failure != nil { buffer.removeAll() }
        core.inTransit = buffer.count
        if buffer.isEmpty {
            spare = .some(buffer)
            core.openGates()
        } else {
            unsent = .some(buffer)
            if let linkToken { loop.setWants(linkToken, read: true, write: true) }
        }
        if let failure { core.transportEnded(failure) }
    }

    /// Tells the loop when to wake up, if that changed.
    private mutating func reschedule(_ driver: ConnectionDriver) {
        var earliest = core.deadline
        if let gatherUntil { earliest = min(earliest ?? gatherUntil, gatherUntil) }
        guard let earliest, let timer else { return }
        // Waking up too early costs little, and it saves setting the clock for each answer that came.
        if let scheduled, scheduled <= earliest { return }
        scheduled = earliest
        driver.loop.setDeadline(timer, earliest)
    }

    /// Parks a task until its waiter is answered, or returns the answer that is there already.
    mutating func park(_ waiter: WaiterID, _ continuation: UnsafeContinuation<Answer, Never>) -> Answer? {
        if let answer = early.removeValue(forKey: waiter) { return answer }
        let index = Int(waiter.index)
        while parked.count <= index { parked.append(nil) }
        parked[index] = (waiter, continuation)
        return nil
    }

    private mutating func answered(_ waiter: WaiterID, _ answer: Answer, _ aftermath: inout Aftermath) {
        let index = Int(waiter.index)
        if index < parked.count, let row = parked[index], row.waiter == waiter {
            parked[index] = nil
            aftermath.answers.append((row.continuation, answer))
        } else {
            early[waiter] = answer
        }
    }

    private mutating func distribute(_ driver: ConnectionDriver, _ aftermath: inout Aftermath) {
        var events: [CoreEvent] = []
        swap(&events, &self.events)
        for event in events {
            switch event {
            case .answered(let waiter, let answer): answered(waiter, answer, &aftermath)
            case .opened(let outcome):
                aftermath.events.append(
                    .connected(peer: core.options.peer, serverProperties: outcome.serverProperties)
                )
            case .delivered(let number, let deliver, let message):
                delivered(number, deliver, message, &aftermath)
            case .returned(_, let message): aftermath.events.append(.returned(message))
            case .consumerCancelled(let number, let tag): consumerCancelled(number, tag, &aftermath)
            case .channelClosed(let number, let error): channelClosed(number, error, &aftermath)
            case .blocked(let reason): aftermath.events.append(.blocked(reason: reason))
            case .unblocked: aftermath.events.append(.unblocked)
            case .flow: break
            case .closed(let error): connectionClosed(error, driver, &aftermath)
            }
        }
        events.removeAll(keepingCapacity: true)
        if self.events.isEmpty { swap(&events, &self.events) }
    }

    private mutating func delivered(
        _ number: UInt16,
        _ deliver: Method.BasicDeliver,
        _ message: Message,
        _ aftermath: inout Aftermath
    ) {
        guard let record = channelsByNumber[number] else { return }
        record.lastArrived = deliver.deliveryTag
        guard let consumer = record.consumers[deliver.consumerTag] else {
            // A consumer that is being cancelled: the message goes back, if the broker still has it.
            if record.draining.contains(deliver.consumerTag) { return }
            let nack = Method.BasicNack(deliveryTag: deliver.deliveryTag, multiple: false, requeue: true)
            try? core.send(.basicNack(nack), channel: number)
            return
        }
        consumer.offer(Arrival(epoch: epoch, deliver: deliver, message: message), &aftermath)
    }

    private mutating func consumerCancelled(_ number: UInt16, _ tag: AMQPText, _ aftermath: inout Aftermath) {
        guard let consumer = channelsByNumber[number]?.consumers[tag] else { return }
        unregister(consumer)
        let queue = consumer.queue
        aftermath.events.append(.consumerCancelled(tag: tag.string, queue: queue))
        consumer.end(
            AMQPError(
                .consumerCancelled,
                scope: .channel,
                "the broker ended the consumer '\(tag)' of queue '\(queue)': the queue was deleted or moved"
            ),
            &aftermath
        )
    }

    private mutating func channelClosed(_ number: UInt16, _ error: AMQPError, _ aftermath: inout Aftermath) {
        aftermath.events.append(.channelClosed(error))
        guard let record = channelsByNumber[number] else { return }
        forget(record)
        record.end(error, &aftermath)
    }

    private mutating func connectionClosed(
        _ error: AMQPError,
        _ driver: ConnectionDriver,
        _ aftermath: inout Aftermath
    ) {
        aftermath.ending = link
        aftermath.endingToken = linkToken
        // Nobody else is sending, so what is left can follow: the answer to a close.
        if spare != nil { aftermath.farewell = core.encoder.bytes.copy() }
        core.encoder.bytes.removeAll()
        core.inTransit = 0
        link = nil
        if var buffer = unsent.take() {
            buffer.removeAll()
            spare = .some(buffer)
        }
        gatherUntil = nil
        linkToken = nil
        isUrgent = false
        for record in channels { record.connectionLost() }
        channelsByNumber = [:]
        switch mode {
        case .connecting, .recovering, .closed: break
        case .open, .restoring:
            aftermath.events.append(.disconnected(error))
            if closedByUser || driver.configuration.recovery == nil {
                finish(error, driver, &aftermath)
            } else if recoveryTask == nil {
                mode = .recovering
                aftermath.startsRecovery = true
            } else {
                mode = .recovering
            }
        }
    }

    /// Ends everything for good.
    mutating func finish(_ error: AMQPError, _ driver: ConnectionDriver, _ aftermath: inout Aftermath) {
        if case .closed = mode { return }
        mode = .closed(error)
        for record in channels { record.end(error, &aftermath) }
        channels = []
        for waiter in waitingForRecovery where core.waiters.remove(waiter) != nil {
            answered(waiter, .failure(error.with(delivery: .notSent)), &aftermath)
        }
        waitingForRecovery = []
        aftermath.events.append(.closed(closedByUser ? nil : error))
        if let timer {
            driver.loop.detach(timer)
            self.timer = nil
        }
    }

    /// Lets those go on who wait for the connection.
    mutating func recovered() {
        mode = .open
        for waiter in waitingForRecovery { core.answer(waiter, .done) }
        waitingForRecovery = []
    }
}
