import Glibc
import Synchronization

/// One call of ``Connector/connect(to:tls:deadline:options:)``: names, then addresses raced as RFC 8305 has it, then TLS.
///
///     preparing ──> connecting ──> securing ──> finished
///         └──────────────┴─────────────┴───────────^      failure, deadline, cancellation
///
/// Events come from the errand's thread, the loop's and the caller's; each takes the lock, so the order in which they take
/// it decides. Only TCP connections are raced: a certificate that one address is refused for is no better on another.
final class ConnectRace: Sendable {
    typealias Outcome = Result<ByteStream, TransportError>

    /// One address being connected to.
    private struct Attempt {
        let address: SocketAddress
        let descriptor: Descriptor
        let token: EventLoop.Token
        let handler: AttemptHandler
    }

    private struct Connecting {
        /// Not yet tried, the next one last.
        var waiting: [SocketAddress]
        var attempts: [Attempt] = []
        var failures: [ConnectFailure] = []
        /// When the next one is tried, however the others fare.
        var nextAttempt = Moment(nanoseconds: 0)
    }

    private struct Securing {
        let descriptor: Descriptor
        let session: any SecureSession
        let token: EventLoop.Token
    }

    private enum Stage {
        case preparing(ErrandPool.Ticket?)
        case connecting(Connecting)
        case securing(Securing)
        case finished(Outcome)
    }

    private struct State {
        var stage: Stage = .preparing(nil)
        var timer: EventLoop.Token?
        var context: (any SecureContext)?
        var caller: CheckedContinuation<Outcome, Never>?
    }

    private static let tooLate = "the time allowed ran out"
    private let target: ConnectTarget
    private let tls: AMQPTLSConfiguration?
    private let deadline: Moment
    private let options: ConnectOptions
    private let state = Mutex(State())

    init(target: ConnectTarget, tls: AMQPTLSConfiguration?, deadline: Moment, options: ConnectOptions) {
        self.target = target
        self.tls = tls
        self.deadline = deadline
        self.options = options
    }

    /// Runs to the end, the deadline or the cancellation of the task. Once.
    func run() async -> Outcome {
        await withTaskCancellationHandler {
            await withCheckedContinuation { caller in begin(caller) }
        } onCancel: {
            update { state in
                finish(&state, .failure(interruption(state.stage, .cancelled, "cancelled")))
            }
        }
    }

    /// Changes the state under the lock, and answers the caller after it where that ended the race.
    private func update(_ change: (inout State) -> Void) {
        let answer = state.withLock { state -> (CheckedContinuation<Outcome, Never>, Outcome)? in
            change(&state)
            guard case .finished(let outcome) = state.stage, let caller = state.caller else { return nil }
            state.caller = nil
            return (caller, outcome)
        }
        if let (caller, outcome) = answer { caller.resume(returning: outcome) }
    }

    private func begin(_ caller: CheckedContinuation<Outcome, Never>) {
        update { state in
            state.caller = caller
            guard case .preparing = state.stage else { return }
            guard EventLoop.now() < deadline else {
                return finish(&state, .failure(interruption(state.stage, .deadline, Self.tooLate)))
            }
            do throws(TransportError) {
                let timer = try options.loop.attachTimer(handler: self)
                state.timer = timer
                options.loop.setDeadline(timer, deadline)
                let address = Resolver.literal(target.host, port: target.port)
                if let address, tls == nil {
                    connect(&state, to: [address])
                } else {
                    state.stage = .preparing(try prepareElsewhere(known: address))
                }
            } catch {
                finish(&state, .failure(error))
            }
        }
    }

    /// Reads certificates and looks up the name where they cannot hold anyone up.
    private func prepareElsewhere(known: SocketAddress?) throws(TransportError) -> ErrandPool.Ticket {
        let (target, tls, resolver) = (target, tls, options.resolver)
        do {
            return try options.errands.run { [self] in
                var context: Result<(any SecureContext)?, TransportError> = .success(nil)
                if let tls {
                    context = Result { () throws(TransportError) in
                        try TLSProvider.makeContext(tls, endpoint: target.description)
                    }
                }
                let addresses = known.map { .success([$0]) } ?? resolver.lookUp(target.host, target.port)
                prepared(context, addresses)
            }
        } catch {
            throw TransportError(
                .resolve,
                errno: error.errno,
                endpoint: target.description,
                doing: "starting a thread for it"
            )
        }
    }

