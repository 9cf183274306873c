extension AMQPURI {
    /// The mechanisms that the URI names, nil where it names none.
    ///
    /// - Throws: ``AMQPError`` with the code `invalidArgument` for one that this client does not have.
    var mechanisms: [AMQPSASLMechanism]? {
        get throws(AMQPError) {
            if authMechanisms.isEmpty { return nil }
            var mechanisms: [AMQPSASLMechanism] = []
            for name in authMechanisms {
                guard let mechanism = AMQPSASLMechanism(rawValue: name.uppercased()) else {
                    let known = AMQPSASLMechanism.allCases.map(\.rawValue).joined(separator: ", ")
                    throw AMQPError(
                        .invalidArgument,
                        "the URL's parameter auth_mechanism has to be one of \(known), in any case of letters"
                    )
                }
                mechanisms.append(mechanism)
            }
            return mechanisms
        }
    }
}
