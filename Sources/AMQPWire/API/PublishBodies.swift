extension ConnectionCore {
    mutating func publish(
        _ method: AMQPMethod.BasicPublish,
        properties: AMQPProperties,
        collection body: some Collection<UInt8>,
        on channel: ChannelCore
    ) throws(AMQPError) -> UInt64? {
        try withBytes(of: body) { (body) throws(AMQPError) in
            try publish(method, properties: properties, body: body, on: channel)
        }
    }

    mutating func publish(
        _ method: AMQPMethod.BasicPublish,
        properties: AMQPProperties,
        span body: RawSpan,
        on channel: ChannelCore
    ) throws(AMQPError) -> UInt64? {
        try body.withUnsafeBytes { (body) throws(AMQPError) in
            try publish(method, properties: properties, body: body, on: channel)
        }
    }
}

/// Lends the bytes of a collection in one piece, without a copy where they are that already.
private func withBytes<Value>(
    of body: some Collection<UInt8>,
    _ use: (UnsafeRawBufferPointer) throws(AMQPError) -> Value
) throws(AMQPError) -> Value {
    let result = body.withContiguousStorageIfAvailable { bytes in
        Result { () throws(AMQPError) in try use(UnsafeRawBufferPointer(bytes)) }
    }
    if let result { return try result.get() }
    return try Array(body).withUnsafeBufferPointer { (bytes) throws(AMQPError) in
        try use(UnsafeRawBufferPointer(bytes))
    }
}

// MARK: - Bodies that are not arrays

extension AMQPChannel {
    /// Publishes text as UTF-8; otherwise as ``publish(_:exchange:routingKey:properties:mandatory:)-([UInt8],_,_,_,_)``.
    public nonisolated(nonsending) func publish(
        _ text: String,
        exchange: String = "",
        routingKey: String,
        properties: AMQPProperties = AMQPProperties(),
        mandatory: Bool = false
    ) async throws(AMQPError) {
        try await publish(
            text.utf8,
            exchange: exchange,
            routingKey: routingKey,
            properties: properties,
            mandatory: mandatory
        )
    }

    /// Publishes any bytes, without a copy where they are contiguous (`ArraySlice`, `Data`, a view of a buffer); otherwise as
    /// ``publish(_:exchange:routingKey:properties:mandatory:)-([UInt8],_,_,_,_)``.
    public nonisolated(nonsending) func publish(
        _ body: some Collection<UInt8>,
        exchange: String = "",
        routingKey: String,
        properties: AMQPProperties = AMQPProperties(),
        mandatory: Bool = false
    ) async throws(AMQPError) {
        let method = AMQPMethod.BasicPublish(exchange, routingKey, mandatory)
        if driver.isObserved { return try await publishObserved(method, properties, Array(body)) }
        try await driver.publishConfirmed(record) { (core, channel) throws(AMQPError) in
            try core.publish(method, properties: properties, collection: body, on: channel)
        }
    }

    /// Publishes the bytes of a span; otherwise as
    /// ``publish(_:exchange:routingKey:properties:mandatory:)-([UInt8],_,_,_,_)``.
    public nonisolated(nonsending) func publish(
        _ body: RawSpan,
        exchange: String = "",
        routingKey: String,
        properties: AMQPProperties = AMQPProperties(),
        mandatory: Bool = false
    ) async throws(AMQPError) {
        let method = AMQPMethod.BasicPublish(exchange, routingKey, mandatory)
        if driver.isObserved {
            return try await publishObserved(method, properties, body.withUnsafeBytes { Array($0) })
        }
        try await driver.publishConfirmed(record) { (core, channel) throws(AMQPError) in
            try core.publish(method, properties: properties, span: body, on: channel)
        }
    }

    /// Publishes text, whose confirm can be awaited later.
    @discardableResult
    public nonisolated(nonsending) func submit(
        _ text: String,
        exchange: String = "",
        routingKey: String,
        properties: AMQPProperties = AMQPProperties(),
        mandatory: Bool = false
    ) async throws(AMQPError) -> AMQPPublishReceipt {
        try await submit(
            text.utf8,
            exchange: exchange,
            routingKey: routingKey,
            properties: properties,
            mandatory: mandatory
        )
    }

