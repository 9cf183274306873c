@testable import AMQPWire

/// A field as the scripted peer writes and reads it: a number (bits are an octet) or octets (texts and tables without their
/// lengths).
enum PeerValue: Hashable, Sendable {
    case number(UInt64)
    case octets([UInt8])

    var number: UInt64 {
        if case .number(let number) = self { number } else { 0 }
    }

    var text: String {
        if case .octets(let octets) = self { String(decoding: octets, as: UTF8.self) } else { "" }
    }
}

extension PeerValue: ExpressibleByIntegerLiteral, ExpressibleByStringInterpolation {
    init(integerLiteral value: UInt64) { self = .number(value) }
    init(stringLiteral value: String) { self = .octets(Array(value.utf8)) }
}

/// A frame as the scripted peer reads it.
struct PeerFrame: Hashable, Sendable, CustomStringConvertible {
    var type: UInt8
    var channel: UInt16
    var payload: [UInt8]

    /// The method, of a method frame.
    var method: AMQPMethodID? {
        guard type == 1, payload.count >= 4 else { return nil }
        let number = payload.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return AMQPMethodID(rawValue: number)
    }

    /// The fields of the method.
    var values: [PeerValue] {
        method.map { PeerCodec.values($0, payload.dropFirst(4)) } ?? []
    }

    var description: String {
        let what =
            switch type {
            case 1: method?.name ?? "unknown method"
            case 2: "header"
            case 3: "body(\(payload.count))"
            case 8: "heartbeat"
            default: "type \(type)"
            }
        return channel == 0 ? what : "\(channel) \(what)"
    }
}

/// The opposite codec of the core's tests; shares nothing with the one under test but the numbers of the methods.
enum PeerCodec {
    /// The fields of each method, a letter each: o octet, s short, l long, q long long, b octet of bits, S short string,
    /// L long string or table.
    static func shape(_ id: AMQPMethodID) -> String {
        switch id {
        case .connectionStart: "ooLLL"
        case .connectionStartOk: "LSLS"
        case .connectionSecure, .connectionSecureOk: "L"
        case .connectionTune, .connectionTuneOk: "sls"
        case .connectionOpen: "SSb"
        case .connectionOpenOk, .connectionBlocked: "S"
        case .connectionClose, .channelClose: "sSss"
        case .connectionUpdateSecret: "LS"
        case .connectionCloseOk, .connectionUnblocked, .connectionUpdateSecretOk, .channelCloseOk: ""
        case .channelOpen: "S"
        case .channelOpenOk: "L"
        case .channelFlow, .channelFlowOk: "b"
        case .exchangeDeclare: "sSSbL"
        case .exchangeDelete: "sSb"
        case .exchangeBind, .exchangeUnbind: "sSSSbL"
        case .exchangeDeclareOk, .exchangeDeleteOk, .exchangeBindOk, .exchangeUnbindOk: ""
        case .queueDeclare: "sSbL"
        case .queueDeclareOk: "Sll"
        case .queueBind: "sSSSbL"
        case .queueUnbind: "sSSSL"
        case .queuePurge, .queueDelete: "sSb"
        case .queuePurgeOk, .queueDeleteOk: "l"
        case .queueBindOk, .queueUnbindOk: ""
        case .basicQos: "lsb"
        case .basicConsume: "sSSbL"
        case .basicConsumeOk, .basicCancelOk: "S"
        case .basicCancel: "Sb"
        case .basicPublish: "sSSb"
        case .basicReturn: "sSSS"
        case .basicDeliver: "SqbSS"
        case .basicGet: "sSb"
        case .basicGetOk: "qbSSl"
        case .basicGetEmpty: "S"
        case .basicAck, .basicReject, .basicNack: "qb"
        case .basicRecover, .basicRecoverAsync: "b"
        case .basicQosOk, .basicRecoverOk: ""
        case .txSelect, .txSelectOk, .txCommit, .txCommitOk, .txRollback, .txRollbackOk: ""
        case .confirmSelect: "b"
        case .confirmSelectOk: ""
        }
    }

