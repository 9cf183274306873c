import Testing

@testable import AMQPWire

@Suite("The ledger of deliveries")
struct DeliveryLedgerTests {
    private func ledger(_ tags: some Sequence<UInt64>) -> DeliveryLedger {
        var ledger = DeliveryLedger()
        for tag in tags { ledger.arrived(tag) }
        return ledger
    }

    @Test("knows nothing that did not come, not even tag 0")
    func strangers() {
        var ledger = ledger([0, 3])
        #expect(ledger.outstanding == 1)
        #expect(!ledger.isUnsettled(0) && !ledger.isUnsettled(2) && !ledger.isUnsettled(4) && ledger.isUnsettled(3))
        ledger.settled(7, multiple: false, tentatively: false)
        #expect(ledger.newestUnsettled() == 3 && ledger.newestUnsettled(upTo: 2) == nil)
        #expect(DeliveryLedger().newestUnsettled() == nil)
    }

    @Test("names the newest that is unsettled, not the newest")
    func newest() {
        var ledger = ledger(1...5)
        ledger.settled(5, multiple: false, tentatively: false)
        #expect(ledger.newestUnsettled() == 4)
        ledger.settled(4, multiple: true, tentatively: false)
        #expect(ledger.newestUnsettled() == nil && ledger.span == 0)
    }

    @Test("takes back what a transaction settled, or keeps it settled")
    func transactions() {
        var ledger = ledger(1...4)
        ledger.settled(2, multiple: true, tentatively: true)
        #expect(!ledger.isUnsettled(1) && ledger.newestUnsettled(upTo: 2) == nil && ledger.outstanding == 2)
        ledger.rolledBack()
        #expect(ledger.isUnsettled(1) && ledger.newestUnsettled(upTo: 2) == 2)
        ledger.settled(1, multiple: false, tentatively: true)
        ledger.tookBack()
        #expect(ledger.outstanding == 0)
        ledger.rolledBack()
        #expect(ledger.newestUnsettled() == 1)
        ledger.settled(1, multiple: false, tentatively: true)
        ledger.committed()
        ledger.rolledBack()
        #expect(!ledger.isUnsettled(1) && ledger.span == 0)
    }

    @Test("stays as small as what is outstanding, whatever is settled behind one that is not")
    func bounded() {
        var ledger = ledger([1])
        for tag in 2...10_000 as ClosedRange<UInt64> {
            ledger.arrived(tag)
            ledger.settled(tag, multiple: false, tentatively: false)
            #expect(ledger.span <= 64)
        }
        #expect(ledger.outstanding == 1 && ledger.newestUnsettled() == 1)
    }

    @Test("holds gaps as wide as tags are, for nothing")
    func gaps() {
        var ledger = ledger([1, .max - 1, .max])
        #expect(ledger.span == 3 && ledger.newestUnsettled(upTo: .max - 2) == 1)
        ledger.settled(.max, multiple: true, tentatively: false)
        #expect(ledger.span == 0)
    }

    @Test("does what a dictionary does")
    func model() {
        var random = SplitMix64(seed: 11)
        var ledger = DeliveryLedger()
        var model: [UInt64: Bool] = [:]
        var used: Set<UInt64> = []
        var next: UInt64 = 1
        for _ in 0..<20_000 {
            let tag = UInt64.random(in: 0...(next + 2), using: &random)
            switch Int.random(in: 0..<12, using: &random) {
            case 0..<5:
                ledger.arrived(next)
                model[next] = false
                used.insert(next)
                next += UInt64.random(in: 1...3, using: &random)
            case 5 where tag > 0 && tag < next && used.insert(tag).inserted:
                // A little out of order.
                ledger.arrived(tag)
                model[tag] = false
            case 6, 7:
                ledger.settled(tag, multiple: false, tentatively: false)
                if model[tag] == false { model[tag] = nil }
            case 8:
                ledger.settled(tag, multiple: true, tentatively: false)
                for key in model.keys where key <= tag && model[key] == false { model[key] = nil }
            case 9:
                ledger.settled(tag, multiple: false, tentatively: true)
                if model[tag] == false { model[tag] = true }
            case 10:
                ledger.committed()
                for key in model.keys where model[key] == true { model[key] = nil }
            case 11:
                ledger.rolledBack()
                for key in model.keys { model[key] = false }
            default: continue
            }
            #expect(ledger.isUnsettled(tag) == (model[tag] == false))
            #expect(ledger.newestUnsettled(upTo: tag) == model.keys.filter { $0 <= tag && model[$0] == false }.max())
            #expect(ledger.outstanding == model.values.count { !$0 })
        }
    }
}
