import Testing

@testable import AMQPWire

@Suite("The table of waiters")
struct WaiterTableTests {
    private func moment(_ seconds: UInt64) -> Moment {
        Moment(nanoseconds: seconds * 1_000_000_000)
    }

    @Test("hands each waiter out once, and tells an old name in a row from a new one")
    func generations() {
        var table = WaiterTable()
        let old = table.add(.opening, deadline: nil)
        #expect(table.role(old) == .opening)
        #expect(table.remove(old) == .opening)
        #expect(table.remove(old) == nil)
        let new = table.add(.closing, deadline: nil)
        #expect(new.index == old.index && new != old)
        #expect(table.role(old) == nil && table.role(new) == .closing)
        #expect(table.remove(old) == nil)
        #expect(table.count == 1)
    }

    @Test("knows no name of a larger table")
    func stranger() {
        var larger = WaiterTable()
        _ = larger.add(.pause, deadline: nil)
        let stranger = larger.add(.pause, deadline: nil)
        var table = WaiterTable()
        #expect(table.role(stranger) == nil)
        #expect(table.remove(stranger) == nil)
    }

    @Test("never says a deadline later than the earliest, and brings it up to date when it has passed")
    func deadlines() {
        var table = WaiterTable()
        #expect(table.earliestDeadline == nil)
        let three = table.add(.pause, deadline: moment(3))
        let one = table.add(.recovery, deadline: moment(1))
        _ = table.add(.opening, deadline: nil)
        let two = table.add(.closing, deadline: moment(2))
        #expect(table.earliestDeadline == moment(1))
        _ = table.remove(one)
        #expect(table.earliestDeadline == moment(1), "early, not late")
        #expect(table.expired(at: moment(1)).isEmpty)
        #expect(table.earliestDeadline == moment(2))
        #expect(table.expired(at: moment(2)) == [two])
        #expect(table.earliestDeadline == moment(3))
        let late = table.expired(at: moment(9))
        #expect(Set(late) == [two, three], "who is not taken out stays expired")
    }

    @Test("finds waiters by what they wait for")
    func all() {
        var table = WaiterTable()
        let confirm = table.add(.confirm(channel: 3, tag: 9), deadline: nil)
        let room = table.add(.room(channel: 3), deadline: nil)
        let call = table.add(.call(channel: 4), deadline: nil)
        let pause = table.add(.pause, deadline: nil)
        #expect(table.all { $0.channel == 3 } == [confirm, room])
        #expect(table.all { $0.endsWithConnection } == [confirm, room, call])
        #expect(table.all { !$0.endsWithConnection } == [pause])
    }
}

@Suite("The ring buffer")
struct RingBufferTests {
    @Test("does what an array does, over many turns of the ring")
    func model() {
        var random = SplitMix64(seed: 3)
        var ring = RingBuffer<Int>()
        var array: [Int] = []
        for step in 0..<20_000 {
            switch Int.random(in: 0..<9, using: &random) {
            case 0...2:
                ring.append(step)
                array.append(step)
            case 3:
                ring.prepend(step)
                array.insert(step, at: 0)
            case 4...6: #expect(ring.popFirst() == (array.isEmpty ? nil : array.removeFirst()))
            case 7 where !array.isEmpty:
                let index = Int.random(in: 0..<array.count, using: &random)
                #expect(ring[index] == array[index])
                ring[index] = -step
                array[index] = -step
            default:
                guard step % 50 == 0 else { continue }
                ring.removeAll { $0.isMultiple(of: 3) }
                array.removeAll { $0.isMultiple(of: 3) }
            }
            #expect(ring.count == array.count && ring.isEmpty == array.isEmpty)
        }
        #expect(ring.removeAll() == array)
        #expect(ring.isEmpty)
    }

    @Test("lets go of what is taken out")
    func release() {
        final class Thing {}
        var ring = RingBuffer<Thing>()
        weak var thing: Thing?
        do {
            let strong = Thing()
            thing = strong
            ring.append(strong)
        }
        #expect(thing != nil)
        _ = ring.popFirst()
        #expect(thing == nil)
    }
}

