/// The deadlines of numbered slots, earliest first: a binary heap that knows where each slot stands.
///
/// One deadline a slot; setting, moving and removing cost O(log n), the earliest is at hand.
struct DeadlineQueue {
    private struct Entry {
        var moment: Moment
        var slot: Int
    }

    private var heap: [Entry] = []
    /// Where each slot stands in the heap; -1 where it has no deadline.
    private var positions: [Int] = []

    /// How many slots have a deadline.
    var count: Int { heap.count }

    /// The earliest deadline of all.
    var earliest: Moment? { heap.first?.moment }

    /// The deadline of one slot.
    subscript(slot: Int) -> Moment? {
        get {
            guard slot < positions.count, positions[slot] >= 0 else { return nil }
            return heap[positions[slot]].moment
        }
        set {
            guard let newValue else { return remove(slot) }
            while positions.count <= slot { positions.append(-1) }
            let position = positions[slot]
            guard position >= 0 else {
                heap.append(Entry(moment: newValue, slot: slot))
                positions[slot] = heap.count - 1
                rise(heap.count - 1)
                return
            }
            let previous = heap[position].moment
            heap[position].moment = newValue
            if newValue < previous { rise(position) } else { sink(position) }
        }
    }

    /// Takes out the slot whose deadline is the earliest, where that is not later than `now`.
    mutating func popDue(at now: Moment) -> Int? {
        guard let first = heap.first, first.moment <= now else { return nil }
        remove(first.slot)
        return first.slot
    }

    private mutating func remove(_ slot: Int) {
        guard slot < positions.count, positions[slot] >= 0 else { return }
        let position = positions[slot]
        positions[slot] = -1
        let last = heap.removeLast()
        guard position < heap.count else { return }
        let removed = heap[position].moment
        heap[position] = last
        positions[last.slot] = position
        if last.moment < removed { rise(position) } else { sink(position) }
    }

    private mutating func rise(_ start: Int) {
        var position = start
        while position > 0 {
            let parent = (position - 1) / 2
            guard heap[position].moment < heap[parent].moment else { return }
            exchange(position, parent)
            position = parent
        }
    }

    private mutating func sink(_ start: Int) {
        var position = start
        while true {
            var child = 2 * position + 1
            guard child < heap.count else { return }
            if child + 1 < heap.count, heap[child + 1].moment < heap[child].moment { child += 1 }
            guard heap[child].moment < heap[position].moment else { return }
            exchange(position, child)
            position = child
        }
    }

    private mutating func exchange(_ one: Int, _ other: Int) {
        heap.swapAt(one, other)
        positions[heap[one].slot] = one
        positions[heap[other].slot] = other
    }
}
