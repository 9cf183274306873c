/// Puts the method, header and body frames of one channel's incoming content together.
///
///     idle ──method with content──> awaiting header ──header──> awaiting body ──last body frame──> idle, content complete
///                                          │             └─ body size 0: complete at once
///                                          └──``drop(bodySize:)``──> dropping ──last body frame──> idle
///
/// Memory grows with the bytes that come. How large a message may be is for its owner to decide, at the header. Knows nothing
/// of what a content is for.
struct ContentAssembler {
    /// Content that is complete.
    struct Content {
        var method: AMQPMethod
        var message: AMQPMessage
        /// Of a returned message only.
        var digest: ContentDigest?
    }

    /// What a frame did not fit: the reply code to close the connection with, and why.
    struct Violation: Error {
        var replyCode: UInt16
        var reason: String
    }

    private enum State {
        case idle
        case awaitingHeader(AMQPMethod)
        case awaitingBody(Partial)
        /// So many bytes of a message that nobody wants are still to come.
        case dropping(missing: UInt64)
    }

    private struct Partial {
        var method: AMQPMethod
        var header: AMQPContentHeader
        var rawProperties: [UInt8]
        var body: [UInt8]
        var missing: Int
    }

    private var state = State.idle

    /// Whether content is under way, so that no method may come on the channel.
    var isBusy: Bool {
        if case .idle = state { false } else { true }
    }

    /// A method with content came; its header is next.
    mutating func methodReceived(_ method: AMQPMethod) {
        state = .awaitingHeader(method)
    }

    /// A header came. `rawProperties` are the octets of flags and properties.
    mutating func headerReceived(
        _ header: AMQPContentHeader,
        rawProperties: UnsafeRawBufferPointer
    ) throws(Violation) -> Content? {
        guard case .awaitingHeader(let method) = state else {
            throw Violation(replyCode: 505, reason: "a content header where none is due")
        }
        guard let size = Int(exactly: header.bodySize) else {
            throw Violation(replyCode: 501, reason: "a body of \(header.bodySize) bytes")
        }
        // Only a returned message has to be told from others like it.
        let raw: [UInt8] = if case .basicReturn = method { Array(rawProperties) } else { [] }
        let partial = Partial(method: method, header: header, rawProperties: raw, body: [], missing: size)
        if size == 0 { return complete(partial) }
        state = .awaitingBody(partial)
        return nil
    }

    /// A header came of a message that is not to be kept. Returns the method that came before it.
    mutating func drop(bodySize: UInt64) throws(Violation) -> AMQPMethod {
        guard case .awaitingHeader(let method) = state else {
            throw Violation(replyCode: 505, reason: "a content header where none is due")
        }
        state = bodySize == 0 ? .idle : .dropping(missing: bodySize)
        return method
    }

    /// The message under way, if there is one, is not to be kept.
    mutating func dropBody() {
        if case .awaitingBody(let partial) = state { state = .dropping(missing: UInt64(partial.missing)) }
    }

    /// A body frame of `count` bytes came. True if it belongs to a message that is not kept.
    mutating func dropped(_ count: UInt64) throws(Violation) -> Bool {
        guard case .dropping(let missing) = state else { return false }
        guard count <= missing else { throw Violation(replyCode: 501, reason: "a body longer than its header says") }
        state = count == missing ? .idle : .dropping(missing: missing &- count)
        return true
    }

    /// A body frame came.
    mutating func bodyReceived(_ octets: UnsafeRawBufferPointer) throws(Violation) -> Content? {
        if try dropped(UInt64(octets.count)) { return nil }
        guard case .awaitingBody(var partial) = state else {
            throw Violation(replyCode: 505, reason: "a body frame where none is due")
        }
        guard octets.count <= partial.missing else {
            throw Violation(replyCode: 501, reason: "a body longer than its header says")
        }
        // Out of `state`, so that the body is not shared and appending does not copy it.
        state = .idle
        partial.body.append(contentsOf: octets)
        partial.missing -= octets.count
        if partial.missing == 0 { return complete(partial) }
        state = .awaitingBody(partial)
        return nil
    }

    private mutating func complete(_ partial: Partial) -> Content {
        state = .idle
        let message = AMQPMessage(properties: partial.header.properties, body: partial.body)
        var digest: ContentDigest?
        if case .basicReturn(let method) = partial.method {
            digest = method.exchange.withOctets { exchange in
                method.routingKey.withOctets { routingKey in
                    partial.rawProperties.withUnsafeBytes { properties in
                        message.body.withUnsafeBytes { body in
                            ContentDigest(
                                exchange: exchange,
                                routingKey: routingKey,
                                properties: properties,
                                body: body
                            )
                        }
                    }
                }
            }
        }
        return Content(method: partial.method, message: message, digest: digest)
    }
}
