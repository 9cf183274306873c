#if Agent
/// What stands in the journal of the outbox: messages, and which of them need not be kept any more.
///
///     record = "PsR1" length:u32 checksum:u32 payload           all numbers little-endian, the checksum CRC-32 of the payload
///     payload = 1 run:u64 number:u64 measuredAt:u64 idLength:u16 id typeLength:u16 type body
///             | 2 run:u64 number:u64
///
/// Each record begins with a mark, so that reading can go on behind a part that is damaged.
enum JournalRecord: Hashable {
    /// Which message: the run of the agent that measured it, and its number in it.
    struct Key: Hashable, Sendable {
        var run: UInt64
        var number: UInt64
    }

    case message(Key, OutgoingReport)
    case done(Key)

    private static let mark = Array("PsR1".utf8)
    /// Bytes before the payload.
    private static let overhead = 12
    /// No message of ours is longer; what claims to be is damaged.
    static let mostBytes = 16 << 20

    /// Appends the record.
    func write(to bytes: inout [UInt8]) {
        var payload: [UInt8] = []
        switch self {
        case .message(let key, let report):
            payload.reserveCapacity(64 + report.body.count)
            payload.append(1)
            payload.append(littleEndian: key.run)
            payload.append(littleEndian: key.number)
            payload.append(littleEndian: report.measuredAt)
            for text in [report.id, report.type] {
                let utf8 = Array(text.utf8.prefix(Int(UInt16.max)))
                payload.append(littleEndian: UInt16(truncatingIfNeeded: utf8.count))
                payload += utf8
            }
            payload += report.body
        case .done(let key):
            payload.append(2)
            payload.append(littleEndian: key.run)
            payload.append(littleEndian: key.number)
        }
        bytes += Self.mark
        bytes.append(littleEndian: UInt32(truncatingIfNeeded: payload.count))
        bytes.append(littleEndian: CRC32.of(payload[...]))
        bytes += payload
    }

    /// Reads all records, passing over what is damaged.
    ///
    /// - Returns: the records, how many stretches between them or behind them are no records, and where the last one ends.
    static func read(_ bytes: ArraySlice<UInt8>) -> (records: [JournalRecord], damages: Int, end: Int) {
        var records: [JournalRecord] = []
        var (damages, position, end) = (0, bytes.startIndex, bytes.startIndex)
        while position < bytes.endIndex {
            if let (record, next) = record(in: bytes, at: position) {
                if position != end { damages += 1 }
                records.append(record)
                (position, end) = (next, next)
            } else {
                position = nextMark(in: bytes, after: position)
            }
        }
        return (records, damages + (end < bytes.endIndex ? 1 : 0), end)
    }

    private static func record(in bytes: ArraySlice<UInt8>, at start: Int) -> (JournalRecord, Int)? {
        var reader = ByteReader(bytes[start...])
        guard reader.take(4).map({ $0.elementsEqual(mark) }) == true, let length: UInt32 = reader.number(),
            let checksum: UInt32 = reader.number(), length <= UInt32(mostBytes), let payload = reader.take(Int(length)),
            CRC32.of(payload) == checksum, let record = JournalRecord(payload: payload)
        else { return nil }
        return (record, payload.endIndex)
    }

    private static func nextMark(in bytes: ArraySlice<UInt8>, after position: Int) -> Int {
        let rest = bytes[(position + 1)...]
        return rest.firstRange(of: mark)?.lowerBound ?? bytes.endIndex
    }

    private init?(payload: ArraySlice<UInt8>) {
        var reader = ByteReader(payload)
        guard let kind = reader.take(1)?.first, let run: UInt64 = reader.number(), let number: UInt64 = reader.number()
        else { return nil }
        let key = Key(run: run, number: number)
        switch kind {
        case 1:
            guard let measuredAt: UInt64 = reader.number(), let id = reader.text(), let type = reader.text() else {
                return nil
            }
            self = .message(key, OutgoingReport(id: id, type: type, measuredAt: measuredAt, body: Array(reader.rest)))
        case 2 where reader.rest.isEmpty: self = .done(key)
        default: return nil
        }
    }
}

/// Reads bytes from their start on; every reading beyond their end is nil.
private struct ByteReader {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, count <= rest.count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    mutating func number<Number: FixedWidthInteger & UnsignedInteger>() -> Number? {
        guard let bytes = take(Number.bitWidth / 8) else { return nil }
        var number: Number = 0
        for byte in bytes.reversed() { number = number << 8 | Number(truncatingIfNeeded: byte) }
        return number
    }

    /// A length of two bytes, and so many of text.
    mutating func text() -> String? {
        guard let count: UInt16 = number(), let bytes = take(Int(count)) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }
}

extension [UInt8] {
    mutating func append<Number: FixedWidthInteger & UnsignedInteger>(littleEndian number: Number) {
        for shift in stride(from: 0, to: Number.bitWidth, by: 8) { append(UInt8(truncatingIfNeeded: number >> shift)) }
    }
}

/// The checksum of Ethernet, zip and PNG (CRC-32/ISO-HDLC).
enum CRC32 {
    private static let table = (0..<256).map { (index: UInt32) -> UInt32 in
        var value = index
        for _ in 0..<8 { value = value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1 }
        return value
    }

    static func of(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var remainder = UInt32.max
        for byte in bytes {
            let index = Int((remainder ^ UInt32(byte)) & 0xFF)
            remainder = table[index] ^ (remainder >> 8)
        }
        return ~remainder
    }
}
#endif
