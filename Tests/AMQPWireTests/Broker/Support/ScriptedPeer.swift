import Glibc
import Synchronization

@testable import AMQPWire

/// A peer on a loopback port that does to each connection what its script says, on a thread of its own.
final class ScriptedPeer: Sendable {
    let port: UInt16
    private let listener: Int32
    private let accepted = Mutex(0)
    private let open = Mutex<[Int32]>([])

    /// How many connections came.
    var connectionCount: Int { accepted.withLock { $0 } }

    init(_ script: @escaping @Sendable (PeerSocket) throws -> Void) throws {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer -> Int32 in
                guard bind(socket, pointer, length) == 0, listen(socket, 64) == 0 else { return -1 }
                return getsockname(socket, pointer, &length)
            }
        }
        guard result == 0 else { throw Shell.Failure(description: "cannot listen: \(errno)") }
        listener = socket
        port = UInt16(bigEndian: address.sin_port)
        let isStarted = PosixThread.start(name: "test-peer", stackSize: 256 << 10) { [weak self] in
            while true {
                let connection = accept(socket, nil, nil)
                guard connection >= 0, let self else { break }
                self.accepted.withLock { $0 += 1 }
                self.open.withLock { $0.append(connection) }
                self.serve(connection, script)
            }
            close(socket)
        }
        guard isStarted == 0 else { throw Shell.Failure(description: "no thread") }
    }

    private func serve(_ connection: Int32, _ script: @escaping @Sendable (PeerSocket) throws -> Void) {
        _ = PosixThread.start(name: "test-peer", stackSize: 256 << 10) { [weak self] in
            let peer = PeerSocket(connection)
            try? script(peer)
            self?.open.withLock { open in open.removeAll { $0 == connection } }
            if !peer.isClosed { close(connection) }
        }
    }

    deinit {
        // Wakes the threads; they close the descriptors.
        shutdown(listener, Int32(SHUT_RDWR))
        open.withLock { open in for connection in open { shutdown(connection, Int32(SHUT_RDWR)) } }
    }

    /// How to connect to it.
    var configuration: AMQPConfiguration {
        var uri = AMQPURI()
        uri.host = "127.0.0.1"
        uri.port = port
        var configuration = AMQPConfiguration(brokers: [uri])
        configuration.recovery = nil
        return configuration
    }
}

/// The peer's end of a connection. Its calls block.
final class PeerSocket: @unchecked Sendable {
    // Unchecked: only the thread of its script uses it.
    struct Ended: Error {}

    struct Frame {
        var type: UInt8
        var channel: UInt16
        var payload: [UInt8]

        /// Class and method of a method frame.
        var methodID: AMQPMethodID? {
            guard type == 1, payload.count >= 4 else { return nil }
            return AMQPMethodID(
                classID: UInt16(payload[0]) << 8 | UInt16(payload[1]),
                methodID: UInt16(payload[2]) << 8 | UInt16(payload[3])
            )
        }
    }

    private let descriptor: Int32
    private(set) var isClosed = false

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    func read(_ count: Int) throws -> [UInt8] {
        var octets = [UInt8](repeating: 0, count: count)
        var position = 0
        while position < count {
            let result = octets.withUnsafeMutableBytes {
                recv(descriptor, $0.baseAddress! + position, count - position, 0)
            }
            guard result > 0 else { throw Ended() }
            position += result
        }
        return octets
    }

    func write(_ octets: [UInt8]) throws {
        var position = 0
        while position < octets.count {
            let result = octets.withUnsafeBytes {
                send(descriptor, $0.baseAddress! + position, octets.count - position, Int32(MSG_NOSIGNAL))
            }
            guard result > 0 else { throw Ended() }
            position += result
        }
    }

    /// Writes what is taken within two seconds; nil where nothing is.
    func sendOnce(_ octets: UnsafeRawBufferPointer) -> Int? {
        var limit = timeval(tv_sec: 2, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let count = send(descriptor, octets.baseAddress, octets.count, Int32(MSG_NOSIGNAL))
        return count > 0 ? count : nil
    }

    func write(_ methods: AMQPMethod..., channel: UInt16) throws {
        var encoder = AMQPFrameEncoder()
        for method in methods { try encoder.append(method, channel: channel) }
        try write(encoder.bytes.copy())
    }

    /// The next frame that is not a heartbeat.
    func frame() throws -> Frame {
        while true {
            let head = try read(7)
            let size = head[3...6].reduce(0) { $0 << 8 | Int($1) }
            let payload = try read(size + 1).dropLast()
            if head[0] == 8 { continue }
            return Frame(type: head[0], channel: UInt16(head[1]) << 8 | UInt16(head[2]), payload: Array(payload))
        }
    }

    /// Reads until a method comes, and drops what comes before it.
    @discardableResult
    func await(_ id: AMQPMethodID) throws -> Frame {
        while true {
            let frame = try frame()
            if frame.methodID == id { return frame }
        }
    }

    /// What a broker does until a virtual host is open.
    func shakeHands(
        frameMax: UInt32 = 131_072,
        heartbeat: UInt16 = 0,
        channelMax: UInt16 = 2047,
        before: AMQPMethodID? = nil
    ) throws {
        _ = try read(8)
        if before == .connectionStart { return }
        try write(.connectionStart(.init(mechanisms: "PLAIN AMQPLAIN")), channel: 0)
        try self.await(.connectionStartOk)
        if before == .connectionTune { return }
        try write(
            .connectionTune(.init(channelMax: channelMax, frameMax: frameMax, heartbeat: heartbeat)),
            channel: 0
        )
        try self.await(.connectionOpen)
        if before == .connectionOpenOk { return }
        try write(.connectionOpenOk(.init()), channel: 0)
    }

    func openChannel() throws {
        let frame = try self.await(.channelOpen)
        try write(.channelOpenOk(.init()), channel: frame.channel)
    }

    /// Cuts the connection with a reset.
    func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
        close(descriptor)
        isClosed = true
    }

    /// Reads and drops until the other side ends.
    func drain() {
        while (try? read(1)) != nil {}
    }

    /// Reads nothing until the other side ends, or the peer as a whole is let go of; false if neither came in time.
    @discardableResult
    func waitForEnd() -> Bool {
        var descriptor = pollfd(fd: descriptor, events: 0x2000, revents: 0)
        return poll(&descriptor, 1, 60_000) > 0
    }
}
