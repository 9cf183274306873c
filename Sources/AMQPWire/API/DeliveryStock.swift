/// What the consumers of a connection hold for readers that have not asked for it. Guarded by its driver's lock.
///
/// Counts only: when to stop reading from the socket is its driver's to decide.
final class DeliveryStock: @unchecked Sendable {
    // Unchecked: every access is made while holding the lock of the one driver that made it.

    /// What keeping a delivery costs besides its body, about.
    static let overhead = 512
    /// Bytes up to which deliveries are read while somebody waits for what may stand behind them, however low the mark is.
    static let leastLimit = 64 * 1024 * 1024

    /// Octets of the deliveries that wait.
    var octets = 0
    /// Readers that wait for a delivery.
    var waitingReaders = 0

    /// The bytes that a delivery counts for.
    static func size(_ arrival: Arrival) -> Int {
        arrival.message.body.count &+ arrival.message.properties.weight &+ overhead
    }
}

extension AMQPProperties {
    /// About how many bytes the texts and headers take in memory.
    fileprivate var weight: Int {
        var weight = 0
        for case let text? in [
            contentType, contentEncoding, correlationID, replyTo, expiration, messageID, type, userID, appID, reserved,
        ] {
            weight &+= text.withOctets { $0.count }
        }
        return weight &+ (headers?.weight ?? 0)
    }
}

extension AMQPTable {
    fileprivate var weight: Int {
        entries.reduce(0) { $0 &+ $1.key.withOctets { $0.count } &+ $1.value.weight }
    }
}

extension AMQPFieldValue {
    fileprivate var weight: Int {
        let own = 64
        return switch self {
        case .table(let table): own &+ table.weight
        case .array(let values): values.reduce(own) { $0 &+ $1.weight }
        case .string(let text): own &+ text.withOctets { $0.count }
        default: own
        }
    }
}

extension ConnectionDriver.State {
    /// Stops reading from the socket while too much waits, and goes on when half of it is taken: deliveries for readers,
    /// events for the application, answers for a broker that does not read them.
    ///
    /// For deliveries only as long as nobody waits for anything that the broker may have said behind it: an answer, a confirm,
    /// a delivery for another reader. Who takes deliveries and waits for one of those in between would wait for ever. Above
    /// four times the mark, and 64 MiB at least, they are not read in any case, since a broker need not keep to a prefetch
    /// count: who waits for an answer then hears of its deadline.
    @inline(never)  // Rare, and every publish passes by its caller.
    mutating func adjustReading(_ driver: ConnectionDriver) {
        let mark = driver.configuration.deliveryHighWaterMark
        let (fourfold, isBeyond) = mark.multipliedReportingOverflow(by: 4)
        let limit = max(isBeyond ? .max : fourfold, DeliveryStock.leastLimit)
        let isUnheard = announcedBytes > mark
        let isFlooded = core.hasTooManyAnswers(isReadingPaused: isReadingPaused)
        let isFull = driver.stock.octets > (isReadingPaused ? mark / 2 : mark)
        isOverfull = isFull || isUnheard || isFlooded
        guard let linkToken else {
            isReadingPaused = false
            return
        }
        let now = EventLoop.now()
        core.mustTake(isFlooded, now: now)
        let isFarTooFull = driver.stock.octets > (isReadingPaused ? limit / 2 : limit)
        let pauses =
            isFlooded || isUnheard || isFarTooFull || (isFull && driver.stock.waitingReaders == 0 && core.isIdle)
        guard pauses != isReadingPaused else { return }
        isReadingPaused = pauses
        core.readingPauses(pauses, now: now)
        driver.loop.setWants(linkToken, read: !pauses, write: unsent != nil)
    }
}
