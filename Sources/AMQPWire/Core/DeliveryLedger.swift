/// Tracks the deliveries of one channel that are to be acknowledged. Knows nothing of consumers, sockets or tasks.
///
///     unsettled ──settled──> gone
///         └──settled in a transaction──> tentative ──commit──> gone
///                                            └──rollback──> unsettled
///
/// A ring of delivery tags in ascending order, so that a delivery allocates nothing in steady state; a gap between two tags
/// costs nothing. It grows with what is outstanding only: tags settled out of order are dropped once they are half of it.
///
/// RabbitMQ closes the channel (406) over a tag that it does not know or that was settled before, with `multiple` as well, and
/// takes tag 0 to mean what is still on its way here, too. So only tags that stand here unsettled may be sent.
struct DeliveryLedger {
    private struct Slot {
        var tag: UInt64
        var state = State.unsettled
    }

    private enum State {
        case unsettled, tentative, settled
    }

    private var slots = RingBuffer<Slot>()
    /// How many slots are of no use any more.
    private var settledCount = 0
    private var tentativeCount = 0

    /// Deliveries that are neither settled nor about to be with a commit.
    var outstanding: Int { slots.count - settledCount - tentativeCount }

    /// Slots in use, those of deliveries settled out of order included.
    var span: Int { slots.count }

    /// A delivery came that is to be acknowledged. Tag 0, and one that is there already, are passed over.
    mutating func arrived(_ tag: UInt64) {
        guard tag > 0 else { return }
        if slots.count >= 32, settledCount * 2 >= slots.count { compact() }
        guard slots.count > 0, slots[slots.count - 1].tag >= tag else { return slots.append(Slot(tag: tag)) }
        // Brokers count upwards. One that serves its consumers in parallel may be a little out of order.
        guard index(of: tag) == nil else { return }
        slots.append(Slot(tag: tag))
        var index = slots.count - 1
        while index > 0, slots[index - 1].tag > tag {
            slots[index] = slots[index - 1]
            index -= 1
        }
        slots[index] = Slot(tag: tag)
    }

    /// Whether a delivery is still to be settled.
    func isUnsettled(_ tag: UInt64) -> Bool {
        index(of: tag).map { slots[$0].state == .unsettled } ?? false
    }

    /// The newest delivery that is still to be settled, of those up to a tag.
    func newestUnsettled(upTo tag: UInt64 = .max) -> UInt64? {
        var index = place(of: tag)
        if index < slots.count, slots[index].tag == tag { index += 1 }
        while index > 0 {
            index -= 1
            if slots[index].state == .unsettled { return slots[index].tag }
        }
        return nil
    }

    /// A delivery is settled, with `multiple` all up to it; within a transaction that holds once it is committed.
    mutating func settled(_ tag: UInt64, multiple: Bool, tentatively: Bool) {
        if multiple {
            var index = 0
            while index < slots.count, slots[index].tag <= tag {
                settle(slot: index, tentatively)
                index += 1
            }
        } else if let index = index(of: tag) {
            settle(slot: index, tentatively)
        }
        dropFront()
    }

    /// The broker has taken back what was not settled.
    mutating func tookBack() {
        for index in 0..<slots.count { settle(slot: index, false) }
        dropFront()
    }

    /// What was settled in the transaction is settled.
    mutating func committed() {
        guard tentativeCount > 0 else { return }
        for index in 0..<slots.count where slots[index].state == .tentative { slots[index].state = .settled }
        settledCount += tentativeCount
        tentativeCount = 0
        dropFront()
    }

    /// What was settled in the transaction is not.
    mutating func rolledBack() {
        guard tentativeCount > 0 else { return }
        for index in 0..<slots.count where slots[index].state == .tentative { slots[index].state = .unsettled }
        tentativeCount = 0
    }

    private mutating func settle(slot index: Int, _ tentatively: Bool) {
        guard slots[index].state == .unsettled else { return }
        slots[index].state = tentatively ? .tentative : .settled
        if tentatively { tentativeCount += 1 } else { settledCount += 1 }
    }

    private mutating func dropFront() {
        while slots.count > 0, slots[0].state == .settled {
            _ = slots.popFirst()
            settledCount -= 1
        }
    }

    /// Closes the gaps that settled tags leave, in place.
    private mutating func compact() {
        for _ in 0..<slots.count {
            if let slot = slots.popFirst(), slot.state != .settled { slots.append(slot) }
        }
        settledCount = 0
    }

    private func index(of tag: UInt64) -> Int? {
        let index = place(of: tag)
        return index < slots.count && slots[index].tag == tag ? index : nil
    }

    /// Where a tag stands, or would.
    private func place(of tag: UInt64) -> Int {
        guard slots.count > 0, slots[0].tag < tag else { return 0 }
        // Without gaps the place is a subtraction away.
        let guess = Int(clamping: tag &- slots[0].tag)
        if guess < slots.count, slots[guess].tag == tag { return guess }
        var (low, high) = (0, slots.count)
        while low < high {
            let middle = (low + high) / 2
            if slots[middle].tag < tag { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
