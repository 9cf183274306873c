extension ConnectionDriver {
    /// Makes the first connection, to the first broker that takes it.
    func open() async throws(AMQPError) {
        try startTimer()
        do throws(OpeningFailure) {
            try await openFirst()
        } catch {
            perform { state in state.startClosing(error.error) }
            throw error.error
        }
    }

    /// Why none of the brokers could be connected to.
    struct OpeningFailure: Error {
        /// The failure that says most, with the words of all.
        var error: AMQPError
        /// Whether no broker will take the connection until somebody changes something.
        var isPermanent: Bool
    }

    /// Makes the first connection, as often as the configuration has it tried.
    private func openFirst() async throws(OpeningFailure) {
        guard let recovery = configuration.recovery, recovery.retriesFirstConnect else { return try await openAny() }
        var attempts = RecoveryAttempts(recovery)
        while true {
            do throws(OpeningFailure) {
                return try await openAny()
            } catch {
                switch error.error.code {
                case .cancelled, .closed, .invalidArgument: throw error
                default: break
                }
                if let failure = attempts.failed(error.error, isPermanent: error.isPermanent) {
                    throw OpeningFailure(error: failure, isPermanent: error.isPermanent)
                }
                let pause = attempts.pause(because: error.error)
                announce(.reconnecting(attempt: attempts.count, after: pause, because: error.error))
                await rest(pause)
                if Task.isCancelled {
                    throw OpeningFailure(
                        error: AMQPError(.cancelled, scope: .message, "the task was cancelled"),
                        isPermanent: false
                    )
                }
            }
        }
    }

    private func startTimer() throws(AMQPError) {
        do throws(TransportError) {
            let token = try loop.attachTimer(handler: DriverTimer(self))
            state.withLock { $0.timer = token }
        } catch {
            throw AMQPError(error)
        }
    }

    /// Tries the brokers in turn.
    func openAny() async throws(OpeningFailure) {
        do throws(AMQPError) {
            try configuration.validate()
        } catch {
            throw OpeningFailure(error: error, isPermanent: true)
        }
        var failures: [AMQPError] = []
        for broker in configuration.shufflesBrokers ? configuration.brokers.shuffled() : configuration.brokers {
            do throws(AMQPError) {
                return try await open(broker)
            } catch {
                if error.code == .cancelled || error.code == .closed {
                    throw OpeningFailure(error: error, isPermanent: false)
                }
                failures.append(error)
            }
        }
        // What somebody has to change is told, even where it is only one of several brokers.
        var failure = failures.first(where: \.isPermanent) ?? failures[failures.count - 1]
        if failures.count > 1 {
            failure.message = failures.map(\.description).joined(separator: "; ")
            failure.remedy = nil
        }
        throw OpeningFailure(error: failure, isPermanent: failures.allSatisfy(\.isPermanent))
    }

    /// Connects to one broker, and has the handshake done within the deadline.
    private func open(_ broker: AMQPURI) async throws(AMQPError) {
        let allowed = broker.connectionTimeout.flatMap { $0 > .zero ? $0 : nil } ?? configuration.connectTimeout
        let deadline = deadline(allowed)
        var options = try configuration.options(for: broker)
        let credentials = try await suppliedCredentials(for: broker, by: deadline)
        if let credentials {
            options.handshake.credentials = credentials
        } else if let secret = state.withLock({ $0.freshSecret }) {
            options.handshake.credentials.password = secret
        }
        let socket = try await suppliedSocket(for: broker, by: deadline)
        let stream: ByteStream
        do throws(TransportError) {
            stream = try await Connector.connect(
                to: ConnectTarget(host: broker.host, port: broker.port),
                over: socket,
                tls: broker.scheme == .amqps ? configuration.tls(for: broker) : nil,
                deadline: deadline,
                options: connecting
            )
        } catch {
            throw AMQPError(error)
        }
        let waiter: WaiterID
        do throws(AMQPError) {
            waiter = try install(stream, options, deadline)
        } catch {
            stream.close()
            throw error
        }
        try await success(of: waiter)
        if let credentials { keepFresh(credentials, for: broker) }
    }

    private func install(
        _ stream: ByteStream,
        _ options: ConnectionCore.Options,
        _ deadline: Moment
    ) throws(AMQPError) -> WaiterID {
        let link = Link(stream, self)
        let waiter = try perform { (state) throws(AMQPError) -> WaiterID? in
            if case .closed(let error) = state.mode { throw error }
            if state.closedByUser { throw AMQPError(.closed, "the connection was closed by this program") }
            let statistics = state.core.wholeStatistics
            state.core = ConnectionCore(options, waiters: state.core.waiters, deadline: deadline)
            state.core.statistics = statistics
            if stream.isOpened {
                state.core.statistics.octetsSent &+= UInt64(state.core.encoder.bytes.count)
                state.core.encoder.bytes.removeAll()
            }
            state.link = link
            return state.core.opening
        }
        do throws(TransportError) {
            let token = try loop.attach(stream, handler: link)
            perform { state in
                if state.link === link {
                    state.linkToken = token
                    if state.unsent != nil { loop.setWants(token, read: true, write: true) }
                } else {
                    loop.detach(token)
                }
            }
        } catch {
            // The waiter hears of it.
            lost(link, AMQPError(error))
        }
        guard let waiter else { throw AMQPError(.connectionLost, "the connection ended at once") }
        return waiter
    }

    /// Closes the connection politely, and for good: sends what was accepted and waits for the broker's answer, in a task that
    /// is cancelled as well. The core ends the wait in time.
    func close() async {
        let reason = AMQPError(.closed, "the connection was closed by this program")
        if let closing = beginClosing(reason) { _ = await answerRegardless(of: closing) }
        perform { state in state.startClosing(reason) }
    }

    /// Has everything that was accepted sent, and connection.close behind it. Returns who hears that it is over; where there
    /// is nothing to say goodbye to, it is over at once.
    @discardableResult
    func beginClosing(_ reason: AMQPError) -> WaiterID? {
        let now = EventLoop.now()
        let task = state.withLock { state -> Task<Void, Never>? in
            state.closedByUser = true
            return state.recoveryTask
        }
        task?.cancel()
        let closing: WaiterID?? = try? perform { (state) throws(AMQPError) -> WaiterID? in
            switch state.core.phase {
            case .open, .closing: return try state.core.close(reason, now: now)
            case .handshaking, .closed:
                state.startClosing(reason)
                return nil
            }
        }
        return closing ?? nil
    }
}

