#if Agent
import Glibc
import Logging

/// swift-log's way into the router: turns an event into a record.
struct RoutedLogHandler: LogHandler {
    let channel: LogChannel
    let router: LoggingRouter
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    /// Set by the program; nil for what the configuration says.
    private var ownLevel: Logger.Level?

    init(channel: LogChannel, router: LoggingRouter) {
        self.channel = channel
        self.router = router
    }

    var logLevel: Logger.Level {
        get { ownLevel ?? channel.level.leastPassed }
        set { ownLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let level = LogLevel(event.level)
        // swift-log has fewer levels than a configuration.
        guard ownLevel != nil || level >= channel.level else { return }
        channel.write(
            LogRecord(
                name: channel.name,
                level: level,
                message: message(of: event),
                path: event.file,
                line: Int(truncatingIfNeeded: event.line),
                function: event.function,
                time: router.clock(),
                start: router.start,
                thread: Int(truncatingIfNeeded: pthread_self()),
                process: Int(getpid())
            )
        )
    }

    /// The message with the metadata behind it, as ` key=value`, sorted by the keys. On one line: some of it is a broker's or a
    /// device's, who are not to write lines of their own into the log.
    private func message(of event: LogEvent) -> String {
        var merged = metadata
        if let provided = metadataProvider?.get() { merged.merge(provided) { $1 } }
        if let own = event.metadata { merged.merge(own) { $1 } }
        var text = event.message.description
        for (key, value) in merged.sorted(by: { $0.key < $1.key }) { text += " \(key)=\(value)" }
        if let error = event.error { text += " error=\(error)" }
        return text.shown
    }
}
#endif