    private func prepared(
        _ context: Result<(any SecureContext)?, TransportError>,
        _ addresses: Result<[SocketAddress], TransportError>
    ) {
        update { state in
            guard case .preparing = state.stage else { return }
            do throws(TransportError) {
                state.context = try context.get()
                connect(&state, to: try addresses.get())
            } catch {
                finish(&state, .failure(error))
            }
        }
    }
}

extension ConnectRace {
    private func connect(_ state: inout State, to addresses: [SocketAddress]) {
        connectNext(&state, Connecting(waiting: SocketAddress.interleaved(addresses).reversed()))
    }

    /// Begins with the next address, and with those after it as long as they fail at once.
    private func connectNext(_ state: inout State, _ current: Connecting) {
        var connecting = current
        while let address = connecting.waiting.popLast() {
            switch Descriptor.connecting(to: address) {
            case .failure(let failure):
                connecting.failures.append(failure)
            case .success((let descriptor, isConnected: true)):
                return connected(&state, connecting, descriptor)
            case .success((let descriptor, isConnected: false)):
                let handler = AttemptHandler(race: self)
                do throws(TransportError) {
                    let token = try options.loop.attach(descriptor, handler: handler, read: false, write: true)
                    connecting.attempts.append(
                        Attempt(address: address, descriptor: descriptor, token: token, handler: handler)
                    )
                    connecting.nextAttempt = EventLoop.now().advanced(by: options.attemptDelay)
                    return awaitAttempts(&state, connecting)
                } catch {
                    descriptor.close()
                    connecting.failures.append(ConnectFailure(address: address, errno: error.errno ?? ECONNABORTED))
                }
            }
        }
        awaitAttempts(&state, connecting)
    }

    private func awaitAttempts(_ state: inout State, _ connecting: Connecting) {
        state.stage = .connecting(connecting)
        guard !connecting.attempts.isEmpty || !connecting.waiting.isEmpty else {
            return finish(&state, .failure(failure(.system, connecting.failures)))
        }
        if let timer = state.timer {
            let next = connecting.waiting.isEmpty ? deadline : min(deadline, connecting.nextAttempt)
            options.loop.setDeadline(timer, next)
        }
    }

    /// An attempt's socket has become writable, or has failed.
    fileprivate func settled(_ handler: AttemptHandler) {
        update { state in
            guard case .connecting(var connecting) = state.stage,
                let index = connecting.attempts.firstIndex(where: { $0.handler === handler }),
                let outcome = connecting.attempts[index].descriptor.connectOutcome()
            else { return }
            let attempt = connecting.attempts.remove(at: index)
            options.loop.detach(attempt.token)
            if outcome == 0 { return connected(&state, connecting, attempt.descriptor) }
            attempt.descriptor.close()
            connecting.failures.append(ConnectFailure(address: attempt.address, errno: outcome))
            connectNext(&state, connecting)
        }
    }

    /// The first attempt that succeeded; the others are given up.
    private func connected(_ state: inout State, _ connecting: Connecting, _ descriptor: Descriptor) {
        abandon(connecting)
        guard let context = state.context else {
            return finish(&state, .success(ByteStream(descriptor)))
        }
        do throws(TransportError) {
            let session = try context.makeSession(on: descriptor, host: target.host, endpoint: target.description)
            let token = try options.loop.attach(descriptor, handler: self, read: false, write: false)
            state.stage = .securing(Securing(descriptor: descriptor, session: session, token: token))
            if let timer = state.timer { options.loop.setDeadline(timer, deadline) }
            continueHandshake(&state)
        } catch {
            descriptor.close()
            finish(&state, .failure(error))
        }
    }

