import Glibc

/// The addresses of the machine.
public struct AddressSample: Hashable, Sendable {
    /// IPv4 before IPv6, otherwise in the order of the kernel.
    public var addresses: [Address]
    /// Which of the interfaces that were asked for are not there, as they were named.
    public var missing: [String] = []

    /// One address.
    public struct Address: Hashable, Sendable, CustomStringConvertible {
        /// The interface: `eth0`; of an address with a label of its own the label: `eth0:1`.
        public var interface: String
        /// Whether it is of IPv4 or IPv6.
        public var family: Family
        /// As `inet_ntop` writes it: `192.0.2.7`, `2001:db8::7`.
        public var text: String
        /// For an IPv6 address that is valid on one link only: the interface to that link.
        public var zone: String?

        /// With the zone: `fe80::7%eth0`.
        public var description: String { zone.map { "\(text)%\($0)" } ?? text }
    }

    /// The kind of an address.
    public enum Family: Hashable, Sendable {
        /// 4 bytes.
        case ipv4
        /// 16 bytes.
        case ipv6
    }
}

/// Asks the kernel for the addresses of the network interfaces, at each reading anew.
///
/// Addresses of interfaces that are down are among them; those that reach nobody else are not, unless asked for: loopback
/// (`127.0.0.0/8`, `::1`) and link-local ones (`169.254.0.0/16`, `fe80::/10`). An address of other kinds on the interface `lo` is
/// an address like any other. In a container these are the container's addresses, whatever directories of the host it has.
///
/// Source: getifaddrs(3), rtnetlink(7).
public final class AddressCollector: Collector {
    /// The name of the kind of statistics: `ipaddr`.
    public static let name = "ipaddr"

    private let choice: DeviceChoice
    private let includesLoopback: Bool
    private let includesLinkLocal: Bool

    /// - Parameters:
    ///   - interfaces: names of interfaces, or patterns (see ``Glob``): the addresses of these are reported, loopback addresses
    ///     too. Empty: all.
    ///   - excludedInterfaces: names or patterns of interfaces whose addresses are not reported in any case.
    ///   - loopback: whether loopback addresses are reported if `interfaces` is empty.
    ///   - linkLocal: whether link-local addresses are reported.
    public init(
        interfaces: [String] = [],
        excludedInterfaces: [String] = [],
        loopback: Bool = false,
        linkLocal: Bool = false
    ) {
        choice = DeviceChoice(named: interfaces, excluded: excludedInterfaces)
        includesLoopback = loopback
        includesLinkLocal = linkLocal
    }

    /// Nil if there are no addresses to report.
    public func read(at now: SuspendingClock.Instant) throws(CollectorError) -> AddressSample? {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else {
            throw CollectorError(source: "getifaddrs", reason: .system(call: "getifaddrs", errno: errno))
        }
        defer { freeifaddrs(list) }
        var addresses: [AddressSample.Address] = []
        var interfaces: Set<String> = []
        var entry = list
        while let current = entry?.pointee {
            entry = current.ifa_next
            guard let name = current.ifa_name else { continue }
            if choice.namesAny { interfaces.insert(String(cString: name)) }
            guard let address = current.ifa_addr else { continue }
            let family = Int32(address.pointee.sa_family)
            let raw = UnsafeRawPointer(address)
            let octets: UnsafeRawBufferPointer
            switch family {
            case AF_INET:
                guard let offset = MemoryLayout<sockaddr_in>.offset(of: \.sin_addr) else { continue }
                octets = UnsafeRawBufferPointer(start: raw + offset, count: 4)
            case AF_INET6:
                guard let offset = MemoryLayout<sockaddr_in6>.offset(of: \.sin6_addr) else { continue }
                octets = UnsafeRawBufferPointer(start: raw + offset, count: 16)
            default: continue
            }
            if let address = self.address(octets, interface: String(cString: name)) { addresses.append(address) }
        }
        let missing = choice.missing(among: interfaces)
        return addresses.isEmpty && missing.isEmpty ? nil : AddressSample(addresses: addresses, missing: missing)
    }

    /// The address in 4 or 16 octets; nil if it is not to be reported.
    func address(_ octets: UnsafeRawBufferPointer, interface: String) -> AddressSample.Address? {
        let isIPv4 = octets.count == 4
        guard isIPv4 || octets.count == 16, let start = octets.baseAddress else { return nil }
        let isLinkLocal =
            isIPv4 ? octets[0] == 169 && octets[1] == 254 : octets[0] == 0xFE && octets[1] & 0xC0 == 0x80
        let isLoopback = isIPv4 ? octets[0] == 127 : octets.last == 1 && octets.dropLast().allSatisfy { $0 == 0 }
        guard choice.contains(interface, isUsual: includesLoopback || !isLoopback),
            includesLinkLocal || !isLinkLocal
        else { return nil }
        // Room for the longest IPv6 address and a NUL (INET6_ADDRSTRLEN).
        let text = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 46) { buffer -> String? in
            inet_ntop(isIPv4 ? AF_INET : AF_INET6, start, buffer.baseAddress, socklen_t(buffer.count))
                .map { String(cString: $0) }
        }
        guard let text else { return nil }
        return AddressSample.Address(
            interface: interface,
            family: isIPv4 ? .ipv4 : .ipv6,
            text: text,
            zone: isLinkLocal && !isIPv4 ? interface : nil
        )
    }
}
