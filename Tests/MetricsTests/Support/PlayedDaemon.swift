import Foundation
import Synchronization
import Testing

/// A TCP server on the loopback that does what a test wants it to with each connection.
final class PlayedDaemon: Sendable {
    let port: UInt16
    private let listener: Int32
    private let ended: Gate

    /// - Parameters:
    ///   - listens: false for a port where nobody listens, and nobody else can.
    ///   - play: called with the descriptor of each connection, one after another, on a thread of its own. The connection is
    ///     closed behind it.
    init(listens: Bool = true, play: @escaping @Sendable (_ connection: Int32) -> Void = { _ in }) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr = in_addr(s_addr: UInt32(0x7F00_0001).bigEndian)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        try #require(bound)
        if listens { try #require(listen(listener, 64) == 0) }
        self.listener = listener
        port = UInt16(bigEndian: address.sin_port)
        let ended = try Gate()
        self.ended = ended
        guard listens else {
            ended.open()
            return
        }
        Thread.detachNewThread {
            while true {
                let connection = accept(listener, nil, nil)
                if connection < 0 {
                    if errno == EINTR || errno == ECONNABORTED { continue }
                    break
                }
                play(connection)
                close(connection)
            }
            ended.open()
        }
    }

    deinit {
        // Wakes the thread, which may be in accept: the number must not be given to another file before it has noticed.
        shutdown(listener, Int32(SHUT_RDWR))
        #expect(ended.isOpenedInTime())
        close(listener)
    }

    /// Sends all of it; returns how much went before the other side hung up.
    @discardableResult
    static func send(_ octets: [UInt8], to connection: Int32) -> Int {
        octets.withUnsafeBytes { bytes in
            var sent = 0
            while sent < bytes.count {
                let count = Glibc.send(
                    connection,
                    bytes.baseAddress.map { $0 + sent },
                    bytes.count - sent,
                    Int32(MSG_NOSIGNAL)
                )
                if count < 0 {
                    if errno == EINTR { continue }
                    break
                }
                sent += count
            }
            return sent
        }
    }

    /// Has the connection end with a reset when it is closed.
    static func resetAtClose(_ connection: Int32) {
        var option = linger(l_onoff: 1, l_linger: 0)
        #expect(setsockopt(connection, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size)) == 0)
    }

    /// Waits until the other side has hung up.
    static func waitForEnd(of connection: Int32) {
        var octet: UInt8 = 0
        while recv(connection, &octet, 1, 0) > 0 {}
    }
}

extension Fixture {
    /// The reply in `Fixtures/hddtemp`.
    static func hddtempReply(_ name: String) throws -> [UInt8] {
        try octets(at: path("../hddtemp/\(name)"))
    }

    /// The names of all replies.
    static func hddtempReplies() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path("../hddtemp")).filter { $0 != "README.md" }.sorted()
    }
}
