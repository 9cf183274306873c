#if Agent
import Foundation
import Glibc
import Testing

/// Messages as pika reads them from the broker, by `Scripts/read-messages`.
final class AgentMessages {
    /// The python that has pika; nil where there is none.
    static let python = getenv("PSISTATS_TEST_PYTHON").map { String(cString: $0) }
    static let isThere = Broker.isThere && (python != nil || getenv("CI").map { String(cString: $0) } == "true")
    static let absence: Comment = "no broker or no pika: run the tests with 'make test'"

    /// A message.
    struct Message {
        var exchange: String
        var routingKey: String
        var isRedelivered: Bool
        /// The seconds since 1970 at which pika had it.
        var arrivedAt: Double
        var properties: [String: JSON]
        var body: [String: JSON]

        /// The number behind the last hyphen of its id: messages of one run of the agent are numbered from 1.
        var number: Int? {
            properties["message_id"]?.text.flatMap { $0.split(separator: "-").last }.flatMap { Int($0) }
        }

        init(_ message: JSON) throws {
            exchange = message["exchange"].text ?? ""
            routingKey = message["routing_key"].text ?? ""
            isRedelivered = message["redelivered"] == .boolean(true)
            arrivedAt = message["arrived"].number ?? 0
            properties = message["properties"].object ?? [:]
            body = try JSON(message["body"].text ?? "").object ?? [:]
        }

        var timestamp: Int? { properties["timestamp"]?.number.map { Int($0) } }
    }

    private let process: AgentProcess
    /// What of its output has been taken in.
    private var position: UInt64 = 0
    private var known: [Message] = []

    /// Reads what is published to an exchange.
    init(url: String, exchange: String, keep queue: String? = nil, files: String) async throws {
        let keep = queue.map { ["--keep", $0] } ?? []
        process = try Self.start([url, "--exchange", exchange] + keep, files)
        try await awaitReady()
    }

    /// Reads what comes to a queue.
    init(url: String, queue: String, files: String) async throws {
        process = try Self.start([url, "--queue", queue], files)
        try await awaitReady()
    }

    private static func start(_ arguments: [String], _ files: String) throws -> AgentProcess {
        let python = try #require(python, "PSISTATS_TEST_PYTHON is not set")
        return try AgentProcess(
            [python, Repository.root + "/Scripts/read-messages"] + arguments,
            files: files + "-\(UInt32.random(in: 0 ... .max))"
        )
    }

    private func awaitReady() async throws {
        try await eventually("pika reads") {
            guard process.ended() == nil else { throw Overdue(description: "pika ended: \(process.errors)") }
            return process.output.hasPrefix(#"{"ready""#)
        }
    }

    /// All that have come, in their order.
    var all: [Message] {
        get throws {
            let file = try #require(FileHandle(forReadingAtPath: process.outputPath))
            defer { file.closeFile() }
            file.seek(toFileOffset: position)
            let octets = file.readDataToEndOfFile()
            // What is being written has no end yet.
            guard let end = octets.lastIndex(of: 0x0A) else { return known }
            let text = octets[...end]
            for line in text.split(separator: 0x0A) {
                let message = try JSON(String(decoding: line, as: UTF8.self))
                if message["ready"] == .null { known.append(try Message(message)) }
            }
            position += UInt64(text.count)
            return known
        }
    }

    /// The numbers of those that have come, without repetitions.
    var numbers: [Int] {
        get throws {
            var seen: Set<Int> = []
            return try all.compactMap(\.number).filter { seen.insert($0).inserted }
        }
    }

    /// Waits for so many messages that `isWanted`.
    @discardableResult
    func wait(
        for count: Int = 1,
        within limit: Duration = .seconds(20),
        where isWanted: (Message) -> Bool = { _ in true }
    ) async throws -> [Message] {
        var all: [Message] = []
        do {
            return try await eventually("\(count) messages", within: limit) {
                all = try self.all
                let wanted = all.filter(isWanted)
                return wanted.count >= count ? wanted : nil
            }
        } catch let overdue as Overdue {
            throw Overdue(
                description: "\(overdue); there are \(all.count), last: \(all.last.map { "\($0)" } ?? "none")"
            )
        }
    }

    /// Waits for a message whose number is at least this.
    @discardableResult
    func wait(throughNumber number: Int, within limit: Duration = .seconds(20)) async throws -> [Message] {
        try await wait(within: limit) { $0.number ?? 0 >= number }
        return try all
    }
}

/// Where numbers that should follow each other do not; nil if all do.
func gap(in numbers: [Int], from first: Int = 1) -> String? {
    for (index, number) in numbers.enumerated() where number != first + index {
        return "\(number) instead of \(first + index)" + (index > 0 ? " after \(numbers[index - 1])" : "")
    }
    return nil
}

/// A JSON value.
enum JSON: Hashable {
    case null
    case boolean(Bool)
    case number(Double)
    case text(String)
    case array([JSON])
    case object([String: JSON])

    struct Malformed: Error { var text: String }

    init(_ text: String) throws {
        do {
            self = try JSONDecoder().decode(JSON.self, from: Data(text.utf8))
        } catch {
            throw Malformed(text: text)
        }
    }

    var number: Double? { if case .number(let value) = self { value } else { nil } }
    var text: String? { if case .text(let value) = self { value } else { nil } }
    var array: [JSON]? { if case .array(let value) = self { value } else { nil } }
    var object: [String: JSON]? { if case .object(let value) = self { value } else { nil } }

    /// What stands under a key; null where nothing does.
    subscript(key: String) -> JSON { object?[key] ?? .null }
}

extension JSON: Decodable {
    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .boolean(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([JSON].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSON].self))
        }
    }
}
#endif
