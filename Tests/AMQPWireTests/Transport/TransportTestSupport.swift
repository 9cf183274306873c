import Glibc
import Synchronization
import Testing

@testable import AMQPWire

/// A value that tests change from any thread and wait for. A wait ends when the task is cancelled, as time limits do.
final class Watched<Value: Sendable>: Sendable {
    private struct State {
        var value: Value
        var ticks: [AsyncStream<Void>.Continuation] = []
    }

    private let state: Mutex<State>

    init(_ value: Value) {
        state = Mutex(State(value: value))
    }

    var value: Value { state.withLock { $0.value } }

    func update(_ change: (inout Value) -> Void) {
        let ticks = state.withLock { state in
            change(&state.value)
            return state.ticks
        }
        for tick in ticks { tick.yield() }
    }

    /// The value once the condition holds.
    @discardableResult
    func wait(until condition: (Value) -> Bool) async throws -> Value {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        state.withLock { $0.ticks.append(continuation) }
        // Under the lock: a copy held meanwhile would make each change to a large value copy it.
        func found() -> Value? { state.withLock { condition($0.value) ? $0.value : nil } }
        if let value = found() { return value }
        for await _ in stream { if let value = found() { return value } }
        throw CancellationError()
    }
}

/// Does blocking work on a thread of its own, so that the tests' own threads stay free.
func onThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    let result = await withCheckedContinuation { continuation in
        let failure = PosixThread.start(name: "test-peer", stackSize: 1 << 20) {
            continuation.resume(returning: Result { try work() })
        }
        precondition(failure == 0, "no thread for the test")
    }
    return try result.get()
}

struct PeerFailure: Error {
    var what: String
    var number = errno
}

/// A socket on a loopback address that is bound and, with a backlog, listens.
final class LoopbackListener: Sendable {
    let address: SocketAddress
    let number: Int32

    /// With no backlog given the port is taken, and connecting to it is refused.
    init(_ host: String = "127.0.0.1", port: UInt16 = 0, backlog: Int32? = 128) throws {
        guard let wanted = Resolver.literal(host, port: port) else { throw PeerFailure(what: host) }
        let number = socket(wanted.family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        self.number = number
        SystemCall.setOption(number, level: SOL_SOCKET, name: SO_REUSEADDR, to: 1)
        if wanted.family == AF_INET6 { SystemCall.setOption(number, level: Int32(IPPROTO_IPV6), name: 26, to: 1) }
        let outcome = wanted.withSystemAddress { bind(number, $0, $1) }
        address = SocketAddress.local(number) ?? wanted
        guard outcome == 0 else { throw PeerFailure(what: "bind") }
        if let backlog { guard listen(number, backlog) == 0 else { throw PeerFailure(what: "listen") } }
    }

    deinit { close(number) }

    var target: ConnectTarget { ConnectTarget(host: address.host, port: address.port) }

    /// The next connection. Blocks, ten seconds at most.
    func accept() throws -> LoopbackPeer {
        var waiting = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, 10_000) == 1 else { throw PeerFailure(what: "nobody connected") }
        let accepted = Glibc.accept(number, nil, nil)
        guard accepted >= 0 else { throw PeerFailure(what: "accept") }
        return LoopbackPeer(accepted)
    }

    /// A listener whose queue is full: further connections get no answer at all.
    static func blackHole(_ host: String = "127.0.0.1", port: UInt16 = 0) throws -> (LoopbackListener, [Descriptor]) {
        let listener = try LoopbackListener(host, port: port, backlog: 0)
        var filling: [Descriptor] = []
        // One fits; the kernel drops what comes after it is established.
        for _ in 0..<3 {
            guard case .success((let descriptor, _)) = Descriptor.connecting(to: listener.address) else {
                throw PeerFailure(what: "filling the queue")
            }
            if filling.isEmpty {
                let outcome = descriptor.use { number in
                    var waiting = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
                    return poll(&waiting, 1, 10_000)
                }
                guard outcome == 1 else { throw PeerFailure(what: "the first connection") }
            }
            filling.append(descriptor)
        }
        return (listener, filling)
    }
}

/// The far end of a connection, blocking, with ten seconds for each call.
final class LoopbackPeer: Sendable {
    let number: Int32
    private let isOpen = Mutex(true)