    /// Publishes any bytes, whose confirm can be awaited later.
    @discardableResult
    public nonisolated(nonsending) func submit(
        _ body: some Collection<UInt8>,
        exchange: String = "",
        routingKey: String,
        properties: AMQPProperties = AMQPProperties(),
        mandatory: Bool = false
    ) async throws(AMQPError) -> AMQPPublishReceipt {
        let method = AMQPMethod.BasicPublish(exchange, routingKey, mandatory)
        if driver.isObserved { return try await submitObserved(method, properties, Array(body)) }
        return try await driver.submit(self, .plain(method, properties, Array(body))) {
            (core, channel) throws(AMQPError) in
            try core.publish(method, properties: properties, collection: body, on: channel)
        }
    }

    /// Publishes the bytes of a span, whose confirm can be awaited later.
    @discardableResult
    public nonisolated(nonsending) func submit(
        _ body: RawSpan,
        exchange: String = "",
        routingKey: String,
        properties: AMQPProperties = AMQPProperties(),
        mandatory: Bool = false
    ) async throws(AMQPError) -> AMQPPublishReceipt {
        let method = AMQPMethod.BasicPublish(exchange, routingKey, mandatory)
        if driver.isObserved { return try await submitObserved(method, properties, body.withUnsafeBytes { Array($0) }) }
        let copy = driver.resendsUnconfirmed ? body.withUnsafeBytes { Array($0) } : []
        return try await driver.submit(self, .plain(method, properties, copy)) { (core, channel) throws(AMQPError) in
            try core.publish(method, properties: properties, span: body, on: channel)
        }
    }

    /// Publishes text without asking for a confirm.
    public nonisolated(nonsending) func send(
        _ text: String,
        exchange: String = "",
        routingKey: String,
        properties: AMQPProperties = AMQPProperties(),
        mandatory: Bool = false
    ) async throws(AMQPError) {
        try await send(
            text.utf8,
            exchange: exchange,
            routingKey: routingKey,
            properties: properties,
            mandatory: mandatory
        )
    }

    /// Publishes any bytes without asking for a confirm.
    public nonisolated(nonsending) func send(
        _ body: some Collection<UInt8>,
        exchange: String = "",
        routingKey: String,
        properties: AMQPProperties = AMQPProperties(),
        mandatory: Bool = false
    ) async throws(AMQPError) {
        let method = AMQPMethod.BasicPublish(exchange, routingKey, mandatory)
        if driver.isObserved { return try await sendObserved(method, properties, Array(body)) }
        _ = try await driver.publish(record, .soon) { (core, channel) throws(AMQPError) in
            try core.publish(method, properties: properties, collection: body, on: channel)
        }
    }

    /// Publishes the bytes of a span without asking for a confirm.
    public nonisolated(nonsending) func send(
        _ body: RawSpan,
        exchange: String = "",
        routingKey: String,
        properties: AMQPProperties = AMQPProperties(),
        mandatory: Bool = false
    ) async throws(AMQPError) {
        let method = AMQPMethod.BasicPublish(exchange, routingKey, mandatory)
        if driver.isObserved { return try await sendObserved(method, properties, body.withUnsafeBytes { Array($0) }) }
        _ = try await driver.publish(record, .soon) { (core, channel) throws(AMQPError) in
            try core.publish(method, properties: properties, span: body, on: channel)
        }
    }
}

extension AMQPMethod.BasicPublish {
    init(_ exchange: String, _ routingKey: String, _ mandatory: Bool) {
        self.init(exchange: AMQPText(exchange), routingKey: AMQPText(routingKey), mandatory: mandatory)
    }
}

extension AMQPPublisher {
    /// Publishes text as UTF-8 and returns when the broker has confirmed it.
    public nonisolated(nonsending) func publish(_ text: String) async throws(AMQPError) {
        try await publish(text.utf8)
    }

    /// Publishes any bytes, without a copy where they are contiguous, and returns when the broker has confirmed them.
    public nonisolated(nonsending) func publish(_ body: some Collection<UInt8>) async throws(AMQPError) {
        if let observed {
            return try await channel.publishObserved(observed.method, observed.properties, Array(body))
        }
        try await channel.driver.publishConfirmed(channel.record) { (core, channel) throws(AMQPError) in
            try withBytes(of: body) { (body) throws(AMQPError) in try core.publish(frames, body: body, on: channel) }
        }
    }

