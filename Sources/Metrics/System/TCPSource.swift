import Glibc

/// A server that says all it has to say as soon as somebody connects, and then closes: it is read like a file, anew each time.
///
/// One deadline covers the look-up of the name, connecting and reading. Nothing is ever sent.
struct TCPSource: Sendable {
    let host: String
    let port: UInt16
    /// The number of octets that are taken, at most.
    let limit: Int

    /// What the server said, possibly not all.
    struct Reply {
        var octets: [UInt8]
        /// Why it ended before the server closed; nil if it did not.
        var failure: CollectorError?
    }

    /// The place, for errors.
    var name: String { host.utf8.contains(0x3A) ? "tcp://[\(host)]:\(port)" : "tcp://\(host):\(port)" }

    /// Reads until the server closes.
    ///
    /// - Parameter worker: looks up the host where it is a name.
    /// - Throws: why there is no connection.
    func read(within time: Duration, lookingUpWith worker: BlockingWorker) throws(CollectorError) -> Reply {
        let deadline = Deadline(after: time)
        let addresses = try addresses(until: deadline, allowed: time, worker)
        var failure = error(.unresolved("the host has no address"))
        for (index, address) in addresses.enumerated() {
            // One that does not answer leaves time for the others.
            let share = Deadline(after: deadline.remaining / (addresses.count - index))
            do throws(CollectorError) {
                let socket = try connect(to: address, until: share, allowed: time)
                defer { close(socket) }
                return receive(socket, until: deadline, allowed: time)
            } catch {
                if index == 0 { failure = error }
            }
        }
        throw failure
    }

    private func addresses(
        until deadline: Deadline,
        allowed time: Duration,
        _ worker: BlockingWorker
    ) throws(CollectorError) -> [HostAddress] {
        let known = HostAddress.known(of: host, port: port)
        guard known.isEmpty else { return known }
        let outcome = worker.run(name, within: deadline.remaining) { [host, port] in
            HostAddress.lookedUp(host, port: port)
        }
        switch try outcome.value(of: name, within: time) {
        case .success(let addresses): return addresses
        case .failure(let failure): throw error(.unresolved(failure.text))
        }
    }

    private func connect(
        to address: HostAddress,
        until deadline: Deadline,
        allowed time: Duration
    ) throws(CollectorError) -> Int32 {
        let type = SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
        let socket = Glibc.socket(address.family, Int32(type), 0)
        guard socket >= 0 else { throw error(.system(call: "socket", errno: errno)) }
        var number: Int32 = 0
        if address.withSocketAddress({ Glibc.connect(socket, $0, $1) }) != 0 {
            number = errno
            // An interrupted one goes on like one that has to wait.
            if number == EINPROGRESS || number == EINTR {
                number =
                    Self.wait(for: POLLOUT, on: socket, until: deadline) ? Self.failure(of: socket) : ETIMEDOUT
                if number == ETIMEDOUT, deadline.hasPassed {
                    close(socket)
                    throw error(.late(after: time))
                }
            }
        }
        guard number == 0 else {
            close(socket)
            throw error(.system(call: "connect", errno: number))
        }
        return socket
    }

    private func receive(_ socket: Int32, until deadline: Deadline, allowed time: Duration) -> Reply {
        var reply = Reply(octets: [], failure: nil)
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while true {
            let count = recv(socket, &buffer, buffer.count, 0)
            if count == 0 { return reply }
            if count > 0 {
                let room = limit - reply.octets.count
                reply.octets += buffer[..<min(count, room)]
                guard count <= room else {
                    reply.failure = error(.tooLarge(limit: limit))
                    return reply
                }
                // A server that never pauses is never waited for.
                guard !deadline.hasPassed else {
                    reply.failure = error(.late(after: time))
                    return reply
                }
                continue
            }
            let number = errno
            if number == EINTR { continue }
            guard number == EAGAIN else {
                reply.failure = error(.system(call: "recv", errno: number))
                return reply
            }
            guard Self.wait(for: POLLIN, on: socket, until: deadline) else {
                reply.failure = error(.late(after: time))
                return reply
            }
        }
    }

    /// Whether the socket was ready before the deadline; one that failed is.
    private static func wait(for events: Int32, on socket: Int32, until deadline: Deadline) -> Bool {
        while true {
            var entry = pollfd(fd: socket, events: Int16(events), revents: 0)
            let count = poll(&entry, 1, deadline.remainingMilliseconds)
            if count > 0 { return true }
            // An error other than EINTR cannot pass: the next call on the socket says what it is.
            if count < 0, errno != EINTR { return true }
            if deadline.hasPassed { return false }
        }
    }

    /// Why there is no connection once the socket is ready; 0 if there is one.
    ///
    /// Not asked by SO_ERROR: a server may have spoken and reset the connection already, and then what it said would be followed
    /// by a proper end, for that takes the error away.
    private static func failure(of socket: Int32) -> Int32 {
        var octet: UInt8 = 0
        while recv(socket, &octet, 1, Int32(MSG_PEEK)) < 0 {
            if errno != EINTR { return errno == EAGAIN ? 0 : errno }
        }
        return 0
    }

    private func error(_ reason: CollectorError.Reason) -> CollectorError {
        CollectorError(source: name, reason: reason)
    }
}
