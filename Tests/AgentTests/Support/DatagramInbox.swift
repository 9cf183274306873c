#if Agent
import Glibc

@testable import PsistatsAgent

/// A socket that takes datagrams, as a service manager has it.
final class DatagramInbox {
    private let descriptor: Int32
    /// All that has come.
    private(set) var messages: [String] = []

    init(path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard var address = UnixAddress(path), address.use({ bind(descriptor, $0, $1) }) == 0 else {
            throw Program.Failure(call: "bind \(path)", code: errno)
        }
    }

    deinit { close(descriptor) }

    /// Takes what has come, and returns all that came since the start.
    @discardableResult
    func take() -> [String] {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = recv(descriptor, &buffer, buffer.count, 0), count >= 0 {
            messages.append(String(decoding: buffer.prefix(count), as: UTF8.self))
        }
        return messages
    }

    /// The assignments of all messages, in their order.
    var assignments: [String] { take().flatMap { $0.split(separator: "\n").map(String.init) } }
}
#endif
