import Glibc

/// An IPv4 or IPv6 address with its port.
enum SocketAddress: Sendable {
    case v4(sockaddr_in)
    case v6(sockaddr_in6)

    /// Copies an address that the system gave; nil where it is of another family.
    init?(_ address: UnsafePointer<sockaddr>, length: socklen_t) {
        let raw = UnsafeRawPointer(address)
        switch Int32(address.pointee.sa_family) {
        case AF_INET where Int(length) >= MemoryLayout<sockaddr_in>.size:
            self = .v4(raw.loadUnaligned(as: sockaddr_in.self))
        case AF_INET6 where Int(length) >= MemoryLayout<sockaddr_in6>.size:
            self = .v6(raw.loadUnaligned(as: sockaddr_in6.self))
        default: return nil
        }
    }

    /// `AF_INET` or `AF_INET6`.
    var family: Int32 {
        switch self {
        case .v4: AF_INET
        case .v6: AF_INET6
        }
    }

    /// The port, in the host's byte order.
    var port: UInt16 {
        get {
            switch self {
            case .v4(let address): UInt16(bigEndian: address.sin_port)
            case .v6(let address): UInt16(bigEndian: address.sin6_port)
            }
        }
        set {
            switch self {
            case .v4(var address):
                address.sin_port = newValue.bigEndian
                self = .v4(address)
            case .v6(var address):
                address.sin6_port = newValue.bigEndian
                self = .v6(address)
            }
        }
    }

    /// Runs `body` with the address as system calls want it.
    func withSystemAddress<Value>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Value) -> Value {
        func call<Address>(_ address: Address) -> Value {
            withUnsafePointer(to: address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<Address>.size))
                }
            }
        }
        switch self {
        case .v4(let address): return call(address)
        case .v6(let address): return call(address)
        }
    }

    /// The address that `getsockname` or `getpeername` tells of a socket.
    static func asked(
        _ descriptor: Int32,
        _ question: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                question(descriptor, $0, &length) == 0 ? SocketAddress($0, length: length) : nil
            }
        }
    }

    /// The local end of a socket.
    static func local(_ descriptor: Int32) -> SocketAddress? { asked(descriptor) { getsockname($0, $1, $2) } }

    /// The far end of a socket.
    static func peer(_ descriptor: Int32) -> SocketAddress? { asked(descriptor) { getpeername($0, $1, $2) } }
}

extension SocketAddress: CustomStringConvertible {
    /// The address alone, without brackets: `127.0.0.1`, `fe80::1%eth0`.
    var host: String {
        withSystemAddress { address, length in
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(NI_MAXHOST)) { text in
                let flags = Int32(NI_NUMERICHOST)
                guard
                    getnameinfo(address, length, text.baseAddress, socklen_t(text.count), nil, 0, flags) == 0,
                    let start = text.baseAddress
                else { return "?" }
                return String(cString: start)
            }
        }
    }

    /// `127.0.0.1:5672`, `[::1]:5672`.
    var description: String {
        switch self {
        case .v4: "\(host):\(port)"
        case .v6: "[\(host)]:\(port)"
        }
    }
}

extension SocketAddress: Hashable {
    static func == (left: SocketAddress, right: SocketAddress) -> Bool {
        switch (left, right) {
        case (.v4(let one), .v4(let other)):
            one.sin_port == other.sin_port && one.sin_addr.s_addr == other.sin_addr.s_addr
        case (.v6(let one), .v6(let other)):
            one.sin6_port == other.sin6_port && one.sin6_scope_id == other.sin6_scope_id
                && one.octets == other.octets
        case (.v4, .v6), (.v6, .v4): false
        }
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(port)
        switch self {
        case .v4(let address): hasher.combine(address.sin_addr.s_addr)
        case .v6(let address): hasher.combine(address.octets)
        }
    }
}

extension sockaddr_in6 {
    fileprivate var octets: [UInt8] { withUnsafeBytes(of: sin6_addr) { Array($0) } }
}

extension SocketAddress {
    /// Addresses in the order in which RFC 8305 (section 4) tries them: families take turns, beginning with that of the
    /// address the system prefers; each address once.
    static func interleaved(_ addresses: [SocketAddress]) -> [SocketAddress] {
        var seen: Set<SocketAddress> = []
        let unique = addresses.filter { seen.insert($0).inserted }
        guard let first = unique.first else { return [] }
        let preferred = unique.filter { $0.family == first.family }
        let others = unique.filter { $0.family != first.family }
        var result: [SocketAddress] = []
        for index in 0..<max(preferred.count, others.count) {
            if index < preferred.count { result.append(preferred[index]) }
            if index < others.count { result.append(others[index]) }
        }
        return result
    }
}
