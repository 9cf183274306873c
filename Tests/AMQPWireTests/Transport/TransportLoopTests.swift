import Glibc
import Synchronization
import Testing

@testable import AMQPWire

@Suite("The event loop", .timeLimit(.minutes(1)))
struct TransportLoopTests {
    private let loop = EventLoop.shared

    @Test("the heap of deadlines agrees with a plain dictionary through thousands of changes")
    func deadlineQueue() {
        var queue = DeadlineQueue()
        var model: [Int: UInt64] = [:]
        var generator = SplitMix(state: 42)
        for _ in 0..<20_000 {
            let slot = Int(generator.next() % 50)
            switch generator.next() % 4 {
            case 0:
                queue[slot] = nil
                model[slot] = nil
            case 1:
                let now = Moment(nanoseconds: generator.next() % 1000)
                let due = queue.popDue(at: now)
                let earliest = model.values.min()
                if let due {
                    #expect(model[due] == earliest)
                    #expect((earliest ?? .max) <= now.nanoseconds)
                    model[due] = nil
                } else {
                    #expect((earliest ?? .max) > now.nanoseconds)
                }
            default:
                let moment = generator.next() % 1000
                queue[slot] = Moment(nanoseconds: moment)
                model[slot] = moment
            }
            #expect(queue.count == model.count)
            #expect(queue.earliest?.nanoseconds == model.values.min())
            #expect(queue[slot]?.nanoseconds == model[slot])
        }
    }

    @Test("deadlines pass in their order, not before their time, whatever order they were set in")
    func deadlineOrder() async throws {
        let passed = Watched<[Int]>([])
        let base = EventLoop.now().advanced(by: .milliseconds(20))
        let tooEarly = Watched(false)
        var tokens: [EventLoop.Token] = []
        for index in [3, 0, 4, 1, 2] {
            let moment = base.advanced(by: .milliseconds(index))
            let handler = Reactions(deadline: {
                if EventLoop.now() < moment { tooEarly.update { $0 = true } }
                passed.update { $0.append(index) }
            })
            let token = try loop.attachTimer(handler: handler)
            loop.setDeadline(token, moment)
            tokens.append(token)
        }
        #expect(try await passed.wait { $0.count == 5 } == [0, 1, 2, 3, 4])
        #expect(!tooEarly.value)
        for token in tokens { loop.detach(token) }
    }

    @Test("a deadline can be moved later, moved earlier and taken away")
    func deadlineMoves() async throws {
        let passed = Watched<[String]>([])
        func timer(_ name: String) throws -> EventLoop.Token {
            try loop.attachTimer(handler: Reactions(deadline: { passed.update { $0.append(name) } }))
        }
        let (later, earlier, never) = (try timer("later"), try timer("earlier"), try timer("never"))
        let now = EventLoop.now()
        loop.setDeadline(never, now.advanced(by: .milliseconds(10)))
        loop.setDeadline(later, now.advanced(by: .milliseconds(15)))
        loop.setDeadline(earlier, now.advanced(by: .seconds(3600)))
        loop.setDeadline(never, nil)
        loop.setDeadline(later, now.advanced(by: .milliseconds(40)))
        loop.setDeadline(earlier, now.advanced(by: .milliseconds(20)))
        #expect(try await passed.wait { $0.count == 2 } == ["earlier", "later"])
        for token in [later, earlier, never] { loop.detach(token) }
    }

    @Test("a handler that sets a deadline in the past again and again does not keep the others from their turn")
    func hastyDeadlines() async throws {
        let count = Watched(0)
        let own = Mutex<EventLoop.Token?>(nil)
        let hasty = Reactions(deadline: {
            count.update { $0 += 1 }
            own.withLock { if let token = $0 { EventLoop.shared.setDeadline(token, Moment(nanoseconds: 0)) } }
        })
        let token = try loop.attachTimer(handler: hasty)
        own.withLock { $0 = token }
        loop.setDeadline(token, Moment(nanoseconds: 0))
        try await count.wait { $0 > 100 }
        let performed = Watched(false)
        loop.perform { performed.update { $0 = true } }
        try await performed.wait { $0 }
        loop.detach(token)
    }

    @Test("work is done on the loop's thread, in order, also when it hands in more")
    func perform() async throws {
        try loop.start()
        let done = Watched<[Int]>([])
        let elsewhere = Watched(false)
        for index in 0..<1000 {
            loop.perform {
                if !EventLoop.shared.isCurrent { elsewhere.update { $0 = true } }
                done.update { $0.append(index) }
                if index == 999 { EventLoop.shared.perform { done.update { $0.append(1000) } } }
            }
        }
        #expect(try await done.wait { $0.count == 1001 } == Array(0...1000))
        #expect(!elsewhere.value)
        #expect(!loop.isCurrent)
    }

    @Test("200 connections share the one thread")
    func manyConnections() async throws {
        let listener = try LoopbackListener()
        let echoing = Task {
            try await onThread {
                var peers: [LoopbackPeer] = []
                for _ in 0..<200 { peers.append(try listener.accept()) }
                for peer in peers { try peer.write(try peer.read(1000)) }
                return peers
            }
        }
        var ends: [Collector] = []
        for _ in 0..<200 {
            ends.append(try Collector(try await Connector.connect(to: listener.target, deadline: soon())))
        }
        for (index, end) in ends.enumerated() { try await end.write(pattern(1000, seed: UInt64(index))) }
        for (index, end) in ends.enumerated() {
            let contents = try await end.contents.wait { $0.octets.count == 1000 }
            #expect(contents.octets == pattern(1000, seed: UInt64(index)))
            end.finish()
        }
        _ = try await echoing.value
    }

