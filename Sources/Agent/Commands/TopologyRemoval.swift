#if Agent
import AMQPWire
import Glibc

/// `psistats declare --remove`: deletes this machine's queue, and the exchange unless other queues are bound to it.
///
/// Asks before it deletes anything, unless told not to.
struct TopologyRemoval: Sendable {
    /// Whether to delete without asking.
    var isConfirmed: Bool

    func run(_ configuration: Configuration, hostname: String) throws {
        let settings = BrokerSettings(configuration: configuration, hostname: hostname)
        do {
            try blocking {
                try await AMQPConnection.withConnection(settings.connection { _ in }) { connection in
                    try await remove(settings.topology, over: connection)
                }
            }
        } catch let error as AMQPError {
            let advice = BrokerAdvice.explanation(of: error, configuration: configuration, hostname: hostname)
            throw CommandFailure(error.exitStatus, advice)
        }
    }

    private func remove(_ topology: Topology, over connection: AMQPConnection) async throws {
        let queue = topology.queue.queue.string
        let exchange = topology.exchange.exchange.string
        let found = try await Self.unlessMissing {
            try await connection.withChannel { try await $0.declareQueuePassively(queue) }
        }
        try confirm(queue, found?.messageCount, exchange)
        if found == nil {
            print("queue '\(queue)': there is none")
        } else {
            let count = try await connection.withChannel { try await $0.deleteQueue(queue) }
            print("queue '\(queue)': deleted, with \(count) messages")
        }
        print(try await removeExchange(exchange, over: connection))
    }

    /// Deletes the exchange where nothing is bound to it: other machines report to it as well.
    private func removeExchange(_ exchange: String, over connection: AMQPConnection) async throws -> String {
        do {
            let isThere: Void? = try await Self.unlessMissing {
                try await connection.withChannel { channel in
                    try await channel.declareExchangePassively(exchange)
                    try await channel.deleteExchange(exchange, ifUnused: true)
                }
            }
            return isThere == nil ? "exchange '\(exchange)': there is none" : "exchange '\(exchange)': deleted"
        } catch let error as AMQPError where error.reply?.code == 406 {
            return "exchange '\(exchange)': kept, because other queues are bound to it"
        }
    }

    /// What the body returns; nil where the broker says that there is no such queue or exchange (404).
    private static func unlessMissing<Value>(_ body: () async throws -> Value) async throws -> Value? {
        do {
            return try await body()
        } catch let error as AMQPError where error.reply?.code == 404 {
            return nil
        }
    }

    private func confirm(_ queue: String, _ messageCount: UInt32?, _ exchange: String) throws(CommandFailure) {
        guard !isConfirmed else { return }
        guard isatty(STDIN_FILENO) == 1 else {
            throw CommandFailure(.usage, "nothing was deleted: --yes is needed where nobody can be asked")
        }
        let messages = messageCount.map { " with its \($0) messages" } ?? ", which is not there,"
        print(
            "Delete queue '\(queue)'\(messages) and exchange '\(exchange)', unless others use it? [y/N] ",
            terminator: ""
        )
        fflush(nil)
        guard let answer = readLine(), ["y", "yes"].contains(answer.lowercased()) else {
            throw CommandFailure(.temporaryFailure, "nothing was deleted")
        }
    }
}
#endif
