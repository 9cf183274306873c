import Synchronization
import Testing

@testable import AMQPWire

/// Credentials that the application supplies.
@Suite("Supplied credentials", .timeLimit(.minutes(1)))
struct CredentialsTests {
    let events = EventLog()

    private struct TokenServiceDown: Error {}

    /// The passwords of the logins, and of the updates of secrets, that a broker was sent.
    private func secrets(_ broker: PlayedBroker) -> [String] {
        broker.requests.joined().compactMap { request in
            switch request.name {
            case "connection.start-ok":
                let text = String(decoding: request.arguments, as: UTF8.self)
                return text.firstRange(of: "\0pi\0").map {
                    "login " + text[$0.upperBound...].prefix { $0.isASCII && $0 != "\u{5}" }
                }
            case "connection.update-secret":
                let length = request.arguments[..<4].reduce(0) { $0 << 8 | Int($1) }
                return "update " + String(decoding: request.arguments[4..<(4 + length)], as: UTF8.self)
            default: return nil
            }
        }
    }

    @Test("are asked for at each connect, those of recovery included, and name the broker")
    func eachConnect() async throws {
        let broker = try PlayedBroker()
        let count = Mutex(0)
        let hosts = Mutex<[UInt16]>([])
        let configuration = try AMQPConfiguration.quick(broker.uri, events) { configuration in
            configuration.credentials = { broker in
                hosts.withLock { $0.append(broker.port) }
                let number = count.withLock { count in
                    count += 1
                    return count
                }
                return AMQPCredentials(user: "pi", password: "token\(number)")
            }
        }
        try await AMQPConnection.withConnection(configuration) { _ in
            broker.cut()
            await events.wait(for: "recovered")
        }
        #expect(secrets(broker) == ["login token1", "login token2"])
        #expect(hosts.withLock { $0 } == [broker.port, broker.port])
    }

    @Test("that cannot be had fail the attempt, and the next asks again")
    func failing() async throws {
        let broker = try PlayedBroker()
        let count = Mutex(0)
        let configuration = try AMQPConfiguration.quick(broker.uri, events) { configuration in
            configuration.recovery?.retriesFirstConnect = true
            configuration.credentials = { _ in
                let number = count.withLock { count in
                    count += 1
                    return count
                }
                if number < 7 { throw TokenServiceDown() }
                return AMQPCredentials(user: "pi", password: "token")
            }
        }
        try await AMQPConnection.withConnection(configuration) { _ in }
        #expect(secrets(broker) == ["login token"])
        #expect(events.lines.filter { $0.hasPrefix("reconnecting") }.count == 6)
    }

    @Test("that cannot be had are the caller's error where the first connect is not tried again")
    func failingOnce() async throws {
        let broker = try PlayedBroker()
        let configuration = try AMQPConfiguration.quick(broker.uri, events) { configuration in
            configuration.credentials = { _ in throw TokenServiceDown() }
        }
        let error = await #expect(throws: AMQPError.self) { _ = try await AMQPConnection.connect(configuration) }
        #expect(error?.code == .credentialsUnavailable)
        #expect(error?.message.contains("TokenServiceDown") == true)
        #expect(broker.connectionCount == 0)
    }

    @Test("that do not come in time end the attempt at its deadline")
    func late() async throws {
        let broker = try PlayedBroker()
        let end = Signal()
        let configuration = try AMQPConfiguration.quick(broker.uri, events) { configuration in
            configuration.connectTimeout = .milliseconds(30)
            configuration.credentials = { _ in
                // Deaf to cancellation.
                await end.wait()
                return AMQPCredentials(user: "pi", password: "late")
            }
        }
        let error = await #expect(throws: AMQPError.self) { _ = try await AMQPConnection.connect(configuration) }
        #expect(error?.code == .timedOut)
        end.set()
    }

    @Test("that expire are replaced over the connection that is up, and a failure of that is told and tried again")
    func refreshed() async throws {
        let broker = try PlayedBroker()
        let count = Mutex(0)
        let configuration = try AMQPConfiguration.quick(broker.uri, events) { configuration in
            configuration.credentials = { _ in
                let number = count.withLock { count in
                    count += 1
                    return count
                }
                if number == 2 { throw TokenServiceDown() }
                return AMQPCredentials(
                    user: "pi",
                    password: "token\(number)",
                    lifetime: number < 4 ? .milliseconds(10) : nil
                )
            }
        }
        try await AMQPConnection.withConnection(configuration) { connection in
            await events.wait(for: "no credentials")
            while secrets(broker).count < 3 { await Task.yield() }
            #expect(secrets(broker) == ["login token1", "update token3", "update token4"])
            #expect(connection.isOpen)
        }
        #expect(broker.connectionCount == 1)
    }
}
