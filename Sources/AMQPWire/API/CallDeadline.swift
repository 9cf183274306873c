/// The deadline that a task has set for its calls, if it has.
enum CallDeadline {
    @TaskLocal static var current: Moment?
}

extension AMQPConnection {
    /// Runs `body`, whose calls have to be done within `timeout`, all of them together, in place of the configuration's
    /// `connectTimeout`, `callTimeout` and `confirmTimeout`. It may be shorter or longer than those.
    ///
    /// ```swift
    /// let queue = try await AMQPConnection.withTimeout(.seconds(2)) { try await channel.declareQueue("q") }
    /// ```
    ///
    /// It holds for calls of every connection and channel made in `body`, and in child tasks of it: connecting, declaring,
    /// publishing and so on. Waiting for the next delivery has no deadline, here as elsewhere.
    ///
    /// - Throws: what `body` throws; its calls throw ``AMQPError`` with the code `timedOut` when the time is up.
    public static func withTimeout<Value>(
        _ timeout: Duration,
        isolation: isolated (any Actor)? = #isolation,
        _ body: () async throws -> Value
    ) async rethrows -> Value {
        let deadline = EventLoop.now().advanced(by: timeout)
        return try await CallDeadline.$current.withValue(
            deadline,
            operation: { try await body() },
            isolation: isolation
        )
    }
}
