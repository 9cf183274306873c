import Glibc
import Synchronization
import Testing

@testable import AMQPWire

/// Who sends for whom, with a socket that always has more to send.
@Suite("A sender", .timeLimit(.minutes(1)))
struct SenderTests {
    private static let most = 1_000

    /// Sends one frame over a socket at each write of which another frame comes to be sent. Returns how many writes it took,
    /// and whether something was left for the loop.
    private func send(onLoop: Bool) async throws -> (writes: Int, isLeft: Bool) {
        let driver = try ConnectionDriver(AMQPConfiguration("amqp://127.0.0.1"))
        let session = TalkativeSession(most: Self.most) {
            driver.state.withLock { state in
                state.core.encoder.appendHeartbeat()
                state.isUrgent = true
            }
        }
        let descriptor = Descriptor(owning: socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0))
        driver.state.withLock { $0.link = Link(ByteStream(descriptor, session: session), driver) }
        let sending: @Sendable () -> Void = { driver.perform { $0.core.encoder.appendHeartbeat() } }
        if onLoop {
            let isDone = Signal()
            try EventLoop.shared.start()
            EventLoop.shared.perform {
                sending()
                isDone.set()
            }
            await isDone.wait()
        } else {
            sending()
        }
        return driver.state.withLock { state in
            state.link = nil
            return (session.writes, state.unsent != nil)
        }
    }

    @Test("on the loop's thread leaves the rest for the loop's next round, so that the others have their turn")
    func onLoop() async throws {
        let (writes, isLeft) = try await send(onLoop: true)
        #expect(writes < 100)
        #expect(isLeft)
    }

    @Test("on a thread of its own goes on until nothing is left")
    func elsewhere() async throws {
        let (writes, isLeft) = try await send(onLoop: false)
        #expect(writes == Self.most)
        #expect(!isLeft)
    }
}

/// A session that takes everything, and has something done at each write, up to a number of them.
private final class TalkativeSession: SecureSession {
    private let count = Mutex(0)
    private let most: Int
    private let atWrite: @Sendable () -> Void

    init(most: Int, atWrite: @escaping @Sendable () -> Void) {
        self.most = most
        self.atWrite = atWrite
    }

    var writes: Int { count.withLock { $0 } }

    func write(_ buffer: UnsafeRawBufferPointer) -> WriteOutcome {
        let number = count.withLock { count in
            count += 1
            return count
        }
        if number < most { atWrite() }
        return .sent(buffer.count)
    }

    func handshake() -> HandshakeStep { .done }
    func read(into buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome { .wouldBlock }
    func peek() -> PeekOutcome { .wouldBlock }
    func flush() {}
    func sendCloseNotify() {}
    var hasBufferedInput: Bool { false }
    var hasUnsentOutput: Bool { false }
    var readNeedsWritable: Bool { false }
    var writeNeedsReadable: Bool { false }
    var facts: TLSFacts { TLSFacts(version: "", cipher: "", isVerified: false) }
}
