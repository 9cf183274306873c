extension AMQPConnection {
    /// Whether a queue exists. Asked on a channel of its own, so that the broker's "no" closes none of the application's.
    ///
    /// - Throws: ``AMQPError``, `channelClosed` with the reply code 403 where the broker does not let the user ask; RabbitMQ lets
    ///   every user.
    public func queueExists(_ name: String) async throws(AMQPError) -> Bool {
        try await exists(.queueDeclare(.init(queue: AMQPText(name), passive: true)))
    }

    /// Whether an exchange exists. Asked on a channel of its own, so that the broker's "no" closes none of the application's.
    ///
    /// - Throws: as ``queueExists(_:)``.
    public func exchangeExists(_ name: String) async throws(AMQPError) -> Bool {
        try await exists(.exchangeDeclare(.init(exchange: AMQPText(name), passive: true)))
    }

    private func exists(_ declaration: AMQPMethod) async throws(AMQPError) -> Bool {
        let record = ChannelRecord(confirmWindow: 1)
        record.isThrowAway = true
        try await driver.openChannel(record)
        do throws(AMQPError) {
            _ = try await driver.call(declaration, record)
        } catch {
            guard error.code == .channelClosed, let replyCode = error.replyCode else {
                driver.abandonChannel(record)
                throw error
            }
            switch replyCode {
            case 404: return false
            // Exclusive to another connection, so it is there.
            case 405: return true
            default: throw error
            }
        }
        driver.abandonChannel(record)
        return true
    }
}
