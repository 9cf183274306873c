extension AMQPError.Reply {
    /// Reads the words that a broker gave with a reply code.
    public init(code: UInt16, text: String) {
        self.code = code
        self.text = text
        kind = .other
        let words = BrokerWords(text)
        // The first that fits decides: those whose words are their own come before those that share them.
        _ =
            readFeature(words) || readMismatch(words) || readLimit(words) || readVirtualHost(words)
            || readAccess(words) || readArgument(words) || readMessage(words) || readResource(words) || readCode(words)
    }

    private mutating func readFeature(_ words: BrokerWords) -> Bool {
        // RabbitMQ 3.12 and later. The words go on for longer than there is room, so they are cut off.
        let feature =
            words.text(between: "Feature `", and: "`") ?? words.text(
                between: "use of deprecated ",
                and: " argument is not"
            )
            ?? (words.contains("transient_nonexcl_queues") ? "transient_nonexcl_queues" : nil)
        guard let feature else { return false }
        kind = .featureNotPermitted
        self.feature = feature
        return true
    }

    private mutating func readMismatch(_ words: BrokerWords) -> Bool {
        guard words.contains("inequivalent arg") else { return false }
        kind = .argumentMismatch
        resource = words.resource(after: "' for ", before: ": received ")
        guard let name = words.text(between: "inequivalent arg '", and: "' for "),
            let received = words.text(between: ": received ", and: " but current is "),
            let rest = words.text(after: " but current is "),
            // Each is `none`, `'5000'` or `the value '5000' of type 'signedint'`. Words that were cut off name no value.
            let asked = Self.value(received), let given = Self.value(rest)
        else { return true }
        argument = Argument(name: name, received: asked, current: given)
        return true
    }

    /// A value, nil inside for `none`; nil for words that are neither.
    private static func value(_ text: String) -> String?? {
        if text == "none" { return .some(nil) }
        return BrokerWords(text).text(between: "'", and: "'").map { .some($0) }
    }

    private mutating func readLimit(_ words: BrokerWords) -> Bool {
        if words.contains("connection limit (") {
            kind = .connectionLimit
            limit = words.number(after: "connection limit (")
            resource = words.text(between: "access to vhost '", and: "' refused").map { .virtualHost($0) }
        } else if words.contains("number of channels opened") {
            kind = .channelLimit
            limit = words.number(after: "limit of (") ?? words.number(after: "channel_max (")
        } else if words.contains("queue limit in ") {
            kind = .queueLimit
            limit = words.number(after: "' (") ?? words.number(after: "cluster (")
            resource = words.text(between: "queue limit in vhost '", and: "' (").map { .virtualHost($0) }
        } else if words.contains("exchange limit of ") {
            kind = .exchangeLimit
            limit = words.number(after: "exchange limit of ")
        } else if words.contains("of consumers per channel") {
            kind = .consumerLimit
            limit = words.number(after: "maximum (")
        } else if words.contains("message size") || code == 311 {
            kind = .messageTooLarge
            size = words.number(after: "message size ")
            limit = words.number(after: "max size ")
        } else if let name = words.text(between: "negotiated ", and: " = ") {
            kind = .limitsRefused
            limit = words.number(after: "value (")
            argument = Argument(name: name, received: words.text(between: " = ", and: " is "))
        } else {
            return false
        }
        user = words.text(between: "refused for user '", and: "'") ?? words.text(between: "opened for user '", and: "'")
        return true
    }

    private mutating func readVirtualHost(_ words: BrokerWords) -> Bool {
        if let name = words.text(between: "access to vhost '", and: "' refused for user '") {
            kind = words.contains("' is down") ? .unavailable : .accessRefused
            resource = .virtualHost(name)
            user = words.text(between: "' refused for user '", and: "'")
            return true
        }
        // RabbitMQ 3.10 writes the name without quotes. GarageMQ has words of its own.
        let missing =
            words.text(between: "vhost '", and: "' not found") ?? words.text(between: "vhost ", and: " not found")
            ?? words.text(between: "virtualHost '", and: "' does not exist")
        guard let missing else { return false }
        kind = .notFound
        resource = .virtualHost(missing)
        return true
    }

    private mutating func readAccess(_ words: BrokerWords) -> Bool {
        if words.contains("reserved prefix") || words.contains("default exchange")
            || words.contains("of system exchange")
        {
            kind = .reservedName
            resource = words.resource(after: "of system ") ?? words.firstResource
        } else if words.contains("in exclusive use") {
            kind = .exclusiveConsumer
            resource = words.firstResource
        } else if words.contains("ogin was refused") || words.contains("login failure")
            || words.contains("login refused") || words.contains("secret was refused")
        {
            kind = .loginRefused
        } else if code == 405 || words.contains("access to locked") {
            kind = .resourceLocked
            resource = words.resource(after: "locked ") ?? words.firstResource
        } else if let topic = words.text(between: "access to topic '", and: "' in exchange '") {
            kind = .accessRefused
            resource = Resource(
                kind: .topic,
                name: topic,
                virtualHost: words.text(between: "in vhost '", and: "' refused"),
                exchange: words.text(between: "' in exchange '", and: "' in vhost '")
            )
        } else if code == 403 {
            kind = .accessRefused
            resource = words.resource(after: "access to ", before: " refused for user '") ?? words.firstResource
        } else {
            return false
        }
        user = words.text(between: "refused for user '", and: "'")
        permission = ["configure", "write", "read"].first { words.contains("- \($0) access to ") }
        return true
    }

    private mutating func readArgument(_ words: BrokerWords) -> Bool {
        if let type = words.text(between: "exchange type '", and: "'"),
            words.contains("unknown") || words.contains("invalid")
        {
            kind = .unknownExchangeType
            argument = Argument(name: "type", received: type)
            return true
        }
        let name =
            words.text(between: "invalid arg '", and: "' for ") ?? words.text(between: "' for arg '", and: "' in ")
            ?? words.text(between: "invalid property '", and: "' for ")
        if let name {
            kind = .invalidArgument
            argument = Argument(name: name)
            resource = words.resource(after: "' for ") ?? words.resource(after: "' in ")
            return true
        }
        if words.contains("invalid expiration") {
            kind = .invalidArgument
            argument = Argument(name: "expiration", received: words.text(between: "invalid expiration '", and: "': "))
            return true
        }
        if let claimed = words.text(between: "user_id property set to '", and: "' but ") {
            kind = .invalidArgument
            argument = Argument(name: "user_id", received: claimed)
            user = words.text(between: "authenticated user was '", and: "'")
            return true
        }
        guard words.contains("invalid ") || words.contains("unsupported ") else { return false }
        kind = .invalidArgument
        resource = words.firstResource
        return true
    }

    private mutating func readMessage(_ words: BrokerWords) -> Bool {
        if words.contains("unknown delivery tag") {
            kind = .unknownDeliveryTag
        } else if words.contains("delivery acknowledgement on channel") {
            kind = .acknowledgementTimeout
        } else if words.contains("fast reply consumer does not exist") {
            kind = .noReplyConsumer
        } else if words.contains("reuse consumer tag") {
            kind = .consumerTagInUse
        } else if code == 406, words.contains("disk") || words.contains("Disk") {
            kind = .lowOnDisk
        } else {
            return false
        }
        return true
    }

    private mutating func readResource(_ words: BrokerWords) -> Bool {
        if words.contains("down or inaccessible") || words.contains("is stopped by supervisor")
            || words.contains("has crashed") || words.contains("due to timeout") || words.contains("being demoted")
        {
            kind = .unavailable
        } else if words.contains(" in use") {
            kind = .resourceInUse
        } else if words.contains(" not empty") {
            kind = .resourceNotEmpty
        } else if code == 404 {
            kind = .notFound
        } else {
            return false
        }
        resource = words.firstResource
        return true
    }

    private mutating func readCode(_ words: BrokerWords) -> Bool {
        switch code {
        case 312: kind = .unroutable
        case 313: kind = .noConsumers
        case 320: kind = words.contains("hutdown") ? .shutdown : .closedByOperator
        default: return false
        }
        return true
    }
}