    static func bigEndian(_ number: UInt64, _ size: Int) -> [UInt8] {
        (0..<size).reversed().map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
    }

    static func frame(_ type: UInt8, _ channel: UInt16, _ payload: [UInt8]) -> [UInt8] {
        [type] + bigEndian(UInt64(channel), 2) + bigEndian(UInt64(payload.count), 4) + payload + [0xCE]
    }

    /// A method frame; fields that are left out are zero or empty.
    static func method(_ id: AMQPMethodID, _ channel: UInt16, _ values: [PeerValue] = []) -> [UInt8] {
        var payload = bigEndian(UInt64(id.rawValue), 4)
        for (index, letter) in shape(id).enumerated() {
            let value: PeerValue? = index < values.count ? values[index] : nil
            let octets: [UInt8] = if case .octets(let octets)? = value { octets } else { [] }
            switch letter {
            case "o", "b": payload += bigEndian(value?.number ?? 0, 1)
            case "s": payload += bigEndian(value?.number ?? 0, 2)
            case "l": payload += bigEndian(value?.number ?? 0, 4)
            case "q": payload += bigEndian(value?.number ?? 0, 8)
            case "S": payload += [UInt8(octets.count)] + octets
            default: payload += bigEndian(UInt64(octets.count), 4) + octets
            }
        }
        return frame(1, channel, payload)
    }

    /// A content header without properties, or with flags and properties as octets.
    static func header(_ channel: UInt16, bodySize: UInt64, properties: [UInt8] = [0, 0]) -> [UInt8] {
        frame(2, channel, bigEndian(60, 2) + [0, 0] + bigEndian(bodySize, 8) + properties)
    }

    static func body(_ channel: UInt16, _ octets: [UInt8]) -> [UInt8] {
        frame(3, channel, octets)
    }

    /// A method with its content in one body frame, or in none where it is empty.
    static func content(
        _ id: AMQPMethodID,
        _ channel: UInt16,
        _ values: [PeerValue],
        _ octets: [UInt8],
        properties: [UInt8] = [0, 0]
    ) -> [UInt8] {
        method(id, channel, values) + header(channel, bodySize: UInt64(octets.count), properties: properties)
            + (octets.isEmpty ? [] : body(channel, octets))
    }

    static let heartbeat = frame(8, 0, [])

    static func values(_ id: AMQPMethodID, _ payload: ArraySlice<UInt8>) -> [PeerValue] {
        var rest = payload
        func number(_ size: Int) -> UInt64 {
            defer { rest = rest.dropFirst(size) }
            return rest.prefix(size).reduce(0) { $0 << 8 | UInt64($1) }
        }
        return shape(id).map { letter in
            switch letter {
            case "o", "b": return .number(number(1))
            case "s": return .number(number(2))
            case "l": return .number(number(4))
            case "q": return .number(number(8))
            default:
                let size = Int(number(letter == "S" ? 1 : 4))
                defer { rest = rest.dropFirst(size) }
                return .octets(Array(rest.prefix(size)))
            }
        }
    }

    /// The whole frames of a stream, which may start with the protocol header.
    static func frames(_ stream: [UInt8]) -> [PeerFrame] {
        var frames: [PeerFrame] = []
        var rest = stream[...]
        if rest.starts(with: "AMQP".utf8) { rest = rest.dropFirst(8) }
        while rest.count >= 8 {
            let head = Array(rest.prefix(7))
            let size = head[3...].reduce(0) { $0 << 8 | Int($1) }
            let octets = rest.dropFirst(7).prefix(size)
            frames.append(
                PeerFrame(type: head[0], channel: UInt16(head[1]) << 8 | UInt16(head[2]), payload: Array(octets))
            )
            rest = rest.dropFirst(size + 8)
        }
        return frames
    }
}
