import Testing

@testable import AMQPWire

/// A core on simulated time, with the broker's side played by the test.
final class CoreRig {
    var core: ConnectionCore
    var now = Moment(nanoseconds: 1_000_000_000_000)
    /// Whether what the core wants to send is taken from it after each step.
    var drains = true
    /// Frames that the core sent since ``takeSent()``.
    private var outbox: [PeerFrame] = []
    /// All octets that the core sent.
    private(set) var sentOctets: [UInt8] = []
    /// What happened since ``takeEvents()``, without the answers.
    private var happened: [CoreEvent] = []
    /// All waiters that the test has heard of.
    private(set) var waiters: Set<WaiterID> = []
    private(set) var answers: [WaiterID: [Answer]] = [:]
    private(set) var closedEvents = 0

    /// A core whose protocol header is sent.
    init(_ options: ConnectionCore.Options = CoreRig.options(), deadline: Duration? = nil) {
        core = ConnectionCore(options, waiters: WaiterTable(), deadline: deadline.map { [now] in now.advanced(by: $0) })
        if let opening = core.opening { waiters.insert(opening) }
        settle()
    }

    static func options(_ change: (inout ConnectionCore.Options) -> Void = { _ in }) -> ConnectionCore.Options {
        var options = ConnectionCore.Options()
        options.peer = "broker:5672"
        options.handshake.limits.heartbeat = nil
        change(&options)
        return options
    }

    /// Takes events and octets from the core.
    func settle() {
        var events: [CoreEvent] = []
        core.takeEvents(into: &events)
        for event in events {
            switch event {
            case .answered(let waiter, let answer): answers[waiter, default: []].append(answer)
            case .closed:
                closedEvents += 1
                happened.append(event)
            case .opened, .delivered, .unreadable, .returned, .consumerCancelled, .channelClosed, .blocked, .unblocked,
                .flow:
                happened.append(event)
            }
        }
        guard drains, !core.encoder.bytes.isEmpty else { return }
        let octets = core.encoder.bytes.copy()
        core.encoder.bytes.removeAll()
        core.sent(now: now)
        sentOctets += octets
        outbox += PeerCodec.frames(octets)
    }

    /// The broker sends octets.
    func receive(_ octets: [UInt8]) {
        core.decoder.append(octets)
        core.process(now: now)
        settle()
    }

    /// The broker sends a method.
    func receive(_ id: AMQPMethodID, _ channel: UInt16 = 0, _ values: [PeerValue] = []) {
        receive(PeerCodec.method(id, channel, values))
    }

    /// Time passes, and the core does what is due.
    func pass(_ duration: Duration) {
        now = now.advanced(by: duration)
        core.deadlinePassed(now: now)
        settle()
    }

    func later(_ duration: Duration?) -> Moment? {
        duration.map { now.advanced(by: $0) }
    }

    func takeSent() -> [PeerFrame] {
        defer { outbox = [] }
        return outbox
    }

    func takeEvents() -> [CoreEvent] {
        defer { happened = [] }
        return happened
    }

    // MARK: - Intents

    func watch(_ waiter: WaiterID) -> WaiterID {
        waiters.insert(waiter)
        settle()
        return waiter
    }

    func call(_ method: AMQPMethod, _ channel: UInt16 = 1, within duration: Duration? = nil) throws -> WaiterID {
        watch(try core.call(method, channel: channel, deadline: later(duration)))
    }

    func send(_ method: AMQPMethod, _ channel: UInt16 = 1) throws {
        try core.send(method, channel: channel)
        settle()
    }

    func closeChannel(_ number: UInt16 = 1, within duration: Duration? = nil) throws -> WaiterID {
        watch(try core.closeChannel(number, deadline: later(duration)))
    }

    func close() throws -> WaiterID {
        watch(try core.close(AMQPError(.closed, "closed by the test"), now: now))
    }

    func giveUp(_ waiter: WaiterID) {
        core.giveUp(waiter, AMQPError(.cancelled, "given up by the test"))
        settle()
    }

    @discardableResult
    func publish(
        _ body: [UInt8] = [],
        _ channel: UInt16 = 1,
        exchange: AMQPText = "x",
        key: AMQPText = "k",
        mandatory: Bool = false,
        properties: AMQPProperties = AMQPProperties()
    ) throws -> UInt64? {
        let method = AMQPMethod.BasicPublish(exchange: exchange, routingKey: key, mandatory: mandatory)
        let channel = try core.usableChannel(channel)
        let tag = try body.withUnsafeBytes { body in
            try core.publish(method, properties: properties, body: body, on: channel)
        }
        settle()
        return tag
    }