    init(_ number: Int32) {
        self.number = number
        SystemCall.setOption(number, level: Int32(IPPROTO_TCP), name: TCP_NODELAY, to: 1)
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        for name in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(number, SOL_SOCKET, name, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    deinit { close() }

    /// Up to `count` octets; fewer at the end of the stream.
    func read(_ count: Int) throws -> [UInt8] {
        var result: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: min(count, 64 << 10))
        while result.count < count {
            let got = recv(number, &chunk, min(chunk.count, count - result.count), 0)
            guard got >= 0 else { throw PeerFailure(what: "recv") }
            guard got > 0 else { break }
            result += chunk[..<got]
        }
        return result
    }

    func write(_ octets: [UInt8]) throws {
        var sent = 0
        while sent < octets.count {
            let count = octets[sent...].withUnsafeBytes { send(number, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { throw PeerFailure(what: "send") }
            sent += count
        }
    }

    func shutdownWrite() { _ = shutdown(number, Int32(SHUT_WR)) }

    func close() {
        isOpen.withLock { isOpen in
            if isOpen { _ = Glibc.close(number) }
            isOpen = false
        }
    }

    /// Ends the connection with a reset.
    func reset() {
        var setting = linger(l_onoff: 1, l_linger: 0)
        setsockopt(number, SOL_SOCKET, SO_LINGER, &setting, socklen_t(MemoryLayout<linger>.size))
        close()
    }
}

/// A handler that reads everything it is told of, in pieces of a given size, and notes how the stream ended.
final class Collector: StreamHandler {
    struct Contents {
        var octets: [UInt8] = []
        var end: ReadOutcome?
    }

    let contents = Watched(Contents())
    let stream: ByteStream
    private let writableCalls = Watched(0)
    private let token = Mutex<EventLoop.Token?>(nil)
    private let pieceSize: Int

    init(_ stream: ByteStream, pieceSize: Int = 64 << 10) throws {
        self.stream = stream
        self.pieceSize = pieceSize
        // The loop may call before `attach` returns: it finds the token only after.
        try token.withLock { $0 = try EventLoop.shared.attach(stream, handler: self) }
    }

    func streamReadable() {
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: pieceSize, alignment: 1)
        defer { piece.deallocate() }
        let outcome = stream.read(into: piece)
        contents.update { contents in
            switch outcome {
            case .received(let count): contents.octets += piece[..<count]
            case .wouldBlock: break
            case .closed, .failed: contents.end = outcome
            }
        }
        switch outcome {
        case .closed, .failed: detach()
        case .received, .wouldBlock: break
        }
    }

    func streamWritable() {
        setWants(read: true, write: false)
        writableCalls.update { $0 += 1 }
    }

    func deadlinePassed() {}

    func setWants(read: Bool, write: Bool) {
        token.withLock { if let token = $0 { EventLoop.shared.setWants(token, read: read, write: write) } }
    }

    func detach() {
        token.withLock { if let token = $0 { EventLoop.shared.detach(token) } }
    }

    func finish() {
        detach()
        stream.close()
    }

    /// Writes all of it, waiting where the stream cannot take more. Returns how often it had to wait.
    @discardableResult
    func write(_ octets: [UInt8]) async throws -> Int {
        var waits = 0
        var sent = 0
        while sent < octets.count {
            let calls = writableCalls.value
            switch octets[sent...].withUnsafeBytes({ stream.write($0) }) {
            case .sent(let count): sent += count
            case .wouldBlock:
                waits += 1
                setWants(read: true, write: true)
                try await writableCalls.wait { $0 > calls }
            case .failed(let error): throw error
            }
        }
        return waits
    }
}

/// A handler made of closures.
final class Reactions: StreamHandler {
    let readable: @Sendable () -> Void
    let writable: @Sendable () -> Void
    let deadline: @Sendable () -> Void

    init(
        readable: @escaping @Sendable () -> Void = {},
        writable: @escaping @Sendable () -> Void = {},
        deadline: @escaping @Sendable () -> Void = {}
    ) {
        self.readable = readable
        self.writable = writable
        self.deadline = deadline
    }

    func streamReadable() { readable() }
    func streamWritable() { writable() }
    func deadlinePassed() { deadline() }
}

func soon(_ duration: Duration = .seconds(20)) -> Moment { EventLoop.now().advanced(by: duration) }

extension Resolver {
    /// Answers every name with these addresses.
    static func answering(_ addresses: [SocketAddress]) -> Resolver {
        Resolver { _, _ in .success(addresses) }
    }
}

/// Connects, and says with which error it did not.
func connectFailure(
    to target: ConnectTarget,
    tls: AMQPTLSConfiguration? = nil,
    deadline: Moment = soon(),
    options: ConnectOptions = ConnectOptions()
) async -> TransportError? {
    do throws(TransportError) {
        let stream = try await Connector.connect(to: target, tls: tls, deadline: deadline, options: options)
        stream.close()
        return nil
    } catch {
        return error
    }
}

/// A repeatable sequence of octets, to compare what was sent with what came. Its period is a prime, so that no piece of a
/// power of two can be mistaken for another.
func pattern(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed
    let period = (0..<min(count, 65_521)).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 56)
    }
    var result: [UInt8] = []
    result.reserveCapacity(count + period.count)
    while result.count < count { result += period }
    return Array(result.prefix(count))
}

/// How many entries a directory of /proc has: descriptors or threads of this process.
func entryCount(_ path: String) -> Int {
    guard let directory = opendir(path) else { return -1 }
    defer { closedir(directory) }
    var count = 0
    while readdir(directory) != nil { count += 1 }
    return count
}

/// Whether a condition that nothing announces comes to hold within twenty seconds: threads that have done their work take
/// a moment to be gone, and what they held with them.
func comesTrue(_ condition: () -> Bool) async -> Bool {
    let limit = soon()
    while !condition() {
        guard EventLoop.now() < limit else { return false }
        await Task.yield()
    }
    return true
}

/// The threads of this process.
func threads() -> [(id: String, name: String)] {
    guard let directory = opendir("/proc/self/task") else { return [] }
    defer { closedir(directory) }
    var found: [(id: String, name: String)] = []
    while let entry = readdir(directory) {
        let id = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        eachLine("/proc/self/task/\(id)/comm") { found.append((id, String($0.dropLast()))) }
    }
    return found
}

/// Calls `body` with each line of a small file, its line feed included.
func eachLine(_ path: String, _ body: (String) -> Void) {
    guard let file = fopen(path, "r") else { return }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, 256, file) != nil {
        body(String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }
}
