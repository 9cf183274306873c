#if Agent
import Glibc

/// The socket at which the daemon tells how it does: whoever connects is handed one line of JSON.
///
/// Reads nothing, so there is nothing to get wrong, and never waits.
final class ControlSocket {
    let descriptor: Int32
    private let path: String
    private let identity: FileIdentity?

    /// Listens at a path. A socket that was left there by a process that has gone is removed, so the daemon's lock has to be
    /// held; any other file stays.
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
        var status = stat()
        if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK { unlink(path) }
        guard address.use({ bind(descriptor, $0, $1) }) == 0, chmod(path, 0o666) == 0, listen(descriptor, 8) == 0 else {
            let failure = SystemError.last("listen at \(path)")
            close(descriptor)
            throw failure
        }
        self.descriptor = descriptor
        self.path = path
        identity = FileIdentity(at: path)
    }

    /// Removes the socket, if it is still the one that was made.
    func remove() {
        if FileIdentity(at: path) == identity { unlink(path) }
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
    ///
    /// - Throws: EPERM where another process listens there.
    static func ask(_ path: String, of process: pid_t) throws(SystemError) -> [UInt8] {
        let descriptor = try connected(path)
        defer { close(descriptor) }
        // A process of another container has the number 0 here.
        if let peer = peer(of: descriptor), peer.process != process, peer.process != 0 {
            throw SystemError(code: EPERM, context: "\(path) is another process's, \(peer.process)")
        }
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

    /// Who listens at a path; nil if nobody does.
    static func listener(at path: String) -> (process: pid_t, user: uid_t)? {
        do throws(SystemError) {
            let descriptor = try connected(path)
            defer { close(descriptor) }
            return peer(of: descriptor)
        } catch {
            return nil
        }
    }

    private static func connected(_ path: String) throws(SystemError) -> Int32 {
        guard var address = UnixAddress(path) else { throw SystemError(code: ENAMETOOLONG, context: path) }
        // Not to wait where nobody answers: a daemon that was stopped lets others queue up.
        let descriptor = socket(
            AF_UNIX,
            Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue),
            0
        )
        guard descriptor >= 0 else { throw .last("socket") }
        guard address.use({ connect(descriptor, $0, $1) }) == 0 else {
            let failure = SystemError.last("connect to \(path)")
            close(descriptor)
            throw failure
        }
        return descriptor
    }

    private static func peer(of descriptor: Int32) -> (process: pid_t, user: uid_t)? {
        var peer = Peer()
        var size = socklen_t(MemoryLayout<Peer>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0, size == MemoryLayout<Peer>.size else {
            return nil
        }
        return (peer.process, peer.user)
    }

    /// The kernel's `struct ucred`, which the C library's headers show to those only who define _GNU_SOURCE.
    private struct Peer {
        var process = pid_t()
        var user = uid_t()
        var group = gid_t()
    }
}
#endif
