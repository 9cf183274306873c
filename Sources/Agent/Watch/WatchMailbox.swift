#if Agent
import Synchronization

/// What tasks have for the thread that polls: bounded for messages, whose sender waits for room.
final class WatchMailbox: Sendable {
    enum Item: Sendable {
        case message(WatchMessage)
        /// A message's body, as a line.
        case line([UInt8])
        /// Why a message was passed over.
        case unreadable(String)
        case link(WatchLink)
        /// Nothing more comes; why, if not because it was asked for.
        case ended(CommandFailure?)
    }

    /// To be polled for reading: there is something to take.
    var descriptor: Int32 { event.number }
    private let event: EventDescriptor
    private let state = Mutex(State())

    fileprivate struct State {
        var items: [Item] = []
        /// Octets that the items take, roughly.
        var size = 0
        var isClosed = false
        var hasEnded = false
        var waiting: CheckedContinuation<Void, Never>?
    }

    private static let roomyCount = 1_000
    private static let roomySize = 8 << 20

    init() throws(SystemError) {
        event = try EventDescriptor()
    }

    /// Puts something in at once.
    func post(_ item: Item) {
        state.withLock { $0.append(item) }
        event.ring()
    }

    /// Puts something in, and waits until there is room for more. For one task.
    func offer(_ item: Item) async {
        post(item)
        await withCheckedContinuation { continuation in
            let goesOn = state.withLock { state in
                if state.isClosed || (state.items.count < Self.roomyCount && state.size < Self.roomySize) {
                    return true
                }
                state.waiting = continuation
                return false
            }
            if goesOn { continuation.resume() }
        }
    }

    /// Takes all that is there, in order.
    func take() -> [Item] {
        event.clear()
        let (items, waiting) = state.withLock { state in
            defer {
                state.items = []
                state.size = 0
                state.waiting = nil
            }
            return (state.items, state.waiting)
        }
        waiting?.resume()
        return items
    }

    /// Whether the last item was put in.
    var hasEnded: Bool { state.withLock { $0.hasEnded } }

    /// Lets nobody wait any more: nothing is taken from here on but the end.
    func close() {
        let waiting = state.withLock { state in
            defer { state.waiting = nil }
            state.isClosed = true
            return state.waiting
        }
        waiting?.resume()
    }
}

extension WatchMailbox.State {
    fileprivate mutating func append(_ item: WatchMailbox.Item) {
        switch item {
        case .message, .unreadable:
            if isClosed { return }
            size += WatchMessage.largestSize
        case .line(let octets):
            if isClosed { return }
            size += octets.count
        case .link:
            // Only the last of several is news.
            if case .link = items.last { items.removeLast() }
        case .ended: hasEnded = true
        }
        items.append(item)
    }
}
#endif