extension ConnectionDriver.State {
    /// Ends everything for good as soon as the lock is released, unless it has ended.
    mutating func startClosing(_ error: AMQPError) {
        closing = closing ?? error
    }
}

extension AMQPError {
    /// Whether trying again is of no use until somebody changes something: only where the other side says so. What stands in
    /// for a broker that restarts, a proxy say, may hang up at any time or speak something else.
    var isPermanent: Bool {
        switch code.kind {
        case .virtualHostRefused, .negotiationFailed, .invalidArgument: true
        // A broker that hangs up without a word may be one that is just starting.
        case .loginRefused: replyCode != nil
        case .tlsFailed: tls?.isOfCertificate ?? false
        case .protocolMismatch, .unreachable, .connectionLost, .connectionClosed, .channelClosed, .closed,
            .malformedInput,
            .unexpectedFrame, .timedOut, .cancelled, .tooManyChannels, .publishRefused, .publishReturned,
            .consumerCancelled, .unreadableMessage, .credentialsUnavailable:
            false
        }
    }
}

extension AMQPConfiguration {
    /// What the core needs to know for a broker.
    func options(for broker: AMQPURI) throws(AMQPError) -> ConnectionCore.Options {
        var options = ConnectionCore.Options()
        options.handshake.credentials = AMQPCredentials(user: broker.user, password: broker.password)
        options.handshake.virtualHost = broker.vhost
        options.handshake.limits.channelMax = broker.channelMax ?? limits.channelMax
        options.handshake.limits.frameMax = broker.frameMax ?? limits.frameMax
        options.handshake.limits.heartbeat = broker.heartbeat ?? limits.heartbeat
        options.handshake.mechanisms = try broker.mechanisms(among: mechanisms)
        for entry in clientProperties.entries { options.handshake.clientProperties[entry.key] = entry.value }
        if let connectionName { options.handshake.clientProperties["connection_name"] = AMQPFieldValue(connectionName) }
        options.handshake.initialFrameMax = initialFrameMax
        options.maxBodySize = maxMessageSize
        options.highWaterMark = highWaterMark
        options.peer = broker.host.contains(":") ? "[\(broker.host)]:\(broker.port)" : "\(broker.host):\(broker.port)"
        return options
    }

    /// How a connection to a broker is encrypted.
    func tls(for broker: AMQPURI) -> AMQPTLSConfiguration {
        var tls = tls
        if let file = broker.caCertificateFile { tls.caFile = file }
        if let file = broker.certificateFile {
            tls.certificateFile = file
            (tls.certificate, tls.pkcs12File, tls.pkcs12) = ([], nil, AMQPSecret())
        }
        if let file = broker.keyFile {
            tls.keyFile = file
            tls.key = AMQPSecret()
        }
        if let name = broker.serverNameIndication { tls.serverName = name }
        switch broker.verification {
        case .verifyPeer: tls.verification = .full
        case .verifyNone: tls.verification = .disabled
        case nil: break
        }
        return tls
    }
}
