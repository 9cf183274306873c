#if Agent
import Glibc

/// Tries whether something listens on a port, on any of a host's addresses at once. Sends nothing.
enum PortProbe {
    /// How the addresses answered.
    struct Outcome {
        /// The first that accepted.
        var reached: HostAddress?
        /// Those that failed before that, and the system's error numbers; `ETIMEDOUT` for those that did not answer.
        var failures: [(address: HostAddress, code: Int32)] = []
    }

    static func connect(to addresses: [HostAddress], within time: Duration) -> Outcome {
        let deadline = ContinuousClock.now + time
        var outcome = Outcome()
        var pending: [(address: HostAddress, descriptor: Int32)] = []
        defer { for attempt in pending { close(attempt.descriptor) } }
        for address in addresses {
            switch begin(address) {
            case .success(let descriptor): pending.append((address, descriptor))
            case .failure(let error): outcome.failures.append((address, error.code))
            }
        }
        while !pending.isEmpty {
            var polled = pending.map { pollfd(fd: $0.descriptor, events: Int16(POLLOUT), revents: 0) }
            let left = Milliseconds.until(deadline)
            _ = poll(&polled, nfds_t(polled.count), left)
            for index in pending.indices.reversed() where polled[index].revents != 0 {
                let attempt = pending.remove(at: index)
                let code = pendingError(attempt.descriptor)
                close(attempt.descriptor)
                guard code != 0 else {
                    outcome.reached = attempt.address
                    return outcome
                }
                outcome.failures.append((attempt.address, code))
            }
            if left == 0 { break }
        }
        outcome.failures += pending.map { ($0.address, ETIMEDOUT) }
        return outcome
    }

    private static func begin(_ address: HostAddress) -> Result<Int32, SystemError> {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(address.family, kind, 0)
        guard descriptor >= 0 else { return .failure(.last("socket")) }
        let result = address.octets.withUnsafeBytes { octets -> Int32 in
            guard let start = octets.bindMemory(to: sockaddr.self).baseAddress else { return -1 }
            return Glibc.connect(descriptor, start, socklen_t(octets.count))
        }
        guard result == 0 || errno == EINPROGRESS || errno == EINTR else {
            let error = SystemError.last("connect")
            close(descriptor)
            return .failure(error)
        }
        return .success(descriptor)
    }

    private static func pendingError(_ descriptor: Int32) -> Int32 {
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) == 0 else { return errno }
        return code
    }
}
#endif
