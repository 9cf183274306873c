/// Reads the URIs in one text. Works on UTF-8 bytes, so that every offset is one that an error can name.
///
/// Invariant: every range handed about lies within `bytes.indices`.
struct AMQPURIScanner {
    let bytes: [UInt8]
    /// Where the second host of the URI read last starts; 0 if it has one only.
    private(set) var secondHost = 0

    init(_ text: String) {
        bytes = Array(text.utf8)
    }

    /// The URIs in the text: split at commas before a scheme, without the blanks around them.
    func ranges() -> [Range<Int>] {
        var result: [Range<Int>] = []
        var start = 0
        for index in bytes.indices where bytes[index] == UInt8(ascii: ",") {
            let next = bytes[(index + 1)...].firstIndex { !Self.isBlank($0) } ?? bytes.endIndex
            if schemeEnd(in: next..<bytes.endIndex) != nil {
                result.append(trimmed(start..<index))
                start = next
            }
        }
        result.append(trimmed(start..<bytes.endIndex))
        return result
    }

    /// One URI: as many values as it names hosts, at least one.
    mutating func uri(in range: Range<Int>) throws(AMQPURIError) -> [AMQPURI] {
        guard !range.isEmpty else { throw AMQPURIError(.empty, offset: range.lowerBound) }
        try checkCharacters(in: range)
        guard let (scheme, start) = schemeEnd(in: range) else {
            throw AMQPURIError(.unknownScheme, offset: range.lowerBound)
        }
        let body = start..<range.upperBound
        let pathOrQuery = first(in: body) { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }
        let authority = body.lowerBound..<(pathOrQuery ?? body.upperBound)
        let rest = authority.upperBound..<body.upperBound
        let queryMark = first(in: rest) { $0 == UInt8(ascii: "?") }
        let path = rest.lowerBound..<(queryMark ?? rest.upperBound)

        var uri = AMQPURI(scheme: scheme)
        let at = first(in: authority) { $0 == UInt8(ascii: "@") }
        // Behind another '@', too: then it is a password that was taken for the host.
        if let stray = first(in: rest, where: { $0 == UInt8(ascii: "@") }) {
            throw AMQPURIError(.userInfoAfterHost, offset: stray)
        }
        var hosts = authority
        if let at {
            hosts = (at + 1)..<authority.upperBound
            if let second = first(in: hosts, where: { $0 == UInt8(ascii: "@") }) {
                throw AMQPURIError(.severalUserInfos, offset: second)
            }
            try readUserInfo(authority.lowerBound..<at, into: &uri)
        }
        try readPath(path, into: &uri)
        if let queryMark {
            try readQuery((queryMark + 1)..<rest.upperBound, into: &uri)
        }
        return try readHosts(hosts, with: uri)
    }
}

extension AMQPURIScanner {
    private func readUserInfo(_ range: Range<Int>, into uri: inout AMQPURI) throws(AMQPURIError) {
        guard let colon = first(in: range, where: { $0 == UInt8(ascii: ":") }) else {
            uri.user = try decoded(range)
            return
        }
        uri.user = try decoded(range.lowerBound..<colon)
        uri.password = try decoded((colon + 1)..<range.upperBound)
    }

    private func readPath(_ range: Range<Int>, into uri: inout AMQPURI) throws(AMQPURIError) {
        guard !range.isEmpty else { return }
        let segment = (range.lowerBound + 1)..<range.upperBound
        if let slash = first(in: segment, where: { $0 == UInt8(ascii: "/") }) {
            throw AMQPURIError(.severalPathSegments, offset: slash)
        }
        // As in tutorials, Go and amqplib. The specification has an empty name here, which no virtual host has.
        if segment.isEmpty { return }
        uri.vhost = try decoded(segment)
        guard uri.vhost.utf8.count <= 255 else { throw AMQPURIError(.vhostTooLong, offset: segment.lowerBound) }
    }

