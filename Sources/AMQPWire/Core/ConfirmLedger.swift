/// Tracks the unconfirmed publishes of one channel in confirm mode. Knows nothing of sockets or tasks.
///
/// A ring of slots, one a publish, in the order of their delivery tags: a confirm marks its slot, and the settled ones at the
/// front are dropped. Source: RabbitMQ's extension "publisher confirms".
///
///     pending ──ack──> settled      pending ──nack──> refused      pending ──return──> returned ──ack──> settled as returned
///
/// RabbitMQ confirms out of order and many at once, may confirm before the publish call is back, and sends the return of an
/// unroutable message before its confirm, without saying which publish it was: the digest of its content tells.
struct ConfirmLedger {
    /// Why a message came back. Not the message: thousands of these may be remembered.
    struct ReturnReason: Hashable, Sendable {
        var replyCode: UInt16
        var replyText: String
        var exchange: String
        var routingKey: String
    }

    /// How a publish ended.
    enum Outcome: Hashable, Sendable {
        case confirmed
        case refused
        indirect case returned(ReturnReason)
        /// More failed than is remembered; this one may be among them.
        case forgotten
    }

    private struct Slot {
        var state = State.pending
        var waiter: WaiterID?
        /// Digest of the content of a mandatory publish.
        var digest: ContentDigest?
    }

    private enum State {
        case pending, returned, settled
    }

    /// Tags below are settled. The first publish has tag 1.
    private(set) var firstPending: UInt64 = 1
    private var slots = RingBuffer<Slot>()
    private var returns: [UInt64: ReturnReason] = [:]
    /// What became of publishes that were not confirmed and whose receipt may still ask; bounded.
    private var failures: [UInt64: Outcome] = [:]
    private var failureOrder = RingBuffer<UInt64>()
    /// The last publish whose failure had to make way for another's.
    private var lastForgotten: UInt64 = 0
    /// Those who wait for a publish that someone else waits for already.
    private var moreWaiters: [UInt64: [WaiterID]] = [:]
    static let maxFailures = 10_000

    /// Publishes that wait for their confirm.
    private(set) var outstanding = 0
    /// The first publish that nobody waited for and that was not confirmed, since the last ``takeFailure()``.
    private var firstFailure: (tag: UInt64, outcome: Outcome)?

    /// The tag that the next publish will have.
    var nextTag: UInt64 { firstPending &+ UInt64(slots.count) }

    /// Publishes from the first that waits for its confirm to the last, confirmed ones between them included.
    var span: Int { slots.count }

    /// Registers a publish, in the very step that encodes it, and says its tag.
    mutating func published(digest: ContentDigest? = nil) -> UInt64 {
        let tag = nextTag
        slots.append(Slot(digest: digest))
        outstanding += 1
        return tag
    }

    /// Ties a waiter to a publish. Returns the outcome instead if there is one already, however often it is asked for.
    mutating func wait(for tag: UInt64, _ waiter: WaiterID) -> Outcome? {
        if let outcome = outcome(of: tag) { return outcome }
        guard let index = index(of: tag) else { return .confirmed }
        if slots[index].waiter == nil {
            slots[index].waiter = waiter
        } else {
            moreWaiters[tag, default: []].append(waiter)
        }
        return nil
    }

    /// How a publish ended, nil if it has not.
    func outcome(of tag: UInt64) -> Outcome? {
        if let failure = failures[tag] { return failure }
        if let index = index(of: tag), slots[index].state != .settled { return nil }
        return tag <= lastForgotten ? .forgotten : .confirmed
    }

    /// Whether there is a publish that is not confirmed and that nobody waits for.
    var hasUnheard: Bool {
        (0..<slots.count).contains { slots[$0].state != .settled && slots[$0].waiter == nil }
    }

    /// Whether a publish is not confirmed and nobody waits for it.
    func isUnheard(_ tag: UInt64) -> Bool {
        index(of: tag).map { slots[$0].state != .settled && slots[$0].waiter == nil } ?? false
    }

    /// Unties a waiter that does not wait any more.
    mutating func abandon(_ tag: UInt64, _ waiter: WaiterID) {
        moreWaiters[tag]?.removeAll { $0 == waiter }
        if let index = index(of: tag), slots[index].waiter == waiter { slots[index].waiter = nil }
    }

