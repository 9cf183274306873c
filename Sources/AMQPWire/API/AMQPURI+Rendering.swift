extension AMQPURI {
    /// The URI as text, with every part but the parameters written out.
    func rendered(masked: Bool) -> String {
        var text = scheme.rawValue + "://"
        text += Self.escaped(user) + ":" + (masked ? Self.mask : Self.escaped(password)) + "@"
        text += host.utf8.contains(UInt8(ascii: ":")) ? "[" + Self.escaped(host, also: ":") + "]" : Self.escaped(host)
        text += ":\(port)/" + Self.escaped(vhost)
        var separator = "?"
        for (name, value) in query(masked: masked) {
            text += separator + name + "=" + value
            separator = "&"
        }
        return text
    }

    /// What stands for a secret. Made of characters that need no escape.
    static let mask = "***"

    private func query(masked: Bool) -> [(String, String)] {
        var items: [(String, String)] = []
        for parameter in Parameter.allCases {
            for value in values(of: parameter) {
                items.append((parameter.rawValue, Self.escaped(value, also: "/:")))
            }
        }
        for unknown in unknownParameters {
            items.append((Self.escaped(unknown.name), masked ? Self.mask : Self.escaped(unknown.value)))
        }
        return items
    }

    private func values(of parameter: Parameter) -> [String] {
        switch parameter {
        case .heartbeat: heartbeat.map { ["\($0)"] } ?? []
        case .connectionTimeout: connectionTimeout.map { ["\(Self.milliseconds($0))"] } ?? []
        case .channelMax: channelMax.map { ["\($0)"] } ?? []
        case .frameMax: frameMax.map { ["\($0)"] } ?? []
        case .authMechanism: authMechanisms
        case .caCertificateFile: caCertificateFile.map { [$0] } ?? []
        case .certificateFile: certificateFile.map { [$0] } ?? []
        case .keyFile: keyFile.map { [$0] } ?? []
        case .verify: verification.map { [$0.rawValue] } ?? []
        case .serverNameIndication: serverNameIndication.map { [$0] } ?? []
        case .failIfNoPeerCertificate: failIfNoPeerCertificate.map { ["\($0)"] } ?? []
        }
    }

    /// Whole milliseconds, held within what ``Parameter/connectionTimeout`` can say.
    private static func milliseconds(_ duration: Duration) -> UInt32 {
        let (seconds, attoseconds) = duration.components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        guard !overflow else { return .max }
        let (sum, carried) = product.addingReportingOverflow(attoseconds / 1_000_000_000_000_000)
        return carried ? .max : UInt32(clamping: sum)
    }

    /// Escapes all but RFC 3986's unreserved characters and those in `also`.
    private static func escaped(_ text: String, also: StaticString = "") -> String {
        let extra = also.description.utf8
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            case let byte where extra.contains(byte):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += (digits.utf8.count == 1 ? "%0" : "%") + digits
            }
        }
        return result
    }
}
