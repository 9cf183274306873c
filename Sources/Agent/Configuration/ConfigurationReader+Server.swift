import AMQPWire

/// Where the brokers come from: `PSISTATS_URL`, else `url`, else `url_file`, else the keys of old files.
extension ConfigurationReader {
    /// The environment variable that overrides what `[server]` says.
    static let urlVariable = "PSISTATS_URL"

    mutating func readServer(into server: inout Configuration.Server) {
        if let url = surroundings.url, !url.isEmpty {
            do throws(AMQPURIError) {
                server.brokers = try Self.brokers(url) { note(variable: Self.urlVariable, $0) }
            } catch {
                note(variable: Self.urlVariable, error.description)
            }
            return
        }
        let url = file.entry("url", in: "server")
        let urlFile = file.entry("url_file", in: "server")
        switch (url, urlFile) {
        case (.some, .some(let entry)):
            note(entry, in: "server", "stands beside 'url': keep one of the two")
        case (.some(let entry), nil):
            do throws(AMQPURIError) {
                server.brokers = try Self.brokers(entry.value) { note(entry, in: "server", $0) }
            } catch {
                note(entry, in: "server", error.description, line: Self.line(of: error.offset, in: entry))
            }
        case (nil, .some(let entry)):
            readURLFile(entry, into: &server)
        case (nil, nil):
            readOldKeys(into: &server)
        }
    }

    /// A URL that ends in `/` means the vhost `/`, as psistats has always documented it.
    private static func brokers(_ text: String, note: (String) -> Void) throws(AMQPURIError) -> [AMQPURI] {
        var brokers = try AMQPURI.list(text)
        for index in brokers.indices where brokers[index].vhost.isEmpty {
            brokers[index].vhost = "/"
        }
        // The hosts of one URL share its parameters: each is told of once.
        var told: Set<String> = []
        for name in brokers.flatMap(\.unknownParameters).map(\.name) where told.insert(name).inserted {
            let known = AMQPURI.Parameter.allCases.map(\.rawValue)
            let near = ConfigurationKeys.suggestion(for: name, among: known).map { "; did you mean '\($0)'?" }
            note("unknown parameter '\(name)' in the URL" + (near ?? ""))
        }
        return brokers
    }

    /// The line of the file in which the byte `offset` of a value stands.
    private static func line(of offset: Int, in entry: ConfigFile.Entry) -> Int {
        let before = entry.value.utf8.prefix(offset).count { $0 == 0x0A }
        return before < entry.lines.count ? entry.lines[before].line : entry.line
    }

    private mutating func readURLFile(_ entry: ConfigFile.Entry, into server: inout Configuration.Server) {
        guard !entry.value.isEmpty, !entry.value.utf8.contains(0), !entry.value.utf8.contains(0x0A) else {
            note(entry, in: "server", "has to be the path of a file, on one line and without NUL")
            return
        }
        let urlPath = Self.beside(path, entry.value)
        switch readFile(urlPath) {
        case .failure(let failure):
            note(entry, in: "server", failure.description)
        case .success(let bytes):
            let first = bytes.prefix { $0 != 0x0A && $0 != 0x0D }
            guard let text = String(validating: first, as: UTF8.self) else {
                note(entry, in: "server", "\(urlPath): the first line is not UTF-8 text")
                return
            }
            do throws(AMQPURIError) {
                server.brokers = try Self.brokers(text) { note(entry, in: "server", "\(urlPath): \($0)") }
            } catch {
                note(entry, in: "server", "\(urlPath): \(error)")
            }
        }
    }

    /// A relative path counts from the directory of the file in which it stands.
    static func beside(_ file: String, _ path: String) -> String {
        guard !path.hasPrefix("/"), let slash = file.lastIndex(of: "/") else { return path }
        return file[...slash] + path
    }

    /// psistats 0.0.4 and earlier had a key for each part of the URL.
    private mutating func readOldKeys(into server: inout Configuration.Server) {
        guard ["host", "port", "path", "user", "pass"].contains(where: { file.entry($0, in: "server") != nil }) else {
            return
        }
        var broker = Configuration.Server().brokers[0]
        if let host = file.entry("host", in: "server")?.value, !host.isEmpty { broker.host = host }
        if let user = file.entry("user", in: "server")?.value { broker.user = user }
        if let password = file.entry("pass", in: "server")?.value { broker.password = password }
        name("path", in: "server", into: &broker.vhost, mayBeEmpty: true)
        if broker.vhost.isEmpty { broker.vhost = "/" }
        if let entry = file.entry("port", in: "server") {
            if let port = Self.number(entry.value, as: UInt16.self), port > 0 {
                broker.port = port
            } else {
                note(entry, in: "server", "has to be a number from 1 to 65535")
            }
        }
        for key in ["host", "user", "pass"] {
            guard let entry = file.entry(key, in: "server"), entry.value.utf8.contains(where: { $0 == 0 || $0 == 0x0A })
            else { continue }
            note(entry, in: "server", "has to be on one line and without NUL")
        }
        server.brokers = [broker]
    }
}