    /// Publishes with confirms on and waits for the outcome.
    func publishConfirmed(_ body: [UInt8] = [], _ channel: UInt16 = 1, mandatory: Bool = false) throws -> WaiterID {
        let tag = try #require(try publish(body, channel, mandatory: mandatory))
        return try #require(try waitForConfirm(tag, channel))
    }

    func waitForConfirm(_ tag: UInt64, _ channel: UInt16 = 1) throws -> WaiterID? {
        try core.waitForConfirm(tag, channel: channel, deadline: nil).map(watch)
    }

    func waitForConfirms(_ channel: UInt16 = 1) throws -> WaiterID? {
        try core.waitForConfirms(channel: channel, deadline: nil).map(watch)
    }

    func waitForRoom(_ channel: UInt16 = 1, first: Bool = false) throws -> WaiterID {
        watch(try core.waitForRoom(channel, deadline: nil, first: first))
    }

    // MARK: - Getting somewhere

    static let start: [PeerValue] = [0, 9, "", "PLAIN AMQPLAIN", "en_US"]

    /// Leads the handshake to its end.
    func open(channelMax: UInt16 = 2_047, frameMax: UInt32 = 131_072, heartbeat: UInt16 = 0) {
        receive(.connectionStart, 0, Self.start)
        tune(UInt64(channelMax), UInt64(frameMax), UInt64(heartbeat))
        receive(.connectionOpenOk)
    }

    func tune(_ channelMax: UInt64, _ frameMax: UInt64, _ heartbeat: UInt64) {
        receive(.connectionTune, 0, [.number(channelMax), .number(frameMax), .number(heartbeat)])
    }

    /// Opens a channel.
    @discardableResult
    func openChannel(window: Int = 1_000) throws -> UInt16 {
        let (number, waiter) = try core.openChannel(confirmWindow: window, deadline: nil)
        _ = watch(waiter)
        receive(.channelOpenOk, number)
        return number
    }

    /// A rig with an open connection and channel 1 open, nothing left in its boxes.
    static func withChannel(
        window: Int = 1_000,
        confirms: Bool = false,
        heartbeat: UInt16 = 0,
        frameMax: UInt32 = 131_072,
        _ options: ConnectionCore.Options = CoreRig.options()
    ) throws -> CoreRig {
        let rig = CoreRig(options)
        rig.open(frameMax: frameMax, heartbeat: heartbeat)
        try rig.openChannel(window: window)
        if confirms { try rig.core.selectConfirms(1) }
        rig.settle()
        _ = rig.takeSent()
        _ = rig.takeEvents()
        return rig
    }

    // MARK: - Looking

    var opening: WaiterID? { core.opening }
    var deadline: Moment? { core.deadline }
    var outcome: Handshake.Outcome? { core.outcome }
    var statistics: AMQPConnectionStatistics { core.wholeStatistics }

    func hasTooManyAnswers(_ isReadingPaused: Bool) -> Bool {
        core.hasTooManyAnswers(isReadingPaused: isReadingPaused)
    }

    /// What the core has to send, as bytes.
    var waitingBytes: Int { core.encoder.bytes.count }

    /// Bytes of memory taken for what was received.
    var receivingCapacity: Int { core.decoder.capacity }

    /// Why the connection is over, if it is.
    var end: AMQPError? {
        if case .closed(let error) = core.phase { error } else { nil }
    }

    func isAnswered(_ waiter: WaiterID) -> Bool { answers[waiter] != nil }

    func isDone(_ waiter: WaiterID) -> Bool {
        if case .done? = answers[waiter]?.first { true } else { false }
    }

    func reply(_ waiter: WaiterID) -> AMQPMethod? {
        if case .reply(let method)? = answers[waiter]?.first { method } else { nil }
    }

    func failure(_ waiter: WaiterID) -> AMQPError? {
        if case .failure(let error)? = answers[waiter]?.first { error } else { nil }
    }

    /// Fails where a waiter has more than one answer or, once the connection is over, none.
    func checkAnswers(_ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation) {
        for waiter in waiters {
            let count = answers[waiter]?.count ?? 0
            let isOver = end != nil
            if isOver ? count == 1 : count <= 1 { continue }
            Issue.record("a waiter has \(count) answers (\(comment ?? ""))", sourceLocation: sourceLocation)
        }
        if end != nil {
            let left = core.waiters.count
            #expect(left == 0, comment, sourceLocation: sourceLocation)
            #expect(closedEvents == 1, comment, sourceLocation: sourceLocation)
        }
    }

    /// Ends the connection and checks that nobody is left waiting.
    func finish(_ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation) {
        checkAnswers(comment, sourceLocation: sourceLocation)
        core.transportEnded(AMQPError(.connectionLost, "end of the test"))
        settle()
        checkAnswers(comment, sourceLocation: sourceLocation)
    }
}
