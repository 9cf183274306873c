/// Why a text is not an AMQP URI, and where.
///
/// Never holds any part of the text: a misplaced `/` or `@` can put a password anywhere, and errors end up in logs.
public struct AMQPURIError: Error, Hashable, Sendable {
    /// What is wrong.
    public var reason: Reason
    /// Where: the number of UTF-8 bytes before the fault, counted from the start of the text that was parsed.
    public var offset: Int

    /// Makes an error at `offset` bytes from the start of the text.
    public init(_ reason: Reason, offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    /// The ways in which a text fails to be an AMQP URI.
    public struct Reason: Hashable, Sendable {
        enum Kind: Hashable, Sendable {
            case empty
            case unknownScheme
            case whitespace
            case nul
            case controlCharacter
            case fragment
            case badEscape
            case notUTF8
            case severalUserInfos
            case userInfoAfterHost
            case badHost
            case badIPv6Address
            case severalColons
            case emptyHost
            case severalHosts
            case emptyPort
            case portNotNumber
            case portOutOfRange
            case severalPathSegments
            case vhostTooLong
            case repeatedParameter(AMQPURI.Parameter)
            case badParameter(AMQPURI.Parameter)
        }

        let kind: Kind

        private init(_ kind: Kind) { self.kind = kind }

        /// The text holds nothing.
        public static var empty: Reason { Reason(.empty) }
        /// The text does not start with `amqp://` or `amqps://`.
        public static var unknownScheme: Reason { Reason(.unknownScheme) }
        /// A blank, tab or line end inside the URI.
        public static var whitespace: Reason { Reason(.whitespace) }
        /// A NUL, raw or as `%00`: neither SASL PLAIN nor a host name can carry it.
        public static var nul: Reason { Reason(.nul) }
        /// Another control character.
        public static var controlCharacter: Reason { Reason(.controlCharacter) }
        /// A `#`: AMQP URIs have no fragment.
        public static var fragment: Reason { Reason(.fragment) }
        /// A `%` that two hexadecimal digits do not follow.
        public static var badEscape: Reason { Reason(.badEscape) }
        /// Percent escapes whose bytes are not UTF-8.
        public static var notUTF8: Reason { Reason(.notUTF8) }
        /// More than one unescaped `@` before the path.
        public static var severalUserInfos: Reason { Reason(.severalUserInfos) }
        /// An `@` in the path or query of a URI that has no user part: a password with an unescaped `/` or `?`.
        public static var userInfoAfterHost: Reason { Reason(.userInfoAfterHost) }
        /// A character that no host name or address has.
        public static var badHost: Reason { Reason(.badHost) }
        /// `[` without `]`, text beside the brackets, or something else than an IPv6 address between them.
        public static var badIPv6Address: Reason { Reason(.badIPv6Address) }
        /// An IPv6 address without brackets, or several ports.
        public static var severalColons: Reason { Reason(.severalColons) }
        /// One of several hosts is empty.
        public static var emptyHost: Reason { Reason(.emptyHost) }
        /// Several hosts where one is wanted.
        public static var severalHosts: Reason { Reason(.severalHosts) }
        /// A colon without a port behind it.
        public static var emptyPort: Reason { Reason(.emptyPort) }
        /// A port that is not a decimal number.
        public static var portNotNumber: Reason { Reason(.portNotNumber) }
        /// A port outside 1...65535.
        public static var portOutOfRange: Reason { Reason(.portOutOfRange) }
        /// More than one path segment.
        public static var severalPathSegments: Reason { Reason(.severalPathSegments) }
        /// A vhost of more than 255 bytes, which no AMQP short string holds.
        public static var vhostTooLong: Reason { Reason(.vhostTooLong) }
        /// A query parameter given twice. `auth_mechanism` alone may repeat.
        public static func repeatedParameter(_ parameter: AMQPURI.Parameter) -> Reason {
            Reason(.repeatedParameter(parameter))
        }
        /// A query parameter whose value is outside what `AMQPURI.Parameter` says of it.
        public static func badParameter(_ parameter: AMQPURI.Parameter) -> Reason {
            Reason(.badParameter(parameter))
        }
    }
}

extension AMQPURIError: CustomStringConvertible {
    /// What is wrong, what to write instead, and the offset. Never shows any part of the URI.
    public var description: String {
        "\(reason) (at byte \(offset))"
    }
}

extension AMQPURIError.Reason: CustomStringConvertible {
    /// What is wrong and what to write instead.
    public var description: String {
        switch kind {
        case .empty: "the URL is empty: write amqp://user:password@host:5672/vhost"
        case .unknownScheme: "the URL has to start with amqp:// or amqps://"
        case .whitespace: "a blank in the URL: write it as %20"
        case .nul: "a NUL in the URL"
        case .controlCharacter: "a control character in the URL: write it as % and two hexadecimal digits"
        case .fragment: "'#' has no meaning in the URL: write it as %23"
        case .badEscape: "'%' without two hexadecimal digits: write a percent sign as %25"
        case .notUTF8: "the percent escapes do not form UTF-8 text"
        case .severalUserInfos: "several '@' before the host: write '@' in a user name or password as %40"
        case .userInfoAfterHost:
            "'@' behind the host: in a user name or password write '/' as %2F and '?' as %3F, in a vhost '@' as %40"
        case .badHost: "a character that no host name has: ASCII letters, digits, '-' and '.' are allowed"
        case .badIPv6Address: "not an IPv6 address in brackets, as in [::1]:5672"
        case .severalColons: "several ':' in the host: an IPv6 address needs brackets, as in [::1]:5672"
        case .emptyHost: "an empty host in the list of hosts"
        case .severalHosts: "several hosts where one is wanted"
        case .emptyPort: "no port behind ':': write a number from 1 to 65535, or leave the ':' out"
        case .portNotNumber:
            "the port is not a number (in a password '/' has to be written as %2F, '?' as %3F and '@' as %40)"
        case .portOutOfRange: "the port has to be from 1 to 65535"
        case .severalPathSegments: "a vhost has one segment: write '/' in its name as %2F"
        case .vhostTooLong: "the vhost is longer than 255 bytes"
        case .repeatedParameter(let parameter): "the parameter '\(parameter.rawValue)' is given twice"
        case .badParameter(let parameter): "the parameter '\(parameter.rawValue)' has to be \(parameter.expectation)"
        }
    }
}
