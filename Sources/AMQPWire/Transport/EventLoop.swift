import CLinux
import Glibc
import Synchronization

/// Who is told what happens to a stream. All calls come on the loop's thread, one after another.
///
/// A call must not block and must not go on for long: others wait. What is not read in one call is announced again.
protocol StreamHandler: AnyObject, Sendable {
    /// There is input, the end of it, or an error: reading tells which. Comes only while reading is wanted.
    func streamReadable()
    /// Writing is worth a try. Comes only while writing is wanted, and again until it is not.
    func streamWritable()
    /// The deadline has passed; it is no longer set.
    func deadlinePassed()
}

/// One thread that watches all sockets and deadlines of the process.
///
/// Watches by epoll, level-triggered; the thread sleeps until something happens. Deadlines are kept in a heap; a timerfd is
/// armed for the earliest of them, because a timer takes effect from any thread without waking the loop and is not subject
/// to the scheduler's timer slack as timeouts are. Every method may be called from any thread.
///
/// Reads and writes nothing itself.
final class EventLoop: Sendable {
    /// The loop of this process. It has no thread and no descriptors until ``start()``.
    static let shared = EventLoop()

    /// Names what was attached. Stale ones are harmless: they name nothing.
    struct Token: Hashable, Sendable {
        let index: Int
        let generation: UInt32

        /// As the kernel carries it for us.
        var packed: UInt64 { UInt64(generation) << 32 | UInt64(UInt32(truncatingIfNeeded: index)) }

        init(index: Int, generation: UInt32) {
            self.index = index
            self.generation = generation
        }

        init(packed: UInt64) {
            index = Int(packed & 0xFFFF_FFFF)
            generation = UInt32(packed >> 32)
        }
    }

    let state = Mutex(State())

    /// The present, on the clock that all deadlines refer to (`CLOCK_MONOTONIC`).
    static func now() -> Moment {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Moment(nanoseconds: UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec))
    }

    /// Starts the thread, where it does not run yet.
    ///
    /// - Throws: what keeps the system from giving descriptors or a thread. Later calls try again.
    func start() throws(TransportError) {
        if let error = state.withLock({ startLocked(&$0) }) { throw error }
    }

    /// Watches a stream from now on; wants to read, not to write, and has no deadline.
    func attach(_ stream: ByteStream, handler: any StreamHandler) throws(TransportError) -> Token {
        try attach(stream.descriptor, session: stream.session, handler: handler, read: true, write: false)
    }

    /// Watches a descriptor, and what a session on it has buffered.
    ///
    /// The descriptor's number is not given back before ``detach(_:)``.
    func attach(
        _ descriptor: Descriptor,
        session: (any SecureSession)? = nil,
        handler: any StreamHandler,
        read: Bool,
        write: Bool
    ) throws(TransportError) -> Token {
        try start()
        guard let number = descriptor.beginUse() else {
            throw TransportError(
                .connect,
                .closed,
                endpoint: "the event loop",
                detail: "the connection was closed on this side"
            )
        }
        let result = state.withLock { state -> Result<Token, TransportError> in
            let slot = Slot(
                handler: handler,
                descriptor: descriptor,
                session: session,
                number: number,
                wantsRead: read,
                wantsWrite: write
            )
            let token = state.insert(slot)
            if let failure = state.register(token) {
                _ = state.remove(token)
                return .failure(TransportError(.connect, errno: failure, endpoint: "the event loop"))
            }
            state.queueBufferedInput(token)
            return .success(token)
        }
        if case .failure = result { descriptor.endUse() }
        return try result.get()
    }

    /// A deadline without a stream: only ``StreamHandler/deadlinePassed()`` is called.
    func attachTimer(handler: any StreamHandler) throws(TransportError) -> Token {
        try start()
        return state.withLock { $0.insert(Slot(handler: handler)) }
    }

    /// Watches no more, and lets go of handler and descriptor.
    ///
    /// Called on the loop's thread, not one more call comes. Called elsewhere, a call that has already been chosen may
    /// still come or be under way; `last` runs on the loop's thread when none can come any more.
    func detach(_ token: Token, last: (@Sendable () -> Void)? = nil) {
        // Whatever is let go of may run code as it goes: not under the lock.
        let slot = state.withLock { state -> Slot? in
            let slot = state.remove(token)
            if let slot, slot.descriptor != nil, let kernel = state.kernel {
                _ = epoll_ctl(kernel.epoll, EPOLL_CTL_DEL, slot.number, nil)
            }
            return slot
        }
        slot?.descriptor?.endUse()
        if let last { perform(last) }
    }

    /// Says what is wanted of a stream from now on. Unchanged wishes cost a lock and no system call.
    ///
    /// Call it after each ``WriteOutcome/wouldBlock``, even where writing was wanted already: TLS may now be waiting for
    /// something else. Wanting neither, not even the end of the connection is told.
    func setWants(_ token: Token, read: Bool, write: Bool) {
        state.withLock { state in
            guard state.names(token) else { return }
            let hadRead = state.slots[token.index].wantsRead
            let hadWrite = state.slots[token.index].wantsWrite
            // What TLS waits for may have changed under the same wishes.
            guard read != hadRead || write != hadWrite || state.slots[token.index].session != nil else { return }
            state.slots[token.index].wantsRead = read
            state.slots[token.index].wantsWrite = write
            state.updateInterest(token)
            if read, !hadRead { state.queueBufferedInput(token) }
        }
    }

    /// Sets, moves or takes away (nil) the one deadline of a stream. One that has passed is told in the next round.
    func setDeadline(_ token: Token, _ moment: Moment?) {
        state.withLock { state in
            guard state.names(token), state.deadlines[token.index] != moment else { return }
            state.deadlines[token.index] = moment
            // A loop that is awake arms the timer itself before it sleeps.
            if state.isAsleep { state.armTimer() }
        }
    }

    /// Runs work on the loop's thread, in the order it was handed in. The loop must have been started.
    func perform(_ work: @escaping @Sendable () -> Void) {
        state.withLock { state in
            precondition(state.kernel != nil, "the event loop has not been started")
            state.work.append(work)
            state.wake()
        }
    }

    /// Whether the caller runs on the loop's thread.
    var isCurrent: Bool {
        state.withLock { $0.thread == pthread_self() }
    }
}

