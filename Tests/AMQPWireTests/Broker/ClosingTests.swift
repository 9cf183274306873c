import Glibc
import Testing

@testable import AMQPWire

/// The end of a connection by either side or by the kernel, against a peer that follows a script.
@Suite("Closing", .timeLimit(.minutes(1)))
struct ClosingTests {
    /// How a connection ends.
    enum Ending: CaseIterable {
        case close, closeByPeer, endOfStream, endInsideAFrame, reset, garbage

        var code: AMQPError.Code {
            switch self {
            case .close: .closed
            case .closeByPeer: .connectionClosed
            case .endOfStream, .endInsideAFrame, .reset: .connectionLost
            case .garbage: .malformedInput
            }
        }
    }

    @Test("everyone who waits hears how the connection ended", arguments: Ending.allCases)
    func waiters(ending: Ending) async throws {
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands()
            for _ in 0..<3 { try peer.openChannel() }
            // The signal: all are waiting.
            try peer.await(.channelFlow)
            switch ending {
            case .close:
                try peer.await(.connectionClose)
                try peer.write(.connectionCloseOk(.init()), channel: 0)
            case .closeByPeer:
                try peer.write(
                    .connectionClose(.init(replyCode: 320, replyText: "CONNECTION_FORCED - bye")),
                    channel: 0
                )
                try peer.await(.connectionCloseOk)
            case .endOfStream: break
            case .endInsideAFrame: try peer.write([1, 0, 1, 0, 0, 0, 100, 0, 60])
            case .reset: return peer.reset()
            case .garbage: try peer.write([1, 0, 1, 0, 0, 0, 4, 0, 10, 0, 50, 0xAA])
            }
            if ending == .garbage { try peer.await(.connectionClose) }
        }
        let connection = try await AMQPConnection.connect(peer.configuration)
        let publishing = try await connection.openChannel(confirmWindow: 1)
        let calling = try await connection.openChannel()
        let consuming = try await connection.openChannel()
        let receipt = try await publishing.submit([1], routingKey: "k")
        typealias Waiting = @Sendable () async throws -> Void
        let waits: [(Waiting, AMQPError.DeliveryState?)] = [
            ({ try await receipt.confirmed() }, .unknown),
            ({ try await publishing.waitForConfirms() }, .unknown),
            ({ try await publishing.publish("", routingKey: "k") }, .notSent),
            ({ try await calling.declareQueue() }, nil),
            ({ try await calling.declareQueue() }, nil),
            ({ _ = try await calling.get("q") }, nil),
            ({ for try await _ in consuming.consume("q") {} }, nil),
            ({ try await connection.updateSecret("s") }, nil),
            ({ _ = try await connection.openChannel() }, nil),
        ]
        let tasks = waits.map { wait in Task { try await wait.0() } }
        // Two for the consumer: its prefetch count and itself.
        try await eventually { connection.driver.waiterCount == waits.count + 1 }
        let signal = Task { try await consuming.setFlow(active: true) }
        try await eventually { connection.driver.waiterCount == 0 || connection.driver.waiterCount == waits.count + 2 }
        // The consumer's calls come first on its channel, so the signal goes past them.
        connection.driver.state.withLock { state in
            _ = try? state.core.encoder.append(AMQPMethod.ChannelFlow(active: true), channel: 3)
        }
        consuming.flush()
        if ending == .close { await connection.close() }
        for (task, wait) in zip(tasks, waits) {
            let error = await #expect(throws: AMQPError.self) { try await task.value }
            #expect(error?.code == ending.code)
            if let delivery = wait.1 { #expect(error?.delivery == delivery) }
        }
        _ = await signal.result
        #expect(!connection.isOpen)
        #expect(connection.leftovers == 0)
        // And everyone who comes later.
        let error = await #expect(throws: AMQPError.self) { try await publishing.publish("", routingKey: "k") }
        #expect(error?.code == ending.code)
        #expect(error?.delivery == .notSent)
        await connection.close()
    }