    private func readQuery(_ range: Range<Int>, into uri: inout AMQPURI) throws(AMQPURIError) {
        var seen: Set<AMQPURI.Parameter> = []
        for item in split(range, at: UInt8(ascii: "&")) where !item.isEmpty {
            let equals = first(in: item) { $0 == UInt8(ascii: "=") }
            let name = try decoded(item.lowerBound..<(equals ?? item.upperBound))
            let valueStart = equals.map { $0 + 1 } ?? item.upperBound
            let value = try decoded(valueStart..<item.upperBound)
            guard let parameter = AMQPURI.Parameter(rawValue: name) else {
                uri.unknownParameters.append(AMQPURI.UnknownParameter(name: name, value: value))
                continue
            }
            guard seen.insert(parameter).inserted || parameter == .authMechanism else {
                throw AMQPURIError(.repeatedParameter(parameter), offset: item.lowerBound)
            }
            guard uri.set(parameter, to: value) else {
                throw AMQPURIError(.badParameter(parameter), offset: valueStart)
            }
        }
    }

    private mutating func readHosts(_ range: Range<Int>, with shared: AMQPURI) throws(AMQPURIError) -> [AMQPURI] {
        let items = split(range, at: UInt8(ascii: ","))
        secondHost = items.count > 1 ? items[1].lowerBound : 0
        var result: [AMQPURI] = []
        for item in items {
            var uri = shared
            try readHost(item, into: &uri, mayBeEmpty: items.count == 1)
            result.append(uri)
        }
        return result
    }

    private func readHost(_ range: Range<Int>, into uri: inout AMQPURI, mayBeEmpty: Bool) throws(AMQPURIError) {
        guard !range.isEmpty, bytes[range.lowerBound] == UInt8(ascii: "[") else {
            let colon = first(in: range) { $0 == UInt8(ascii: ":") }
            let name = range.lowerBound..<(colon ?? range.upperBound)
            if name.isEmpty, !mayBeEmpty { throw AMQPURIError(.emptyHost, offset: range.lowerBound) }
            if !name.isEmpty { uri.host = try hostName(name) }
            if let colon { uri.port = try port((colon + 1)..<range.upperBound) }
            return
        }
        guard let bracket = first(in: range, where: { $0 == UInt8(ascii: "]") }) else {
            throw AMQPURIError(.badIPv6Address, offset: range.lowerBound)
        }
        uri.host = try ipv6Address((range.lowerBound + 1)..<bracket)
        let behind = (bracket + 1)..<range.upperBound
        guard !behind.isEmpty else { return }
        guard bytes[behind.lowerBound] == UInt8(ascii: ":") else {
            throw AMQPURIError(.badIPv6Address, offset: behind.lowerBound)
        }
        uri.port = try port((behind.lowerBound + 1)..<behind.upperBound)
    }

    private func hostName(_ range: Range<Int>) throws(AMQPURIError) -> String {
        let host = try decoded(range)
        for byte in host.utf8 where byte <= 0x20 || byte >= 0x7F || Self.neverInHosts.contains(byte) {
            throw AMQPURIError(.badHost, offset: range.lowerBound)
        }
        return host
    }

