import Glibc

/// Where to connect to.
struct ConnectTarget: Hashable, Sendable {
    /// A name, or an IPv4 or IPv6 address; IPv6 with or without brackets, with its zone where it has one.
    var host: String
    var port: UInt16
}

/// What of connecting can be set. The defaults suit a broker.
struct ConnectOptions: Sendable {
    /// How long one address is tried alone before the next is tried beside it (RFC 8305, section 5).
    var attemptDelay: Duration = .milliseconds(250)
    /// How long an address that has taken the connection may need for TLS and for its answer to ``opening``, before the next
    /// is tried beside it.
    var answerDelay: Duration = .seconds(2)
    /// What is said first to a host that has several addresses: one of them counts as connected once it has answered. What
    /// listens there may take connections and know nothing of what is wanted: a forward that is broken, another program.
    /// Empty where a connection is enough.
    var opening: [UInt8] = []
    /// Whether an answer to ``opening`` may begin with this byte.
    var isAnswer: @Sendable (UInt8) -> Bool = { _ in true }
    var resolver: Resolver = .system
    var errands: ErrandPool = .shared
    var loop: EventLoop = .shared
}

extension ConnectTarget: CustomStringConvertible {
    var description: String {
        host.utf8.contains(UInt8(ascii: ":")) && host.first != "[" ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

/// Opens byte streams.
enum Connector {
    /// Resolves the host, connects to the first of its addresses that answers, and agrees on TLS where it is asked for.
    ///
    /// Returns or throws by the deadline, and at once when the task is cancelled. Whatever was opened on the way is closed.
    /// Where no address answers the ``ConnectOptions/opening`` as it should, but one is connected, that is returned: reading
    /// from it tells what is wrong.
    ///
    /// - Parameter socket: where it is connected already, the socket; only TLS is left to be done. Closed on failure.
    static func connect(
        to target: ConnectTarget,
        over socket: Descriptor? = nil,
        tls: AMQPTLSConfiguration? = nil,
        deadline: Moment,
        options: ConnectOptions = ConnectOptions()
    ) async throws(TransportError) -> ByteStream {
        do throws(TransportError) {
            try options.loop.start()
        } catch {
            socket?.close()
            throw error
        }
        let race = ConnectRace(target: target, socket: socket, tls: tls, deadline: deadline, options: options)
        return try await race.run().get()
    }
}

extension Descriptor {
    /// A non-blocking TCP socket with the options that suit a broker's connection, and the beginning of a connection.
    ///
    /// Keepalive probes after a minute of silence find a dead peer within two minutes where heartbeats are switched off.
    /// TCP_USER_TIMEOUT is left alone: it would also end connections to a broker that is alive but reads nothing for a
    /// while, as RabbitMQ does under a memory or disk alarm (since Linux 5.11 a window that stays closed counts against it).
    static func connecting(to address: SocketAddress) -> Result<(Descriptor, isConnected: Bool), ConnectFailure> {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let number = socket(address.family, kind, 0)
        guard number >= 0 else { return .failure(ConnectFailure(address: address, errno: errno)) }
        let descriptor = Descriptor(owning: number)
        for (level, name, value) in [
            (Int32(IPPROTO_TCP), TCP_NODELAY, Int32(1)),
            (SOL_SOCKET, SO_KEEPALIVE, 1),
            (Int32(IPPROTO_TCP), TCP_KEEPIDLE, 60),
            (Int32(IPPROTO_TCP), TCP_KEEPINTVL, 10),
            (Int32(IPPROTO_TCP), TCP_KEEPCNT, 6),
        ] {
            SystemCall.setOption(number, level: level, name: name, to: value)
        }
        // Not made again after EINTR: an interrupted connect goes on by itself.
        guard address.withSystemAddress({ connect(number, $0, $1) }) != 0 else { return .success((descriptor, true)) }
        switch errno {
        case EINPROGRESS, EINTR: return .success((descriptor, false))
        case let failure: return .failure(ConnectFailure(address: address, errno: failure))
        }
    }

    /// How an attempt to connect came out: nil while it goes on, 0 where it succeeded, else the error number.
    func connectOutcome() -> Int32? {
        let outcome = use { number -> Int32? in
            let failure = SystemCall.pendingError(number)
            guard failure == 0 else { return failure }
            guard let peer = SocketAddress.peer(number) else { return nil }
            // Connecting to a local port that nobody listens on can meet itself, when the system picks that very port.
            return peer == SocketAddress.local(number) ? ECONNREFUSED : 0
        }
        return outcome ?? ECONNABORTED
    }
}

/// One address that could not be connected to.
struct ConnectFailure: Error, Hashable, Sendable {
    var address: SocketAddress
    var errno: Int32

    /// All failures in one sentence: "connection refused by 127.0.0.1:5672 and [::1]:5672".
    static func summary(_ failures: [ConnectFailure]) -> String {
        numbers(failures).map { number in
            let addresses = failures.filter { $0.errno == number }.map(\.address.description)
            return "\(SystemErrorText.describe(number)) \(preposition(number)) \(list(addresses))"
        }.joined(separator: "; ")
    }

    /// What to do about them, as far as that is known.
    static func remedy(_ failures: [ConnectFailure]) -> String? {
        let remedies = numbers(failures).compactMap(SystemErrorText.remedy)
        return remedies.isEmpty ? nil : remedies.joined(separator: "; ")
    }

    /// The error numbers, each once.
    private static func numbers(_ failures: [ConnectFailure]) -> [Int32] {
        var numbers: [Int32] = []
        for failure in failures where !numbers.contains(failure.errno) { numbers.append(failure.errno) }
        return numbers
    }

    private static func preposition(_ number: Int32) -> String {
        switch number {
        case ECONNREFUSED: "by"
        case ETIMEDOUT: "from"
        default: "for"
        }
    }

    private static func list(_ addresses: [String]) -> String {
        guard let last = addresses.last, addresses.count > 1 else { return addresses.first ?? "" }
        return addresses.dropLast().joined(separator: ", ") + " and " + last
    }
}
