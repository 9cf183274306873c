/// What the consumers of a connection hold for readers that have not asked for it. Guarded by its driver's lock.
///
/// Counts only: when to stop reading from the socket is its driver's to decide.
final class DeliveryStock: @unchecked Sendable {
    // Unchecked: every access is made while holding the lock of the one driver that made it.

    /// What keeping a delivery costs besides its body, about.
    private static let overhead = 512

    /// Octets of the deliveries that wait.
    var octets = 0
    /// Readers that wait for a delivery.
    var waitingReaders = 0

    /// The octets that a delivery counts for.
    static func size(_ arrival: Arrival) -> Int { arrival.message.body.count &+ overhead }
}

extension ConnectionDriver.State {
    /// Stops reading from the socket while too much waits for readers, and goes on when half of it is taken.
    ///
    /// Only as long as nobody waits for anything that the broker may have said behind it: an answer, a confirm, a delivery
    /// for another reader. Who takes deliveries and waits for one of those in between would wait for ever.
    @inline(never)  // Rare, and every publish passes by its caller.
    mutating func adjustReading(_ driver: ConnectionDriver) {
        let mark = driver.configuration.deliveryHighWaterMark
        isOverfull = driver.stock.octets > (isReadingPaused ? mark / 2 : mark)
        guard let linkToken else {
            isReadingPaused = false
            return
        }
        let pauses = isOverfull && driver.stock.waitingReaders == 0 && core.isIdle
        guard pauses != isReadingPaused else { return }
        isReadingPaused = pauses
        core.readingPauses(pauses, now: EventLoop.now())
        driver.loop.setWants(linkToken, read: !pauses, write: unsent != nil)
    }
}
