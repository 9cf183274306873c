import Glibc

@testable import AMQPWire

/// A release of RabbitMQ, as `Scripts/broker` names it: 3.10, 4.0, 4.3. What each answers stands in docs/brokers.md.
struct RabbitMQRelease: Comparable, CustomStringConvertible {
    var major: Int
    var minor: Int

    init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// The one that the tests run against; 3.10 where nothing says otherwise.
    static let current: RabbitMQRelease = {
        let numbers = getenv("PSISTATS_TEST_RABBITMQ").map { String(cString: $0).split(separator: ".").map { Int($0) } }
        guard let numbers, numbers.count == 2, let major = numbers[0], let minor = numbers[1] else {
            return RabbitMQRelease(3, 10)
        }
        return RabbitMQRelease(major, minor)
    }()

    /// Keeps queues, exchanges and users in Khepri, whatever it is told: transient exchanges outlive a restart there.
    static var hasKhepri: Bool { current >= RabbitMQRelease(4, 2) }
    /// Decodes headers and encodes them itself: they come back in the order of their names, each name once, integers of 64 bits
    /// as `l`.
    static var rewritesHeaders: Bool { current >= RabbitMQRelease(4, 0) }
    /// The smallest frame size that it takes.
    static var smallestFrameMax: UInt32 { current >= RabbitMQRelease(4, 1) ? 8_192 : 4_096 }

    static func < (left: RabbitMQRelease, right: RabbitMQRelease) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }

    var description: String { "\(major).\(minor)" }
}

extension AMQPTable {
    /// The same headers as this RabbitMQ gives them back; the fields of tables within stay in their order.
    var asBrokerReturns: AMQPTable {
        guard RabbitMQRelease.rewritesHeaders else { return self }
        var seen: Set<AMQPText> = []
        let sorted = entries.filter { seen.insert($0.key).inserted }
            .sorted { $0.key.octets.lexicographicallyPrecedes($1.key.octets) }
        return AMQPTable(
            sorted.map { entry in
                if case .int64L(let number) = entry.value { Entry(entry.key, .int64(number)) } else { entry }
            }
        )
    }
}