extension EventLoop {
    /// The descriptors of a running loop. They live as long as the process.
    struct Kernel {
        let epoll: Int32
        let wakeUp: Int32
        let timer: Int32
    }

    /// One thing that was attached, or the place where one was. Flat, so that looking at a wish copies no reference.
    struct Slot {
        var generation: UInt32 = 0
        /// Nil where the place is free.
        var handler: (any StreamHandler)?
        /// Nil where it is only a deadline.
        var descriptor: Descriptor?
        var session: (any SecureSession)?
        /// The descriptor's, ours to use from attach to detach.
        var number: Int32 = -1
        var wantsRead = false
        var wantsWrite = false
        /// What the kernel was told to watch for.
        var interest: UInt32 = 0
        /// Whether it is in the list of those with buffered input.
        var isQueued = false
    }

    struct State {
        var kernel: Kernel?
        var thread: pthread_t?
        var slots: [Slot] = []
        var freeSlots: [Int] = []
        var deadlines = DeadlineQueue()
        var work: [@Sendable () -> Void] = []
        /// Pieces of tasks to run on the thread.
        var jobs = RingBuffer<Job>()
        /// Streams with input that the kernel does not know of.
        var buffered: [Token] = []
        /// Whether the thread waits in the kernel and has to be told of what changes.
        var isAsleep = false
        /// What the timer is set to, nil where it is not running.
        var armed: Moment?
    }
}

extension EventLoop.State {
    /// Whether the token is that of something attached.
    func names(_ token: EventLoop.Token) -> Bool {
        slots.indices.contains(token.index) && slots[token.index].generation == token.generation
    }

    mutating func insert(_ slot: EventLoop.Slot) -> EventLoop.Token {
        guard let index = freeSlots.popLast() else {
            slots.append(slot)
            return EventLoop.Token(index: slots.count - 1, generation: slot.generation)
        }
        let generation = slots[index].generation
        slots[index] = slot
        slots[index].generation = generation
        return EventLoop.Token(index: index, generation: generation)
    }

