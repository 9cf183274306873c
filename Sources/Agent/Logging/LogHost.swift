#if Agent
import Glibc
import Synchronization

/// A host that takes datagrams, found by its name on a thread of its own: the resolver may take long, and logging waits
/// for nobody. What comes before the host is found is kept, up to a limit.
final class LogHost: Sendable {
    private let host: String
    private let port: UInt16
    private let lookUp: @Sendable () throws(SystemError) -> LogSocket
    private let state = Mutex(State.unknown)
    /// The messages that are kept while the resolver is at work.
    private static let limit = 256

    private enum State {
        case unknown
        case searching(kept: [[UInt8]])
        case found(LogSocket)
        case missing(SystemError, seconds: Int)
    }

    /// - Parameter lookUp: asks the resolver, however long that takes.
    init(host: String, port: UInt16, lookUp: @escaping @Sendable () throws(SystemError) -> LogSocket) {
        self.host = host
        self.port = port
        self.lookUp = lookUp
    }

    convenience init(host: String, port: UInt16) {
        self.init(host: host, port: port) { () throws(SystemError) in
            try LogSocket.resolving(host: host, port: port, onlyNumbers: false)
        }
    }

    /// Sends a message, or keeps it until the host is found.
    ///
    /// - Parameter now: in seconds; a minute after a failed search there is another.
    func send(_ octets: [UInt8], now: Int) throws(SystemError) {
        let result = state.withLock { state -> (starts: Bool, failure: SystemError?) in
            switch state {
            case .found(let socket): return (false, Self.send(octets, socket, host))
            case .searching(let kept):
                guard kept.count < Self.limit else { return (false, SystemError(code: EAGAIN, context: host)) }
                state = .searching(kept: kept + [octets])
                return (false, nil)
            case .missing(let failure, let seconds):
                guard now >= seconds + 60 || now < seconds else { return (false, failure) }
            case .unknown: break
            }
            state = .searching(kept: [octets])
            return (true, nil)
        }
        if result.starts { search(now: now) }
        if let failure = result.failure { throw failure }
    }

    private static func send(_ octets: [UInt8], _ socket: LogSocket, _ host: String) -> SystemError? {
        var code = socket.send(octets).code
        // An answer that nobody listened to the message before is kept for the next call.
        if code == ECONNREFUSED { code = socket.send(octets).code }
        return code.map { SystemError(code: $0, context: host) }
    }

    private func search(now: Int) {
        // A number needs no resolver, and the machine's own name none that could be away.
        if let socket = try? LogSocket.resolving(
            host: host == "localhost" ? "127.0.0.1" : host,
            port: port,
            onlyNumbers: true
        ) {
            found(.success(socket), now: now)
            return
        }
        let code = DetachedThread.start { [self] in
            do throws(SystemError) {
                found(.success(try lookUp()), now: now)
            } catch {
                found(.failure(error), now: now)
            }
        }
        if code != 0 { found(.failure(SystemError(code: code, context: host)), now: now) }
    }

    private func found(_ result: Result<LogSocket, SystemError>, now: Int) {
        state.withLock { state in
            switch result {
            case .success(let socket):
                if case .searching(let kept) = state {
                    // A datagram that is lost here is lost as on the way.
                    for octets in kept { _ = Self.send(octets, socket, host) }
                }
                state = .found(socket)
            case .failure(let error): state = .missing(error, seconds: now)
            }
        }
    }
}
#endif
