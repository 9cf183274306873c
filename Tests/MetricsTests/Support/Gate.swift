import Glibc
import Testing

/// Something that blocks in the kernel until a test lets it go on: a pipe with nothing in it.
final class Gate: Sendable {
    private let descriptors: [Int32]

    init() throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        descriptors = ends
    }

    deinit {
        for descriptor in descriptors { close(descriptor) }
    }

    /// Blocks until the gate is opened, for ever if need be. One opening lets one through.
    func pass() {
        var octet: UInt8 = 0
        while read(descriptors[0], &octet, 1) < 0, errno == EINTR {}
    }

    /// Lets one through, now or when it comes.
    func open() {
        var octet: UInt8 = 1
        #expect(write(descriptors[1], &octet, 1) == 1)
    }

    /// Blocks until the gate is opened; false when that has not happened within a minute, which ends a test that is broken.
    func isOpenedInTime() -> Bool {
        var entry = pollfd(fd: descriptors[0], events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, 60_000) == 1 else { return false }
        pass()
        return true
    }
}

/// Lets others run until `condition` holds; false when it does not within a minute.
func becomesTrue(_ condition: () -> Bool) -> Bool {
    let end = SuspendingClock.now + .seconds(60)
    while !condition() {
        if SuspendingClock.now > end { return false }
        sched_yield()
    }
    return true
}
