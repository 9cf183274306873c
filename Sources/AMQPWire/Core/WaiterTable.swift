/// Names one wait for an answer: a reply, a confirm, room to publish.
///
/// The table reuses its rows; the generation tells an old name from a new one in the same row.
struct WaiterID: Hashable, Sendable {
    let index: UInt32
    fileprivate let generation: UInt32
}

/// Who waits for what, and until when.
///
/// Every waiter is answered once: whoever takes it out of the table answers it. Rows are reused, so waiting allocates nothing
/// once the table has grown. Knows nothing of tasks.
struct WaiterTable {
    /// What a waiter waits for.
    enum Role: Hashable, Sendable {
        /// The connection to open.
        case opening
        /// The connection to close.
        case closing
        /// The reply to a method on a channel; 0 is the connection itself.
        case call(channel: UInt16)
        /// A publish to be confirmed.
        case confirm(channel: UInt16, tag: UInt64)
        /// All publishes of a channel up to a tag to be confirmed.
        case allConfirms(channel: UInt16, through: UInt64)
        /// Room to publish on a channel.
        case room(channel: UInt16)
        /// The reply to a request that was published on a channel.
        case rpcReply(channel: UInt16)
        /// The connection to be usable again. Outlives the connection that is lost.
        case recovery
        /// Nothing but its deadline. Outlives connections, too.
        case pause
        /// Nothing but its deadline, as long as the connection is there.
        case respite

        /// Whether the wait is of no use once the connection is over.
        var endsWithConnection: Bool {
            switch self {
            case .opening, .closing, .call, .confirm, .allConfirms, .room, .rpcReply, .respite: true
            case .recovery, .pause: false
            }
        }

        /// Whether it is the peer who ends the wait.
        var awaitsPeer: Bool {
            switch self {
            case .opening, .closing, .call, .confirm, .allConfirms, .room, .rpcReply: true
            case .recovery, .pause, .respite: false
            }
        }

        /// The channel that it is about.
        var channel: UInt16? {
            switch self {
            case .opening, .closing, .recovery, .pause, .respite: nil
            case .call(let number), .confirm(let number, _), .allConfirms(let number, _), .room(let number),
                .rpcReply(let number):
                number
            }
        }
    }

    private struct Row {
        var generation: UInt32
        var role: Role?
        var deadline: Moment?
    }

    private var rows: [Row] = []
    private var free: [UInt32] = []
    /// No deadline is earlier than this one; it may be that of a waiter already answered.
    private(set) var earliestDeadline: Moment?
    /// How many wait.
    var count: Int { rows.count - free.count }

    /// Adds a waiter, with a deadline if it has one.
    mutating func add(_ role: Role, deadline: Moment?) -> WaiterID {
        if let deadline {
            earliestDeadline = min(earliestDeadline ?? deadline, deadline)
        }
        if let index = free.popLast() {
            rows[Int(index)].role = role
            rows[Int(index)].deadline = deadline
            return WaiterID(index: index, generation: rows[Int(index)].generation)
        }
        rows.append(Row(generation: 0, role: role, deadline: deadline))
        return WaiterID(index: UInt32(rows.count - 1), generation: 0)
    }

    /// What a waiter waits for, or nil once it is answered.
    func role(_ id: WaiterID) -> Role? {
        guard Int(id.index) < rows.count, rows[Int(id.index)].generation == id.generation else { return nil }
        return rows[Int(id.index)].role
    }

    /// Takes a waiter out, in order to answer it; nil if it is answered already.
    mutating func remove(_ id: WaiterID) -> Role? {
        guard let role = role(id) else { return nil }
        rows[Int(id.index)].role = nil
        rows[Int(id.index)].deadline = nil
        rows[Int(id.index)].generation &+= 1
        free.append(id.index)
        return role
    }

    /// The waiters for which `condition` holds.
    func all(where condition: (Role) -> Bool) -> [WaiterID] {
        rows.indices.compactMap { index in
            guard let role = rows[index].role, condition(role) else { return nil }
            return WaiterID(index: UInt32(index), generation: rows[index].generation)
        }
    }

    /// Whether there is a waiter for which `condition` holds.
    func contains(where condition: (Role) -> Bool) -> Bool {
        rows.contains { $0.role.map(condition) ?? false }
    }

    /// The waiters whose deadline is not after `now`. Brings ``earliestDeadline`` up to date.
    mutating func expired(at now: Moment) -> [WaiterID] {
        guard let earliest = earliestDeadline, earliest <= now else { return [] }
        var expired: [WaiterID] = []
        earliestDeadline = nil
        for (index, row) in rows.enumerated() {
            guard row.role != nil, let deadline = row.deadline else { continue }
            if deadline <= now {
                expired.append(WaiterID(index: UInt32(index), generation: row.generation))
            } else {
                earliestDeadline = min(earliestDeadline ?? deadline, deadline)
            }
        }
        return expired
    }
}
