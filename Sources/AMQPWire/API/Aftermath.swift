/// A socket that is to be let go of, and what is to be said before.
struct Ending {
    var link: Link
    var token: EventLoop.Token?
    var farewell: [UInt8] = []
}

/// What follows from a step once the lock is released.
struct Aftermath: ~Copyable {
    /// One answer is what most steps have; it needs no array.
    var firstAnswer: (UnsafeContinuation<Answer, Never>, Answer)?
    var answers: [(UnsafeContinuation<Answer, Never>, Answer)] = []
    var deliveries: [(UnsafeContinuation<ConsumerRecord.Next, Never>, ConsumerRecord.Next)] = []
    /// There are events to tell, and nobody else tells them.
    var announces = false
    var buffer: AMQPWireBuffer?
    var link: Link?
    var endings: [Ending] = []
    var startsRecovery = false

    /// Hands the readers of consumers what they waited for.
    func resumeReaders() {
        for (continuation, next) in deliveries { continuation.resume(returning: next) }
    }

    var isEmpty: Bool {
        buffer == nil && firstAnswer == nil && answers.isEmpty && deliveries.isEmpty && !announces && endings.isEmpty
            && !startsRecovery
    }
}
