#if Agent
/// Names for messages: a random part that stands for this run of the program, and a number.
final class MessageIDs {
    private let run: String
    private var count: UInt64 = 0

    init() {
        var random = SystemRandomNumberGenerator()
        run = String(random.next() as UInt64, radix: 16) + String(random.next() as UInt64, radix: 16)
    }

    func next() -> String {
        count &+= 1
        return "\(run)-\(count)"
    }
}
#endif
