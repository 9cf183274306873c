/// A channel: a line of conversation of its own within a connection.
///
/// Calls on a channel are answered one after another, so give tasks that should not wait for each other channels of their
/// own. An error that the broker reports (404, 406 …) closes the channel; open another. A channel survives the loss of its
/// connection, if that is recovered. It keeps its connection alive, and is kept alive by what comes of it: consumers,
/// prepared publishers, receipts and deliveries. The last to go closes it.
///
/// All calls throw ``AMQPError``: `channelClosed` with the broker's reply code, `closed`, `timedOut`, `cancelled`, and
/// `invalidArgument` for names and tables that do not fit the protocol.
public final class AMQPChannel: Sendable {
    let driver: ConnectionDriver
    let record: ChannelRecord
    /// Held, because the last to let go of a connection closes it.
    private let connection: AMQPConnection

    init(_ connection: AMQPConnection, _ record: ChannelRecord) {
        self.connection = connection
        self.record = record
        driver = connection.driver
    }

    deinit {
        driver.abandonChannel(record)
    }

    /// Closes the channel. What was delivered on it and not acknowledged goes back to its queues. Closing twice is harmless.
    public func close() async throws(AMQPError) {
        try await driver.closeChannel(record)
    }

    /// Whether the channel can be used, now or once the connection is recovered.
    public var isOpen: Bool {
        driver.state.withLock { _ in record.closed == nil }
    }

    /// Sends a method and waits for its reply.
    func call(_ method: AMQPMethod) async throws(AMQPError) -> AMQPMethod {
        try await driver.call(method, record)
    }

    /// Sends a method and waits for its reply; nil where none is wanted.
    @discardableResult
    func call(_ method: AMQPMethod, noWait: Bool) async throws(AMQPError) -> AMQPMethod? {
        if !noWait { return try await driver.call(method, record) }
        try await driver.send(method, record)
        return nil
    }

    /// Notes what is to be declared again after a recovery, or not any more.
    func note(_ change: (inout Topology) -> Void) {
        driver.state.withLock { change(&$0.topology) }
    }
}

extension ConnectionDriver {
    /// Opens a channel on the present connection.
    func openChannel(_ record: ChannelRecord, asRecovery: Bool = false) async throws(AMQPError) {
        let deadline = deadline(configuration.callTimeout)
        while true {
            if !asRecovery { try await ready(deadline: deadline) }
            let opening = try perform { (state) throws(AMQPError) -> WaiterID? in
                switch state.mode {
                case .open: break
                case .restoring where asRecovery: break
                case .closed(let error): throw error
                case .connecting, .restoring, .recovering:
                    if asRecovery { throw AMQPError(.connectionLost, "the connection was lost again") }
                    return nil
                }
                if let error = record.closed { throw error }
                if record.isClosing { throw AMQPError.closedHere }
                let (number, waiter) = try state.core.openChannel(
                    confirmWindow: record.confirmWindow,
                    deadline: deadline
                )
                state.epoch &+= 1
                record.opened(number, state.core.channel(number), epoch: state.epoch)
                state.channelsByNumber[number] = record
                if !asRecovery { state.channels.append(record) }
                return waiter
            }
            guard let opening else { continue }
            do throws(AMQPError) {
                return try await success(of: opening)
            } catch {
                perform { state in
                    if !asRecovery { state.channels.removeAll { $0 === record } }
                    // It may open all the same, and nobody would close it.
                    if let number = record.number, state.channelsByNumber[number] === record {
                        state.channelsByNumber[number] = nil
                        state.core.abandonChannel(number)
                    }
                    record.number = nil
                }
                // A connection that comes back opens it as well, unless the open itself ended it: it would again.
                if !asRecovery, error.endedConnection, !error.isOfChannelOpen { continue }
                throw asRecovery ? error : error.opening
            }
        }
    }

    /// Closes a channel and forgets it.
    func closeChannel(_ record: ChannelRecord) async throws(AMQPError) {
        let deadline = deadline(configuration.callTimeout)
        let waiter = try perform { (state) throws(AMQPError) -> WaiterID? in
            record.isClosing = true
            guard record.closed == nil, let number = record.number else { return nil }
            // The number is the channel's no longer: once the broker has answered, another may get it.
            state.channelsByNumber[number] = nil
            record.number = nil
            return try? state.core.closeChannel(number, deadline: deadline)
        }
        var failure: AMQPError?
        if let waiter {
            do throws(AMQPError) { try await success(of: waiter) } catch { failure = error }
        }
        ending { state, aftermath in
            state.forget(record)
            record.end(.closedHere, &aftermath)
        }
        // That the connection went meanwhile closes the channel just as well.
        if let failure, failure.scope == .channel, failure.code != .closed { throw failure }
    }

    /// Closes a channel that nobody holds any more, without waiting.
    func abandonChannel(_ record: ChannelRecord) {
        var aftermath = Aftermath()
        perform { state in
            guard record.closed == nil else { return }
            let number = record.number
            state.forget(record)
            if let number { state.core.abandonChannel(number) }
            record.end(.closedHere, &aftermath)
        }
        aftermath.resumeReaders()
    }

    /// Makes a call of the connection itself.
    func callOnConnection(_ method: AMQPMethod) async throws(AMQPError) {
        let deadline = deadline(configuration.callTimeout)
        try await ready(deadline: deadline)
        let waiter = try perform { (state) throws(AMQPError) in
            let waiter = try state.core.call(method, channel: 0, deadline: deadline)
            // The broker may take it even if its answer is lost.
            if case .connectionUpdateSecret(let update) = method { state.freshSecret = update.newSecret }
            return waiter
        }
        do throws(AMQPError) {
            try await success(of: waiter)
        } catch {
            if error.code == .connectionClosed { state.withLock { $0.freshSecret = nil } }
            throw error
        }
    }

    /// Closes a connection that nobody holds any more, in the background. The loop keeps it until it is over.
    func abandon() {
        beginClosing(AMQPError(.closed, "the connection was given up by this program"))
    }
}

extension AMQPError {
    /// The same failure, for whoever asked for a channel: RabbitMQ closes the whole connection over one channel too many.
    fileprivate var opening: AMQPError {
        guard isOfChannelOpen, replyCode == 530 else { return self }
        var copy = self
        copy.code = .tooManyChannels
        copy.remedy = "close channels that are not needed, or raise the user's limit (rabbitmqctl set_user_limits)"
        return copy
    }

    /// Whether the broker closed the connection over a channel.open, of one that was on its way. RabbitMQ names no method
    /// where a user has too many channels (530).
    var isOfChannelOpen: Bool {
        code == .connectionClosed && (method == .channelOpen || (method == nil && replyCode == 530))
    }

    /// Of calls on a channel that this program has closed, or is closing.
    static var closedHere: AMQPError {
        AMQPError(.closed, scope: .channel, "the channel was closed by this program", delivery: .notSent)
    }
}
