#if Agent
import FoundationEssentials

/// Turns reports into the messages that are published: a JSON object with a key for each thing measured.
struct ReportEncoder {
    private let hostname: String?
    private let encoder: JSONEncoder

    /// - Parameters:
    ///   - hostname: what stands under `hostname`; nil to leave it out.
    ///   - isPretty: whether an object is spread over lines for people to read.
    init(hostname: String?, isPretty: Bool = false) {
        self.hostname = hostname
        encoder = .lines
        if isPretty { encoder.outputFormatting.insert(.prettyPrinted) }
    }

    /// The octets of a report.
    ///
    /// - Throws: never, in practice: numbers that JSON does not have are left out.
    func encode(_ fields: [ReportField]) throws -> [UInt8] {
        var object: [String: JSONValue] = [:]
        for field in fields {
            if let value = field.value.withoutUnwritable { object[field.key] = value }
        }
        if let hostname { object["hostname"] = .string(hostname) }
        return Array(try encoder.encode(JSONValue.object(object)))
    }
}

extension JSONValue {
    /// Without the numbers that JSON has no form for; nil where that is all there was.
    fileprivate var withoutUnwritable: JSONValue? {
        switch self {
        case .null, .boolean, .integer, .unsigned, .string: self
        case .float(let value): value.isFinite ? self : nil
        case .double(let value): value.isFinite ? self : nil
        case .array(let values): .array(values.compactMap(\.withoutUnwritable))
        case .object(let values): .object(values.compactMapValues(\.withoutUnwritable))
        }
    }
}
#endif