extension AMQPError.Reply.Resource {
    fileprivate static func virtualHost(_ name: String) -> Self { Self(kind: .virtualHost, name: name) }
}

/// A broker's words, searched byte by byte: names in them may hold anything.
struct BrokerWords {
    private let bytes: [UInt8]

    init(_ text: String) {
        bytes = Array(text.utf8)
    }

    /// Whether `part` is there.
    func contains(_ part: String) -> Bool { range(of: part, from: 0) != nil }

    /// What stands between the first `start` and the next `end` behind it.
    func text(between start: String, and end: String) -> String? {
        guard let from = range(of: start, from: 0)?.upperBound, let to = range(of: end, from: from)?.lowerBound else {
            return nil
        }
        return String(decoding: bytes[from..<to], as: UTF8.self)
    }

    /// What stands behind the first `start`.
    func text(after start: String) -> String? {
        range(of: start, from: 0).map { String(decoding: bytes[$0.upperBound...], as: UTF8.self) }
    }

    /// The resource that stands behind `start`, as in `queue 'a' in vhost '/'`; with `end`, up to that.
    func resource(after start: String, before end: String? = nil) -> AMQPError.Reply.Resource? {
        var from = 0
        while let found = range(of: start, from: from) {
            for (word, kind) in Self.kinds where bytes[found.upperBound...].starts(with: "\(word) '".utf8) {
                return resource(kind, at: found.upperBound + word.utf8.count + 2, before: end)
            }
            from = found.upperBound
        }
        return nil
    }