    mutating func remove(_ token: EventLoop.Token) -> EventLoop.Slot? {
        guard names(token) else { return nil }
        let slot = slots[token.index]
        // Tokens of the last tenant name nothing from here on.
        slots[token.index] = EventLoop.Slot(generation: token.generation &+ 1)
        freeSlots.append(token.index)
        deadlines[token.index] = nil
        return slot
    }

    /// Tells the kernel of a socket. Returns nil on success, else the error number.
    mutating func register(_ token: EventLoop.Token) -> Int32? {
        guard let kernel else { return nil }
        let interest = slots[token.index].wantedInterest
        var event = epoll_event(events: interest, data: epoll_data_t(u64: token.packed))
        guard epoll_ctl(kernel.epoll, EPOLL_CTL_ADD, slots[token.index].number, &event) == 0 else { return errno }
        slots[token.index].interest = interest
        return nil
    }

    /// Tells the kernel what is wanted now, where that has changed.
    mutating func updateInterest(_ token: EventLoop.Token) {
        guard let kernel, names(token), slots[token.index].number >= 0 else { return }
        let interest = slots[token.index].wantedInterest
        guard interest != slots[token.index].interest else { return }
        var event = epoll_event(events: interest, data: epoll_data_t(u64: token.packed))
        guard epoll_ctl(kernel.epoll, EPOLL_CTL_MOD, slots[token.index].number, &event) == 0 else { return }
        slots[token.index].interest = interest
    }

    /// Puts a stream whose session holds input on the list for the next round, once.
    mutating func queueBufferedInput(_ token: EventLoop.Token) {
        guard names(token), slots[token.index].wantsRead, !slots[token.index].isQueued,
            let session = slots[token.index].session, session.hasBufferedInput, !session.readNeedsWritable
        else { return }
        slots[token.index].isQueued = true
        buffered.append(token)
        wake()
    }

    /// Ends the thread's sleep, once for any number of reasons.
    mutating func wake() {
        guard isAsleep, let kernel else { return }
        isAsleep = false
        var one: UInt64 = 1
        // Never read, edge-triggered: each write is one wake-up.
        _ = write(kernel.wakeUp, &one, 8)
    }

    /// Sets the timer to the earliest deadline, where it would not fire early enough as it is. It is left running when a
    /// deadline moves away: one wake-up for nothing costs less than a system call each time.
    mutating func armTimer() {
        guard let kernel, let earliest = deadlines.earliest else { return }
        if let armed, armed <= earliest { return }
        armed = earliest
        // Zero would stop the timer; what has passed fires at once.
        let moment = max(earliest.nanoseconds, 1)
        var setting = itimerspec()
        setting.it_value.tv_sec = Int(clamping: moment / 1_000_000_000)
        setting.it_value.tv_nsec = Int(moment % 1_000_000_000)
        _ = timerfd_settime(kernel.timer, Int32(TFD_TIMER_ABSTIME), &setting, nil)
    }
}

extension EventLoop.Slot {
    /// What the kernel should watch for. Nothing at all is watched edge-triggered: errors and hang-ups are reported whether
    /// one wants them or not, and reported level-triggered would keep the thread busy.
    var wantedInterest: UInt32 {
        var (input, output) = (wantsRead, wantsWrite)
        if let session {
            let writeNeedsReadable = session.writeNeedsReadable
            input = (wantsRead && !session.readNeedsWritable) || (wantsWrite && writeNeedsReadable)
            output = (wantsWrite && !writeNeedsReadable) || (wantsRead && session.hasUnsentOutput)
        }
        let interest = (input ? clinux_epoll_in : 0) | (output ? clinux_epoll_out : 0)
        return interest == 0 ? clinux_epoll_edge : interest
    }

    /// Which calls an event calls for.
    func calls(for events: UInt32) -> (read: Bool, write: Bool) {
        let broken = events & (clinux_epoll_error | clinux_epoll_hangup) != 0
        let readable = broken || events & clinux_epoll_in != 0
        let writable = broken || events & clinux_epoll_out != 0
        guard let session else { return (wantsRead && readable, wantsWrite && writable) }
        return (
            wantsRead && readable && (broken || !session.readNeedsWritable),
            wantsWrite && (session.writeNeedsReadable ? readable : writable)
        )
    }
}