    /// A mandatory message came back: finds its publish. False if none is like it.
    mutating func returned(_ reason: ReturnReason, digest: ContentDigest) -> Bool {
        var candidate: Int?
        for index in 0..<slots.count where slots[index].state == .pending {
            guard let expected = slots[index].digest, expected.route == digest.route else { continue }
            if expected == digest {
                candidate = index
                break
            }
            // A broker may rewrite properties; then the oldest publish by the same route is meant.
            candidate = candidate ?? index
        }
        guard let candidate else { return false }
        slots[candidate].state = .returned
        returns[firstPending &+ UInt64(candidate)] = reason
        return true
    }

    /// The broker confirmed or refused a publish, or all up to it. Calls `answer` for each waiter. False if the tag was never
    /// used.
    mutating func settled(
        _ tag: UInt64,
        multiple: Bool,
        refused: Bool,
        _ answer: (WaiterID, Outcome) -> Void
    ) -> Bool {
        guard tag < nextTag, tag > 0 || multiple else { return false }
        if multiple {
            let last = tag == 0 ? nextTag &- 1 : tag
            while firstPending <= last, slots.count > 0 {
                settle(slot: 0, refused: refused, answer)
                dropFirst()
            }
        } else if let index = index(of: tag) {
            settle(slot: index, refused: refused, answer)
        }
        while slots.count > 0, slots[0].state == .settled { dropFirst() }
        return true
    }

    private mutating func settle(slot index: Int, refused: Bool, _ answer: (WaiterID, Outcome) -> Void) {
        let slot = slots[index]
        guard slot.state != .settled else { return }
        let tag = firstPending &+ UInt64(index)
        slots[index].state = .settled
        slots[index].waiter = nil
        outstanding -= 1
        let returned = slot.state == .returned ? returns.removeValue(forKey: tag) : nil
        let outcome: Outcome = returned.map { .returned($0) } ?? (refused ? .refused : .confirmed)
        let others = moreWaiters.isEmpty ? nil : moreWaiters.removeValue(forKey: tag)
        if let waiter = slot.waiter { answer(waiter, outcome) }
        for waiter in others ?? [] { answer(waiter, outcome) }
        guard outcome != .confirmed else { return }
        if slot.waiter == nil, others?.isEmpty ?? true, firstFailure == nil { firstFailure = (tag, outcome) }
        remember(tag, outcome)
    }

    private mutating func remember(_ tag: UInt64, _ outcome: Outcome) {
        failures[tag] = outcome
        failureOrder.append(tag)
        if failureOrder.count > Self.maxFailures, let oldest = failureOrder.popFirst() {
            failures[oldest] = nil
            lastForgotten = max(lastForgotten, oldest)
        }
    }

    private mutating func dropFirst() {
        _ = slots.popFirst()
        firstPending &+= 1
    }

    /// The first publish that nobody waited for and that was not confirmed, once.
    mutating func takeFailure() -> (tag: UInt64, outcome: Outcome)? {
        defer { firstFailure = nil }
        return firstFailure
    }

    private func index(of tag: UInt64) -> Int? {
        guard tag >= firstPending, tag < nextTag else { return nil }
        return Int(truncatingIfNeeded: tag &- firstPending)
    }
}

/// Tells one published content from another, with a chance of error of 1 in 2^64.
struct ContentDigest: Hashable, Sendable {
    /// Of exchange and routing key.
    let route: UInt64
    /// Of properties and body.
    let content: UInt64

    init(
        exchange: UnsafeRawBufferPointer,
        routingKey: UnsafeRawBufferPointer,
        properties: UnsafeRawBufferPointer,
        body: UnsafeRawBufferPointer
    ) {
        route = Self.mix(Self.mix(0, exchange), routingKey)
        content = Self.mix(Self.mix(0, properties), body)
    }

    /// A multiplicative hash, eight octets a step. The length goes in, so that parts cannot run into one another.
    private static func mix(_ seed: UInt64, _ octets: UnsafeRawBufferPointer) -> UInt64 {
        let prime: UInt64 = 0x9E37_79B9_7F4A_7C15
        var hash = (seed ^ UInt64(octets.count)) &* prime
        var position = 0
        while position &+ 8 <= octets.count {
            hash = (hash ^ octets.loadUnaligned(fromByteOffset: position, as: UInt64.self)) &* prime
            hash ^= hash >> 29
            position &+= 8
        }
        while position < octets.count {
            hash = (hash ^ UInt64(octets[position])) &* prime
            position &+= 1
        }
        return hash ^ hash >> 32
    }
}
