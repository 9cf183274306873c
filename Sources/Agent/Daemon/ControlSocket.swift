import Glibc

/// The socket at which the daemon tells how it does: whoever connects is handed one line of JSON.
///
/// Reads nothing, so there is nothing to get wrong, and never waits.
final class ControlSocket {
    let descriptor: Int32
    private let path: String

    /// Listens at a path. What was left there by a process that has gone is removed: the pidfile's lock has to be held.
    init(path: String) throws(SystemError) {
        guard var address = UnixAddress(path) else {
            throw SystemError(code: ENAMETOOLONG, context: "the path of the control socket, \(path)")
        }
        let descriptor = socket(
            AF_UNIX,
            Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue),
            0
        )
        guard descriptor >= 0 else { throw .last("socket") }
        unlink(path)
        guard address.use({ bind(descriptor, $0, $1) }) == 0, chmod(path, 0o666) == 0, listen(descriptor, 8) == 0 else {
            let failure = SystemError.last("listen at \(path)")
            close(descriptor)
            throw failure
        }
        self.descriptor = descriptor
        self.path = path
    }

    /// Removes the socket.
    func remove() {
        unlink(path)
        close(descriptor)
    }

    /// Answers all who have connected.
    ///
    /// - Returns: false where it could not, for want of descriptors, say: whoever waits goes on waiting, and the socket stays
    ///   readable.
    func answer(_ message: () -> [UInt8]) -> Bool {
        while true {
            let client = accept(descriptor, nil, nil)
            guard client >= 0 else { return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED }
            let octets = message()
            // It fits into the socket's buffer; a client that has gone already is none of our business.
            _ = send(client, octets, octets.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            close(client)
        }
    }

    /// What the daemon that listens at a path says; waits at most two seconds.
    static func ask(_ path: String) throws(SystemError) -> [UInt8] {
        guard var address = UnixAddress(path) else { throw SystemError(code: ENAMETOOLONG, context: path) }
        // Not to wait where nobody answers: a daemon that was stopped lets others queue up.
        let descriptor = socket(
            AF_UNIX,
            Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue),
            0
        )
        guard descriptor >= 0 else { throw .last("socket") }
        defer { close(descriptor) }
        guard address.use({ connect(descriptor, $0, $1) }) == 0 else { throw .last("connect to \(path)") }
        var answer: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4_096)
        let end = SuspendingClock.now.advanced(by: .seconds(2))
        while answer.count < 1 << 20 {
            let left = SuspendingClock.now.duration(to: end) / .milliseconds(1)
            var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard left > 0, poll(&polled, 1, Int32(left.rounded(.up))) > 0 else {
                throw SystemError(code: ETIMEDOUT, context: "read from \(path)")
            }
            let count = try retryingInterrupts("read from \(path)") { read(descriptor, &piece, piece.count) }
            if count == 0 { break }
            answer += piece[..<count]
        }
        return answer
    }
}

/// The address of a socket in the file system.
private struct UnixAddress {
    private var address = sockaddr_un()

    /// Nil where the path is too long for one.
    init?(_ path: String) {
        address.sun_family = sa_family_t(AF_UNIX)
        let octets = Array(path.utf8)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { memory in
            // One octet ends it.
            guard octets.count < memory.count else { return false }
            memory.copyBytes(from: octets)
            return true
        }
        guard fits else { return nil }
    }

    mutating func use(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
