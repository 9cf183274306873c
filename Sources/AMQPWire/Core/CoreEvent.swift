/// What the core tells its driver, in the order in which it happened.
enum CoreEvent: Sendable {
    /// A waiter has its answer.
    case answered(WaiterID, Answer)
    /// The connection is open.
    case opened(Handshake.Outcome)
    /// A message for a consumer.
    indirect case delivered(channel: UInt16, AMQPMethod.BasicDeliver, AMQPMessage)
    /// A message for a consumer cannot be taken; it is still to be settled, unless it came without acknowledgements.
    indirect case unreadable(channel: UInt16, AMQPMethod.BasicDeliver, AMQPError)
    /// A message came back for which no publish was found: it was published without confirms, or not by this client's calls.
    indirect case returned(channel: UInt16, AMQPReturnedMessage)
    /// The broker ended a consumer.
    case consumerCancelled(channel: UInt16, tag: AMQPText)
    /// The channel is gone; all its waiters are answered. Comes for closes by the broker only.
    indirect case channelClosed(channel: UInt16, AMQPError)
    /// The broker reads no publishes for now; the text says why.
    case blocked(reason: String)
    /// The broker reads publishes again.
    case unblocked
    /// The broker asks to stop or go on publishing on a channel.
    case flow(channel: UInt16, active: Bool)
    /// The connection is over and all waiters are answered. What is left in the outgoing buffer is still to be sent.
    indirect case closed(AMQPError)
}

/// How a wait ended.
enum Answer: Sendable {
    /// Well, with nothing to say: a confirm, room to publish, a close.
    case done
    /// With the reply to a call.
    indirect case reply(AMQPMethod)
    /// With a message that was asked for.
    indirect case message(AMQPMethod.BasicGetOk, AMQPMessage)
    /// Not well.
    indirect case failure(AMQPError)
}
