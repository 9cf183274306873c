/// Why bytes could not be decoded, or values not be encoded.
///
/// Decoding: `offset` counts from the first octet of the stream. Encoding: `offset` counts from the first octet of the
/// frame that was being written; nothing of that frame, or of the message it belongs to, is left in the output.
public struct AMQPWireError: Error, Hashable, Sendable {
    /// What is wrong.
    public enum Code: Hashable, Sendable {
        /// The stream does not start with a protocol header of version 0-9-1; the octets are what came instead.
        case unsupportedProtocol([UInt8])
        /// No such frame type; the types are 1, 2, 3 and 8.
        case unknownFrameType(UInt8)
        /// A frame of `size` octets where `limit` was agreed, the 8 around the payload included.
        case frameTooLarge(size: UInt64, limit: UInt64)
        /// The octet after the payload is not 0xCE.
        case missingFrameEnd(UInt8)
        /// A heartbeat has no payload.
        case heartbeatWithPayload(size: UInt64)
        /// A heartbeat belongs to channel 0.
        case heartbeatOnChannel(UInt16)
        /// No method has this pair of ids.
        case unknownMethod(classID: UInt16, methodID: UInt16)
        /// Content belongs to class basic (60).
        case unknownContentClass(UInt16)
        /// A field needs more octets than its payload or table has left.
        case truncated(needed: UInt64, available: UInt64)
        /// No such type of table value.
        case unknownValueType(UInt8)
        /// Tables and arrays are nested deeper than the limit.
        case nestingTooDeep(limit: Int)
        /// A table or array is larger than the limit.
        case tableTooLarge(size: UInt64, limit: Int)
        /// A short string holds 255 octets at the most.
        case shortStringTooLong(octets: Int)
        /// A name may not contain the octet 0.
        case nameContainsNUL
        /// The property flags go on for more words than any class has.
        case tooManyPropertyFlags
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
        switch code {
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
        switch code {
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
