import Glibc
import Synchronization

/// What the application supplies while a connection is made: credentials, sockets.
extension ConnectionDriver {
    /// Has something supplied, by `deadline` or until the task is cancelled. What comes later is discarded.
    private func supplied<Value: Sendable>(
        _ what: String,
        by deadline: Moment,
        failure code: AMQPError.Code,
        discard: @escaping @Sendable (Value) -> Void = { _ in },
        _ supply: @escaping @Sendable () async throws -> Value
    ) async throws(AMQPError) -> Value {
        let waiter = try perform { (state) throws(AMQPError) in
            if case .closed(let error) = state.mode { throw error }
            return state.core.waiters.add(.pause, deadline: deadline)
        }
        let delivery = Supply<Value>()
        let task = Task {
            let result = await Result.of(supply)
            if let late = delivery.put(result) { return discard(late) }
            perform { state in state.core.answer(waiter, .done) }
        }
        let answer = await answer(of: waiter)
        guard let result = delivery.take() else {
            task.cancel()
            if case .failure(let error) = answer, error.code == .cancelled { throw error }
            throw AMQPError(.timedOut, "\(what) did not come in time")
        }
        switch result {
        case .success(let value): return value
        case .failure(let error as AMQPError): throw error
        case .failure(is CancellationError): throw AMQPError(.cancelled, "the task was cancelled")
        case .failure(let error): throw AMQPError(code, "\(what) could not be had: \(error)")
        }
    }

    // MARK: - Credentials

    /// The credentials for a broker, where the application supplies them.
    func suppliedCredentials(
        for broker: AMQPURI,
        by deadline: Moment
    ) async throws(AMQPError) -> AMQPCredentials? {
        guard let provider = configuration.credentials else { return nil }
        return try await supplied("the credentials for \(broker.host)", by: deadline, failure: .credentialsUnavailable)
        {
            try await provider(broker)
        }
    }

    /// Replaces credentials that expire in time, for as long as the present connection is there.
    func keepFresh(_ credentials: AMQPCredentials, for broker: AMQPURI) {
        guard let lifetime = credentials.lifetime else { return }
        let connection = state.withLock { $0.link.map { ObjectIdentifier($0) } }
        guard let connection else { return }
        // Detached: the deadline of the call that connects is not this task's.
        Task.detached { await self.refresh(lifetime, for: broker, on: connection) }
    }

    private func refresh(_ lifetime: Duration, for broker: AMQPURI, on connection: ObjectIdentifier) async {
        var pause = lifetime * 4 / 5
        while true {
            await rest(max(pause, .milliseconds(100)), .respite)
            guard state.withLock({ $0.link.map { ObjectIdentifier($0) } == connection }) else { return }
            do throws(AMQPError) {
                let deadline = moment(after: broker.connectionTimeout ?? configuration.connectTimeout)
                guard let fresh = try await suppliedCredentials(for: broker, by: deadline) else { return }
                try await updateSecret(fresh.password, reason: "the token expires")
                guard let lifetime = fresh.lifetime else { return }
                pause = lifetime * 4 / 5
            } catch {
                // The next connection asks for credentials of its own.
                if error.endedConnection || error.code == .closed { return }
                announce(.credentialsFailed(error))
                pause = max(pause / 4, .seconds(1))
            }
        }
    }

    /// Has the broker take a fresh secret.
    func updateSecret(_ secret: AMQPSecret, reason: String) async throws(AMQPError) {
        let update = AMQPMethod.ConnectionUpdateSecret(newSecret: secret, reason: AMQPText(reason))
        try await callOnConnection(.connectionUpdateSecret(update))
    }

    // MARK: - Sockets

    /// The socket to a broker, where the application makes it.
    func suppliedSocket(for broker: AMQPURI, by deadline: Moment) async throws(AMQPError) -> Descriptor? {
        guard let makeSocket = configuration.makeSocket else { return nil }
        let socket = try await supplied(
            "the socket to \(broker.host)",
            by: deadline,
            failure: .unreachable,
            discard: { socket in _ = Glibc.close(socket) },
            { try await makeSocket(broker) }
        )
        return try Descriptor.adopting(socket)
    }
}

/// A descriptor that a caller handed over, until the connection takes it.
final class HandedSocket: Sendable {
    private let number: Mutex<CInt?>

    init(_ number: CInt) {
        self.number = Mutex(number)
    }

    /// The descriptor, once.
    func take() throws(AMQPError) -> CInt {
        guard let number = number.withLock({ $0.take() }) else {
            throw AMQPError(.unreachable, "the socket that was handed over has been used")
        }
        return number
    }

    /// Closes the descriptor if nobody took it.
    func close() {
        if let number = number.withLock({ $0.take() }), number >= 0 { _ = Glibc.close(number) }
    }
}

extension Descriptor {
    /// Takes over a socket that somebody else made, which has to be a connected stream.
    static func adopting(_ number: CInt) throws(AMQPError) -> Descriptor {
        let flags = fcntl(number, F_GETFL)
        guard flags >= 0 else {
            throw AMQPError(.invalidArgument, "the descriptor \(number) that was handed over is not open", errno: errno)
        }
        let descriptor = Descriptor(owning: number)
        var kind: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        var peer = sockaddr_storage()
        var peerLength = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let isConnected = withUnsafeMutablePointer(to: &peer) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(number, $0, &peerLength) == 0 }
        }
        guard getsockopt(number, SOL_SOCKET, SO_TYPE, &kind, &length) == 0, kind == Int32(SOCK_STREAM.rawValue),
            isConnected
        else {
            let failure = errno
            descriptor.close()
            throw AMQPError(
                .invalidArgument,
                "the descriptor \(number) that was handed over is not a connected stream socket",
                errno: failure
            )
        }
        _ = fcntl(number, F_SETFL, flags | O_NONBLOCK)
        _ = fcntl(number, F_SETFD, FD_CLOEXEC)
        // Other kinds of sockets than TCP have no such delay.
        SystemCall.setOption(number, level: Int32(IPPROTO_TCP), name: TCP_NODELAY, to: 1)
        return descriptor
    }
}

/// Where something is put once and taken once, by two tasks of which either may be first.
private final class Supply<Value: Sendable>: Sendable {
    private struct State {
        var result: Result<Value, any Error>?
        var isAbandoned = false
    }

    private let state = Mutex(State())

    /// Puts the result. Returns the value if nobody wants it any more.
    func put(_ result: Result<Value, any Error>) -> Value? {
        state.withLock { state in
            if state.isAbandoned { return try? result.get() }
            state.result = result
            return nil
        }
    }

    /// Takes the result, if it is there; later it is not wanted.
    func take() -> Result<Value, any Error>? {
        state.withLock { state in
            state.isAbandoned = true
            return state.result
        }
    }
}

extension Result where Failure == any Error {
    /// What an asynchronous call comes to.
    fileprivate static func of(_ call: @Sendable () async throws -> Success) async -> Result {
        do {
            return .success(try await call())
        } catch {
            return .failure(error)
        }
    }
}
