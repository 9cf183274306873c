import Glibc
import Synchronization

/// One call of ``Connector/connect(to:tls:deadline:options:)``: names, then addresses raced as RFC 8305 has it, each through
/// TLS and, where there are several, up to the first answer.
///
///     preparing ──> racing ──> finished      of an address: connecting ──> securing ──> asking ──> won
///         └───────────┴───────────^ failure, deadline, cancellation
///
/// Events come from the errand's thread, the loop's and the caller's; each takes the lock, so the order in which they take
/// it decides. An address that fails at any step makes way for the next.
final class ConnectRace: Sendable {
    typealias Outcome = Result<ByteStream, TransportError>

    /// One address being tried.
    struct Attempt {
        let address: SocketAddress
        let descriptor: Descriptor
        let token: EventLoop.Token
        let handler: AttemptHandler
        var step = Step.connecting
    }

    /// How far an address has come.
    enum Step {
        case connecting
        case securing(any SecureSession)
        /// Connected; so many bytes of the opening are sent, and its answer is waited for.
        case asking(ByteStream, sent: Int)
    }

    struct Racing {
        /// Not yet tried, the next one last.
        var waiting: [SocketAddress]
        var attempts: [Attempt] = []
        var failures: [ConnectFailure] = []
        var secureFailures: [TransportError] = []
        /// The first that was connected and did not answer as it should.
        var stranger: ByteStream?
        /// When the next one is tried, however the others fare.
        var nextAttempt = Moment(nanoseconds: 0)
    }

    enum Stage {
        case preparing(ErrandPool.Ticket?)
        case racing(Racing)
        case finished(Outcome)
    }

    struct State {
        var stage: Stage = .preparing(nil)
        var timer: EventLoop.Token?
        var context: (any SecureContext)?
        var caller: CheckedContinuation<Outcome, Never>?
    }

    private static let tooLate = "the time allowed ran out"
    let target: ConnectTarget
    /// Connected by the caller, in place of the addresses.
    private let socket: Descriptor?
    private let tls: AMQPTLSConfiguration?
    let deadline: Moment
    let options: ConnectOptions
    private let state = Mutex(State())

    init(
        target: ConnectTarget,
        socket: Descriptor? = nil,
        tls: AMQPTLSConfiguration?,
        deadline: Moment,
        options: ConnectOptions
    ) {
        self.target = target
        self.socket = socket
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
    func update(_ change: (inout State) -> Void) {
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
                let address = socket == nil ? Resolver.literal(target.host, port: target.port) : nil
                if let socket, tls == nil {
                    finish(&state, .success(ByteStream(socket)))
                } else if let address, tls == nil {
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
        let (target, tls, resolver, isConnected) = (target, tls, options.resolver, socket != nil)
        do {
            return try options.errands.run { [self] in
                var context: Result<(any SecureContext)?, TransportError> = .success(nil)
                if let tls {
                    context = Result { () throws(TransportError) in
                        try TLSProvider.makeContext(tls, endpoint: target.description)
                    }
                }
                let addresses =
                    isConnected
                    ? .success([]) : known.map { .success([$0]) } ?? resolver.lookUp(target.host, target.port)
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
                if let socket { return secure(&state, socket) }
                connect(&state, to: try addresses.get())
            } catch {
                finish(&state, .failure(error))
            }
        }
    }
}

extension ConnectRace {
    private func connect(_ state: inout State, to addresses: [SocketAddress]) {
        connectNext(&state, Racing(waiting: SocketAddress.interleaved(addresses).reversed()))
    }

    /// Ends the race, unless it has ended: what is open and did not win is closed.
    func finish(_ state: inout State, _ outcome: Outcome) {
        if case .finished = state.stage { return }
        if case .failure = outcome { socket?.close() }
        switch state.stage {
        case .finished: return
        case .preparing(let ticket):
            if let ticket { options.errands.forget(ticket) }
        case .racing(let racing):
            let winner = try? outcome.get()
            for attempt in racing.attempts {
                options.loop.detach(attempt.token)
                if attempt.descriptor !== winner?.descriptor { attempt.descriptor.close() }
            }
            if let stranger = racing.stranger, stranger !== winner { stranger.close() }
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
        case .preparing, .finished:
            phase = .resolve
            missed = "before the name service answered"
            remedy = "check /etc/resolv.conf and the network"
        case .racing(let racing):
            let isSecuring = racing.attempts.contains { if case .securing = $0.step { true } else { false } }
            guard reason == .deadline else {
                return TransportError(isSecuring ? .tls : .connect, reason, endpoint: endpoint, detail: words)
            }
            guard isSecuring else {
                let silent = racing.attempts.map { ConnectFailure(address: $0.address, errno: ETIMEDOUT) }
                var error = failure(.deadline, racing.failures + silent)
                error.errno = ETIMEDOUT
                if !racing.waiting.isEmpty { error.detail += "; \(racing.waiting.count) more addresses were not tried" }
                return error
            }
            phase = .tls
            missed = "before the TLS handshake was complete"
            remedy = "check that the port speaks TLS"
        }
        guard reason == .deadline else { return TransportError(phase, reason, endpoint: endpoint, detail: words) }
        return TransportError(phase, reason, endpoint: endpoint, detail: "\(words) \(missed)", remedy: remedy)
    }

    /// The error for addresses of which none could be connected to.
    func failure(_ reason: TransportError.Reason, _ failures: [ConnectFailure]) -> TransportError {
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

/// The race hears of its own timer.
extension ConnectRace: StreamHandler {
    func streamReadable() {}
    func streamWritable() {}

    func deadlinePassed() {
        update { state in
            let now = EventLoop.now()
            if now >= deadline {
                // Connected, but silent: that it is no broker is for the caller to say.
                if case .racing(let racing) = state.stage, let stream = racing.connected(options.opening.count) {
                    return finish(&state, .success(stream))
                }
                return finish(&state, .failure(interruption(state.stage, .deadline, Self.tooLate)))
            }
            guard case .racing(let racing) = state.stage else { return }
            if now >= racing.nextAttempt {
                connectNext(&state, racing)
            } else {
                awaitAttempts(&state, racing)
            }
        }
    }
}
