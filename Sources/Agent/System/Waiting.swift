#if Agent
import Glibc

/// Waits until one of the descriptors can be read, or a moment has come; nil waits for the descriptors alone.
///
/// - Returns: those that can be read.
@discardableResult
func wait(until moment: SuspendingClock.Instant?, for descriptors: [Int32]) -> Set<Int32> {
    var polled = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    let left = moment.map { SuspendingClock.now.duration(to: $0) / .milliseconds(1) }
    // Rounded up: a little late costs nothing, a little early costs another round.
    let timeout = left.map { Int32(max(0, min($0.rounded(.up), 3_600_000))) } ?? -1
    guard poll(&polled, nfds_t(polled.count), timeout) > 0 else { return [] }
    return Set(polled.filter { $0.revents != 0 }.map(\.fd))
}
#endif
