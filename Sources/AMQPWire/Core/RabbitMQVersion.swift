/// The version of RabbitMQ that a broker tells of itself, for what a client cannot find out otherwise.
///
/// Nothing that a broker answers is decided by it.
struct RabbitMQVersion: Comparable {
    let major: Int
    let minor: Int

    init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// What stands in a broker's properties; nil where it is no RabbitMQ, or tells no version of two numbers.
    init?(serverProperties properties: AMQPTable) {
        guard properties["product"] == "RabbitMQ", let version = properties["version"]?.string else { return nil }
        let numbers = version.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false).prefix(2).map {
            Int($0)
        }
        guard numbers.count == 2, let major = numbers[0], let minor = numbers[1] else { return nil }
        self.init(major, minor)
    }

    static func < (left: RabbitMQVersion, right: RabbitMQVersion) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }
}
