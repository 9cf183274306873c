import Glibc
import Synchronization

@testable import AMQPWire

/// A broker that answers as RabbitMQ does, except where a test says otherwise. One thread listens, one serves each connection.
///
/// Its codec is its own: what it understands does not depend on the client's.
final class PlayedBroker: Sendable {
    /// What to do about a request.
    enum Reaction: Sendable {
        /// What a broker that has nothing against it does.
        case answer
        case silence
        /// End the stream, without a word.
        case cut
        /// End it with a reset.
        case reset
        case closeConnection(UInt16, String)
        case closeChannel(UInt16, String)
        /// These methods, on the request's channel.
        case send([PlayedMethod])
    }

    typealias Script = @Sendable (_ connection: Int, _ request: PlayedRequest) -> Reaction

    private struct State {
        var listener: Int32 = -1
        var connections: [PlayedConnection] = []
    }

    let port: UInt16
    private let script: Script
    private let heartbeat: UInt16
    private let state = Mutex(State())

    init(heartbeat: UInt16 = 0, _ script: @escaping Script = { _, _ in .answer }) throws {
        self.script = script
        self.heartbeat = heartbeat
        let listener = try Self.listen(on: 0)
        port = SocketAddress.local(listener)?.port ?? 0
        start(listener)
    }

    deinit {
        state.withLock { state in
            if state.listener >= 0 { shutdown(state.listener, Int32(SHUT_RDWR)) }
            for connection in state.connections { connection.cut() }
        }
    }

    var uri: String { "amqp://guest:guest@127.0.0.1:\(port)" }

    /// The requests of each connection, in the order of their coming.
    var requests: [[PlayedRequest]] { state.withLock { $0.connections.map(\.requests) } }

    /// What a connection asked for after its handshake: `queue.declare q`.
    func calls(_ connection: Int) -> [String] {
        let all = requests
        return connection < all.count ? all[connection].filter { $0.channel > 0 }.map(\.description) : []
    }

    /// How many connections came.
    var connectionCount: Int { state.withLock { $0.connections.count } }

    /// Whether a connection is over.
    func hasEnded(_ connection: Int) -> Bool { state.withLock { $0.connections[connection] }.hasEnded }

    /// Cuts the present connection.
    func cut() { state.withLock { $0.connections.last }?.cut() }

    /// Says something unasked on the present connection.
    func say(_ method: PlayedMethod, channel: UInt16) {
        state.withLock { $0.connections.last }?.send(method, channel: channel)
    }

    /// Refuses connections from here on.
    func stopListening() {
        let listener = state.withLock { state in
            defer { state.listener = -1 }
            return state.listener
        }
        if listener >= 0 {
            shutdown(listener, Int32(SHUT_RDWR))
            close(listener)
        }
    }

    /// Takes connections again, on the same port.
    func listenAgain() throws { start(try Self.listen(on: port)) }

    private func start(_ listener: Int32) {
        state.withLock { $0.listener = listener }
        let (script, heartbeat) = (script, heartbeat)
        _ = PosixThread.start(name: "played-broker", stackSize: 256 << 10) { [weak self] in
            while true {
                let socket = accept(listener, nil, nil)
                if socket < 0 { return }
                let connection = self?.state.withLock { state in
                    let connection = PlayedConnection(socket, state.connections.count, heartbeat, script)
                    state.connections.append(connection)
                    return connection
                }
                guard let connection else { return }
                _ = PosixThread.start(name: "played-connection", stackSize: 256 << 10) { connection.serve() }
            }
        }
    }

    private struct NoSocket: Error {}

    private static func listen(on port: UInt16) throws -> Int32 {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        SystemCall.setOption(listener, level: SOL_SOCKET, name: SO_REUSEADDR, to: Int32(1))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, size) }
        }
        guard bound == 0, Glibc.listen(listener, 16) == 0 else { throw NoSocket() }
        return listener
    }
}

/// A method as it came, with the content that followed.
struct PlayedRequest: Sendable, CustomStringConvertible {
    var channel: UInt16
    var name: String
    var arguments: [UInt8]
    var body = ""

    /// Short strings that stand at the front of the arguments, after so many octets.
    func strings(after skipped: Int, _ count: Int) -> [String] {
        var rest = arguments.dropFirst(skipped)
        var strings: [String] = []
        while strings.count < count, let length = rest.popFirst() {
            strings.append(String(decoding: rest.prefix(Int(length)), as: UTF8.self))
            rest = rest.dropFirst(Int(length))
        }
        return strings
    }

    /// The names in it.
    var names: [String] {
        switch name {
        case "exchange.declare", "queue.declare", "queue.delete", "exchange.delete", "basic.get": strings(after: 2, 1)
        case "queue.bind", "exchange.bind": strings(after: 2, 3)
        case "basic.consume": strings(after: 2, 2)
        case "basic.cancel": strings(after: 0, 1)
        default: []
        }
    }

