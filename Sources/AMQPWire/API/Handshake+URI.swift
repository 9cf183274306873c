extension Handshake.Settings {
    /// What a URI asks for; what it leaves out has its default.
    init(_ uri: AMQPURI) throws(AMQPError) {
        self.init()
        credentials = AMQPCredentials(user: uri.user, password: uri.password)
        virtualHost = uri.vhost
        if let channelMax = uri.channelMax { limits.channelMax = channelMax }
        if let frameMax = uri.frameMax { limits.frameMax = frameMax }
        if let heartbeat = uri.heartbeat { limits.heartbeat = heartbeat }
        guard !uri.authMechanisms.isEmpty else { return }
        mechanisms = []
        for name in uri.authMechanisms {
            guard let mechanism = SASLMechanism(rawValue: name.uppercased()) else {
                let known = SASLMechanism.allCases.map(\.rawValue).joined(separator: ", ")
                throw AMQPError(
                    .invalidArgument,
                    "the URL's parameter auth_mechanism has to be one of \(known), in any case of letters"
                )
            }
            mechanisms.append(mechanism)
        }
    }
}
