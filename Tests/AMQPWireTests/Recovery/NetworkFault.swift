import Glibc
import Synchronization

@testable import AMQPWire

/// A proxy to a port of this machine that loses what goes through it as networks do.
final class NetworkFault: Sendable {
    private struct State {
        var pairs: [(client: Int32, broker: Int32)] = []
        /// Pairs up to this one forward nothing any more.
        var frozen = 0
        /// The port that new connections are led to.
        var target: UInt16
    }

    let port: UInt16
    private let listener: Int32
    private let state: Mutex<State>

    init(to target: UInt16) {
        state = Mutex(State(target: target))
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = Self.loopback(0)
        _ = Self.with(&address) { bind(listener, $0, $1) }
        _ = listen(listener, 16)
        port = SocketAddress.local(listener)?.port ?? 0
        self.listener = listener
        _ = PosixThread.start(name: "fault-accept", stackSize: 256 << 10) { [weak self] in
            while case let client = accept(listener, nil, nil), client >= 0 { self?.forward(client) }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        state.withLock { state in
            for pair in state.pairs {
                shutdown(pair.client, Int32(SHUT_RDWR))
                shutdown(pair.broker, Int32(SHUT_RDWR))
            }
        }
    }

    var uri: String { "amqp://guest:guest@127.0.0.1:\(port)" }

    /// Leads connections that come from here on to another port.
    func lead(to target: UInt16) { state.withLock { $0.target = target } }

    /// Forwards nothing more on the connections that there are, and ends none of them.
    func freeze() { state.withLock { $0.frozen = $0.pairs.count } }

    /// Ends the client's side of the last connection with a reset, or by closing it.
    func end(reset: Bool) {
        state.withLock { state in
            guard let pair = state.pairs.last else { return }
            if reset {
                // Disconnecting a socket resets its connection.
                var nowhere = sockaddr(
                    sa_family: sa_family_t(AF_UNSPEC),
                    sa_data: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
                )
                _ = connect(pair.client, &nowhere, socklen_t(MemoryLayout<sockaddr>.size))
            } else {
                shutdown(pair.client, Int32(SHUT_RDWR))
            }
        }
    }

    private func forward(_ client: Int32) {
        let broker = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = Self.loopback(state.withLock { $0.target })
        guard Self.with(&address, { connect(broker, $0, $1) }) == 0 else {
            close(broker)
            close(client)
            return
        }
        let number = state.withLock { state in
            state.pairs.append((client, broker))
            return state.pairs.count
        }
        for (from, to) in [(client, broker), (broker, client)] {
            _ = PosixThread.start(name: "fault-pump", stackSize: 256 << 10) { [weak self] in
                var buffer = [UInt8](repeating: 0, count: 65_536)
                while case let count = recv(from, &buffer, buffer.count, 0), count > 0 {
                    guard self?.state.withLock({ $0.frozen >= number }) == false else { continue }
                    var sent = 0
                    while sent < count {
                        let more = buffer.withUnsafeBytes {
                            send(to, $0.baseAddress! + sent, count - sent, Int32(MSG_NOSIGNAL))
                        }
                        if more <= 0 { break }
                        sent += more
                    }
                }
                shutdown(to, Int32(SHUT_RDWR))
            }
        }
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    private static func with(_ address: inout sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32)
        -> Int32
    {
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }
}
