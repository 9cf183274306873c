import Glibc
import Testing

@testable import AMQPWire

/// AMQPWire held to its own recorded sessions, from the call down to the socket.
@Suite("A recorded session of our own", .timeLimit(.minutes(1)))
struct OwnSessionTests {
    private static let folder =
        "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/") + "/Fixtures/amqp/"

    /// So many octets of the client, and what the broker answered to them.
    private struct Turn {
        var clientCount: Int
        var answer: [UInt8]

        static func all(in path: String, server: [UInt8]) throws -> [Turn] {
            var turns: [Turn] = []
            var rest = server[...]
            for line in String(decoding: try Recording.contents(path + ".turns"), as: UTF8.self).split(separator: "\n")
            {
                let count = try #require(line.split(separator: " ").last.flatMap { Int($0) })
                if line.first == "C" {
                    turns.append(Turn(clientCount: count, answer: []))
                } else {
                    turns.append(Turn(clientCount: 0, answer: Array(rest.prefix(count))))
                    rest = rest.dropFirst(count)
                }
            }
            try #require(rest.isEmpty)
            return turns
        }
    }

    @Test(
        "is sent octet for octet as it was recorded",
        arguments: OwnSession.allCases,
        Recording.releases
    )
    func replay(_ session: OwnSession, _ release: String) async throws {
        let path = Self.folder + release + "amqpwire/" + session.rawValue
        let client = try Recording.contents(path + ".client")
        let server = try Recording.contents(path + ".server")
        let turns = try Turn.all(in: path, server: server)
        try #require(turns.map(\.clientCount).reduce(0, +) == client.count)
        let received = Shared<[UInt8]>([])
        let isOver = Shared(false)
        let peer = try ScriptedPeer { peer in
            do {
                for turn in turns {
                    let octets = try peer.read(turn.clientCount)
                    received.withLock { $0 += octets }
                    try peer.write(turn.answer)
                }
                // What comes after the last recorded octet comes too many.
                let octet = try peer.read(1)
                received.withLock { $0 += octet }
            } catch {}
            isOver.withLock { $0 = true }
        }
        try await session.run(port: peer.port)
        try await eventually { isOver.withLock { $0 } }
        let sent = received.withLock { $0 }
        let difference = zip(sent, client).enumerated().first { $0.element.0 != $0.element.1 }?.offset
        #expect(difference == nil, "the first other octet")
        #expect(sent.count == client.count)
    }

    private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    @Test(
        "is recorded when Scripts/record-fixtures asks for it",
        .enabled(if: variable("PSISTATS_RECORD_SESSION") != nil, "only Scripts/record-fixtures records")
    )
    func record() async throws {
        let session = try #require(Self.variable("PSISTATS_RECORD_SESSION").flatMap { OwnSession(rawValue: $0) })
        let port = try #require(Self.variable("PSISTATS_RECORD_PORT").flatMap { UInt16($0) })
        try await session.run(port: port)
    }
}
