#if Agent
import Glibc
import Synchronization

/// Listens on a loopback port, takes every connection, and says nothing, until it is told what to say to each.
final class SilentListener: Sendable {
    let port: UInt16
    private let descriptor: Int32
    private let clients = Clients()

    private final class Clients: Sendable {
        struct State {
            var answer: [UInt8]?
            var silenced: [Int32] = []
        }

        let state = Mutex(State())
    }

    init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let failed = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) != 0 || listen(descriptor, 64) != 0
                    || getsockname(descriptor, $0, &length) != 0
            }
        }
        guard !failed else { throw Program.Failure(call: "listen", code: errno) }
        self.descriptor = descriptor
        port = UInt16(bigEndian: address.sin_port)
        let isStarted = pthread_t.detached { [clients] in
            while true {
                let client = accept(descriptor, nil, nil)
                guard client >= 0 else {
                    // The listener has gone.
                    close(descriptor)
                    return
                }
                clients.state.withLock { state in
                    guard let answer = state.answer else { return state.silenced.append(client) }
                    _ = send(client, answer, answer.count, Int32(MSG_NOSIGNAL))
                    close(client)
                }
            }
        }
        guard isStarted else { throw Program.Failure(call: "pthread_create", code: errno) }
    }

    /// How many have been left without an answer.
    var silencedCount: Int { clients.state.withLock { $0.silenced.count } }

    /// Says this to everyone who comes from now on, and hangs up.
    func answer(_ text: String) {
        clients.state.withLock { $0.answer = Array(text.utf8) }
    }

    deinit {
        shutdown(descriptor, Int32(SHUT_RDWR))
        clients.state.withLock { for client in $0.silenced { close(client) } }
    }
}

extension pthread_t {
    /// Runs `body` on a thread of its own that nobody waits for; false if there is none to be had.
    static func detached(_ body: @escaping @Sendable () -> Void) -> Bool {
        let box = Unmanaged.passRetained(Body(body))
        var thread = pthread_t()
        let code = pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            },
            box.toOpaque()
        )
        guard code == 0 else {
            box.release()
            return false
        }
        pthread_detach(thread)
        return true
    }

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
}
#endif
