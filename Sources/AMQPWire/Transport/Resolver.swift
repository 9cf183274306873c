import Glibc

/// Turns host names into addresses, by the system's own rules (`/etc/hosts`, `nsswitch.conf`, DNS).
///
/// A lookup blocks for as long as the name service likes: run it on an ``ErrandPool``.
struct Resolver: Sendable {
    /// Looks up a host name. Blocks.
    var lookUp: @Sendable (_ host: String, _ port: UInt16) -> Result<[SocketAddress], TransportError>

    /// The system's resolver.
    static let system = Resolver { host, port in
        query(host, port: port, flags: 0)
    }

    /// The address that `host` spells out, with or without brackets and zone; nil where it is a name. Never blocks.
    static func literal(_ host: String, port: UInt16) -> SocketAddress? {
        var text = host[...]
        if text.first == "[", text.last == "]" { text = text.dropFirst().dropLast() }
        guard !text.isEmpty, !text.utf8.contains(0) else { return nil }
        guard case .success(let found) = query(String(text), port: port, flags: AI_NUMERICHOST) else { return nil }
        return found.first
    }

    private static func query(_ host: String, port: UInt16, flags: Int32) -> Result<[SocketAddress], TransportError> {
        let endpoint = "\(host):\(port)"
        guard !host.isEmpty, !host.utf8.contains(0) else {
            return .failure(
                TransportError(.resolve, .configuration, endpoint: endpoint, detail: "this is not a host name")
            )
        }
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = flags
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, nil, &hints, &list)
        let systemError = errno
        defer { if let list { freeaddrinfo(list) } }
        guard code == 0 else {
            return .failure(failure(code, systemError: systemError, host: host, endpoint: endpoint))
        }
        var addresses: [SocketAddress] = []
        var next = list
        while let entry = next {
            if let given = entry.pointee.ai_addr,
                var address = SocketAddress(given, length: entry.pointee.ai_addrlen)
            {
                address.port = port
                addresses.append(address)
            }
            next = entry.pointee.ai_next
        }
        guard !addresses.isEmpty else {
            return .failure(TransportError(.resolve, .name, endpoint: endpoint, detail: "\(host) has no address"))
        }
        return .success(addresses)
    }

    private static func failure(_ code: Int32, systemError: Int32, host: String, endpoint: String) -> TransportError {
        let detail: String
        var remedy: String?
        switch code {
        case EAI_NONAME, noData:
            detail = "no such host"
            remedy = "check the name, /etc/hosts and the name service"
        case EAI_AGAIN:
            detail = "the name service does not answer"
            remedy = "check /etc/resolv.conf and the network"
        case EAI_SYSTEM:
            return TransportError(.resolve, errno: systemError, endpoint: endpoint)
        default:
            detail = gai_strerror(code).map { String(cString: $0) } ?? "name service error \(code)"
        }
        return TransportError(.resolve, .name, endpoint: endpoint, detail: detail, remedy: remedy)
    }

    /// `EAI_NODATA`, which glibc's headers show to GNU programs only.
    private static let noData: Int32 = -5
}
