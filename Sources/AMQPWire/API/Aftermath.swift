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
    /// Those who listen to a channel to which something happened.
    var listeners: [UnsafeContinuation<Void, Never>] = []
    /// There are events to tell, and nobody else tells them.
    var announces = false
    var buffer: AMQPWireBuffer?
    var link: Link?
    var endings: [Ending] = []
    var startsRecovery = false

    /// Hands the readers of consumers what they waited for, and has those go on who listen to channels.
    func resumeReaders() {
        for (continuation, next) in deliveries { continuation.resume(returning: next) }
        for listener in listeners { listener.resume() }
    }

    var isEmpty: Bool {
        buffer == nil && firstAnswer == nil && answers.isEmpty && deliveries.isEmpty && listeners.isEmpty && !announces
            && endings.isEmpty
            && !startsRecovery
    }
}
