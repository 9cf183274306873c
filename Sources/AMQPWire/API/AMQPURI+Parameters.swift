extension AMQPURI {
    /// The query parameters this library knows; the raw value is the name in the URI.
    public enum Parameter: String, Hashable, Sendable, CaseIterable {
        /// Seconds, 0...65535.
        case heartbeat
        /// Milliseconds, 0...4294967295.
        case connectionTimeout = "connection_timeout"
        /// 0...65535.
        case channelMax = "channel_max"
        /// Bytes, 0 or 4096...4294967295.
        case frameMax = "frame_max"
        /// A SASL mechanism's name; may repeat.
        case authMechanism = "auth_mechanism"
        /// A path.
        case caCertificateFile = "cacertfile"
        /// A path.
        case certificateFile = "certfile"
        /// A path.
        case keyFile = "keyfile"
        /// `verify_peer` or `verify_none`.
        case verify
        /// A host name.
        case serverNameIndication = "server_name_indication"
        /// `true` or `false`.
        case failIfNoPeerCertificate = "fail_if_no_peer_cert"

        /// What a value has to be, as the end of a sentence.
        var expectation: String {
            switch self {
            case .heartbeat: "a number of seconds from 0 to 65535"
            case .connectionTimeout: "a number of milliseconds from 0 to 4294967295"
            case .channelMax: "a number from 0 to 65535"
            case .frameMax: "0, or a number of bytes from 4096 to 4294967295"
            case .authMechanism: "the name of a mechanism, as PLAIN"
            case .caCertificateFile, .certificateFile, .keyFile: "the path of a file"
            case .verify: "verify_peer or verify_none"
            case .serverNameIndication: "a host name"
            case .failIfNoPeerCertificate: "true or false"
            }
        }
    }

    /// Takes over one decoded parameter. Returns `false`, and changes nothing, where `value` is not fit for it.
    mutating func set(_ parameter: Parameter, to value: String) -> Bool {
        switch parameter {
        case .heartbeat:
            guard let number = Self.number(value, as: UInt16.self) else { return false }
            heartbeat = number
        case .connectionTimeout:
            guard let number = Self.number(value, as: UInt32.self) else { return false }
            // Other clients wait for ever then; nobody means that no time is allowed.
            connectionTimeout = number == 0 ? nil : .milliseconds(Int64(number))
        case .channelMax:
            guard let number = Self.number(value, as: UInt16.self) else { return false }
            channelMax = number
        case .frameMax:
            guard let number = Self.number(value, as: UInt32.self), number == 0 || number >= 4096 else { return false }
            frameMax = number
        case .authMechanism:
            guard !value.isEmpty else { return false }
            authMechanisms.append(value)
        case .caCertificateFile:
            guard !value.isEmpty else { return false }
            caCertificateFile = value
        case .certificateFile:
            guard !value.isEmpty else { return false }
            certificateFile = value
        case .keyFile:
            guard !value.isEmpty else { return false }
            keyFile = value
        case .verify:
            guard let known = Verification(rawValue: value) else { return false }
            verification = known
        case .serverNameIndication:
            guard !value.isEmpty else { return false }
            serverNameIndication = value
        case .failIfNoPeerCertificate:
            guard value == "true" || value == "false" else { return false }
            failIfNoPeerCertificate = value == "true"
        }
        return true
    }

    /// A decimal number of digits only: no sign, no blank, no separator.
    static func number<T: FixedWidthInteger>(_ text: some StringProtocol, as type: T.Type) -> T? {
        guard text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }) else { return nil }
        return T(text, radix: 10)
    }
}
