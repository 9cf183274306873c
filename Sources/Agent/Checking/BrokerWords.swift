/// Reads the texts with which RabbitMQ explains its errors.
///
/// They are meant for people, and cut off at 255 octets: what is not found is nil.
enum BrokerWords {
    /// What stands between the first `start` and the next `end` behind it.
    static func text(in text: String, between start: String, and end: String) -> String? {
        guard let from = range(of: start, in: text)?.upperBound else { return nil }
        let rest = text[from...]
        guard let to = range(of: end, in: rest)?.lowerBound else { return nil }
        return String(rest[..<to])
    }

    /// Where `part` stands first.
    static func range<Text: StringProtocol>(of part: String, in text: Text) -> Range<String.Index>? {
        let octets = text.utf8
        let sought = Array(part.utf8)
        guard !sought.isEmpty else { return nil }
        var start = octets.startIndex
        while start != octets.endIndex {
            if octets[start...].starts(with: sought) {
                return start..<octets.index(start, offsetBy: sought.count)
            }
            start = octets.index(after: start)
        }
        return nil
    }

    /// Where `part` stands last.
    static func lastRange(of part: String, in text: Substring) -> Range<String.Index>? {
        var last: Range<String.Index>?
        while let next = range(of: part, in: text[(last?.upperBound ?? text.startIndex)...]) { last = next }
        return last
    }

    /// The text as a regular expression that fits it alone.
    static func regularExpression(for text: String) -> String {
        var result = ""
        for character in text {
            if "\\^$.|?*+()[]{}".contains(character) { result += "\\" }
            result.append(character)
        }
        return result
    }
}

/// The argument in which an existing queue or exchange differs from what was asked for (406, "inequivalent arg").
struct ArgumentMismatch: Hashable, Sendable {
    enum Kind: String, Hashable, Sendable {
        case queue, exchange
    }

    var kind: Kind
    /// The queue's or exchange's name.
    var name: String
    var vhost: String
    /// `x-message-ttl`, `durable`, `auto_delete`, `type` …
    var argument: String
    /// What was asked for; nil for nothing.
    var received: String?
    /// What it has; nil for nothing.
    var current: String?

    /// What the broker's reply text names; nil where it is not about an argument that differs, or was cut off.
    init?(_ text: String) {
        guard let argument = BrokerWords.text(in: text, between: "inequivalent arg '", and: "' for "),
            let kind = BrokerWords.text(in: text, between: "' for ", and: " '").flatMap(Kind.init),
            let name = BrokerWords.text(in: text, between: "' for \(kind) '", and: "' in vhost '"),
            let vhost = BrokerWords.text(in: text, between: "' in vhost '", and: "': received "),
            let received = BrokerWords.text(in: text, between: "': received ", and: " but current is "),
            let end = BrokerWords.range(of: " but current is ", in: text)?.upperBound,
            let (received, current) = Self.values(received, String(text[end...]))
        else { return nil }
        self.argument = argument
        self.kind = kind
        self.name = name
        self.vhost = vhost
        self.received = received
        self.current = current
    }

    /// Each is `none`, `'5000'` or `the value '5000' of type 'signedint'`; nil where one is neither.
    private static func values(_ received: String, _ current: String) -> (String?, String?)? {
        let values = [received, current].map { BrokerWords.text(in: $0, between: "'", and: "'") }
        guard values[0] != nil || received == "none", values[1] != nil || current == "none" else { return nil }
        return (values[0], values[1])
    }

    /// The key in the section of the same name that says what is asked for; nil where there is none.
    var key: String? {
        switch (kind, argument) {
        case (.queue, "x-message-ttl"): "ttl"
        case (.queue, "x-expires"): "expires"
        case (.queue, "x-max-length"): "max_length"
        case (.queue, "x-queue-type"): "type"
        case (_, "durable"): "durable"
        case (_, "auto_delete"): "autodelete"
        case (.queue, "exclusive"): "exclusive"
        case (.exchange, "type"): "type"
        default: nil
        }
    }

    /// What differs, in a sentence.
    var description: String {
        let has = current.map { "\(argument) \($0)" } ?? "no \(argument)"
        return "the \(kind) '\(name)' exists with \(has), psistats.conf asks for \(received ?? "none")"
    }

    /// What to set, or else to delete.
    var remedy: String {
        let deletion: String
        switch kind {
        case .queue:
            let place = "-p \(BrokerAdvice.quoted(vhost)) \(BrokerAdvice.quoted(name))"
            deletion = "delete the queue, which psistats then makes anew: rabbitmqctl delete_queue \(place)"
        case .exchange where name.hasPrefix("amq."):
            // The broker's own, which nobody can delete.
            deletion = "choose another name in [exchange]"
        case .exchange:
            deletion =
                "delete the exchange '\(name)' in the vhost '\(vhost)', which psistats then makes anew (all machines that "
                + "report to it need the same settings), or choose another name in [exchange]"
        }
        guard let setting else { return deletion }
        return "\(setting), or \(deletion)"
    }

    /// What to write into psistats.conf to take what exists; nil where that cannot be said there.
    private var setting: String? {
        guard let key else { return nil }
        switch current {
        case .some("true"): return "set \(key)=True in [\(kind)]"
        case .some("false"): return "set \(key)=False in [\(kind)]"
        case .some(let value): return "set \(key)=\(value) in [\(kind)]"
        // A queue of psistats always has a time to live.
        case nil: return key == "ttl" ? nil : "leave \(key) out of [\(kind)]"
        }
    }
}
