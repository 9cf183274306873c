/// Why bytes could not be decoded, or values not be encoded.
///
/// Decoding: `offset` counts from the first octet of the stream. Encoding: `offset` counts from the first octet of the
/// frame that was being written; nothing of that frame, or of the message it belongs to, is left in the output.
public struct AMQPWireError: Error, Hashable, Sendable {
    /// What is wrong.
    public struct Code: Hashable, Sendable {
        enum Kind: Hashable, Sendable {
            case unsupportedProtocol([UInt8])
            case unknownFrameType(UInt8)
            case frameTooLarge(size: UInt64, limit: UInt64)
            case missingFrameEnd(UInt8)
            case heartbeatWithPayload(size: UInt64)
            case heartbeatOnChannel(UInt16)
            case unknownMethod(classID: UInt16, methodID: UInt16)
            case unknownContentClass(UInt16)
            case truncated(needed: UInt64, available: UInt64)
            case unknownValueType(UInt8)
            case nestingTooDeep(limit: Int)
            case tableTooLarge(size: UInt64, limit: Int)
            case shortStringTooLong(octets: Int)
            case nameContainsNUL
            case tooManyPropertyFlags
        }

        let kind: Kind

        private init(_ kind: Kind) { self.kind = kind }

        /// The stream does not start with a protocol header of version 0-9-1; the octets are what came instead.
        public static func unsupportedProtocol(_ octets: [UInt8]) -> Code {
            Code(.unsupportedProtocol(octets))
        }
        /// No such frame type; the types are 1, 2, 3 and 8.
        public static func unknownFrameType(_ number: UInt8) -> Code {
            Code(.unknownFrameType(number))
        }
        /// A frame of `size` octets where `limit` was agreed, the 8 around the payload included.
        public static func frameTooLarge(size: UInt64, limit: UInt64) -> Code {
            Code(.frameTooLarge(size: size, limit: limit))
        }
        /// The octet after the payload is not 0xCE.
        public static func missingFrameEnd(_ number: UInt8) -> Code {
            Code(.missingFrameEnd(number))
        }
        /// A heartbeat has no payload.
        public static func heartbeatWithPayload(size: UInt64) -> Code {
            Code(.heartbeatWithPayload(size: size))
        }
        /// A heartbeat belongs to channel 0.
        public static func heartbeatOnChannel(_ number: UInt16) -> Code {
            Code(.heartbeatOnChannel(number))
        }
        /// No method has this pair of ids.
        public static func unknownMethod(classID: UInt16, methodID: UInt16) -> Code {
            Code(.unknownMethod(classID: classID, methodID: methodID))
        }
        /// Content belongs to class basic (60).
        public static func unknownContentClass(_ number: UInt16) -> Code {
            Code(.unknownContentClass(number))
        }
        /// A field needs more octets than its payload or table has left.
        public static func truncated(needed: UInt64, available: UInt64) -> Code {
            Code(.truncated(needed: needed, available: available))
        }
        /// No such type of table value.
        public static func unknownValueType(_ number: UInt8) -> Code {
            Code(.unknownValueType(number))
        }
        /// Tables and arrays are nested deeper than the limit.
        public static func nestingTooDeep(limit: Int) -> Code {
            Code(.nestingTooDeep(limit: limit))
        }
        /// A table or array is larger than the limit.
        public static func tableTooLarge(size: UInt64, limit: Int) -> Code {
            Code(.tableTooLarge(size: size, limit: limit))
        }
        /// A short string holds 255 octets at the most.
        public static func shortStringTooLong(octets: Int) -> Code {
            Code(.shortStringTooLong(octets: octets))
        }
        /// A name may not contain the octet 0.
        public static var nameContainsNUL: Code { Code(.nameContainsNUL) }
        /// The property flags go on for more words than any class has.
        public static var tooManyPropertyFlags: Code { Code(.tooManyPropertyFlags) }
    }

    /// What is wrong.
    public var code: Code
    /// Where, in octets; see the type's description.
    public var offset: UInt64
    /// The field being read or written, `queue.declare arguments`, or nil where the fault is in the frame itself.
    public var field: String?

    /// An error at an offset.
    public init(_ code: Code, offset: UInt64, field: String? = nil) {
        self.code = code
        self.offset = offset
        self.field = field
    }

    /// The reply code with which a peer answers such a fault. Source: AMQP 0-9-1 reference, section 1.1.
    public var replyCode: UInt16 {
        switch code.kind {
        case .unsupportedProtocol, .unknownFrameType, .frameTooLarge, .missingFrameEnd, .heartbeatWithPayload: 501
        case .heartbeatOnChannel: 505
        case .unknownMethod: 503
        case .unknownContentClass, .truncated, .unknownValueType, .nestingTooDeep, .tableTooLarge, .shortStringTooLong,
            .nameContainsNUL, .tooManyPropertyFlags:
            502
        }
    }
}

extension AMQPWireError: CustomStringConvertible {
    public var description: String {
        "\(reason)\(field.map { " (in \($0))" } ?? "") at octet \(offset)"
    }

    /// The fault in words, without its place.
    public var reason: String {
        switch code.kind {
        case .unsupportedProtocol(let octets):
            "not AMQP 0-9-1: the stream starts with \(hexadecimal(octets))"
        case .unknownFrameType(let type):
            "unknown frame type \(type)"
        case .frameTooLarge(let size, let limit):
            "a frame of \(size) octets, \(limit) are allowed"
        case .missingFrameEnd(let octet):
            "a frame ends with \(hexadecimal([octet])) instead of ce"
        case .heartbeatWithPayload(let size):
            "a heartbeat with a payload of \(size) octets"
        case .heartbeatOnChannel(let channel):
            "a heartbeat on channel \(channel)"
        case .unknownMethod(let classID, let methodID):
            "unknown method \(classID),\(methodID)"
        case .unknownContentClass(let classID):
            "content of class \(classID), only class 60 has content"
        case .truncated(let needed, let available):
            "\(needed) octets needed, \(available) left"
        case .unknownValueType(let type):
            "unknown type \(hexadecimal([type])) of a table value"
        case .nestingTooDeep(let limit):
            "tables nested more than \(limit) deep"
        case .tableTooLarge(let size, let limit):
            "a table of \(size) octets, \(limit) are allowed"
        case .shortStringTooLong(let octets):
            "a short string of \(octets) octets, 255 are allowed"
        case .nameContainsNUL:
            "a name with the octet 0"
        case .tooManyPropertyFlags:
            "property flags that do not end"
        }
    }
}

/// Octets as pairs of hexadecimal digits, separated by spaces.
func hexadecimal(_ octets: some Sequence<UInt8>) -> String {
    octets.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
}
