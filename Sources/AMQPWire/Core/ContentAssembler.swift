/// Puts the method, header and body frames of one channel's incoming content together.
///
///     idle ──method with content──> awaiting header ──header──> awaiting body ──last body frame──> idle, content complete
///                                                     └─ body size 0: complete at once
///
/// A message is never larger than `maxBodySize`; memory grows with the octets that come. Knows nothing of what a content is for.
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
    }

    private struct Partial {
        var method: AMQPMethod
        var header: AMQPContentHeader
        var rawProperties: [UInt8]
        var body: [UInt8]
        var missing: Int
    }

    private var state = State.idle
    private let maxBodySize: Int

    init(maxBodySize: Int) {
        self.maxBodySize = maxBodySize
    }

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
        guard let size = Int(exactly: header.bodySize), size <= maxBodySize else {
            throw Violation(replyCode: 501, reason: "a body of \(header.bodySize) octets, \(maxBodySize) are allowed")
        }
        // Only a returned message has to be told from others like it.
        let raw: [UInt8] = if case .basicReturn = method { Array(rawProperties) } else { [] }
        let partial = Partial(method: method, header: header, rawProperties: raw, body: [], missing: size)
        if size == 0 { return complete(partial) }
        state = .awaitingBody(partial)
        return nil
    }

    /// A body frame came.
    mutating func bodyReceived(_ octets: UnsafeRawBufferPointer) throws(Violation) -> Content? {
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
