/// What is asked for on the command line; the same as of the publishers in C.
struct Options: Sendable {
    enum Mode: String {
        /// No confirms.
        case none
        /// Confirms, with at most ``Options/window`` publishes unconfirmed.
        case window
        /// The next publish waits for the confirm of the last.
        case one
        /// Messages of ``Options/queue``, at most ``Options/prefetchCount`` unacknowledged, a hundred acknowledged at once.
        case consume
    }

    enum Style: String {
        /// Exchange, key and properties in every call.
        case plain
        /// A publisher that encoded them once.
        case prepared
        /// As prepared, by a task on the connections' own thread.
        case loop
        /// A consumer read by a plain task.
        case task
        /// A consumer read by the main actor.
        case actor
    }

    static let queue = "bench"
    static let prefetchCount: UInt16 = 1_000
    static let acknowledged = 100

    var host = "127.0.0.1"
    var port = 0
    var mode = Mode.none
    var style = Style.plain
    var messages = 100_000
    var warmup = 2_000
    var window = 1_000

    static let usage = """
        usage: amqpwire-bench --port PORT [--host HOST] [--mode none|window|one] [--style plain|prepared|loop]
               [--messages N] [--warmup N] [--window N]
               amqpwire-bench --port PORT --mode consume --style task|actor [--host HOST] [--messages N] [--warmup N]
        """

    /// Reads the arguments after the program's name; throws ``UsageError`` for what is not understood.
    init(_ arguments: some Sequence<String>) throws(UsageError) {
        var rest = arguments.makeIterator()
        while let name = rest.next() {
            guard let value = rest.next() else { throw UsageError(message: "\(name) has no value") }
            switch name {
            case "--host": host = value
            case "--port": port = try Self.number(value, for: name, in: 1...65_535)
            case "--mode": mode = try Self.choice(value, for: name)
            case "--style": style = try Self.choice(value, for: name)
            case "--messages": messages = try Self.number(value, for: name, in: 1...1_000_000_000)
            case "--warmup": warmup = try Self.number(value, for: name, in: 0...1_000_000_000)
            case "--window": window = try Self.number(value, for: name, in: 1...65_536)
            default: throw UsageError(message: "no such option: \(name)")
            }
        }
        if port == 0 { throw UsageError(message: "--port is missing") }
        if (mode == .consume) != (style == .task || style == .actor) {
            throw UsageError(message: "--mode \(mode.rawValue) has no style \(style.rawValue)")
        }
    }

    private static func number(
        _ text: String,
        for name: String,
        in range: ClosedRange<Int>
    ) throws(UsageError) -> Int {
        guard let number = Int(text), range.contains(number) else {
            throw UsageError(message: "\(name): \(text) is not in \(range.lowerBound)...\(range.upperBound)")
        }
        return number
    }

    private static func choice<Choice: RawRepresentable<String>>(
        _ text: String,
        for name: String
    ) throws(UsageError) -> Choice {
        guard let choice = Choice(rawValue: text) else { throw UsageError(message: "\(name): \(text) is not a choice") }
        return choice
    }
}

struct UsageError: Error {
    var message: String
}