    /// The first queue or exchange that is named.
    var firstResource: AMQPError.Reply.Resource? {
        let found = Self.kinds.compactMap { word, kind in
            range(of: "\(word) '", from: 0).map { (kind: kind, start: $0.upperBound) }
        }
        return found.min { $0.start < $1.start }.flatMap { resource($0.kind, at: $0.start, before: nil) }
    }

    private static let kinds: [(String, AMQPError.Reply.ResourceKind)] = [("queue", .queue), ("exchange", .exchange)]

    /// A resource whose name begins at `start`.
    private func resource(
        _ kind: AMQPError.Reply.ResourceKind,
        at start: Int,
        before end: String?
    ) -> AMQPError.Reply.Resource? {
        if let place = range(of: "' in vhost '", from: start) {
            // The name of a virtual host may hold quotes; what follows it tells where it ends.
            guard let close = range(of: end.map { "'" + $0 } ?? "'", from: place.upperBound) else { return nil }
            return AMQPError.Reply.Resource(
                kind: kind,
                name: String(decoding: bytes[start..<place.lowerBound], as: UTF8.self),
                virtualHost: String(decoding: bytes[place.upperBound..<close.lowerBound], as: UTF8.self)
            )
        }
        guard let close = range(of: "'", from: start) else { return nil }
        return AMQPError.Reply.Resource(
            kind: kind,
            name: String(decoding: bytes[start..<close.lowerBound], as: UTF8.self)
        )
    }

    /// The number that stands behind the first `start`; nil for none and for one above 64 bits.
    func number(after start: String) -> UInt64? {
        guard let from = range(of: start, from: 0)?.upperBound else { return nil }
        let digits = bytes[from...].prefix { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
        return UInt64(String(decoding: digits, as: UTF8.self))
    }

    private func range(of part: String, from: Int) -> Range<Int>? {
        let sought = Array(part.utf8)
        guard !sought.isEmpty, sought.count <= bytes.count, from <= bytes.count - sought.count else { return nil }
        for start in from...(bytes.count - sought.count) where bytes[start...].starts(with: sought) {
            return start..<(start + sought.count)
        }
        return nil
    }
}