    /// The characters that would make the host something else when it is written out again or resolved.
    private static let neverInHosts = Array(#"/?#[]@:,%\"<>^`{|}"#.utf8)

    /// RFC 4291 addresses with RFC 6874 zones (`%25eth0`). Whether the groups add up is the resolver's business.
    private func ipv6Address(_ range: Range<Int>) throws(AMQPURIError) -> String {
        let text = try decoded(range)
        let parts = text.utf8.split(separator: UInt8(ascii: "%"), maxSplits: 1, omittingEmptySubsequences: false)
        let address = parts[0]
        guard address.count(where: { $0 == UInt8(ascii: ":") }) >= 2,
            address.allSatisfy({ Self.hexDigit($0) != nil || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") })
        else {
            throw AMQPURIError(.badIPv6Address, offset: range.lowerBound)
        }
        if parts.count == 2 {
            let zone = parts[1]
            guard !zone.isEmpty,
                zone.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !Self.neverInHosts.contains($0) })
            else {
                throw AMQPURIError(.badIPv6Address, offset: range.lowerBound)
            }
        }
        return text
    }

    private func port(_ range: Range<Int>) throws(AMQPURIError) -> UInt16 {
        guard !range.isEmpty else { throw AMQPURIError(.emptyPort, offset: range.lowerBound) }
        if let colon = first(in: range, where: { $0 == UInt8(ascii: ":") }) {
            throw AMQPURIError(.severalColons, offset: colon)
        }
        var value: UInt32 = 0
        for index in range {
            guard let digit = Self.hexDigit(bytes[index]), digit < 10 else {
                throw AMQPURIError(.portNotNumber, offset: range.lowerBound)
            }
            // Held below 655,360 by the guard under it, so neither step can overflow.
            value = value &* 10 &+ UInt32(digit)
            guard value <= 65535 else { throw AMQPURIError(.portOutOfRange, offset: range.lowerBound) }
        }
        guard value > 0, let port = UInt16(exactly: value) else {
            throw AMQPURIError(.portOutOfRange, offset: range.lowerBound)
        }
        return port
    }
}

extension AMQPURIScanner {
    private func checkCharacters(in range: Range<Int>) throws(AMQPURIError) {
        for index in range {
            switch bytes[index] {
            case 0: throw AMQPURIError(.nul, offset: index)
            case let byte where Self.isBlank(byte): throw AMQPURIError(.whitespace, offset: index)
            case 1..<0x20, 0x7F: throw AMQPURIError(.controlCharacter, offset: index)
            case UInt8(ascii: "#"): throw AMQPURIError(.fragment, offset: index)
            default: continue
            }
        }
    }

    /// The scheme at the start of `range`, and where the text behind its `://` begins.
    private func schemeEnd(in range: Range<Int>) -> (AMQPURI.Scheme, Int)? {
        for scheme in AMQPURI.Scheme.allCases {
            let prefix = scheme.rawValue + "://"
            guard prefix.utf8.count <= range.count else { continue }
            // Bit 5 makes ASCII letters small; it is set already in ':' and '/'.
            if zip(bytes[range], prefix.utf8).allSatisfy({ $0 | 0x20 == $1 }) {
                return (scheme, range.lowerBound + prefix.utf8.count)
            }
        }
        return nil
    }

    /// The text with its percent escapes replaced.
    private func decoded(_ range: Range<Int>) throws(AMQPURIError) -> String {
        var octets: [UInt8] = []
        octets.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            guard bytes[index] == UInt8(ascii: "%") else {
                octets.append(bytes[index])
                index += 1
                continue
            }
            guard range.upperBound - index > 2,
                let high = Self.hexDigit(bytes[index + 1]), let low = Self.hexDigit(bytes[index + 2])
            else {
                throw AMQPURIError(.badEscape, offset: index)
            }
            let octet = high << 4 | low
            guard octet != 0 else { throw AMQPURIError(.nul, offset: index) }
            octets.append(octet)
            index += 3
        }
        guard let text = String(validating: octets, as: UTF8.self) else {
            throw AMQPURIError(.notUTF8, offset: range.lowerBound)
        }
        return text
    }

    private func first(in range: Range<Int>, where matches: (UInt8) -> Bool) -> Int? {
        bytes[range].firstIndex(where: matches)
    }

    private func split(_ range: Range<Int>, at separator: UInt8) -> [Range<Int>] {
        bytes[range].split(separator: separator, omittingEmptySubsequences: false).map(\.indices)
    }

    private func trimmed(_ range: Range<Int>) -> Range<Int> {
        guard let start = bytes[range].firstIndex(where: { !Self.isBlank($0) }),
            let last = bytes[range].lastIndex(where: { !Self.isBlank($0) })
        else {
            return range.upperBound..<range.upperBound
        }
        return start..<(last + 1)
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0D).contains(byte)
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
