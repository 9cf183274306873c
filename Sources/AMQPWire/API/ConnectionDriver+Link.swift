/// One socket of a connection, from connect to its end. A recovered connection has a new one.
final class Link: StreamHandler {
    let stream: ByteStream
    private let driver: ConnectionDriver
    private static let bufferSize = 64 * 1024
    // Touched on the loop's thread only.
    private nonisolated(unsafe) let buffer: UnsafeMutableRawBufferPointer

    init(_ stream: ByteStream, _ driver: ConnectionDriver) {
        self.stream = stream
        self.driver = driver
        buffer = .allocate(byteCount: Self.bufferSize, alignment: 64)
    }

    deinit {
        buffer.deallocate()
    }

    func streamReadable() {
        // Bounded, so that one busy connection does not starve the others; what is left is announced again.
        for _ in 0..<16 {
            switch stream.read(into: buffer) {
            case .received(let count):
                driver.received(UnsafeRawBufferPointer(rebasing: buffer[..<count]), on: self)
                if count < buffer.count, !stream.hasBufferedInput { return }
                if driver.state.withLock({ $0.isReadingPaused }) { return }
            case .wouldBlock: return
            case .closed:
                return driver.lost(
                    self,
                    AMQPError(.connectionLost, "the broker \(stream.peer) ended the connection without a word")
                )
            case .failed(let error):
                return driver.lost(self, AMQPError(error))
            }
        }
    }

    func streamWritable() {
        driver.writable(self)
    }

    func deadlinePassed() {}
}

/// Wakes a connection at its deadlines. The loop holds it, and so the driver, until the connection is over for good.
///
/// Not by a weak reference: the first one makes every later reference count of the driver slow.
final class DriverTimer: StreamHandler {
    private let driver: ConnectionDriver

    init(_ driver: ConnectionDriver) {
        self.driver = driver
    }

    func streamReadable() {}
    func streamWritable() {}
    func deadlinePassed() { driver.deadlinePassed() }
}

extension AMQPError {
    /// What a failed socket means for a connection.
    init(_ error: TransportError) {
        let code: Code =
            switch (error.phase, error.reason) {
            case (_, .deadline): .timedOut
            case (_, .cancelled): .cancelled
            case (_, .configuration): .invalidArgument
            // With TLS 1.3 the broker refuses our certificate only after the handshake.
            case (_, .certificate), (.tls, .secureProtocol), (.tls, .name), (.tls, .closed): .tlsFailed
            case (.resolve, _), (.connect, _): .unreachable
            // A socket that ends or fails in the middle of the handshake says nothing of TLS.
            case (.tls, .system), (.tls, .ended), (.read, _), (.write, _): .connectionLost
            }
        let stage: Stage? =
            switch (error.phase, error.reason) {
            case (.resolve, _): .resolving
            case (.connect, _): .connecting
            case (.tls, _), (_, .certificate): .securing
            // The core knows how far it was.
            case (.read, _), (.write, _): nil
            }
        self.init(
            code,
            stage: stage,
            error.message,
            remedy: error.remedy,
            file: error.file,
            tls: error.tls,
            errno: error.errno
        )
    }
}

extension ConnectionDriver {
    /// Octets came.
    fileprivate func received(_ octets: UnsafeRawBufferPointer, on link: Link) {
        let now = EventLoop.now()
        perform { state in
            guard state.link === link else { return }
            state.core.statistics.octetsReceived &+= UInt64(octets.count)
            state.core.decoder.append(octets)
            state.core.process(now: now)
            // Noted here, where it may begin, so that publishing need not look.
            if state.core.hasTooManyAnswers(isReadingPaused: false) { state.isOverfull = true }
        }
    }

    /// The socket ended or failed.
    func lost(_ link: Link, _ error: AMQPError) {
        perform { state in
            if state.link === link { state.core.transportEnded(error) }
        }
    }

    /// Writing failed. What the broker said before, its reason maybe, is read first.
    func listenOnceMore(_ link: Link, _ error: AMQPError) {
        loop.perform { [self] in
            link.streamReadable()
            lost(link, error)
        }
    }

    fileprivate func deadlinePassed() {
        let now = EventLoop.now()
        perform(.soon) { state in
            state.scheduled = nil
            if let until = state.gatherUntil, until <= now {
                let isIdle = state.core.encoder.bytes.isEmpty
                // While there is traffic the loop's own clock goes on, so that publishers need not set it.
                state.gatherUntil = isIdle ? nil : now.advanced(by: Self.gatherTime)
                state.isUrgent = !isIdle
            }
            state.core.deadlinePassed(now: now)
        }
    }

    /// The socket takes more.
    fileprivate func writable(_ link: Link) {
        perform { state in
            guard state.link === link, let token = state.linkToken else { return }
            loop.setWants(token, read: !state.isReadingPaused, write: false)
            guard let rest = state.unsent.take() else { return }
            state.resumed = .some(rest)
        }
    }

    /// What became of a buffer that was to be sent.
    struct Outgoing: ~Copyable {
        var buffer: AMQPWireBuffer
        var written = 0
        var failure: AMQPError?
    }

    /// Writes until the buffer is empty or the kernel takes no more.
    static func write(_ buffer: consuming AMQPWireBuffer, on link: Link) -> Outgoing {
        var outgoing = Outgoing(buffer: buffer)
        while !outgoing.buffer.isEmpty {
            switch outgoing.buffer.withUnsafeBytes({ link.stream.write($0) }) {
            case .sent(let count):
                outgoing.buffer.removeFirst(count)
                outgoing.written += count
            case .wouldBlock: return outgoing
            case .failed(let error):
                outgoing.failure = AMQPError(error)
                return outgoing
            }
        }
        return outgoing
    }

    /// Says the last words, if the kernel takes them, and lets go of the socket.
    func end(_ ending: Ending) {
        if !ending.farewell.isEmpty { _ = ending.farewell.withUnsafeBytes { ending.link.stream.write($0) } }
        if let token = ending.token { loop.detach(token) }
        ending.link.stream.close()
    }
}
