import Testing

@testable import AMQPWire

/// That closing loses nothing that was accepted, at RabbitMQ.
@Suite("Closing loses nothing", .enabled(if: TestBroker.isThere, TestBroker.absence), .timeLimit(.minutes(1)))
struct GracefulCloseTests {
    enum Way: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case close, cancelled, cancelledScope, lettingGo
        var testDescription: String { rawValue }
    }

    private func send(_ queue: String, _ count: Int, _ uri: String, _ way: Way) async throws {
        let body = [UInt8](repeating: 1, count: 1_000)
        func sendAll(_ connection: AMQPConnection) async throws {
            let channel = try await connection.openChannel()
            for _ in 0..<count { try await channel.send(body, routingKey: queue) }
        }
        switch way {
        case .close:
            let connection = try await AMQPConnection.connect(uri)
            try await sendAll(connection)
            await connection.close()
        case .cancelled:
            let connection = try await AMQPConnection.connect(uri)
            try await sendAll(connection)
            await Task {
                withUnsafeCurrentTask { $0?.cancel() }
                await connection.close()
            }.value
        case .cancelledScope:
            // What service-lifecycle does on a signal.
            try await Task {
                try await AMQPConnection.withConnection(uri) { connection in
                    try await sendAll(connection)
                    withUnsafeCurrentTask { $0?.cancel() }
                }
            }.value
        case .lettingGo: try await sendAll(try await AMQPConnection.connect(uri))
        }
    }

    @Test("whichever way a connection is closed", arguments: Way.allCases)
    func plain(way: Way) async throws { try await arrive(TestBroker.uri, way) }

    @Test("over TLS as well", .enabled(if: TestBroker.hasTLS, "no TLS listener"), arguments: Way.allCases)
    func encrypted(way: Way) async throws {
        try await arrive(TestBroker.tlsURI + "?cacertfile=\(TestBroker.certificates)/ca.pem", way)
    }

    private func arrive(_ uri: String, _ way: Way) async throws {
        try await TestBroker.rabbitmq.withChannel { _, channel in
            let queue = try await channel.makeQueue()
            try await send(queue, 5_000, uri, way)
            try await channel.expectMessages(5_000, in: queue)
        }
    }
}
