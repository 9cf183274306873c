/// Values by key, in the order in which they were added. Adding, finding and removing one takes the same time however many
/// there are. Knows nothing of what it holds.
struct OrderedRegister<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private var places: [Key: Int] = [:]
    private var slots: [(key: Key, value: Value)?] = []

    /// How many there are.
    var count: Int { places.count }

    /// Whether there are none.
    var isEmpty: Bool { places.isEmpty }

    /// All values, the one that was added first in front.
    var values: [Value] {
        var values: [Value] = []
        values.reserveCapacity(count)
        for case let slot? in slots { values.append(slot.value) }
        return values
    }

    /// The value of a key.
    subscript(key: Key) -> Value? {
        places[key].flatMap { slots[$0]?.value }
    }

    /// Adds a value at the end, in place of the one that had its key.
    mutating func add(_ value: Value, for key: Key) {
        remove(key)
        places[key] = slots.count
        slots.append((key, value))
    }

    /// Removes the value of a key. False if there is none.
    @discardableResult
    mutating func remove(_ key: Key) -> Bool {
        guard let place = places.removeValue(forKey: key) else { return false }
        slots[place] = nil
        if slots.count >= 32, slots.count > places.count * 2 { compact() }
        return true
    }

    /// Gives the value of a key another key and value, in the same place.
    mutating func replace(_ key: Key, by value: Value, for other: Key) {
        if other != key { remove(other) }
        guard let place = places.removeValue(forKey: key) else { return }
        places[other] = place
        slots[place] = (other, value)
    }

    private mutating func compact() {
        slots.removeAll { $0 == nil }
        for (place, slot) in slots.enumerated() {
            if let slot { places[slot.key] = place }
        }
    }
}

/// Bindings, to be found by where they lead and by where they come from.
struct BindingRegister<Binding: Hashable & Sendable>: Sendable {
    private var bindings = OrderedRegister<Binding, Binding>()
    private var byDestination: [AMQPText: Set<Binding>] = [:]
    private var bySource: [AMQPText: Set<Binding>] = [:]

    /// All bindings, the oldest first.
    var all: [Binding] { bindings.values }

    /// Whether there are none.
    var isEmpty: Bool { bindings.isEmpty }

    func contains(_ binding: Binding) -> Bool { bindings[binding] != nil }

    func leading(to destination: AMQPText) -> Set<Binding> { byDestination[destination] ?? [] }

    func coming(from source: AMQPText) -> Set<Binding> { bySource[source] ?? [] }

    /// Adds a binding, unless it is there.
    mutating func add(_ binding: Binding, from source: AMQPText, to destination: AMQPText) {
        guard !contains(binding) else { return }
        bindings.add(binding, for: binding)
        byDestination[destination, default: []].insert(binding)
        bySource[source, default: []].insert(binding)
    }

    /// Removes a binding. False if there is none.
    @discardableResult
    mutating func remove(_ binding: Binding, from source: AMQPText, to destination: AMQPText) -> Bool {
        guard bindings.remove(binding) else { return false }
        byDestination[destination]?.remove(binding)
        if byDestination[destination]?.isEmpty == true { byDestination[destination] = nil }
        bySource[source]?.remove(binding)
        if bySource[source]?.isEmpty == true { bySource[source] = nil }
        return true
    }

    /// Puts another binding in the place of one.
    mutating func replace(_ binding: Binding, by other: Binding, source: AMQPText, _ old: AMQPText, _ new: AMQPText) {
        guard contains(binding) else { return }
        byDestination[old]?.remove(binding)
        if byDestination[old]?.isEmpty == true { byDestination[old] = nil }
        bySource[source]?.remove(binding)
        byDestination[new, default: []].insert(other)
        bySource[source, default: []].insert(other)
        bindings.replace(binding, by: other, for: other)
    }
}
