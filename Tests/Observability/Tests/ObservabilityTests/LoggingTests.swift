import AMQPWire
import AMQPWireLogging
import InMemoryLogging
import Logging
import Testing

@Suite("Events in a log")
struct LoggingTests {
    private let handler = InMemoryLogHandler()

    private func logged(_ event: AMQPEvent) -> InMemoryLogHandler.Entry? {
        var configuration = AMQPConfiguration()
        configuration.log(to: Logger(label: "test", factory: { _ in handler }))
        for observer in configuration.observers { observer.didHappen(event) }
        return handler.entries.last
    }

    @Test("an error is written with its code, the broker's reply and words for people")
    func errors() {
        let error = AMQPError(
            .connectionClosed,
            "the broker closed it",
            reply: .init(code: 320, text: "CONNECTION_FORCED")
        )
        let entry = logged(event(.disconnected) { $0.error = error })
        #expect(entry?.level == .warning)
        #expect(entry.map { "\($0.message)" } == "connection lost: the broker closed it")
        #expect(entry?.metadata["amqp.error"] == "connectionClosed")
        #expect(entry?.metadata["amqp.reply_code"] == "320")
        #expect(entry?.metadata["amqp.reply_text"] == "CONNECTION_FORCED")
    }

    private func event(_ kind: AMQPEvent.Kind, _ fill: (inout AMQPEvent) -> Void = { _ in }) -> AMQPEvent {
        var event = AMQPEvent(kind)
        fill(&event)
        return event
    }

    @Test("levels say how bad it is")
    func levels() {
        let error = AMQPError(.unreachable, "connection refused")
        let expected: [(AMQPEvent, Logger.Level)] = [
            (event(.connected) { $0.peer = "127.0.0.1:5672" }, .info), (event(.disconnected), .warning),
            (event(.reconnecting), .info), (event(.recovered), .info), (event(.recoveryFailed), .error),
            (event(.recoveryDelayed), .warning), (event(.recoveryCompleted), .info), (event(.queueRenamed), .info),
            (event(.credentialsFailed), .warning), (event(.blocked), .warning), (event(.unblocked), .info),
            (event(.returned), .warning), (event(.channelClosed), .error), (event(.consumerCancelled), .warning),
            (event(.closed), .info), (event(.closed) { $0.error = error }, .error),
        ]
        for (event, level) in expected { #expect(logged(event)?.level == level) }
        #expect(handler.entries.count == expected.count)
    }

    @Test("what an event has stands in the metadata")
    func metadata() {
        let everything = event(.reconnecting) { event in
            event.peer = "127.0.0.1:5672"
            event.attempt = 3
            event.pause = .seconds(2)
            event.queue = "q"
            event.consumerTag = "c"
        }
        let entry = logged(everything)
        #expect(
            entry?.metadata == [
                "amqp.peer": "127.0.0.1:5672", "amqp.attempt": "3", "amqp.pause": "2.0 seconds", "amqp.queue": "q",
                "amqp.consumer": "c",
            ]
        )
    }

    @Test(
        "a connection's life is logged",
        .enabled(if: TestBroker.isThere, TestBroker.absence),
        .timeLimit(.minutes(1))
    )
    func life() async throws {
        try await TestBroker.withQueue([AMQPEventLogger(Logger(label: "test", factory: { _ in handler }))]) {
            channel,
            _ in
            await #expect(throws: AMQPError.self) {
                try await channel.declareExchangePassively("there is no such thing")
            }
        }
        // Events are told on whichever thread they happen.
        while handler.entries.count < 3 { await Task.yield() }
        #expect(handler.entries.map { $0.level } == [.info, .error, .info])
        #expect(handler.entries[1].metadata["amqp.reply_code"] == "404")
    }
}
