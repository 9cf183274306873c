/// What the hddtemp daemon says, taken apart.
///
/// A record is `|drive|model|value|unit|`, so two records meet as `||`. The separator can be any octet; it is the first of the
/// reply. A model can be empty, can contain the separator, and need not be UTF-8. A record of 128 octets or more is cut off by
/// the daemon and followed by a zero octet and junk, as long as the record would have been (`daemon_send_msg` in its daemon.c).
/// Others that play the daemon end lines: behind a record, and between two.
///
/// So a record is found from its end: a value, a unit, and behind them another record or nothing. What stands between that and
/// the record before it has to be a drive and a model. Where it is more than that, the record is what follows the last `||/`.
struct HDDTempReply {
    /// The drives of all records that can be read, in order.
    private(set) var drives: [HDDTempSample.Drive] = []
    /// How often there was something between the records that can be read, or behind them.
    private(set) var unreadableCount = 0

    private enum Value {
        case celsius(Double)
        case state(HDDTempSample.State)
    }

    init(_ octets: [UInt8]) {
        guard let separator = octets.first else { return }
        var octets = octets[...]
        while let last = octets.last, last == 0x0A || last == 0x0D, last != separator { octets.removeLast() }
        var recordStart = 1
        var fieldStart = 1
        var fieldBefore: Range<Int>?
        var position = 1
        while position < octets.count {
            guard octets[position] == separator else {
                position += 1
                continue
            }
            let next = Self.end(ofLinesIn: octets, from: position + 1, separator)
            let endsRecord = next == octets.count || octets[next] == separator
            if endsRecord, let valueField = fieldBefore, valueField.lowerBound > recordStart,
                let value = Self.value(octets[valueField], unit: octets[fieldStart..<position])
            {
                take(octets[recordStart..<(valueField.lowerBound - 1)], separator, value)
                // Over the separator that the next record begins with.
                position = next + 1
                recordStart = position
                fieldBefore = nil
            } else {
                fieldBefore = fieldStart..<position
                position += 1
            }
            fieldStart = position
        }
        if recordStart < octets.count { unreadableCount += 1 }
    }

    /// Where something else than the end of a line stands.
    private static func end(ofLinesIn octets: ArraySlice<UInt8>, from start: Int, _ separator: UInt8) -> Int {
        var end = start
        while end < octets.count, octets[end] == 0x0A || octets[end] == 0x0D, octets[end] != separator { end += 1 }
        return end
    }

    /// Takes the drive and the model in front of a value.
    private mutating func take(_ octets: ArraySlice<UInt8>, _ separator: UInt8, _ value: Value) {
        let start = Self.lastStart(in: octets, separator)
        if start != nil { unreadableCount += 1 }
        let names = octets[(start ?? octets.startIndex)...]
        guard let middle = names.firstIndex(of: separator), middle > names.startIndex, !names.contains(0) else {
            if start == nil { unreadableCount += 1 }
            return
        }
        let drive = String(decoding: names[..<middle], as: UTF8.self)
        let model = String(decoding: names[(middle + 1)...], as: UTF8.self)
        drives.append(Self.drive(drive, model: model.isEmpty || model == "???" ? nil : model, value))
    }

    /// Where a drive's path stands behind the end of one record and the beginning of another: behind the last `||`.
    private static func lastStart(in octets: ArraySlice<UInt8>, _ separator: UInt8) -> Int? {
        guard octets.count > 2 else { return nil }
        for slash in stride(from: octets.endIndex - 1, to: octets.startIndex + 1, by: -1)
        where octets[slash] == 0x2F && octets[slash - 1] == separator && octets[slash - 2] == separator {
            return slash
        }
        return nil
    }

    private static func drive(_ name: String, model: String?, _ value: Value) -> HDDTempSample.Drive {
        switch value {
        case .celsius(let degrees): HDDTempSample.Drive(name: name, model: model, celsius: degrees, state: .ok)
        case .state(let state): HDDTempSample.Drive(name: name, model: model, celsius: nil, state: state)
        }
    }

    /// What a value and its unit mean; nil if they are not such.
    private static func value(_ value: ArraySlice<UInt8>, unit: ArraySlice<UInt8>) -> Value? {
        // Some put a degree sign before it.
        let unit = unit.starts(with: "°".utf8) ? unit.dropFirst("°".utf8.count) : unit
        guard unit.count == 1, let unit = unit.first, unit == star || unit == celsius || unit == fahrenheit else {
            return nil
        }
        for (name, state) in states where value.elementsEqual(name.utf8) { return .state(state) }
        guard unit != star, let degrees = number(value) else { return nil }
        let inCelsius = unit == fahrenheit ? ((degrees - 32) * 5 / 9).roundedToTenths : degrees
        // Nothing that a sensor in a drive can have measured.
        return inCelsius < -273 || inCelsius > 250 ? .state(.unknown) : .celsius(inCelsius)
    }

    private static let star: UInt8 = 0x2A
    private static let celsius: UInt8 = 0x43
    private static let fahrenheit: UInt8 = 0x46

    private static let states: [(String, HDDTempSample.State)] = [
        ("SLP", .sleeping), ("UNK", .unknown), ("NOS", .noSensor), ("NA", .notAvailable), ("ERR", .error),
    ]

    /// A decimal number of up to nine digits, the daemon's own are whole.
    private static func number(_ octets: ArraySlice<UInt8>) -> Double? {
        guard (1...11).contains(octets.count) else { return nil }
        return ByteScanner.scan(Array(octets)) { scanner in
            guard scanner.next != 0x20, scanner.next != 0x09, let number = scanner.decimal(), scanner.isAtEnd,
                octets.last != 0x2E, octets.count(where: { $0 != 0x2D && $0 != 0x2E }) <= 9
            else { return nil }
            return number
        }
    }
}
