import FoundationEssentials

/// The official description of AMQP 0-9-1 with RabbitMQ's extensions, read from the file of Debian's `amqp-specs`.
///
/// Knows as much XML as that file has: elements, attributes in double quotes, comments.
struct Specification: Sendable {
    struct Field: Equatable, Sendable {
        var name: String
        /// The elementary type, whatever the domain is called.
        var type: String
    }

    struct Method: Sendable {
        var classID: UInt16
        var methodID: UInt16
        /// Class and method, `queue.declare-ok`.
        var name: String
        var isSynchronous: Bool
        var hasContent: Bool
        /// Who must or may take it: client, server or both.
        var receivers: Set<String> = []
        /// Names of the methods that answer it.
        var replies: [String] = []
        var fields: [Field] = []
    }

    var methods: [Method] = []
    /// Fields of content, by class.
    var properties: [String: [Field]] = [:]
    /// Numbers of the protocol.
    var constants: [String: Int] = [:]

    static let path = "/usr/share/amqp/specs/0-9-1-rabbit/amqp0-9-1.stripped.extended.xml"

    struct Missing: Error, CustomStringConvertible {
        var description: String { "\(Specification.path) cannot be read: apt-get install amqp-specs" }
    }

    static func read() throws -> Specification {
        guard let data = FileManager.default.contents(atPath: path) else { throw Missing() }
        return Specification(xml: String(decoding: data, as: UTF8.self))
    }

    init(xml: String) {
        var domains: [String: String] = [:]
        var className = ""
        var classID: UInt16 = 0
        var isInMethod = false
        for element in elements(of: xml) {
            let attributes = element.attributes
            let name = attributes["name", default: ""]
            switch element.name {
            case "constant":
                constants[name] = attributes["value"].flatMap { Int($0) }
            case "domain":
                domains[name] = attributes["type"]
            case "class":
                className = name
                classID = attributes["index"].flatMap { UInt16($0) }!
            case "method":
                methods.append(
                    Method(
                        classID: classID,
                        methodID: attributes["index"].flatMap { UInt16($0) }!,
                        name: "\(className).\(name)",
                        isSynchronous: attributes["synchronous"] == "1",
                        hasContent: attributes["content"] == "1"
                    )
                )
                isInMethod = true
            case "/method":
                isInMethod = false
            case "chassis" where isInMethod:
                methods[methods.count - 1].receivers.insert(name)
            case "response":
                methods[methods.count - 1].replies.append("\(className).\(name)")
            case "field":
                let field = Field(name: name, type: attributes["domain"].flatMap { domains[$0] } ?? attributes["type"]!)
                if isInMethod {
                    methods[methods.count - 1].fields.append(field)
                } else {
                    properties[className, default: []].append(field)
                }
            default:
                continue
            }
        }
    }
}

private struct Element {
    var name: String
    var attributes: [String: String] = [:]
}

/// The tags of a file in their order; one that closes has its slash in front.
private func elements(of xml: String) -> [Element] {
    var elements: [Element] = []
    var rest = xml[...]
    while let start = rest.firstIndex(of: "<") {
        rest = rest[start...]
        if rest.hasPrefix("<!--") {
            guard let end = rest.firstRange(of: "-->") else { break }
            rest = rest[end.upperBound...]
            continue
        }
        guard let end = rest.firstIndex(of: ">") else { break }
        // `a b="c" d="e"` falls into `a b=`, `c`, ` d=`, `e`.
        let parts = rest[rest.index(after: start)..<end].split(separator: "\"", omittingEmptySubsequences: false)
        let words = parts[0].split(whereSeparator: \.isWhitespace)
        var element = Element(name: words.first.map { String($0) } ?? "")
        if element.name.hasSuffix("/") { element.name.removeLast() }
        for (index, value) in parts.enumerated() where index % 2 == 1 {
            let name = parts[index - 1].split(whereSeparator: \.isWhitespace).last?.dropLast() ?? ""
            element.attributes[String(name)] = String(value)
        }
        elements.append(element)
        rest = rest[end...]
    }
    return elements
}
