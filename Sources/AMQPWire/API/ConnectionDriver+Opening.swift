extension ConnectionDriver {
    /// Makes the first connection, to the first broker that takes it.
    func open() async throws(AMQPError) {
        try startTimer()
        do throws(AMQPError) {
            _ = try await openAny()
        } catch {
            perform { state in state.startClosing(error) }
            throw error
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

    /// Tries the brokers in turn; throws the last failure, or the first that will not go away by itself.
    func openAny() async throws(AMQPError) {
        try configuration.validate()
        var failures: [AMQPError] = []
        for broker in configuration.brokers {
            do throws(AMQPError) {
                return try await open(broker)
            } catch {
                if error.code == .cancelled || error.code == .closed { throw error }
                failures.append(error)
            }
        }
        var failure = failures.first(where: \.isPermanent) ?? failures[failures.count - 1]
        if failures.count > 1 {
            failure.message = failures.map(\.description).joined(separator: "; ")
            failure.remedy = nil
        }
        throw failure
    }

    /// Connects to one broker, and has the handshake done within the deadline.
    private func open(_ broker: AMQPURI) async throws(AMQPError) {
        let allowed = broker.connectionTimeout.flatMap { $0 > .zero ? $0 : nil } ?? configuration.connectTimeout
        let deadline = deadline(allowed)
        var options = try configuration.options(for: broker)
        if let secret = state.withLock({ $0.freshSecret }) { options.handshake.credentials.password = secret }
        let stream: ByteStream
        do throws(TransportError) {
            stream = try await Connector.connect(
                to: ConnectTarget(host: broker.host, port: broker.port),
                tls: broker.scheme == .amqps ? configuration.tls(for: broker) : nil,
                deadline: deadline
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

    /// Closes the connection politely, and for good.
    func close() async {
        let now = EventLoop.now()
        let reason = AMQPError(.closed, "the connection was closed by this program")
        let task = state.withLock { state -> Task<Void, Never>? in
            state.closedByUser = true
            return state.recoveryTask
        }
        task?.cancel()
        let closing: WaiterID? = try? perform { (state) throws(AMQPError) -> WaiterID? in
            switch state.core.phase {
            case .open: return try state.core.close(reason, now: now)
            case .closing:
                // Another call is at it: wait for the same end.
                if case .closed = state.mode { return nil }
                let waiter = state.core.waiters.add(.recovery, deadline: nil)
                state.waitingForRecovery.append(waiter)
                return waiter
            case .handshaking, .closed: return nil
            }
        }
        if let closing { _ = await answer(of: closing) }
        perform { state in
            // Where nobody waited for the answer, because the task is cancelled, the socket is still there.
            state.core.transportEnded(reason)
            state.startClosing(reason)
        }
    }
}

extension ConnectionDriver.State {
    /// Ends everything for good as soon as the lock is released, unless it has ended.
    mutating func startClosing(_ error: AMQPError) {
        closing = closing ?? error
    }
}

extension AMQPError {
    /// Whether trying again is of no use until somebody changes something.
    var isPermanent: Bool {
        switch code.kind {
        case .virtualHostRefused, .protocolMismatch, .negotiationFailed, .invalidArgument: true
        // A broker that hangs up without a word may be one that is just starting.
        case .loginRefused: replyCode != nil
        // A socket that fails in the middle of the handshake says nothing of certificates.
        case .tlsFailed: errno == nil
        case .unreachable, .connectionLost, .connectionClosed, .channelClosed, .closed, .malformedInput,
            .unexpectedFrame, .timedOut, .cancelled, .tooManyChannels, .publishRefused, .publishReturned,
            .consumerCancelled:
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