    @Test("a stream that is always readable does not keep another from being read")
    func fairness() async throws {
        let listener = try LoopbackListener()
        let busy = try await Connector.connect(to: listener.target, deadline: soon())
        let busyPeer = try await onThread { try listener.accept() }
        let calls = Watched(0)
        // Never reads, so it stays readable.
        let token = try loop.attach(busy, handler: Reactions(readable: { calls.update { $0 += 1 } }))
        try await onThread { try busyPeer.write([1]) }
        try await calls.wait { $0 > 10 }
        let other = try Collector(try await Connector.connect(to: listener.target, deadline: soon()))
        let otherPeer = try await onThread { try listener.accept() }
        try await onThread { try otherPeer.write([2]) }
        #expect(try await other.contents.wait { !$0.octets.isEmpty }.octets == [2])
        loop.detach(token)
        busy.close()
        other.finish()
    }

    @Test("a stream that is not to be read stays silent, and is readable again when it is")
    func readingPaused() async throws {
        let listener = try LoopbackListener()
        let end = try Collector(try await Connector.connect(to: listener.target, deadline: soon()))
        let peer = try await onThread { try listener.accept() }
        end.setWants(read: false, write: false)
        try await onThread { try peer.write([1, 2, 3]) }
        // A round of the loop in which the stream would have been told of.
        let passed = Watched(false)
        loop.perform { EventLoop.shared.perform { passed.update { $0 = true } } }
        try await passed.wait { $0 }
        #expect(end.contents.value.octets.isEmpty)
        end.setWants(read: true, write: false)
        #expect(try await end.contents.wait { $0.octets.count == 3 }.octets == [1, 2, 3])
        end.finish()
    }

    @Test("detached from within a call, a handler is not called again")
    func detachWithin() async throws {
        let listener = try LoopbackListener()
        let stream = try await Connector.connect(to: listener.target, deadline: soon())
        let peer = try await onThread { try listener.accept() }
        let own = Mutex<EventLoop.Token?>(nil)
        let calls = Watched(0)
        let detach: @Sendable () -> Void = {
            own.withLock { if let token = $0 { EventLoop.shared.detach(token) } }
            calls.update { $0 += 1 }
        }
        let handler = Reactions(readable: detach, writable: detach, deadline: detach)
        try own.withLock { $0 = try loop.attach(stream, handler: handler) }
        try await onThread { try peer.write([1]) }
        own.withLock { token in
            guard let token else { return }
            loop.setDeadline(token, Moment(nanoseconds: 0))
            loop.setWants(token, read: true, write: true)
        }
        try await calls.wait { $0 > 0 }
        let passed = Watched(false)
        loop.perform { EventLoop.shared.perform { passed.update { $0 = true } } }
        try await passed.wait { $0 }
        #expect(calls.value == 1)
        stream.close()
    }

    @Test("once detaching has reported, no call comes, however the threads meet")
    func detachRaces() async throws {
        let listener = try LoopbackListener()
        let stream = try await Connector.connect(to: listener.target, deadline: soon())
        let peer = try await onThread { try listener.accept() }
        // Readable and writable all the time.
        try await onThread { try peer.write([1]) }
        let late = Watched(0)
        for _ in 0..<2000 {
            let flag = Flag()
            let handler = Reactions(
                readable: { if flag.isSet { late.update { $0 += 1 } } },
                writable: { if flag.isSet { late.update { $0 += 1 } } }
            )
            let token = try loop.attach(stream, handler: handler)
            loop.setWants(token, read: true, write: true)
            let reported = Watched(false)
            loop.detach(token) {
                flag.set()
                reported.update { $0 = true }
            }
            loop.setDeadline(token, Moment(nanoseconds: 0))
            loop.setWants(token, read: true, write: true)
            loop.detach(token)
            try await reported.wait { $0 }
        }
        #expect(late.value == 0)
        stream.close()
    }

    @Test("the thread sleeps while there is nothing to do, also beside a broken stream that nobody reads")
    func idle() async {
        await #expect(processExitsWith: .success) {
            let loop = EventLoop.shared
            let listener = try LoopbackListener()
            let stream = try await Connector.connect(to: listener.target, deadline: soon())
            let peer = try await onThread { try listener.accept() }
            let token = try loop.attach(stream, handler: Reactions())
            loop.setWants(token, read: false, write: false)
            loop.setDeadline(token, EventLoop.now().advanced(by: .seconds(3600)))
            peer.reset()
            guard let task = threads().first(where: { $0.name == "amqpwire-loop" }), let id = Int32(task.id) else {
                exit(2)
            }
            let (before, after) = try await onThread {
                // Not to wait for something, but to give it the time in which it must not happen.
                var nothing = pollfd(fd: -1, events: 0, revents: 0)
                _ = poll(&nothing, 1, 50)
                let before = processorTime(id)
                _ = poll(&nothing, 1, 200)
                return (before, processorTime(id))
            }
            guard before > 0, before == after else { exit(1) }
        }
    }
}

/// The nanoseconds for which a thread of this process has run; 0 where that cannot be told.
private func processorTime(_ thread: Int32) -> Int {
    var time = timespec()
    // Linux makes the number of a thread's clock from that of the thread.
    guard clock_gettime((~thread << 3) | 6, &time) == 0 else { return 0 }
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

private final class Flag: Sendable {
    private let value = Atomic<Bool>(false)
    var isSet: Bool { value.load(ordering: .acquiring) }
    func set() { value.store(true, ordering: .releasing) }
}

/// Repeatable random numbers.
private struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
