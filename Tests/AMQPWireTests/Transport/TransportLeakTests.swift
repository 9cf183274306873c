import Glibc
import Testing

@testable import AMQPWire

/// Each in a process of its own, where nobody else opens descriptors or starts threads.
@Suite("Descriptors and threads", .timeLimit(.minutes(2)))
struct TransportLeakTests {
    @Test("before the first use there is no thread and no descriptor")
    func nothingBefore() async {
        await #expect(processExitsWith: .success) {
            func ours() -> [String] { threads().map(\.name).filter { $0.hasPrefix("amqpwire") } }
            _ = ErrandPool.shared
            guard EventLoop.shared.state.withLock({ $0.kernel == nil }), ours().isEmpty else { exit(1) }
            try EventLoop.shared.start()
            guard EventLoop.shared.state.withLock({ $0.kernel != nil }) else { exit(2) }
            guard await comesTrue({ ours() == ["amqpwire-loop"] }) else { exit(3) }
        }
    }

    @Test("thousands of connects, refusals, cancellations and missed deadlines leave nothing behind")
    func nothingAfter() async {
        await #expect(processExitsWith: .success) {
            let listener = try LoopbackListener()
            let refusing = try LoopbackListener(backlog: nil)
            let (silent, filling) = try LoopbackListener.blackHole()
            let resolver = Resolver.answering([silent.address, refusing.address, listener.address])
            var options = ConnectOptions(resolver: resolver)
            options.attemptDelay = .microseconds(200)
            let named = ConnectTarget(host: "broker.test", port: 1)

            func round(_ index: Int) async throws {
                switch index % 5 {
                case 0:
                    let stream = try await Connector.connect(to: listener.target, deadline: soon())
                    let peer = try await onThread { try listener.accept() }
                    let end = try Collector(stream)
                    peer.close()
                    try await end.contents.wait { $0.end != nil }
                    end.finish()
                case 1:
                    guard await connectFailure(to: refusing.target) != nil else { exit(1) }
                case 2:
                    let target = silent.target
                    let task = Task { await connectFailure(to: target) }
                    if index % 2 == 0 { await Task.yield() }
                    task.cancel()
                    guard await task.value?.reason == .cancelled else { exit(2) }
                case 3:
                    // Through the resolver's thread, past one that is silent and one that refuses.
                    let stream = try await Connector.connect(to: named, deadline: soon(), options: options)
                    let peer = try await onThread { try listener.accept() }
                    // Closed by its last reference going, not by a call.
                    _ = consume stream
                    peer.close()
                default:
                    let error = await connectFailure(to: silent.target, deadline: soon(.microseconds(300)))
                    guard error?.reason == .deadline else { exit(3) }
                }
            }
            for index in 0..<10 { try await round(index) }
            let descriptors = entryCount("/proc/self/fd")
            for index in 0..<3000 { try await round(index) }
            guard await comesTrue({ entryCount("/proc/self/fd") <= descriptors }) else { exit(4) }
            let onlyTheLoop = { threads().map(\.name).filter { $0.hasPrefix("amqpwire") } == ["amqpwire-loop"] }
            guard await comesTrue(onlyTheLoop) else { exit(5) }
            withExtendedLifetime(filling) {}
        }
    }

    @Test("where no descriptor is left the error says so, and the next try succeeds")
    func noDescriptors() async {
        await #expect(processExitsWith: .success) {
            let listener = try LoopbackListener()
            try EventLoop.shared.start()
            var held: [Int32] = []
            var limit = rlimit(rlim_cur: 64, rlim_max: 64)
            guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { exit(1) }
            var error: TransportError?
            // The test's own runtime may give a descriptor back at any time: then that one is taken too.
            for _ in 0..<100 where error == nil {
                while case let number = dup(listener.number), number >= 0 { held.append(number) }
                error = await connectFailure(to: listener.target)
            }
            guard error?.errno == EMFILE else { exit(2) }
            guard error?.remedy?.contains("LimitNOFILE") == true else { exit(4) }
            for number in held { close(number) }
            guard await connectFailure(to: listener.target) == nil else { exit(3) }
        }
    }
}
