#if Agent
import AMQPWire

/// The argument in which an existing queue or exchange differs from what was asked for, in the terms of `psistats.conf`.
struct ArgumentMismatch: Hashable, Sendable {
    /// The queue or exchange.
    let resource: AMQPError.Reply.Resource
    let argument: AMQPError.Reply.Argument

    /// nil where the broker's reply is about something else, or its words were cut off.
    init?(_ reply: AMQPError.Reply?) {
        guard let reply, reply.kind == .argumentMismatch, let resource = reply.resource, let argument = reply.argument,
            resource.virtualHost != nil
        else { return nil }
        self.resource = resource
        self.argument = argument
    }

    private var kind: AMQPError.Reply.ResourceKind { resource.kind }

    /// The key in the section of the same name that says what is asked for; nil where there is none.
    var key: String? {
        switch (kind, argument.name) {
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
        let has = argument.current.map { "\(argument.name) \($0)" } ?? "no \(argument.name)"
        return
            "the \(kind) '\(resource.name)' exists with \(has), psistats.conf asks for \(argument.received ?? "none")"
    }

    /// What to set, or else to delete.
    var remedy: String {
        let (name, vhost) = (resource.name, resource.virtualHost ?? "/")
        let deletion =
            if kind == .queue {
                "delete the queue, which psistats then makes anew: rabbitmqctl delete_queue -p "
                    + "\(BrokerAdvice.quoted(vhost)) \(BrokerAdvice.quoted(name))"
            } else if name.hasPrefix("amq.") {
                // The broker's own, which nobody can delete.
                "choose another name in [exchange]"
            } else {
                "delete the exchange '\(name)' in the vhost '\(vhost)', which psistats then makes anew (all machines that "
                    + "report to it need the same settings), or choose another name in [exchange]"
            }
        guard let setting else { return deletion }
        return "\(setting), or \(deletion)"
    }

    /// What to write into psistats.conf to take what exists; nil where that cannot be said there.
    private var setting: String? {
        guard let key else { return nil }
        switch argument.current {
        case .some("true"): return "set \(key)=True in [\(kind)]"
        case .some("false"): return "set \(key)=False in [\(kind)]"
        case .some(let value): return "set \(key)=\(value) in [\(kind)]"
        // A queue of psistats always has a time to live.
        case nil: return key == "ttl" ? nil : "leave \(key) out of [\(kind)]"
        }
    }
}
#endif
