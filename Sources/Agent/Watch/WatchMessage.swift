#if Agent
import FoundationEssentials

/// What a message says of a host. Takes what is as it ought to be and leaves out the rest: messages come from anybody.
struct WatchMessage: Hashable, Sendable {
    /// The host's name; where the message has none, its routing key without the queue's prefix.
    var hostname: String
    /// The load in percent, a number for each core or one for all; empty if the message does not say.
    var cpu: [Double] = []
    /// Memory in use, in percent.
    var mem: Double?
    /// Degrees Celsius, of the hottest where there are several.
    var temperature: Double?
    /// Seconds.
    var uptime: Double?
    /// Nil if the message does not say; empty for a host that has none.
    var addresses: [String]?
    /// The first of the message's other keys, sorted.
    var others: [String] = []
    /// How long it was on its way, by its timestamp.
    var delay = Duration.zero

    /// The load of all cores together.
    var cpuMean: Double? {
        cpu.isEmpty ? nil : cpu.reduce(0, +) / Double(cpu.count)
    }

    /// Why a message was passed over.
    enum Unreadable: Error, Hashable, Sendable {
        case tooLong(octets: Int)
        case notUTF8
        case notAnObject
    }

    /// The longest body that is looked at, in octets. An agent's messages have some hundreds, with every sensor some
    /// thousands.
    static let longestBody = 1 << 20
    /// Cores beyond so many are not looked at.
    static let coreLimit = 1_024
    /// Addresses beyond so many are not shown.
    static let addressLimit = 8
    /// Other keys beyond so many are not named.
    static let otherLimit = 16
    /// Characters that are kept of the host's name, and of addresses and keys.
    static let nameLimit = 255
    static let wordLimit = 64
    /// Octets that a message takes at most, roughly: by the limits above.
    static let largestSize = 16 << 10
    /// How far a sender's clock may be ahead, and how old a message may be; else its timestamp means nothing. In seconds.
    private static let sensibleDelays = -5.0...86_400

    /// Reads a message's body.
    ///
    /// - Parameters:
    ///   - body: ought to be a JSON object.
    ///   - routingKey: names the host of a message that does not.
    ///   - prefix: what the routing key begins with, and a dot behind it.
    init(_ body: [UInt8], routingKey: String, prefix: String) throws(Unreadable) {
        guard body.count <= Self.longestBody else { throw .tooLong(octets: body.count) }
        // The decoder would take other encodings, too, by their look.
        guard body.first != 0, (try? UTF8Span(validating: body.span)) != nil else { throw .notUTF8 }
        let fields: Fields
        do {
            fields = try JSONDecoder().decode(Fields.self, from: Data(body))
        } catch {
            throw .notAnObject
        }
        hostname = ""
        hostname = Self.shortened(fields.hostname ?? Self.host(in: routingKey, prefix: prefix), to: Self.nameLimit)
        cpu = fields.cpu
        mem = fields.mem
        temperature = fields.temperature
        uptime = fields.uptime
        addresses = fields.addresses.map { $0.prefix(Self.addressLimit).map { Self.shortened($0, to: Self.wordLimit) } }
        others = fields.others.prefix(Self.otherLimit).map { Self.shortened($0, to: Self.wordLimit) }
    }

    init(hostname: String) {
        self.hostname = hostname
    }

    private static func host(in routingKey: String, prefix: String) -> String {
        let start = prefix + "."
        return routingKey.hasPrefix(start) && routingKey.count > start.count
            ? String(routingKey.dropFirst(start.count)) : routingKey
    }

    private static func shortened(_ name: String, to limit: Int) -> String {
        String(String.UnicodeScalarView(name.unicodeScalars.prefix(limit)))
    }

    /// How long a message was on its way, or waited before it left: from its timestamp, if that can be right, to its arrival.
    ///
    /// - Parameters:
    ///   - timestamp: the message's property, in whole seconds since 1970, cut off.
    ///   - arrival: seconds since 1970.
    static func delay(from timestamp: UInt64?, to arrival: Double) -> Duration {
        guard let timestamp, case let delay = arrival - Double(timestamp), sensibleDelays.contains(delay) else {
            return .zero
        }
        // The fraction that was cut off counts for the sender, so that what comes at once has no delay.
        return .seconds(max(0, delay - 1))
    }
}

extension WatchMessage.Unreadable: CustomStringConvertible {
    var description: String {
        switch self {
        case .tooLong(let octets):
            "\(octets) octets long, at most \(WatchMessage.longestBody) are looked at"
        case .notUTF8: "not UTF-8"
        case .notAnObject: "not a JSON object"
        }
    }
}

/// The keys of a message that are shown.
private struct Fields: Decodable {
    var hostname: String?
    var cpu: [Double]
    var mem: Double?
    var temperature: Double?
    var uptime: Double?
    var addresses: [String]?
    var others: [String]

    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private static let shown: Set = ["hostname", "cpu", "mem", "cpu_temp", "uptime", "ipaddr"]

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        // A value of another kind than expected is none.
        func value<Value: Decodable>(_ key: String, as type: Value.Type = Value.self) -> Value? {
            try? values.decodeIfPresent(type, forKey: Key(stringValue: key))
        }
        func numbers(_ key: String) -> [Double] {
            if let one = value(key, as: Double.self) { return [one] }
            return Array((value(key, as: [Double].self) ?? []).prefix(WatchMessage.coreLimit))
        }
        hostname = value("hostname")
        cpu = numbers("cpu")
        mem = value("mem")
        temperature = numbers("cpu_temp").max()
        uptime = value("uptime")
        addresses = value("ipaddr", as: String.self).map { [$0] } ?? value("ipaddr", as: [String].self)
        others = values.allKeys.map(\.stringValue).filter { !Self.shown.contains($0) }.sorted()
        if hostname?.isEmpty == true { hostname = nil }
    }
}
#endif
