import AMQPWire

/// Publishing with AMQPWire, as it is measured.
struct PublishingClient: Sendable {
    private static let exchange = "bench"
    private static let routingKey = "bench.key"
    private static let properties = AMQPProperties(contentType: "application/json", deliveryMode: 2)
    /// 200 octets of JSON, as an agent reports them; the same as in `c/measure.h`.
    private static let body = [UInt8](
        """
        {"host":"pi.example.net","time":1732285800,"uptime":1048576,"load":[0.42,0.31,0.27],\
        "memory":{"total":4026531840,"available":2147483648},"cpu":{"user":3.25,"system":1.5,"idle":95.25},\
        "temp_cpu":48.75}
        """.utf8
    )

    /// Connects, warms up, and publishes as `options` say.
    ///
    /// The clock stops when the channel is closed: its close-ok proves that the peer has read everything.
    static func run(_ options: Options) async throws -> Measurement {
        precondition(body.count == 200)
        let connection = try await AMQPConnection.connect(
            "amqp://guest:guest@\(options.host):\(options.port)?heartbeat=0"
        )
        var measurement = try await connection.withChannel(confirmWindow: options.window) { channel in
            try await channel.declareExchange(exchange, type: .topic)
            var unmeasured = Measurement(options)
            var measurement = Measurement(options)
            try await publish(options.warmup, options, channel, &unmeasured)
            measurement.start()
            try await publish(options.messages, options, channel, &measurement)
            return measurement
        }
        measurement.end()
        await connection.close()
        return measurement
    }

    private static func publish(
        _ count: Int,
        _ options: Options,
        _ channel: AMQPChannel,
        _ measurement: inout Measurement
    ) async throws {
        switch options.style {
        case .plain: try await publishPlain(count, options.mode, channel, &measurement)
        case .prepared: try await publishPrepared(count, options.mode, channel, &measurement)
        case .loop:
            let before = measurement
            measurement = try await withTaskExecutorPreference(AMQPConnection.loopExecutor) {
                var measurement = before
                try await publishPrepared(count, options.mode, channel, &measurement)
                return measurement
            }
        case .task, .actor: break  // Of consumers.
        }
    }

    private static func publishPlain(
        _ count: Int,
        _ mode: Options.Mode,
        _ channel: AMQPChannel,
        _ measurement: inout Measurement
    ) async throws {
        switch mode {
        case .none:
            for _ in 0..<count {
                try await channel.send(body, exchange: exchange, routingKey: routingKey, properties: properties)
            }
            channel.flush()
        case .window:
            for _ in 0..<count {
                _ = try await channel.submit(body, exchange: exchange, routingKey: routingKey, properties: properties)
            }
            try await channel.waitForConfirms()
        case .one:
            for _ in 0..<count {
                let began = Measurement.now()
                try await channel.publish(body, exchange: exchange, routingKey: routingKey, properties: properties)
                measurement.recordLatency(since: began)
            }
        case .consume: break  // No publishing.
        }
    }

    private static func publishPrepared(
        _ count: Int,
        _ mode: Options.Mode,
        _ channel: AMQPChannel,
        _ measurement: inout Measurement
    ) async throws {
        let publisher = try channel.publisher(
            exchange: exchange,
            routingKey: routingKey,
            properties: properties,
            mandatory: false
        )
        switch mode {
        case .none:
            for _ in 0..<count { try await publisher.send(body) }
            channel.flush()
        case .window:
            for _ in 0..<count { _ = try await publisher.submit(body) }
            try await channel.waitForConfirms()
        case .one:
            for _ in 0..<count {
                let began = Measurement.now()
                try await publisher.publish(body)
                measurement.recordLatency(since: began)
            }
        case .consume: break  // No publishing.
        }
    }
}
