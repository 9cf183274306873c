import Foundation
import Testing

@testable import HostMetrics

/// Gives the machine something to do that its readings show: processors, memory, disk, network, processes. By the amount of
/// work, not by the clock; all of it has ended when a step returns, except that some memory is kept for the next.
final class Load {
    private let folder: HostTree
    private var memory: [UInt8] = []
    private let socket: Int32
    private var address = sockaddr_in()

    init() throws {
        folder = try HostTree()
        socket = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        try #require(socket >= 0)
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withAddress { bind(socket, $0, length) == 0 && getsockname(socket, $0, &length) == 0 }
        try #require(isBound)
    }

    deinit { close(socket) }

    /// Another amount of everything at each index.
    func step(_ index: Int) throws {
        let amount = [1, 3, 0, 2, 4][index % 5]
        let burners = (0..<(amount % 3)).map { number in Burner(rounds: 400_000 * amount, seed: UInt64(number)) }
        memory = [UInt8](repeating: UInt8(amount), count: amount << 24)
        try write(megabytes: amount)
        send(packets: 50 * amount)
        for _ in 0..<amount { try runChild() }
        for burner in burners { burner.wait() }
    }

    private func write(megabytes: Int) throws {
        let file = open(folder.path + "/load", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        try #require(file >= 0)
        defer { close(file) }
        let block = [UInt8](repeating: 0x78, count: 1 << 20)
        for _ in 0..<megabytes { #expect(Glibc.write(file, block, block.count) == block.count) }
        #expect(fsync(file) == 0)
    }

    /// To ourselves. Nobody reads them, so that some are dropped in the end.
    private func send(packets: Int) {
        let content = [UInt8](repeating: 0, count: 1_000)
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        for _ in 0..<packets {
            _ = withAddress { sendto(socket, content, content.count, Int32(MSG_DONTWAIT), $0, length) }
        }
    }

    private func runChild() throws {
        let child = Process()
        child.executableURL = URL(fileURLWithPath: "/bin/true")
        try child.run()
        child.waitUntilExit()
    }

    private func withAddress<Value>(_ body: (UnsafeMutablePointer<sockaddr>) -> Value) -> Value {
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body)
        }
    }

    /// A thread that computes.
    private final class Burner: Sendable {
        private let end = DispatchSemaphore(value: 0)

        init(rounds: Int, seed: UInt64) {
            let end = self.end
            Thread.detachNewThread {
                var random = SplitMix64(state: seed)
                var sum: UInt64 = 0
                for _ in 0..<rounds { sum ^= random.next() }
                // Nobody may leave the work out.
                withExtendedLifetime(sum) {}
                end.signal()
            }
        }

        func wait() { end.wait() }
    }
}