    @Test("closing does not wait for a broker that is silent, nor do two who close at once")
    func silent() async throws {
        let endedByClient = Shared(false)
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands()
            let ended = peer.waitForEnd()
            endedByClient.withLock { $0 = ended }
        }
        let connection = try await AMQPConnection.connect(peer.configuration)
        async let first: Void = connection.close()
        async let second: Void = connection.close()
        _ = await (first, second)
        #expect(connection.leftovers == 0)
        let link = connection.driver.state.withLock { $0.link == nil }
        #expect(link)
        // The peer said nothing, and was there to the end.
        try await eventually { endedByClient.withLock { $0 } }
    }

    /// A peer that takes publishes slowly, says how many came before connection.close, and answers that.
    private static func countingPeer() throws -> (ScriptedPeer, counts: AsyncStream<Int>) {
        let (counts, continuation) = AsyncStream.makeStream(of: Int.self)
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands()
            try peer.openChannel()
            var count = 0
            while case let frame = try peer.frame(), frame.methodID != .connectionClose {
                if frame.methodID == .basicPublish { count += 1 }
                // A moment for the other side to do something rash.
                if count % 100 == 0 { usleep(1_000) }
            }
            continuation.yield(count)
            try peer.write(.connectionCloseOk(.init()), channel: 0)
            peer.waitForEnd()
        }
        return (peer, counts)
    }

    @Test("closing in a task that is cancelled sends what was accepted, and waits for the answer")
    func closeCancelled() async throws {
        let (peer, counts) = try Self.countingPeer()
        let connection = try await AMQPConnection.connect(peer.configuration)
        let channel = try await connection.openChannel()
        let body = [UInt8](repeating: 1, count: 1_000)
        let task = Task {
            for _ in 0..<900 { try await channel.send(body, routingKey: "q") }
            withUnsafeCurrentTask { $0?.cancel() }
            await connection.close()
        }
        try await task.value
        // Told only by close-ok: nobody else waits.
        #expect(connection.leftovers == 0)
        let link = connection.driver.state.withLock { $0.link == nil }
        #expect(link)
        var iterator = counts.makeAsyncIterator()
        #expect(await iterator.next() == 900)
    }

    @Test("letting go of the connection and its channels sends what was accepted, in the background")
    func letGo() async throws {
        let (peer, counts) = try Self.countingPeer()
        func sendAndLetGo() async throws {
            let channel = try await AMQPConnection.connect(peer.configuration).openChannel()
            let body = [UInt8](repeating: 1, count: 1_000)
            for _ in 0..<900 { try await channel.send(body, routingKey: "q") }
        }
        try await sendAndLetGo()
        var iterator = counts.makeAsyncIterator()
        #expect(await iterator.next() == 900)
    }

    @Test("closing gives up a broker that takes nothing, however much is waiting, and one that never answers")
    func closeStalled() async throws {
        for sent in [0, 200] {
            let peer = try ScriptedPeer { peer in
                try peer.shakeHands()
                try peer.openChannel()
                peer.waitForEnd()
            }
            var configuration = peer.configuration
            configuration.highWaterMark = 64 << 20
            let connection = try await AMQPConnection.connect(configuration)
            let channel = try await connection.openChannel()
            let body = [UInt8](repeating: 1, count: 100_000)
            for _ in 0..<sent { try await channel.send(body, routingKey: "q") }
            await connection.close()
            #expect(connection.leftovers == 0)
            let link = connection.driver.state.withLock { $0.link == nil }
            #expect(link)
        }
    }

    @Test("a connection that ends as it opens is not handed out as open")
    func endsAtOnce() async throws {
        let peer = try ScriptedPeer { peer in try peer.shakeHands() }
        for _ in 0..<50 {
            do {
                let connection = try await AMQPConnection.connect(peer.configuration)
                // Handed out before it ended: then it ends.
                try await eventually { !connection.isOpen }
            } catch let error as AMQPError {
                #expect(error.code == .connectionLost)
            }
        }
    }

    @Test("no answer in time ends the wait of a call, and a late answer is nobody else's")
    func lateAnswer() async throws {
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands()
            try peer.openChannel()
            try peer.await(.queueDeclare)
            try peer.await(.basicPublish)
            try peer.write(.queueDeclareOk(.init(queue: "late")), channel: 1)
            try peer.await(.queueDeclare)
            try peer.write(.queueDeclareOk(.init(queue: "in time")), channel: 1)
            peer.waitForEnd()
        }
        var configuration = peer.configuration
        configuration.callTimeout = .milliseconds(100)
        let connection = try await AMQPConnection.connect(configuration)
        let channel = try await connection.openChannel()
        let error = await #expect(throws: AMQPError.self) { try await channel.declareQueue() }
        #expect(error?.code == .timedOut)
        #expect(error?.message.contains("queue.declare") == true)
        try await channel.send([], routingKey: "now")
        channel.flush()
        #expect(try await channel.declareQueue().name == "in time")
        connection.driver.abandon()
    }

    @Test("events come one at a time and in the order in which things happened")
    func eventOrder() async throws {
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands()
            for number in 0..<200 {
                try peer.write(.connectionBlocked(.init(reason: AMQPText("\(number)"))), channel: 0)
                try peer.write(.connectionUnblocked(.init()), channel: 0)
            }
        }
        let log = Shared<[String]>([])
        let inside = Shared(0)
        var configuration = peer.configuration
        configuration.onEvent = { event in
            let others = inside.withLock { (count: inout Int) -> Int in
                count += 1
                return count
            }
            log.withLock { log in
                if others != 1 { log.append("at the same time") }
                switch event.kind.name {
                case .connected: log.append("connected")
                case .blocked: log.append("blocked \(event.reason ?? "?")")
                case .unblocked: log.append("unblocked")
                case .disconnected: log.append("disconnected")
                case .closed: log.append("closed")
                case .reconnecting, .recovered, .recoveryFailed, .recoveryDelayed, .recoveryCompleted, .queueRenamed,
                    .returned, .channelClosed, .consumerCancelled, .credentialsFailed:
                    log.append("unexpected")
                }
            }
            inside.withLock { $0 -= 1 }
        }
        let connection = try? await AMQPConnection.connect(configuration)
        await connection?.close()
        try await eventually { log.withLock { $0.last } == "closed" }
        let expected = ["connected"] + (0..<200).flatMap { ["blocked \($0)", "unblocked"] }
        // Closed early by this side, some of them are missing, but none is out of place.
        let heard = log.withLock { $0.dropLast().filter { $0 != "disconnected" } }
        #expect(expected.starts(with: heard))
    }

    @Test("what is no broker is said to be none")
    func noBroker() async throws {
        let http = try ScriptedPeer { peer in
            _ = try peer.read(8)
            try peer.write(Array("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n".utf8))
        }
        let error = await #expect(throws: AMQPError.self) { try await AMQPConnection.connect(http.configuration) }
        #expect(error?.code == .protocolMismatch)
        #expect(error?.message.contains("does not speak AMQP 0-9-1") == true)
        #expect(error?.remedy?.contains("check host and port") == true)
        let newer = try ScriptedPeer { peer in
            _ = try peer.read(8)
            try peer.write(Array("AMQP".utf8) + [0, 1, 0, 0])
        }
        let version = await #expect(throws: AMQPError.self) { try await AMQPConnection.connect(newer.configuration) }
        #expect(version?.code == .protocolMismatch)
        #expect(version?.message.contains("41 4d 51 50 00 01 00 00") == true)
    }

    @Test(
        "a broker that stays silent is given up in time, wherever it falls silent",
        arguments: [
            AMQPMethodID.connectionStart, .connectionTune, .connectionOpenOk,
        ]
    )
    func silentHandshake(before method: AMQPMethodID) async throws {
        let peer = try ScriptedPeer { peer in
            try peer.shakeHands(before: method)
            peer.waitForEnd()
        }
        var configuration = peer.configuration
        configuration.connectTimeout = .milliseconds(200)
        let error = await #expect(throws: AMQPError.self) { try await AMQPConnection.connect(configuration) }
        #expect(error?.code == .timedOut)
        #expect(error?.message.contains("handshake") == true)
    }

    @Test("a broker that hangs up on the login is a refused login")
    func hangsUpOnLogin() async throws {
        let peer = try ScriptedPeer { peer in try peer.shakeHands(before: .connectionTune) }
        let error = await #expect(throws: AMQPError.self) { try await AMQPConnection.connect(peer.configuration) }
        #expect(error?.code == .loginRefused)
    }
}