    var description: String {
        let details: [String] =
            switch name {
            case "basic.qos":
                ["\(UInt16(arguments[4]) << 8 | UInt16(arguments[5]))", arguments[6] == 1 ? "global" : ""]
            case "basic.publish": [body]
            default: names
            }
        return ([name] + details.filter { !$0.isEmpty }).joined(separator: " ")
    }
}

/// A method to be sent.
struct PlayedMethod: Sendable {
    var id: (UInt16, UInt16)
    var arguments: [UInt8] = []
    var content: [UInt8]?

    static func short(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }
    static func long(_ value: UInt32) -> [UInt8] { (0..<4).reversed().map { UInt8(value >> (8 * $0) & 0xFF) } }
    static func longLong(_ value: UInt64) -> [UInt8] { (0..<8).reversed().map { UInt8(value >> (8 * $0) & 0xFF) } }
    static func string(_ text: String) -> [UInt8] { [UInt8(text.utf8.count)] + Array(text.utf8) }

    static func close(_ code: UInt16, _ text: String, from request: String, isConnection: Bool) -> PlayedMethod {
        let cause = names.first { $0.value == request }?.key ?? 0
        let arguments = short(code) + string(text) + long(cause)
        return PlayedMethod(id: isConnection ? (10, 50) : (20, 40), arguments: arguments)
    }

    static func deliver(_ body: String, to consumer: String, tag: UInt64) -> PlayedMethod {
        let arguments = string(consumer) + longLong(tag) + [0] + string("") + string("q")
        return PlayedMethod(id: (60, 60), arguments: arguments, content: Array(body.utf8))
    }

    static func ack(_ tag: UInt64, multiple: Bool = false) -> PlayedMethod {
        PlayedMethod(id: (60, 80), arguments: longLong(tag) + [multiple ? 1 : 0])
    }

    static func nack(_ tag: UInt64) -> PlayedMethod { PlayedMethod(id: (60, 120), arguments: longLong(tag) + [0]) }

    static func queueDeclareOk(_ name: String) -> PlayedMethod {
        PlayedMethod(id: (50, 11), arguments: string(name) + long(0) + long(0))
    }

    static let names: [UInt32: String] = [
        0x000A_000B: "connection.start-ok", 0x000A_001F: "connection.tune-ok", 0x000A_0028: "connection.open",
        0x000A_0032: "connection.close", 0x000A_0033: "connection.close-ok",
        0x000A_0046: "connection.update-secret", 0x0014_000A: "channel.open", 0x0014_0028: "channel.close",
        0x0014_0029: "channel.close-ok", 0x0028_000A: "exchange.declare", 0x0028_0014: "exchange.delete",
        0x0028_001E: "exchange.bind", 0x0032_000A: "queue.declare", 0x0032_0014: "queue.bind",
        0x0032_0028: "queue.delete", 0x003C_000A: "basic.qos", 0x003C_0014: "basic.consume",
        0x003C_001E: "basic.cancel", 0x003C_0028: "basic.publish", 0x003C_0046: "basic.get",
        0x003C_0050: "basic.ack", 0x003C_0078: "basic.nack", 0x005A_000A: "tx.select", 0x005A_0014: "tx.commit",
        0x005A_001E: "tx.rollback", 0x0055_000A: "confirm.select",
    ]
}

/// One connection to a played broker.
final class PlayedConnection: Sendable {
    private struct State {
        var requests: [PlayedRequest] = []
        var publishes: [UInt16: UInt64] = [:]
        var isClosed = false
        var hasEnded = false
    }

    private let socket: Int32
    private let index: Int
    private let heartbeat: UInt16
    private let script: PlayedBroker.Script
    private let state = Mutex(State())

    init(_ socket: Int32, _ index: Int, _ heartbeat: UInt16, _ script: @escaping PlayedBroker.Script) {
        self.socket = socket
        self.index = index
        self.heartbeat = heartbeat
        self.script = script
    }

    deinit { closeSocket() }

    var requests: [PlayedRequest] { state.withLock { $0.requests } }
    var hasEnded: Bool { state.withLock { $0.hasEnded } }

    func cut() {
        state.withLock { state in
            if !state.isClosed { _ = shutdown(socket, Int32(SHUT_RDWR)) }
        }
    }

    private func closeSocket() {
        state.withLock { state in
            if !state.isClosed { _ = close(socket) }
            state.isClosed = true
        }
    }

    func serve() {
        defer {
            cut()
            state.withLock { $0.hasEnded = true }
        }
        guard read(8) == Array("AMQP".utf8) + [0, 0, 9, 1] else { return }
        let start: [UInt8] =
            [0, 9] + PlayedMethod.long(0) + PlayedMethod.long(5) + Array("PLAIN".utf8) + PlayedMethod.long(5)
            + Array("en_US".utf8)
        send(PlayedMethod(id: (10, 10), arguments: start), channel: 0)
        while let request = readRequest() {
            state.withLock { $0.requests.append(request) }
            switch script(index, request) {
            case .answer: answer(request)
            case .silence: break
            case .cut: return
            case .reset:
                var lingering = linger(l_onoff: 1, l_linger: 0)
                setsockopt(socket, SOL_SOCKET, SO_LINGER, &lingering, socklen_t(MemoryLayout<linger>.size))
                return closeSocket()
            case .closeConnection(let code, let text):
                send(.close(code, text, from: request.name, isConnection: true), channel: 0)
            case .closeChannel(let code, let text):
                send(.close(code, text, from: request.name, isConnection: false), channel: request.channel)
            case .send(let methods):
                for method in methods { send(method, channel: request.channel) }
            }
            if request.name == "connection.close-ok" { return }
        }
    }

