import Glibc

/// How the addresses of a race come on, each by itself.
extension ConnectRace {
    /// Begins with the next address, and with those after it as long as they fail at once.
    func connectNext(_ state: inout State, _ current: Racing) {
        var racing = current
        while let address = racing.waiting.popLast() {
            let started = Descriptor.connecting(to: address)
            guard case .success((let descriptor, let isConnected)) = started else {
                if case .failure(let failure) = started { racing.failures.append(failure) }
                continue
            }
            let handler = AttemptHandler(race: self)
            do throws(TransportError) {
                let token = try options.loop.attach(descriptor, handler: handler, read: false, write: true)
                let attempt = Attempt(address: address, descriptor: descriptor, token: token, handler: handler)
                racing.attempts.append(attempt)
                racing.nextAttempt = EventLoop.now().advanced(by: options.attemptDelay)
            } catch {
                descriptor.close()
                racing.failures.append(ConnectFailure(address: address, errno: error.errno ?? ECONNABORTED))
                continue
            }
            if isConnected { return connected(&state, racing, racing.attempts.count - 1) }
            break
        }
        awaitAttempts(&state, racing)
    }

    /// Waits for the next thing to happen; ends the race where nothing can.
    func awaitAttempts(_ state: inout State, _ racing: Racing) {
        state.stage = .racing(racing)
        if racing.waiting.isEmpty {
            if racing.attempts.isEmpty { return finish(&state, outcome(of: racing)) }
            // The last one left has nobody to give way to.
            if racing.attempts.count == 1, racing.stranger == nil, let stream = racing.connected(options.opening.count)
            {
                return finish(&state, .success(stream))
            }
        }
        if let timer = state.timer {
            options.loop.setDeadline(timer, racing.waiting.isEmpty ? deadline : min(deadline, racing.nextAttempt))
        }
    }

    /// What a race comes to in which no address is left to be tried.
    private func outcome(of racing: Racing) -> Outcome {
        if let stranger = racing.stranger { return .success(stranger) }
        if var error = racing.secureFailures.first(where: { $0.reason != .certificate }) ?? racing.secureFailures.first
        {
            var details: [String] = []
            for failure in racing.secureFailures where !details.contains(failure.detail) {
                details.append(failure.detail)
            }
            error.detail = details.joined(separator: "; ")
            return .failure(error)
        }
        return .failure(failure(.system, racing.failures))
    }

    /// An attempt's socket is readable or writable, or has failed.
    fileprivate func advance(_ handler: AttemptHandler) {
        update { state in
            guard case .racing(var racing) = state.stage,
                let index = racing.attempts.firstIndex(where: { $0.handler === handler })
            else { return }
            switch racing.attempts[index].step {
            case .connecting:
                guard let outcome = racing.attempts[index].descriptor.connectOutcome() else { return }
                if outcome == 0 { return connected(&state, racing, index) }
                let attempt = remove(index, &racing)
                attempt.descriptor.close()
                racing.failures.append(ConnectFailure(address: attempt.address, errno: outcome))
                connectNext(&state, racing)
            case .securing(let session): secure(&state, racing, index, session)
            case .asking(let stream, let sent): ask(&state, racing, index, stream, sent)
            }
        }
    }

    /// Agrees on TLS over a socket that the caller has connected.
    func secure(_ state: inout State, _ socket: Descriptor) {
        let handler = AttemptHandler(race: self)
        do throws(TransportError) {
            let token = try options.loop.attach(socket, handler: handler, read: false, write: false)
            // Its address is of no account: there is no other to choose.
            let attempt = Attempt(address: .v4(sockaddr_in()), descriptor: socket, token: token, handler: handler)
            connected(&state, Racing(waiting: [], attempts: [attempt]), 0)
        } catch {
            finish(&state, .failure(error))
        }
    }

    private func remove(_ index: Int, _ racing: inout Racing) -> Attempt {
        let attempt = racing.attempts.remove(at: index)
        options.loop.detach(attempt.token)
        return attempt
    }

