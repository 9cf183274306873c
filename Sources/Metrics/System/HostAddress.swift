import Glibc

/// An address and port of a host, in the form that connect(2) takes.
struct HostAddress: Sendable {
    let family: Int32
    private let octets: [UInt8]

    /// Calls `body` with the address as C has it.
    func withSocketAddress(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        octets.withUnsafeBytes { bytes in
            // It is as long as the kernel's structure of its family, and nothing else is read through the pointer.
            guard let base = bytes.baseAddress else { return -1 }
            return body(base.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
    }

    /// The addresses that a host has without anybody being asked: those spelled out, and of `localhost`. Empty for a name.
    static func known(of host: String, port: UInt16) -> [HostAddress] {
        if host == "localhost" { return ["127.0.0.1", "::1"].flatMap { known(of: $0, port: port) } }
        guard case .success(let addresses) = query(host, port: port, flags: AI_NUMERICHOST) else { return [] }
        return addresses
    }

    /// The addresses that the name service has for a host, or the error of getaddrinfo(3). Blocks for as long as it likes.
    static func lookedUp(_ host: String, port: UInt16) -> Result<[HostAddress], LookUpFailure> {
        query(host, port: port, flags: 0)
    }

    /// Why a name has no address, as getaddrinfo(3) says it.
    struct LookUpFailure: Error {
        let text: String
    }

    private static func query(_ host: String, port: UInt16, flags: Int32) -> Result<[HostAddress], LookUpFailure> {
        guard !host.isEmpty, !host.utf8.contains(0) else {
            return .failure(LookUpFailure(text: "this is not the name of a host"))
        }
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = flags | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &list)
        let number = errno
        guard code == 0 else {
            let text = code == EAI_SYSTEM ? strerror(number) : UnsafeMutablePointer(mutating: gai_strerror(code))
            return .failure(LookUpFailure(text: text.map { String(cString: $0) } ?? "name service error \(code)"))
        }
        defer { freeaddrinfo(list) }
        var addresses: [HostAddress] = []
        var next = list
        while let entry = next?.pointee {
            if let address = entry.ai_addr {
                let octets = [UInt8](UnsafeRawBufferPointer(start: address, count: Int(entry.ai_addrlen)))
                addresses.append(HostAddress(family: entry.ai_family, octets: octets))
            }
            next = entry.ai_next
        }
        return .success(addresses)
    }
}
