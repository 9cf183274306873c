#if Agent
import Glibc

/// A connected socket that takes messages without waiting. Closed with the last who holds it.
final class LogSocket: Sendable {
    private let descriptor: Int32

    private init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Connects to a socket in the file system, which is done at once or fails.
    convenience init(path: String, isStream: Bool) throws(SystemError) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { memory in
            // The last octet stays 0.
            guard path.utf8.count < memory.count else { return false }
            memory.copyBytes(from: path.utf8)
            return true
        }
        guard fits else { throw SystemError(code: ENAMETOOLONG, context: path) }
        self.init(descriptor: try Self.open(AF_UNIX, isStream: isStream, path))
        try withUnsafeBytes(of: &address) { (memory) throws(SystemError) in try connect(memory, path) }
    }

    /// Connects to an address of the resolver, for datagrams.
    private convenience init(_ found: addrinfo, _ context: String) throws(SystemError) {
        self.init(descriptor: try Self.open(found.ai_family, isStream: false, context))
        try connect(UnsafeRawBufferPointer(start: found.ai_addr, count: Int(found.ai_addrlen)), context)
    }

    private static func open(_ family: Int32, isStream: Bool, _ context: String) throws(SystemError) -> Int32 {
        let kind = isStream ? SOCK_STREAM : SOCK_DGRAM
        let flags = Int32(kind.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        return Int32(truncatingIfNeeded: try retryingInterrupts(context) { Int(socket(family, flags, 0)) })
    }

    private func connect(_ address: UnsafeRawBufferPointer, _ context: String) throws(SystemError) {
        guard let start = address.assumingMemoryBound(to: sockaddr.self).baseAddress else { return }
        let length = socklen_t(truncatingIfNeeded: address.count)
        _ = try retryingInterrupts(context) { Int(Glibc.connect(descriptor, start, length)) }
    }

    /// Sends a message, and says how many octets were taken and why not all of them.
    func send(_ octets: [UInt8]) -> (sent: Int, code: Int32?) {
        let flags = Int32(truncatingIfNeeded: MSG_DONTWAIT | MSG_NOSIGNAL)
        while true {
            let count = octets.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, flags) }
            if count >= 0 { return (count, count == octets.count ? nil : EAGAIN) }
            if errno != EINTR { return (0, errno) }
        }
    }

    /// Connects to a host for datagrams. Waits for the resolver, unless the host is a number.
    static func resolving(host: String, port: UInt16, onlyNumbers: Bool) throws(SystemError) -> LogSocket {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        hints.ai_flags = onlyNumbers ? AI_NUMERICHOST | AI_NUMERICSERV : AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, "\(port)", &hints, &list)
        guard code == 0 else {
            throw SystemError(code: code == EAI_SYSTEM ? errno : EHOSTUNREACH, context: "the name \(host)")
        }
        defer { freeaddrinfo(list) }
        var failure = SystemError(code: EHOSTUNREACH, context: host)
        var next = list
        while let found = next?.pointee {
            do {
                return try LogSocket(found, host)
            } catch {
                failure = error
            }
            next = found.ai_next
        }
        throw failure
    }
}
#endif
