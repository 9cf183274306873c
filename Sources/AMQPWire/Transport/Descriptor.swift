import Glibc
import Synchronization

/// An open file descriptor that is closed exactly once, and never while someone is using it.
///
/// The kernel gives a closed number to the next file that is opened, so a thread that still reads or writes the old number
/// would do it to a stranger's file. Every use is therefore counted: `close()` ends the connection at once, and the number
/// is given back when the last use ends. The event loop counts as a user from attach to detach.
final class Descriptor: Sendable {
    private let number: Int32
    /// The users, and in the top bit whether it has been closed.
    private let usage = Atomic<UInt64>(0)
    private static let closedBit: UInt64 = 1 << 63

    /// Takes over an open descriptor.
    init(owning number: Int32) {
        self.number = number
    }

    deinit {
        // Nobody can be using what nobody refers to.
        if usage.load(ordering: .acquiring) & Self.closedBit == 0 { _ = Glibc.close(number) }
    }

    /// Whether `close()` has been called.
    var isClosed: Bool { usage.load(ordering: .acquiring) & Self.closedBit != 0 }

    /// Runs `body` with the number, which stays ours until it returns; nil once closed.
    @inline(__always)
    func use<Value>(_ body: (Int32) -> Value) -> Value? {
        guard let number = beginUse() else { return nil }
        defer { endUse() }
        return body(number)
    }

    /// Counts a user in; nil once closed. Each success needs one `endUse()`.
    func beginUse() -> Int32? {
        let (_, now) = usage.wrappingAdd(1, ordering: .acquiring)
        guard now & Self.closedBit == 0 else {
            endUse()
            return nil
        }
        return number
    }

    /// Counts a user out; the last one out of a closed descriptor gives the number back.
    func endUse() {
        let (_, now) = usage.wrappingSubtract(1, ordering: .acquiringAndReleasing)
        if now == Self.closedBit { releaseNumber() }
    }

    /// Ends both directions now, and gives the number back as soon as nobody uses it. Again is harmless.
    func close() {
        guard beginUse() != nil else { return }
        let (before, _) = usage.bitwiseOr(Self.closedBit, ordering: .acquiringAndReleasing)
        // Others may hold the number for long (the loop does): they and the peer must notice.
        if before & Self.closedBit == 0, before > 1 { _ = Glibc.shutdown(number, Int32(SHUT_RDWR)) }
        endUse()
    }

    /// Called by whoever takes the count of a closed descriptor to zero.
    private func releaseNumber() {
        // Late `beginUse` calls raise and lower the count again: only the one who marks it as given back may close.
        let (taken, _) = usage.compareExchange(
            expected: Self.closedBit,
            desired: Self.closedBit | Self.releasedBit,
            ordering: .acquiringAndReleasing
        )
        if taken { _ = Glibc.close(number) }
    }

    private static let releasedBit: UInt64 = 1 << 62
}