/// What a process has left after many connections; in processes of their own, since other tests connect as well.
@Suite("Nothing is left behind", .enabled(if: TestBroker.isThere, TestBroker.absence), .timeLimit(.minutes(2)))
struct ResidueTests {
    private static func count(_ directory: String) -> Int {
        guard let stream = opendir(directory) else { return -1 }
        defer { closedir(stream) }
        var count = 0
        while readdir(stream) != nil { count += 1 }
        return count
    }

    /// Resident memory in KiB.
    private static var residentMemory: Int {
        guard let file = fopen("/proc/self/status", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = line.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
            if text.hasPrefix("VmRSS:") { return text.split(separator: " ").compactMap { Int($0) }.first ?? 0 }
        }
        return 0
    }

    private static func round(_ count: Int, _ connect: () async throws -> Void) async throws -> (Int, Int, Int) {
        for _ in 0..<count { try await connect() }
        // Detached descriptors are given back on the loop's thread.
        var descriptors = Self.count("/proc/self/fd")
        for _ in 0..<1_000 {
            await Task.yield()
            descriptors = min(descriptors, Self.count("/proc/self/fd"))
        }
        return (descriptors, Self.count("/proc/self/task"), residentMemory)
    }

    @Test("after 1,000 connections that were closed")
    func closed() async {
        await #expect(processExitsWith: .success) {
            try await ResidueTests.expectNothingLeft(1_000) {
                try await TestBroker.rabbitmq.withChannel { _, channel in
                    try await channel.publish("x", routingKey: "nowhere")
                }
            }
        }
    }

    @Test("after 1,000 connections that nobody closed")
    func letGo() async {
        await #expect(processExitsWith: .success) {
            try await ResidueTests.expectNothingLeft(1_000) {
                let channel = try await AMQPConnection.connect(TestBroker.rabbitmq.configuration).openChannel()
                try await channel.publish("x", routingKey: "nowhere")
            }
        }
    }

    @Test("after 1,000 connects that were cancelled, refused or reset")
    func failed() async {
        await #expect(processExitsWith: .success) {
            let resetting = try ScriptedPeer { peer in
                try peer.shakeHands(before: .connectionTune)
                peer.reset()
            }
            let number = Shared(0)
            try await ResidueTests.expectNothingLeft(1_000) {
                let step = number.withLock { (number: inout Int) -> Int in
                    number += 1
                    return number
                }
                switch step % 3 {
                case 0: _ = try? await AMQPConnection.connect("amqp://127.0.0.1:1")
                case 1: _ = try? await AMQPConnection.connect(resetting.configuration)
                default:
                    let task = Task { try await AMQPConnection.connect(TestBroker.rabbitmq.configuration).close() }
                    for _ in 0..<step % 50 { await Task.yield() }
                    task.cancel()
                    _ = await task.result
                }
            }
        }
    }

    static func expectNothingLeft(_ connections: Int, _ connect: () async throws -> Void) async throws {
        // The first fifth warms caches and pools up.
        let before = try await round(connections / 5, connect)
        let after = try await round(connections * 4 / 5, connect)
        guard after.0 <= before.0, after.1 <= before.1 + 2, after.2 < before.2 + 4_096 else {
            fatalError("descriptors, threads and KiB: \(before) before, \(after) after")
        }
    }
}
