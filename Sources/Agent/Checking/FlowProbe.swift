#if Agent
import AMQPWire

/// Learns whether a broker that has let us in takes messages now.
///
/// RabbitMQ says `connection.blocked` to a connection that publishes while memory or disk run short, and reads nothing from
/// it afterwards. So the first of two things decides: that word, or the answer to any question asked behind a publish.
final class FlowProbe: Sendable {
    private enum Sign: Sendable {
        case blocked(String)
        case answered
    }

    private let signs: AsyncStream<Sign>
    private let continuation: AsyncStream<Sign>.Continuation

    init() {
        (signs, continuation) = AsyncStream.makeStream()
    }

    /// To be told of all that happens to the connection.
    func heard(_ event: AMQPEvent) {
        if event.kind == .blocked { continuation.yield(.blocked(event.reason ?? "")) }
    }

    /// Why the broker takes no messages; nil where it takes them, or does not answer at all.
    func blockedReason(_ connection: AMQPConnection) async -> String? {
        let question = Task { [continuation] in
            do throws(AMQPError) {
                let channel = try await connection.openChannel()
                try await channel.close()
            } catch {
                // Whatever became of it, nobody waits any longer.
            }
            continuation.yield(.answered)
        }
        defer { question.cancel() }
        for await sign in signs {
            switch sign {
            case .blocked(let reason): return reason
            case .answered: return nil
            }
        }
        return nil
    }
}

extension BrokerCheck {
    /// Says whether the broker takes messages. To be asked behind a publish.
    func checkFlow(_ broker: OpenBroker) async throws(SystemError) {
        guard let reason = await flow.blockedReason(broker.connection) else {
            return try report.passed(.flow, "the broker takes messages")
        }
        try report.failed(
            .flow,
            "the broker takes no messages now, it is blocked: \(reason)",
            remedy:
                "rabbitmqctl status names the alarm: free memory or disk on the broker's machine; psistats keeps its messages "
                + "meanwhile, up to max_messages in [buffer]",
            .unavailable
        )
    }
}
#endif