    private func continueHandshake(_ state: inout State) {
        guard case .securing(let securing) = state.stage else { return }
        switch securing.session.handshake() {
        case .needsReadable: options.loop.setWants(securing.token, read: true, write: false)
        case .needsWritable: options.loop.setWants(securing.token, read: false, write: true)
        case .failed(let error): finish(&state, .failure(error))
        case .done:
            options.loop.detach(securing.token)
            finish(&state, .success(ByteStream(securing.descriptor, session: securing.session)))
        }
    }

    private func abandon(_ connecting: Connecting) {
        for attempt in connecting.attempts {
            options.loop.detach(attempt.token)
            attempt.descriptor.close()
        }
    }

    /// Ends the race, unless it has ended: on failure everything that is open is closed.
    private func finish(_ state: inout State, _ outcome: Outcome) {
        switch (state.stage, outcome) {
        case (.finished, _): return
        case (.preparing(let ticket?), _): options.errands.forget(ticket)
        case (.connecting(let connecting), .failure): abandon(connecting)
        case (.securing(let securing), .failure):
            options.loop.detach(securing.token)
            securing.descriptor.close()
        case (.preparing(nil), _), (.connecting, .success), (.securing, .success): break
        }
        if let timer = state.timer { options.loop.detach(timer) }
        state.timer = nil
        state.context = nil
        state.stage = .finished(outcome)
    }

    /// The error for a race that someone or something ends from outside.
    private func interruption(_ stage: Stage, _ reason: TransportError.Reason, _ words: String) -> TransportError {
        let endpoint = target.description
        let (phase, missed, remedy): (TransportError.Phase, String, String)
        switch stage {
        case .preparing:
            phase = .resolve
            missed = "before the name service answered"
            remedy = "check /etc/resolv.conf and the network"
        case .connecting(let connecting):
            guard reason == .deadline else {
                return TransportError(.connect, reason, endpoint: endpoint, detail: words)
            }
            let silent = connecting.attempts.map { ConnectFailure(address: $0.address, errno: ETIMEDOUT) }
            var error = failure(.deadline, connecting.failures + silent)
            error.errno = ETIMEDOUT
            if !connecting.waiting.isEmpty {
                error.detail += "; \(connecting.waiting.count) more addresses were not tried"
            }
            return error
        case .securing, .finished:
            phase = .tls
            missed = "before the TLS handshake was complete"
            remedy = "check that the port speaks TLS"
        }
        guard reason == .deadline else { return TransportError(phase, reason, endpoint: endpoint, detail: words) }
        return TransportError(phase, reason, endpoint: endpoint, detail: "\(words) \(missed)", remedy: remedy)
    }

    /// The error for addresses of which none could be connected to.
    private func failure(_ reason: TransportError.Reason, _ failures: [ConnectFailure]) -> TransportError {
        TransportError(
            .connect,
            reason,
            errno: failures.first?.errno,
            endpoint: target.description,
            detail: ConnectFailure.summary(failures),
            remedy: ConnectFailure.remedy(failures)
        )
    }
}

/// The race hears of its own timer and, once connected, of the socket that the handshake goes over.
extension ConnectRace: StreamHandler {
    func streamReadable() { update { continueHandshake(&$0) } }
    func streamWritable() { update { continueHandshake(&$0) } }

    func deadlinePassed() {
        update { state in
            if EventLoop.now() >= deadline {
                return finish(&state, .failure(interruption(state.stage, .deadline, Self.tooLate)))
            }
            guard case .connecting(let connecting) = state.stage else { return }
            if EventLoop.now() >= connecting.nextAttempt {
                connectNext(&state, connecting)
            } else {
                awaitAttempts(&state, connecting)
            }
        }
    }
}

/// Hears of one address that is being connected to.
private final class AttemptHandler: StreamHandler {
    private let race: ConnectRace

    init(race: ConnectRace) {
        self.race = race
    }

    func streamReadable() {}
    func streamWritable() { race.settled(self) }
    func deadlinePassed() {}
}