    private func connected(_ state: inout State, _ current: Racing, _ index: Int) {
        var racing = current
        guard let context = state.context else { return secured(&state, racing, index, nil) }
        let attempt = racing.attempts[index]
        do throws(TransportError) {
            let session = try context.makeSession(
                on: attempt.descriptor,
                host: target.host,
                endpoint: target.description
            )
            racing.attempts[index].step = .securing(session)
            racing.nextAttempt = max(racing.nextAttempt, EventLoop.now().advanced(by: options.answerDelay))
            secure(&state, racing, index, session)
        } catch {
            _ = remove(index, &racing)
            attempt.descriptor.close()
            racing.secureFailures.append(error)
            connectNext(&state, racing)
        }
    }

    private func secure(_ state: inout State, _ current: Racing, _ index: Int, _ session: any SecureSession) {
        var racing = current
        let token = racing.attempts[index].token
        switch session.handshake() {
        case .needsReadable:
            options.loop.setWants(token, read: true, write: false)
            awaitAttempts(&state, racing)
        case .needsWritable:
            options.loop.setWants(token, read: false, write: true)
            awaitAttempts(&state, racing)
        case .failed(let error):
            remove(index, &racing).descriptor.close()
            racing.secureFailures.append(error)
            connectNext(&state, racing)
        case .done: secured(&state, racing, index, session)
        }
    }

    private func secured(_ state: inout State, _ current: Racing, _ index: Int, _ session: (any SecureSession)?) {
        var racing = current
        // With one address there is nothing to choose.
        let isAlone = racing.waiting.isEmpty && racing.attempts.count == 1 && racing.stranger == nil
        guard !options.opening.isEmpty, !isAlone else {
            let attempt = remove(index, &racing)
            state.stage = .racing(racing)
            return finish(&state, .success(ByteStream(attempt.descriptor, session: session)))
        }
        racing.nextAttempt = max(racing.nextAttempt, EventLoop.now().advanced(by: options.answerDelay))
        let stream = ByteStream(racing.attempts[index].descriptor, session: session, isOpened: true)
        ask(&state, racing, index, stream, 0)
    }

    private func ask(
        _ state: inout State,
        _ current: Racing,
        _ index: Int,
        _ stream: ByteStream,
        _ alreadySent: Int
    ) {
        var racing = current
        var sent = alreadySent
        while sent < options.opening.count {
            let outcome = options.opening[sent...].withUnsafeBytes { stream.write($0) }
            guard case .sent(let count) = outcome else { break }
            sent += count
        }
        racing.attempts[index].step = .asking(stream, sent: sent)
        switch stream.peek() {
        case .byte(let byte) where options.isAnswer(byte) && sent == options.opening.count:
            _ = remove(index, &racing)
            state.stage = .racing(racing)
            finish(&state, .success(stream))
        case .wouldBlock:
            options.loop.setWants(racing.attempts[index].token, read: true, write: sent < options.opening.count)
            awaitAttempts(&state, racing)
        case .byte, .ended:
            _ = remove(index, &racing)
            if racing.stranger == nil { racing.stranger = stream } else { stream.close() }
            connectNext(&state, racing)
        }
    }
}

extension ConnectRace.Racing {
    /// A stream that is connected and waits for an answer, if there is one whose opening has been sent as a whole.
    func connected(_ openingSize: Int) -> ByteStream? {
        for attempt in attempts {
            if case .asking(let stream, let sent) = attempt.step, sent == openingSize { return stream }
        }
        return stranger
    }
}

/// Hears of one address that is being tried.
final class AttemptHandler: StreamHandler {
    private let race: ConnectRace

    init(race: ConnectRace) {
        self.race = race
    }

    func streamReadable() { race.advance(self) }
    func streamWritable() { race.advance(self) }
    func deadlinePassed() {}
}