    /// Publishes the bytes of a span and returns when the broker has confirmed them.
    public nonisolated(nonsending) func publish(_ body: RawSpan) async throws(AMQPError) {
        if let observed {
            return try await channel.publishObserved(
                observed.method,
                observed.properties,
                body.withUnsafeBytes { Array($0) }
            )
        }
        try await channel.driver.publishConfirmed(channel.record) { (core, channel) throws(AMQPError) in
            try body.withUnsafeBytes { (body) throws(AMQPError) in try core.publish(frames, body: body, on: channel) }
        }
    }

    /// Publishes text, whose confirm can be awaited later.
    @discardableResult
    public nonisolated(nonsending) func submit(_ text: String) async throws(AMQPError) -> AMQPPublishReceipt {
        try await submit(text.utf8)
    }

    /// Publishes any bytes, whose confirm can be awaited later.
    @discardableResult
    public nonisolated(nonsending) func submit(
        _ body: some Collection<UInt8>
    ) async throws(AMQPError) -> AMQPPublishReceipt {
        if let observed {
            return try await channel.submitObserved(observed.method, observed.properties, Array(body))
        }
        return try await channel.driver.submit(channel, .prepared(frames, Array(body))) {
            (core, channel) throws(AMQPError) in
            try withBytes(of: body) { (body) throws(AMQPError) in try core.publish(frames, body: body, on: channel) }
        }
    }

    /// Publishes the bytes of a span, whose confirm can be awaited later.
    @discardableResult
    public nonisolated(nonsending) func submit(_ body: RawSpan) async throws(AMQPError) -> AMQPPublishReceipt {
        if let observed {
            return try await channel.submitObserved(
                observed.method,
                observed.properties,
                body.withUnsafeBytes { Array($0) }
            )
        }
        let copy = channel.driver.resendsUnconfirmed ? body.withUnsafeBytes { Array($0) } : []
        return try await channel.driver.submit(channel, .prepared(frames, copy)) { (core, channel) throws(AMQPError) in
            try body.withUnsafeBytes { (body) throws(AMQPError) in try core.publish(frames, body: body, on: channel) }
        }
    }

    /// Publishes text without asking for a confirm; returns when it is queued for the socket.
    public nonisolated(nonsending) func send(_ text: String) async throws(AMQPError) {
        try await send(text.utf8)
    }

    /// Publishes any bytes without asking for a confirm; returns when they are queued for the socket.
    public nonisolated(nonsending) func send(_ body: some Collection<UInt8>) async throws(AMQPError) {
        if let observed {
            return try await channel.sendObserved(observed.method, observed.properties, Array(body))
        }
        _ = try await channel.driver.publish(channel.record, .soon) { (core, channel) throws(AMQPError) in
            try withBytes(of: body) { (body) throws(AMQPError) in try core.publish(frames, body: body, on: channel) }
        }
    }

    /// Publishes the bytes of a span without asking for a confirm; returns when they are queued for the socket.
    public nonisolated(nonsending) func send(_ body: RawSpan) async throws(AMQPError) {
        if let observed {
            return try await channel.sendObserved(
                observed.method,
                observed.properties,
                body.withUnsafeBytes { Array($0) }
            )
        }
        _ = try await channel.driver.publish(channel.record, .soon) { (core, channel) throws(AMQPError) in
            try body.withUnsafeBytes { (body) throws(AMQPError) in try core.publish(frames, body: body, on: channel) }
        }
    }
}

extension AMQPOutgoingMessage {
    /// A message whose body is text, as UTF-8.
    public init(
        _ text: String,
        exchange: String = "",
        routingKey: String,
        properties: AMQPProperties = AMQPProperties()
    ) {
        self.init(Array(text.utf8), exchange: exchange, routingKey: routingKey, properties: properties)
    }

    /// A message whose body is a copy of any bytes.
    public init(
        _ body: some Collection<UInt8>,
        exchange: String = "",
        routingKey: String,
        properties: AMQPProperties = AMQPProperties()
    ) {
        self.init(Array(body), exchange: exchange, routingKey: routingKey, properties: properties)
    }

    /// A message whose body is a copy of the bytes of a span.
    public init(
        _ body: RawSpan,
        exchange: String = "",
        routingKey: String,
        properties: AMQPProperties = AMQPProperties()
    ) {
        let copy = body.withUnsafeBytes { Array($0) }
        self.init(copy, exchange: exchange, routingKey: routingKey, properties: properties)
    }
}
