import CLinux
import Glibc
import Synchronization

/// The loop's thread and its rounds: sleep, then buffered input, sockets, deadlines and handed-in work, each once.
extension EventLoop {
    private static let wakeUpMark = UInt64.max
    private static let timerMark = UInt64.max - 1
    /// Events taken from the kernel in one round. It hands them out in turn, so none is left behind for good.
    private static let eventsPerRound = 128

    /// Opens what the loop needs and starts its thread. Called with the lock held.
    func startLocked(_ state: inout State) -> TransportError? {
        guard state.kernel == nil else { return nil }
        let epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        let epollError = errno
        let wakeUp = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        let wakeUpError = errno
        let timer = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC | TFD_NONBLOCK))
        let timerError = errno

        func fail(_ number: Int32) -> TransportError {
            for descriptor in [epoll, wakeUp, timer] where descriptor >= 0 { _ = close(descriptor) }
            return TransportError(.connect, errno: number, endpoint: "the event loop", doing: "starting it")
        }
        guard epoll >= 0 else { return fail(epollError) }
        guard wakeUp >= 0 else { return fail(wakeUpError) }
        guard timer >= 0 else { return fail(timerError) }

        for (descriptor, mark) in [(wakeUp, Self.wakeUpMark), (timer, Self.timerMark)] {
            let interest = clinux_epoll_in | clinux_epoll_edge
            var event = epoll_event(events: interest, data: epoll_data_t(u64: mark))
            guard epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0 else { return fail(errno) }
        }
        let failure = PosixThread.start(name: "amqpwire-loop", stackSize: 1 << 20) { self.run(epoll) }
        guard failure == 0 else { return fail(failure) }
        state.kernel = Kernel(epoll: epoll, wakeUp: wakeUp, timer: timer)
        return nil
    }

    /// What the thread does for ever.
    private func run(_ epoll: Int32) {
        state.withLock { $0.thread = pthread_self() }
        let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: Self.eventsPerRound)
        var buffered: [Token] = []
        var work: [@Sendable () -> Void] = []
        while true {
            let timeout = state.withLock { Self.prepareToSleep(&$0) }
            let outcome = SystemCall.attempt {
                Int(epoll_wait(epoll, events, Int32(Self.eventsPerRound), timeout))
            }
            state.withLock { state in
                state.isAsleep = false
                swap(&state.buffered, &buffered)
                swap(&state.work, &work)
            }
            if case .done(let count) = outcome {
                for index in 0..<count { handle(events[index]) }
            }
            for token in buffered { handleBufferedInput(token) }
            buffered.removeAll(keepingCapacity: true)
            handleDeadlines()
            for item in work { item() }
            work.removeAll(keepingCapacity: true)
            runJobs()
        }
    }

    /// The timeout to sleep with: none where there is something to do, else until the kernel has something.
    private static func prepareToSleep(_ state: inout State) -> Int32 {
        guard state.work.isEmpty, state.buffered.isEmpty, state.jobs.isEmpty else { return 0 }
        state.armTimer()
        state.isAsleep = true
        return -1
    }

    private func handle(_ event: epoll_event) {
        switch event.data.u64 {
        case Self.wakeUpMark: break
        case Self.timerMark: state.withLock { $0.armed = nil }
        case let packed: handle(Token(packed: packed), event.events)
        }
    }

    private func handle(_ token: Token, _ events: UInt32) {
        let found = state.withLock { $0.names(token) ? $0.slots[token.index] : nil }
        guard let slot = found, let handler = slot.handler else { return }
        // What reading left to send. A writer sends it with what it wants to write.
        if let session = slot.session, session.hasUnsentOutput, !slot.wantsWrite { session.flush() }
        let calls = slot.calls(for: events)
        if calls.read { handler.streamReadable() }
        if calls.write, !calls.read || stillWantsToWrite(token) { handler.streamWritable() }
        if slot.session != nil { settle(token) }
    }

    private func handleBufferedInput(_ token: Token) {
        let handler = state.withLock { state -> (any StreamHandler)? in
            guard state.names(token) else { return nil }
            state.slots[token.index].isQueued = false
            guard state.slots[token.index].wantsRead else { return nil }
            guard state.slots[token.index].session?.hasBufferedInput == true else { return nil }
            return state.slots[token.index].handler
        }
        guard let handler else { return }
        handler.streamReadable()
        settle(token)
    }

    /// The reader may have detached the stream, or changed its wishes.
    private func stillWantsToWrite(_ token: Token) -> Bool {
        state.withLock { $0.names(token) && $0.slots[token.index].wantsWrite }
    }

    /// After an encrypted stream was served: what it now waits for, and whether it still holds input.
    private func settle(_ token: Token) {
        state.withLock { state in
            state.updateInterest(token)
            state.queueBufferedInput(token)
        }
    }

    /// Tells all deadlines that have passed as the round begins, earliest first. Those set meanwhile wait for the next.
    private func handleDeadlines() {
        let count = state.withLock { $0.deadlines.count }
        guard count > 0 else { return }
        let now = Self.now()
        for _ in 0..<count {
            let handler = state.withLock { state -> (any StreamHandler)? in
                guard let slot = state.deadlines.popDue(at: now) else { return nil }
                return state.slots[slot].handler
            }
            guard let handler else { return }
            handler.deadlinePassed()
        }
    }
}
