import Glibc

/// What reading came to.
enum ReadOutcome: Equatable {
    /// So many octets, at least one.
    case received(Int)
    /// Nothing there now; the loop tells when there is.
    case wouldBlock
    /// The peer sends no more, or the stream was closed here.
    case closed
    case failed(TransportError)
}

/// What writing came to.
enum WriteOutcome: Equatable {
    /// So many octets went to the kernel; the rest is to be offered again.
    case sent(Int)
    /// Nothing went; the loop tells when it is worth trying again.
    case wouldBlock
    case failed(TransportError)
}

/// What looking at the first byte came to.
enum PeekOutcome: Equatable {
    case byte(UInt8)
    /// Nothing there now; the loop tells when there is.
    case wouldBlock
    /// No byte will come; reading tells why.
    case ended
}

/// A connected stream of octets over TCP, plain or encrypted, that never blocks.
///
/// Holds no queue: what the kernel does not take stays with the caller. ``Connector`` makes them, ``EventLoop`` tells when
/// they are readable and writable.
final class ByteStream: Sendable {
    /// The far end: `[::1]:5672`.
    let peer: String
    /// Our end.
    let local: String
    /// What TLS settled, nil on a plain stream.
    let tls: TLSFacts?

    /// Whether ``ConnectOptions/opening`` has been sent on it.
    let isOpened: Bool

    let descriptor: Descriptor
    let session: (any SecureSession)?

    /// Takes over a connected, non-blocking socket, and the session on it once its handshake is done.
    init(_ descriptor: Descriptor, session: (any SecureSession)? = nil, isOpened: Bool = false) {
        self.descriptor = descriptor
        self.isOpened = isOpened
        self.session = session
        tls = session?.facts
        peer = descriptor.use { SocketAddress.peer($0)?.description }.flatMap(\.self) ?? "?"
        local = descriptor.use { SocketAddress.local($0)?.description }.flatMap(\.self) ?? "?"
    }

    deinit {
        descriptor.close()
    }

    /// Whether the octets on the wire are encrypted.
    var isEncrypted: Bool { session != nil }

    /// Whether there is input that was taken off the socket already, of which the kernel knows no more.
    var hasBufferedInput: Bool { session?.hasBufferedInput ?? false }

    /// Whether ``close()`` has been called.
    var isClosed: Bool { descriptor.isClosed }

    /// Reads what is there into a buffer, which must not be empty. Only on the loop's thread, while attached.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome {
        precondition(!buffer.isEmpty, "reading into nothing cannot be told from the end of the stream")
        if let session { return session.read(into: buffer) }
        guard let outcome = descriptor.use({ SystemCall.receive($0, into: buffer) }) else { return .closed }
        switch outcome {
        case .done(0): return .closed
        case .done(let count): return .received(count)
        case .wouldBlock: return .wouldBlock
        case .failed(let number): return .failed(TransportError(.read, errno: number, endpoint: peer))
        }
    }

    /// Looks at the first byte that reading will give, and leaves it there. While nobody reads.
    func peek() -> PeekOutcome {
        if let session { return session.peek() }
        var byte: UInt8 = 0
        guard let outcome = descriptor.use({ SystemCall.peek($0, into: &byte) }) else { return .ended }
        switch outcome {
        case .done(0), .failed: return .ended
        case .done: return .byte(byte)
        case .wouldBlock: return .wouldBlock
        }
    }

    /// Writes as much of a buffer as the kernel takes now. Any thread, one at a time.
    ///
    /// What was not taken must be offered again from where it left off: more may follow it, but it may not change. (TLS may
    /// have encrypted some of it already.)
    func write(_ buffer: UnsafeRawBufferPointer) -> WriteOutcome {
        guard !buffer.isEmpty else { return .sent(0) }
        if let session { return session.write(buffer) }
        guard let outcome = descriptor.use({ SystemCall.send($0, buffer) }) else { return .failed(closedHere(.write)) }
        switch outcome {
        case .done(let count): return .sent(count)
        case .wouldBlock: return .wouldBlock
        case .failed(let number): return .failed(TransportError(.write, errno: number, endpoint: peer))
        }
    }

    /// Tells the peer that no more follows, after all has been written. Reading goes on. Any thread.
    func shutdownWrite() {
        session?.sendCloseNotify()
        _ = descriptor.use { shutdown($0, Int32(SHUT_WR)) }
    }

    /// Ends the stream, at once for both ends, in whatever state it is. Any thread, any number of times.
    ///
    /// The socket's number is given back when the loop has let go of it: detach before or after, in either order. What the
    /// kernel still has to send is sent, unless the peer sent something that was not read: read to the end before, where
    /// the last words matter.
    func close() {
        if !isClosed { session?.sendCloseNotify() }
        descriptor.close()
    }

    private func closedHere(_ phase: TransportError.Phase) -> TransportError {
        TransportError(phase, .closed, endpoint: peer, detail: "the connection was closed on this side")
    }
}