@Suite("The digest of a content")
struct ContentDigestTests {
    private func digest(_ exchange: String, _ key: String, _ properties: [UInt8], _ body: [UInt8]) -> ContentDigest {
        var texts = (exchange, key)
        return texts.0.withUTF8 { exchange in
            texts.1.withUTF8 { key in
                properties.withUnsafeBytes { properties in
                    body.withUnsafeBytes { body in
                        ContentDigest(
                            exchange: UnsafeRawBufferPointer(exchange),
                            routingKey: UnsafeRawBufferPointer(key),
                            properties: properties,
                            body: body
                        )
                    }
                }
            }
        }
    }

    @Test("is that of the same octets, and changes with each of them and where they stand")
    func differences() {
        let body = [UInt8](0..<67)
        let one = digest("x", "k", [0, 0], body)
        #expect(one == digest("x", "k", [0, 0], body))
        var others: Set<ContentDigest> = [
            digest("xk", "", [0, 0], body), digest("", "xk", [0, 0], body), digest("k", "x", [0, 0], body),
            digest("x", "k", [0], [0] + body), digest("x", "k", [0, 0, 0], Array(body.dropFirst())),
            digest("x", "k", [0, 0], body + [0]), digest("x", "k", [0, 0], []), digest("x", "k", [], [0, 0] + body),
        ]
        for index in body.indices {
            var changed = body
            changed[index] ^= 1
            others.insert(digest("x", "k", [0, 0], changed))
        }
        #expect(others.count == 8 + body.count)
        #expect(!others.contains(one))
    }

    @Test("has a part for the route alone")
    func route() {
        #expect(digest("x", "k", [0, 0], [1]).route == digest("x", "k", [9], [2, 3]).route)
        #expect(digest("x", "k", [0, 0], [1]).route != digest("x", "l", [0, 0], [1]).route)
    }
}

@Suite("A moment")
struct MomentTests {
    @Test("stops at the end of time, and does not go back")
    func advance() {
        let late = Moment(nanoseconds: .max - 5)
        #expect(late.advanced(by: .seconds(1)) == Moment(nanoseconds: .max))
        #expect(late.advanced(by: .seconds(-1)) == late)
        #expect(Moment(nanoseconds: 7).advanced(by: .seconds(Int64.max)) == Moment(nanoseconds: .max))
        #expect(Moment(nanoseconds: 7).since(late) == .zero)
        #expect(late.since(Moment(nanoseconds: 0)) == .nanoseconds(Int64.max))
        #expect(Moment(nanoseconds: 9).since(Moment(nanoseconds: 7)) == .nanoseconds(2))
    }
}

@Suite("What was declared")
struct TopologyTests {
    private func topology() -> Topology {
        var topology = Topology()
        topology.declared(AMQPMethod.ExchangeDeclare(exchange: "x", type: "topic"))
        topology.declared(AMQPMethod.ExchangeDeclare(exchange: "y", type: "fanout"))
        topology.declared(AMQPMethod.QueueDeclare(queue: "q"), name: "q")
        topology.bound(AMQPMethod.QueueBind(queue: "q", exchange: "x", routingKey: "k"))
        topology.bound(AMQPMethod.ExchangeBind(destination: "y", source: "x", routingKey: "k"))
        return topology
    }

    @Test("is kept once, in its last form, and in order")
    func kept() {
        var topology = topology()
        topology.declared(AMQPMethod.ExchangeDeclare(exchange: "x", type: "topic", durable: true))
        topology.declared(AMQPMethod.QueueDeclare(queue: "q", durable: true), name: "q")
        topology.bound(AMQPMethod.QueueBind(queue: "q", exchange: "x", routingKey: "k"))
        topology.bound(AMQPMethod.ExchangeBind(destination: "y", source: "x", routingKey: "k"))
        #expect(topology.exchanges.map(\.exchange) == ["y", "x"])
        #expect(topology.exchanges.last?.durable == true)
        #expect(topology.queues.map(\.declaration.durable) == [true])
        #expect(topology.queueBindings.count == 1 && topology.exchangeBindings.count == 1)
        #expect(!topology.isEmpty && Topology().isEmpty)
    }

    @Test("leaves out what was only asked for, and the default exchange")
    func passive() {
        var topology = Topology()
        topology.declared(AMQPMethod.ExchangeDeclare(exchange: "x", passive: true))
        topology.declared(AMQPMethod.ExchangeDeclare(exchange: ""))
        topology.declared(AMQPMethod.QueueDeclare(queue: "q", passive: true), name: "q")
        #expect(topology.isEmpty)
    }

