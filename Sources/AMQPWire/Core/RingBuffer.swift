/// A queue in one block of memory that is reused; appending and taking the first allocate nothing in steady state.
struct RingBuffer<Element> {
    private var storage: [Element?] = []
    private var head = 0
    private(set) var count = 0

    /// Whether there is nothing in the queue.
    var isEmpty: Bool { count == 0 }

    /// The element at `index`, counted from the first. It must be in the queue.
    subscript(index: Int) -> Element {
        get {
            precondition(index >= 0 && index < count, "index outside the queue")
            return storage[slot(index)]!
        }
        _modify {
            precondition(index >= 0 && index < count, "index outside the queue")
            yield &storage[slot(index)]!
        }
    }

    private func slot(_ index: Int) -> Int {
        (head &+ index) & (storage.count &- 1)
    }

    /// Adds an element at the end.
    mutating func append(_ element: Element) {
        if count == storage.count { grow() }
        storage[slot(count)] = element
        count += 1
    }

    /// Puts an element in front of the first.
    mutating func prepend(_ element: Element) {
        if count == storage.count { grow() }
        head = (head &- 1) & (storage.count &- 1)
        storage[head] = element
        count += 1
    }

    /// Takes the first element out.
    mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        defer {
            storage[head] = nil
            head = slot(1)
            count -= 1
        }
        return storage[head]
    }

    /// Takes all elements out, first to last.
    mutating func removeAll() -> [Element] {
        var all: [Element] = []
        all.reserveCapacity(count)
        while let element = popFirst() { all.append(element) }
        return all
    }

    /// Takes the elements out for which `condition` holds.
    mutating func removeAll(where condition: (Element) -> Bool) {
        for element in removeAll() where !condition(element) { append(element) }
    }

    private mutating func grow() {
        // A power of two, so that the place of an index is a mask away.
        var larger: [Element?] = []
        let capacity = max(8, storage.count * 2)
        larger.reserveCapacity(capacity)
        for index in 0..<count { larger.append(storage[slot(index)]) }
        larger.append(contentsOf: repeatElement(nil, count: capacity - count))
        storage = larger
        head = 0
    }
}
