extension ConnectionDriver {
    /// RabbitMQ 4.3 and later, unless configured otherwise, answer a prefetch count of the channel with yes and apply it to each
    /// consumer.
    func checkGlobalQoS() throws(AMQPError) {
        guard !configuration.permitsGlobalQoS,
            let properties = state.withLock({ $0.core.outcome?.serverProperties }),
            let version = RabbitMQVersion(serverProperties: properties), version >= RabbitMQVersion(4, 3)
        else { return }
        throw AMQPError(
            .invalidArgument,
            scope: .message,
            "RabbitMQ \(version.major).\(version.minor) takes a prefetch count of the channel (global) for one of each consumer, "
                + "unless its configuration permits the deprecated feature global_qos",
            remedy: "give each consumer a count of its own; or set deprecated_features.permit.global_qos = true in "
                + "rabbitmq.conf, and permitsGlobalQoS in AMQPConfiguration"
        )
    }
}
