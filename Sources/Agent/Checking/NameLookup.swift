#if Agent
import Glibc
import Synchronization

/// An address of a host, for a port, as the system keeps it.
struct HostAddress: Hashable, Sendable {
    /// The octets of its `sockaddr`.
    let octets: [UInt8]
    let family: Int32
    /// In digits, IPv6 in brackets and with its zone.
    let text: String
}

/// Asks the system for a host's addresses, as connecting does, with a deadline.
enum NameLookup {
    enum Failure: Error, Hashable, Sendable {
        /// What `getaddrinfo` returns.
        case resolver(Int32)
        case system(SystemError)
        /// The deadline passed.
        case timedOut
    }

    /// The addresses of a host.
    ///
    /// A lookup cannot be interrupted: when the deadline passes its thread is left behind.
    static func addresses(
        of host: String,
        port: UInt16,
        within time: Duration
    ) -> Result<[HostAddress], Failure> {
        let errand: Errand
        do throws(SystemError) {
            errand = try Errand(host: host, port: port)
        } catch {
            return .failure(.system(error))
        }
        let code = DetachedThread.start { errand.work() }
        guard code == 0 else { return .failure(.system(SystemError(code: code, context: "pthread_create"))) }
        let deadline = ContinuousClock.now + time
        while ContinuousClock.now < deadline {
            var polled = pollfd(fd: errand.done.number, events: Int16(POLLIN), revents: 0)
            _ = poll(&polled, 1, Milliseconds.until(deadline))
            if let result = errand.result.withLock({ $0 }) { return result }
        }
        return .failure(.timedOut)
    }

    /// What a thread of its own is asked to do.
    private final class Errand: Sendable {
        let host: String
        let port: UInt16
        let done: EventDescriptor
        let result = Mutex<Result<[HostAddress], Failure>?>(nil)

        init(host: String, port: UInt16) throws(SystemError) {
            self.host = host
            self.port = port
            done = try EventDescriptor()
        }

        func work() {
            let found = NameLookup.query(host, port: port)
            result.withLock { $0 = found }
            done.ring()
        }
    }

    private static func query(_ host: String, port: UInt16) -> Result<[HostAddress], Failure> {
        guard !host.isEmpty, !host.utf8.contains(0) else { return .failure(.resolver(EAI_NONAME)) }
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, "\(port)", &hints, &list)
        let systemError = errno
        defer { if let list { freeaddrinfo(list) } }
        guard code == 0 else {
            return .failure(
                code == EAI_SYSTEM ? .system(SystemError(code: systemError, context: "getaddrinfo")) : .resolver(code)
            )
        }
        var addresses: [HostAddress] = []
        var next = list
        while let entry = next {
            if let given = entry.pointee.ai_addr {
                let length = entry.pointee.ai_addrlen
                let octets = Array(UnsafeRawBufferPointer(start: given, count: Int(length)))
                let text = digits(of: given, length: length, family: entry.pointee.ai_family)
                addresses.append(HostAddress(octets: octets, family: entry.pointee.ai_family, text: text))
            }
            next = entry.pointee.ai_next
        }
        return addresses.isEmpty ? .failure(.resolver(EAI_NONAME)) : .success(addresses)
    }

    private static func digits(of address: UnsafePointer<sockaddr>, length: socklen_t, family: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard getnameinfo(address, length, &buffer, socklen_t(buffer.count), nil, 0, NI_NUMERICHOST) == 0 else {
            return "an address of family \(family)"
        }
        let text = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return family == AF_INET6 ? "[\(text)]" : text
    }
}

extension NameLookup.Failure: CustomStringConvertible {
    var description: String {
        switch self {
        case .resolver(EAI_NONAME), .resolver(-5): "no such host"  // -5 is EAI_NODATA, for GNU programs only.
        case .resolver(EAI_AGAIN): "the name service does not answer"
        case .resolver(let code): gai_strerror(code).map { String(cString: $0) } ?? "name service error \(code)"
        case .system(let error): error.reason
        case .timedOut: "the name service did not answer in time"
        }
    }
}

/// Time as `poll` takes it.
enum Milliseconds {
    /// From now to a moment, rounded up, at least 0.
    static func until(_ moment: ContinuousClock.Instant) -> Int32 {
        let left = (ContinuousClock.now.duration(to: moment) / .milliseconds(1)).rounded(.up)
        return Int32(max(0, min(left, 3_600_000)))
    }
}
#endif