    @Test("does not come back once deleted, nor do its bindings")
    func deleted() {
        var one = topology()
        one.deletedExchange("x")
        #expect(one.exchanges.map(\.exchange) == ["y"])
        #expect(one.queueBindings.isEmpty && one.exchangeBindings.isEmpty)
        var two = topology()
        two.deletedExchange("y")
        #expect(two.exchangeBindings.isEmpty && two.queueBindings.count == 1)
        two.deletedQueue("q")
        #expect(two.queues.isEmpty && two.queueBindings.isEmpty)
    }

    @Test("loses a binding that is undone, and no other")
    func unbound() {
        var topology = topology()
        topology.bound(AMQPMethod.QueueBind(queue: "q", exchange: "x", routingKey: "k", arguments: ["a": 1]))
        topology.unbound(AMQPMethod.QueueUnbind(queue: "q", exchange: "x", routingKey: "other"))
        #expect(topology.queueBindings.count == 2)
        topology.unbound(AMQPMethod.QueueUnbind(queue: "q", exchange: "x", routingKey: "k"))
        #expect(topology.queueBindings.map(\.arguments) == [["a": 1]])
        topology.unbound(AMQPMethod.ExchangeUnbind(destination: "y", source: "x", routingKey: "k"))
        #expect(topology.exchangeBindings.isEmpty)
    }

    @Test("follows a queue that the broker names anew")
    func renamed() {
        var topology = topology()
        topology.declared(AMQPMethod.QueueDeclare(queue: "", exclusive: true), name: "amq.gen-1")
        topology.bound(AMQPMethod.QueueBind(queue: "amq.gen-1", exchange: "x", routingKey: "#"))
        #expect(topology.queues.map(\.isServerNamed) == [false, true])
        topology.renamed("amq.gen-1", to: "amq.gen-2")
        #expect(topology.queues.map(\.name) == ["q", "amq.gen-2"])
        #expect(topology.queueBindings.map(\.queue) == ["q", "amq.gen-2"])
        #expect(topology.queues.last?.declaration.queue == "")
    }

    @Test("loses a queue that deletes itself with its last consumer")
    func autoDeletedQueue() {
        var topology = topology()
        topology.declared(AMQPMethod.QueueDeclare(queue: "auto", autoDelete: true), name: "auto")
        topology.bound(AMQPMethod.QueueBind(queue: "auto", exchange: "x", routingKey: "#"))
        topology.consumerEnded(queue: "auto", othersConsume: true)
        topology.consumerEnded(queue: "q", othersConsume: false)
        topology.consumerEnded(queue: "unknown", othersConsume: false)
        #expect(topology.queues.map(\.name) == ["q", "auto"])
        topology.consumerEnded(queue: "auto", othersConsume: false)
        #expect(topology.queues.map(\.name) == ["q"])
        #expect(topology.queueBindings.map(\.queue) == ["q"])
    }

    /// What takes the last binding away from exchange "auto".
    private static let endings: [@Sendable (inout Topology) -> Void] = [
        { $0.unbound(AMQPMethod.QueueUnbind(queue: "q", exchange: "auto", routingKey: "k")) }, { $0.deletedQueue("q") },
    ]

    @Test("loses an exchange that deletes itself with its last binding, and what was bound to that")
    func autoDeletedExchange() {
        for ending in Self.endings {
            var topology = topology()
            topology.declared(AMQPMethod.ExchangeDeclare(exchange: "first", type: "topic", autoDelete: true))
            topology.declared(AMQPMethod.ExchangeDeclare(exchange: "auto", type: "topic", autoDelete: true))
            topology.declared(AMQPMethod.ExchangeDeclare(exchange: "unused", type: "topic", autoDelete: true))
            topology.bound(AMQPMethod.ExchangeBind(destination: "auto", source: "first", routingKey: "k"))
            topology.bound(AMQPMethod.QueueBind(queue: "q", exchange: "auto", routingKey: "k"))
            topology.bound(AMQPMethod.ExchangeBind(destination: "y", source: "auto", routingKey: "k"))
            ending(&topology)
            #expect(topology.exchanges.map(\.exchange) == ["x", "y", "first", "auto", "unused"])
            topology.unbound(AMQPMethod.ExchangeUnbind(destination: "y", source: "auto", routingKey: "k"))
            #expect(topology.exchanges.map(\.exchange) == ["x", "y", "unused"])
            #expect(topology.exchangeBindings.allSatisfy { $0.source == "x" })
        }
    }
}
