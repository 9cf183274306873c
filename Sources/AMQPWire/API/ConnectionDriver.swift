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
    /// Whether there are observers.
    let isObserved: Bool
    let loop: EventLoop
    let connecting: ConnectOptions
    let state: Mutex<State>
    let stock = DeliveryStock()

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
        /// When the connection was lost that is not back yet.
        var lostAt: Moment?
        var closedByUser = false
        /// The credential that took the place of the configured password, if one did.
        var freshSecret: AMQPSecret?
        /// Why everything is to end for good, as the last thing of this step.
        var closing: AMQPError?
        var recoveryTask: Task<Void, Never>?
        var nextConsumer: UInt64 = 1
        /// Counts the openings of channels, recovered ones included.
        var epoch: UInt64 = 0
        /// What the application is to be told, in the order in which it happened.
        var announcements: [AMQPEvent] = []
        /// Somebody is telling it; there is one at a time, so that the order is kept.
        var isAnnouncing = false
        /// What the broker has had announced and the application was not told yet takes about so much.
        var announcedBytes = 0

        // Sending.
        /// The buffer that is not being filled, while nobody sends it.
        var spare: AMQPWireBuffer? = AMQPWireBuffer(capacity: 4096)
        /// What the kernel did not take; writing goes on when the socket is writable.
        var unsent: AMQPWireBuffer?
        /// What the kernel did not take, now that it takes more.
        var resumed: AMQPWireBuffer?
        /// A socket that somebody is still sending on, who is to let go of it: so that the last words come behind.
        var leaving: Ending?
        /// Some of what is in the encoder has to leave as soon as nobody sends.
        var isUrgent = false
        var linkToken: EventLoop.Token?
        /// Too much waits for readers.
        var isOverfull = false
        /// Nothing is read for that.
        var isReadingPaused = false
        var lastSent = Moment(nanoseconds: 0)
        var gatherUntil: Moment?
        var timer: EventLoop.Token?
        var scheduled: Moment?
        var events: [CoreEvent] = []
    }

    static let gatherSize = 64 * 1024
    static let gatherTime = Duration.microseconds(500)
    static let denseTraffic = Duration.milliseconds(1)
    /// Rounds of sending on the loop's thread before it turns to something else.
    private static let mostRounds = 16

    init(_ configuration: AMQPConfiguration, connecting: ConnectOptions = ConnectOptions()) {
        self.configuration = configuration
        isObserved = !configuration.observers.isEmpty
        loop = connecting.loop
        var connecting = connecting
        connecting.opening = AMQPProtocolHeader.octets
        // connection.start comes in a method frame.
        connecting.isAnswer = { $0 == FrameType.method.rawValue }
        self.connecting = connecting
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
        var rounds = 0
        while let buffer = aftermath.buffer.take(), let link = aftermath.link {
            // Others may have something new to send each time. Their own threads can go on with it for ever; the loop's has
            // other connections to see to.
            let isEnough = rounds >= Self.mostRounds && loop.isCurrent
            rounds &+= 1
            let outcome = isEnough ? Outgoing(buffer: buffer) : Self.write(buffer, on: link)
            if let failure = outcome.failure { listenOnceMore(link, failure) }
            let now = EventLoop.now()
            aftermath = Aftermath()
            var rest: Outgoing? = consume outcome
            state.withLock { state in
                if let outcome = rest.take(), let ending = state.sent(outcome, on: link, now, loop) {
                    aftermath.endings.append(ending)
                }
                state.conclude(.soon, self, &aftermath)
            }
            resume(&aftermath)
        }
    }

    private func resume(_ aftermath: inout Aftermath) {
        if let (continuation, answer) = aftermath.firstAnswer { continuation.resume(returning: answer) }
        for (continuation, answer) in aftermath.answers { continuation.resume(returning: answer) }
        aftermath.resumeReaders()
        for ending in aftermath.endings { end(ending) }
        if aftermath.announces { tellEvents() }
        if aftermath.startsRecovery { startRecovery() }
    }

    /// Ends channels or consumers under the lock, and tells their readers outside of it.
    func ending(_ step: (inout State, inout Aftermath) -> Void) {
        var aftermath = Aftermath()
        state.withLock { state in step(&state, &aftermath) }
        aftermath.resumeReaders()
    }

    /// Tells the application what happened, until there is nothing more.
    private func tellEvents() {
        while true {
            let (events, isPaused) = state.withLock { state -> ([AMQPEvent], Bool) in
                defer { state.announcements = [] }
                state.announcedBytes = 0
                if state.announcements.isEmpty { state.isAnnouncing = false }
                return (state.announcements, state.isReadingPaused)
            }
            if isPaused { perform(.soon) { state in state.adjustReading(self) } }
            if events.isEmpty { return }
            for event in events {
                configuration.onEvent?(event)
                for observer in configuration.observers { observer.didHappen(event) }
            }
        }
    }

    /// Has the application told of something.
    func announce(_ event: AMQPEvent) {
        perform { state in state.announcements.append(event) }
    }
}

