extension AMQPURI {
    /// The mechanisms that the URI names, or else `configured`, which it may name, too.
    ///
    /// - Throws: ``AMQPError`` with the code `invalidArgument` for one that this client does not have.
    func mechanisms(among configured: [AMQPSASLMechanism]) throws(AMQPError) -> [AMQPSASLMechanism] {
        if authMechanisms.isEmpty { return configured }
        let known = configured + AMQPSASLMechanism.known.filter { !configured.contains($0) }
        var mechanisms: [AMQPSASLMechanism] = []
        for name in authMechanisms {
            guard let mechanism = known.first(where: { $0.name.uppercased() == name.uppercased() }) else {
                let names = known.map(\.name).joined(separator: ", ")
                throw AMQPError(
                    .invalidArgument,
                    "the URL's parameter auth_mechanism has to be one of \(names), in any case of letters"
                )
            }
            mechanisms.append(mechanism)
        }
        return mechanisms
    }
}
