#if Agent
import CLinux
import Glibc

/// A descriptor that becomes readable when another thread says so.
final class EventDescriptor: Sendable {
    let number: Int32

    init() throws(SystemError) {
        number = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard number >= 0 else { throw .last("eventfd") }
    }

    deinit { close(number) }

    /// Makes it readable. Can be called from anywhere, any number of times.
    func ring() {
        var one: UInt64 = 1
        // Fails only when it is readable already, and could hardly be more so.
        _ = write(number, &one, 8)
    }

    /// Makes it unreadable until the next ring.
    func clear() {
        var count: UInt64 = 0
        _ = read(number, &count, 8)
    }
}
#endif