// MARK: - Under the lock

extension ConnectionDriver.State {
    /// Distributes the core's events, and decides what is sent and when to wake up.
    @inline(__always)  // Out of line, it costs each publish some nanoseconds.
    mutating func conclude(
        _ urgency: ConnectionDriver.Urgency,
        _ driver: ConnectionDriver,
        _ aftermath: inout Aftermath
    ) {
        distributeAll(driver, &aftermath)
        if let error = closing.take() {
            finish(error, driver, &aftermath)
            distributeAll(driver, &aftermath)
        }
        if !announcements.isEmpty {
            if driver.configuration.onEvent == nil, !driver.isObserved {
                announcements = []
                announcedBytes = 0
            } else if !isAnnouncing {
                isAnnouncing = true
                aftermath.announces = true
            }
        }
        if isOverfull { adjustReading(driver) }
        takeForSending(urgency, &aftermath)
        reschedule(driver)
    }

    /// Distributes until nothing is left: an event may lead to others.
    private mutating func distributeAll(_ driver: ConnectionDriver, _ aftermath: inout Aftermath) {
        core.takeEvents(into: &events)
        while !events.isEmpty {
            distribute(driver, &aftermath)
            core.takeEvents(into: &events)
        }
    }

    /// Takes the filled buffer if it is to be sent by the caller.
    private mutating func takeForSending(_ urgency: ConnectionDriver.Urgency, _ aftermath: inout Aftermath) {
        if var rest = resumed.take() {
            if let link {
                aftermath.buffer = .some(rest)
                aftermath.link = link
                return
            }
            rest.removeAll()
            spare = .some(rest)
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
        core.taken(buffer.count)
        aftermath.buffer = .some(buffer)
        aftermath.link = link
    }

    /// Books what a sender did, and gives its buffer back. Returns the socket if it is the sender who has to let go of it.
    mutating func sent(
        _ outcome: consuming ConnectionDriver.Outgoing,
        on link: Link,
        _ now: Moment,
        _ loop: EventLoop
    ) -> Ending? {
        let written = outcome.written
        let failure = outcome.failure
        var buffer = outcome.buffer
        core.statistics.octetsSent &+= UInt64(written)
        guard self.link === link else {
            let isWhole = buffer.isEmpty
            buffer.removeAll()
            buffer.giveBack(above: core.options.largestIdleBuffer)
            spare = .some(buffer)
            var ending = leaving.take()
            if !isWhole { ending?.farewell = [] }
            return ending
        }
        if written > 0 {
            core.sent(now: now)
            lastSent = now
        }
        if failure != nil { buffer.removeAll() }
        core.left(buffer.count)
        if buffer.isEmpty {
            // A large message leaves a large buffer behind.
            buffer.giveBack(above: core.options.largestIdleBuffer)
            spare = .some(buffer)
            core.openGates()
        } else {
            unsent = .some(buffer)
            if let linkToken { loop.setWants(linkToken, read: !isReadingPaused, write: true) }
        }
        return nil
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
            if aftermath.firstAnswer == nil {
                aftermath.firstAnswer = (row.continuation, answer)
            } else {
                aftermath.answers.append((row.continuation, answer))
            }
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
                opened(outcome)
            case .delivered(let number, let deliver, let message):
                delivered(number, deliver, message, &aftermath)
                // Noted here, where it may begin, so that publishing need not look.
                if driver.stock.octets > driver.configuration.deliveryHighWaterMark { isOverfull = true }
            case .unreadable(let number, let deliver, let error):
                unreadable(number, deliver, error, &aftermath)
            case .returned(let number, let message):
                returned(number, message, &aftermath)
                provokedAnnouncement(message.message.body.count, driver)
            case .consumerCancelled(let number, let tag): consumerCancelled(number, tag, &aftermath)
            case .channelClosed(let number, let error): channelClosed(number, error, &aftermath)
            case .blocked(let reason):
                announcements.append(.blocked(reason: reason))
                provokedAnnouncement(0, driver)
            case .unblocked:
                announcements.append(.unblocked)
                provokedAnnouncement(0, driver)
            case .flow: break
            case .closed(let error): connectionClosed(error, driver, &aftermath)
            }
        }
        events.removeAll(keepingCapacity: true)
        if self.events.isEmpty { swap(&events, &self.events) }
    }

    /// The broker had something announced, which is kept until the application has been told.
    private mutating func provokedAnnouncement(_ size: Int, _ driver: ConnectionDriver) {
        announcedBytes &+= size &+ DeliveryStock.overhead
        if announcedBytes > driver.configuration.deliveryHighWaterMark { isOverfull = true }
    }

    /// The handshake is done. From this very step on a loss is one of an open connection.
    private mutating func opened(_ outcome: Handshake.Outcome) {
        announcements.append(.connected(peer: core.options.peer, serverProperties: outcome.serverProperties))
        switch mode {
        case .connecting: recovered()
        case .recovering: mode = .restoring
        case .restoring, .open, .closed: break
        }
    }

    private mutating func delivered(
        _ number: UInt16,
        _ deliver: AMQPMethod.BasicDeliver,
        _ message: AMQPMessage,
        _ aftermath: inout Aftermath
    ) {
        guard let record = channelsByNumber[number], !record.isScratch else { return }
        guard let consumer = record.consumers[deliver.consumerTag] else {
            // A consumer that is being cancelled: the message goes back, if the broker still has it. On a channel that is
            // being closed it goes back by itself.
            core.answering { core in _ = try? core.settle(deliver.deliveryTag, .refused(requeue: true), channel: number)
            }
            return
        }
        if let replies = consumer.replies {
            if let waiter = replies.take(message) { core.answer(waiter, .message(.init(deliver), message)) }
            return
        }
        consumer.offer(Arrival(epoch: record.epoch, deliver: deliver, message: message), &aftermath)
    }

    private mutating func returned(
        _ number: UInt16,
        _ message: AMQPReturnedMessage,
        _ aftermath: inout Aftermath
    ) {
        // On a channel that is being closed nobody asks any more.
        guard let record = channelsByNumber[number] else { return }
        let event = AMQPEvent.returned(channel: record.id, message)
        announcements.append(event)
        record.tell(event, &aftermath)
    }

    /// A message came that its consumer cannot have. The consumer ends, so that its reader hears of it; the message is not
    /// put back, or it would come again for ever.
    private mutating func unreadable(
        _ number: UInt16,
        _ deliver: AMQPMethod.BasicDeliver,
        _ error: AMQPError,
        _ aftermath: inout Aftermath
    ) {
        guard let consumer = channelsByNumber[number]?.consumers[deliver.consumerTag] else {
            // Its reader is gone: it is for another.
            core.answering { core in _ = try? core.settle(deliver.deliveryTag, .refused(requeue: true), channel: number)
            }
            return
        }
        unregister(consumer)
        // First the cancel: what is refused makes room for the next.
        core.abandonConsumer(consumer.tag, noAck: consumer.options.noAck, channel: number)
        _ = try? core.settle(deliver.deliveryTag, .rejected(requeue: false), channel: number)
        consumer.end(error, &aftermath)
    }

    private mutating func consumerCancelled(_ number: UInt16, _ tag: AMQPText, _ aftermath: inout Aftermath) {
        guard let consumer = channelsByNumber[number]?.consumers[tag] else { return }
        unregister(consumer)
        let queue = consumer.queue
        let event = AMQPEvent.consumerCancelled(channel: consumer.channel.id, tag: tag.string, queue: queue)
        announcements.append(event)
        consumer.channel.tell(event, &aftermath)
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
        let record = channelsByNumber[number]
        // Recovery knows what it asked for, and goes on without it.
        if let record, record.isBeingRestored {
            channelsByNumber[number] = nil
            return record.interrupted()
        }
        guard let record else { return }
        if !record.isThrowAway { announcements.append(.channelClosed(channel: record.id, error)) }
        forget(record)
        record.end(error, &aftermath)
    }

    private mutating func connectionClosed(
        _ error: AMQPError,
        _ driver: ConnectionDriver,
        _ aftermath: inout Aftermath
    ) {
        if let link {
            // What is left, a close or the answer to one, follows what was sent, and not a part of a frame.
            let isStuck = unsent != nil || resumed != nil
            let ending = Ending(link: link, token: linkToken, farewell: isStuck ? [] : core.encoder.bytes.copy())
            if spare == nil, !isStuck, leaving == nil {
                leaving = ending
            } else {
                aftermath.endings.append(ending)
            }
        }
        core.encoder.bytes.removeAll()
        core.encoder.bytes.giveBack(above: core.options.largestIdleBuffer)
        core.taken(0)
        link = nil
        if var buffer = unsent.take() {
            buffer.removeAll()
            buffer.giveBack(above: core.options.largestIdleBuffer)
            spare = .some(buffer)
        }
        gatherUntil = nil
        linkToken = nil
        isReadingPaused = false
        isUrgent = false
        core.outcome = nil
        core.blockedReason = nil
        let recovery = driver.configuration.recovery
        for record in channelsByNumber.values {
            record.connectionLost(
                error,
                resends: recovery?.resendsUnconfirmed ?? false,
                resendLimit: recovery?.resendLimit ?? 1
            )
        }
        channelsByNumber = [:]
        switch mode {
        case .connecting, .recovering: break
        case .closed: detachTimer(driver)
        case .open where closedByUser, .restoring where closedByUser: finish(error, driver, &aftermath)
        case .open:
            announcements.append(.disconnected(error))
            if driver.configuration.recovery == nil {
                finish(error, driver, &aftermath)
            } else {
                mode = .recovering
                lostAt = EventLoop.now()
                aftermath.startsRecovery = true
            }
        case .restoring:
            announcements.append(.disconnected(error))
            mode = .recovering
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
        announcements.append(.closed(closedByUser ? nil : error))
        switch core.phase {
        case .handshaking, .open: core.transportEnded(error)
        // A close under way has its own end; the timer sees to it.
        case .closing, .closed: break
        }
        if link == nil { detachTimer(driver) }
    }

    private mutating func detachTimer(_ driver: ConnectionDriver) {
        if let timer = timer.take() { driver.loop.detach(timer) }
    }

    /// Lets those go on who wait for the connection.
    mutating func recovered() {
        mode = .open
        lostAt = nil
        for waiter in waitingForRecovery { core.answer(waiter, .done) }
        waitingForRecovery = []
    }
}
