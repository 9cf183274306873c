import Synchronization

@testable import AMQPWire

/// What a connection told, as lines, and a way to wait for one of them.
final class EventLog: Sendable {
    fileprivate struct State {
        var lines: [String] = []
        var waiting: [(line: String, count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    /// All lines so far.
    var lines: [String] { state.withLock { $0.lines } }

    func callAsFunction(_ event: AMQPEvent) {
        let line =
            switch event.kind.name {
            case .connected: "connected"
            case .disconnected: "disconnected"
            case .reconnecting: "reconnecting \(event.attempt ?? 0)"
            case .recovered: "recovered"
            case .recoveryFailed: "failed: \(event.what ?? "?") \(event.error?.replyCode ?? 0)"
            case .recoveryDelayed: "delayed: \(event.what ?? "?") \(event.error?.replyCode ?? 0)"
            case .recoveryCompleted: "completed: \(event.what ?? "?")"
            case .queueRenamed: "renamed \(event.formerQueue ?? "?") \(event.queue ?? "?")"
            case .credentialsFailed: "no credentials: \(event.error?.description ?? "?")"
            case .blocked: "blocked"
            case .unblocked: "unblocked"
            case .returned: "returned"
            case .channelClosed: "channel closed"
            case .consumerCancelled: "cancelled \(event.consumerTag ?? "?")"
            case .closed: event.error.map { "closed \($0.code)" } ?? "closed"
            }
        let ready = state.withLock { state in
            state.lines.append(line)
            let waiting = state.waiting
            state.waiting = waiting.filter { state.count($0.line) < $0.count }
            return waiting.filter { state.count($0.line) >= $0.count }
        }
        for waiter in ready { waiter.continuation.resume() }
    }

    /// Waits until a line that begins so has come so many times. The test's time limit is the deadline.
    func wait(for line: String, _ count: Int = 1) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.count(line) >= count { return true }
                state.waiting.append((line, count, continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }
}

extension EventLog.State {
    fileprivate func count(_ line: String) -> Int { lines.count { $0.hasPrefix(line) } }
}

extension AMQPConfiguration {
    /// Recovery in milliseconds, told to a log.
    static func quick(
        _ uri: String,
        _ events: EventLog,
        pause: Duration = .milliseconds(2),
        _ change: (inout AMQPConfiguration) -> Void = { _ in }
    ) throws -> AMQPConfiguration {
        var configuration = try AMQPConfiguration(uri)
        configuration.recovery = Recovery(firstPause: pause, longestPause: .milliseconds(50), jitter: 0)
        if pause > .seconds(1) { configuration.recovery?.longestPause = pause }
        configuration.callTimeout = .seconds(5)
        configuration.confirmTimeout = .seconds(5)
        configuration.onEvent = { events($0) }
        change(&configuration)
        return configuration
    }
}