    /// What a broker answers that has nothing against the request.
    private func answer(_ request: PlayedRequest) {
        func reply(_ classID: UInt16, _ methodID: UInt16, _ arguments: [UInt8] = []) {
            send(PlayedMethod(id: (classID, methodID), arguments: arguments), channel: request.channel)
        }
        switch request.name {
        case "connection.start-ok":
            reply(10, 30, PlayedMethod.short(2047) + PlayedMethod.long(131_072) + PlayedMethod.short(heartbeat))
        case "connection.open": reply(10, 41, [0])
        case "connection.close": reply(10, 51)
        case "connection.update-secret": reply(10, 71)
        case "channel.open": reply(20, 11, PlayedMethod.long(0))
        case "channel.close": reply(20, 41)
        case "exchange.declare": reply(40, 11)
        case "exchange.delete": reply(40, 21)
        case "exchange.bind": reply(40, 31)
        case "queue.declare":
            let name = request.names[0].isEmpty ? "amq.gen-\(index)" : request.names[0]
            send(.queueDeclareOk(name), channel: request.channel)
        case "queue.bind": reply(50, 21)
        case "queue.delete": reply(50, 41, PlayedMethod.long(0))
        case "basic.qos": reply(60, 11)
        case "basic.consume": reply(60, 21, PlayedMethod.string(request.names[1]))
        case "basic.cancel": if request.arguments.last == 0 { reply(60, 31, PlayedMethod.string(request.names[0])) }
        case "basic.get": reply(60, 72, [0])
        case "confirm.select": state.withLock { $0.publishes[request.channel] = 0 }
        case "basic.publish":
            let tag = state.withLock { state -> UInt64? in
                state.publishes[request.channel]? += 1
                return state.publishes[request.channel]
            }
            if let tag { send(.ack(tag), channel: request.channel) }
        case "tx.select": reply(90, 11)
        case "tx.commit": reply(90, 21)
        case "tx.rollback": reply(90, 31)
        default: break
        }
    }

    // MARK: Octets

    func send(_ method: PlayedMethod, channel: UInt16) {
        var octets = frame(
            1,
            channel,
            PlayedMethod.short(method.id.0) + PlayedMethod.short(method.id.1) + method.arguments
        )
        if let body = method.content {
            let header = PlayedMethod.short(60) + [0, 0] + PlayedMethod.longLong(UInt64(body.count)) + [0, 0]
            octets += frame(2, channel, header)
            if !body.isEmpty { octets += frame(3, channel, body) }
        }
        var sent = 0
        while sent < octets.count {
            let count = octets.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return }
            sent += count
        }
    }

    private func frame(_ type: UInt8, _ channel: UInt16, _ payload: [UInt8]) -> [UInt8] {
        [type] + PlayedMethod.short(channel) + PlayedMethod.long(UInt32(payload.count)) + payload + [0xCE]
    }

    private func read(_ count: Int) -> [UInt8]? {
        var octets = [UInt8](repeating: 0, count: count)
        var held = 0
        while held < count {
            let got = octets.withUnsafeMutableBytes { recv(socket, $0.baseAddress! + held, count - held, 0) }
            if got <= 0 { return nil }
            held += got
        }
        return octets
    }

    private func readFrame() -> (type: UInt8, channel: UInt16, payload: [UInt8])? {
        guard let head = read(7) else { return nil }
        let size = head[3...6].reduce(0) { $0 << 8 | Int($1) }
        guard let payload = read(size + 1), payload.last == 0xCE else { return nil }
        return (head[0], UInt16(head[1]) << 8 | UInt16(head[2]), payload.dropLast())
    }

    private func readRequest() -> PlayedRequest? {
        while let frame = readFrame() {
            guard frame.type == 1 else { continue }
            let id = frame.payload[..<4].reduce(0) { $0 << 8 | UInt32($1) }
            var request = PlayedRequest(
                channel: frame.channel,
                name: PlayedMethod.names[id] ?? "\(id >> 16).\(id & 0xFFFF)",
                arguments: Array(frame.payload[4...])
            )
            guard request.name == "basic.publish" else { return request }
            guard let header = readFrame(), header.type == 2 else { return nil }
            var left = header.payload[4..<12].reduce(0) { $0 << 8 | Int($1) }
            while left > 0 {
                guard let body = readFrame(), body.type == 3 else { return nil }
                left -= body.payload.count
                request.body += String(decoding: body.payload, as: UTF8.self)
            }
            return request
        }
        return nil
    }
}
