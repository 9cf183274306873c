#if Agent
/// Turns what a terminal sends into keys. A key's sequence may come in pieces. Does no input.
struct KeyDecoder {
    enum Key: Hashable {
        case character(UInt8)
        case up, down, pageUp, pageDown, home, end
    }

    private enum State {
        case ground
        case escape
        /// Behind `ESC [`; its parameters.
        case sequence([UInt8])
        /// Behind `ESC O`.
        case single
    }

    private var state = State.ground

    /// Longer parameters are of no key.
    private static let parameterLimit = 16

    /// The keys that these octets complete.
    mutating func keys(in octets: some Sequence<UInt8>) -> [Key] {
        octets.compactMap { key(after: $0) }
    }

    private mutating func key(after octet: UInt8) -> Key? {
        if octet == 0x1B {
            state = .escape
            return nil
        }
        switch state {
        case .ground: return .character(octet)
        case .escape:
            switch octet {
            case UInt8(ascii: "["): state = .sequence([])
            case UInt8(ascii: "O"): state = .single
            default:
                // ESC alone, and then a key.
                state = .ground
                return .character(octet)
            }
            return nil
        case .single:
            state = .ground
            return Self.key(final: octet, parameters: [])
        case .sequence(var parameters):
            if (0x20..<0x40).contains(octet) {
                if parameters.count < Self.parameterLimit { parameters.append(octet) }
                state = .sequence(parameters)
                return nil
            }
            state = .ground
            return Self.key(final: octet, parameters: parameters)
        }
    }

    private static func key(final: UInt8, parameters: [UInt8]) -> Key? {
        switch final {
        case UInt8(ascii: "A"): .up
        case UInt8(ascii: "B"): .down
        case UInt8(ascii: "H"): .home
        case UInt8(ascii: "F"): .end
        case UInt8(ascii: "~"):
            switch parameters {
            case [UInt8(ascii: "1")], [UInt8(ascii: "7")]: .home
            case [UInt8(ascii: "4")], [UInt8(ascii: "8")]: .end
            case [UInt8(ascii: "5")]: .pageUp
            case [UInt8(ascii: "6")]: .pageDown
            default: nil
            }
        default: nil
        }
    }
}
#endif
