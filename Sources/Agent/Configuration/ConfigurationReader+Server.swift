#if Agent
import AMQPWire

/// Where the brokers come from: `PSISTATS_URL`, else one of `url`, `url_file` and `url_credential`, else the keys of old files.
extension ConfigurationReader {
    /// The environment variable that overrides what `[server]` says.
    static let urlVariable = "PSISTATS_URL"

    mutating func readServer(into server: inout Configuration.Server) {
        if let url = surroundings.url, !url.isEmpty {
            do throws(AMQPURIError) {
                server.brokers = try Self.brokers(url, filesIn: directory) { note(variable: Self.urlVariable, $0) }
            } catch {
                note(variable: Self.urlVariable, error.description)
            }
            return
        }
        let sources = ["url", "url_file", "url_credential"].compactMap { key in
            file.entry(key, in: "server").map { (key: key, entry: $0) }
        }
        guard let (key, entry) = sources.first else { return readOldKeys(into: &server) }
        for extra in sources.dropFirst() {
            note(extra.entry, in: "server", "stands beside '\(key)': keep one of the two")
        }
        guard sources.count == 1 else { return }
        switch key {
        case "url_file": readURLFile(entry, in: directory, into: &server)
        case "url_credential": readURLCredential(entry, into: &server)
        default:
            do throws(AMQPURIError) {
                server.brokers = try Self.brokers(entry.value, filesIn: directory) { note(entry, in: "server", $0) }
            } catch {
                note(entry, in: "server", error.description, line: Self.line(of: error.offset, in: entry))
            }
        }
    }

    private mutating func note(variable: String, _ remark: URLParameterRemark) {
        switch remark {
        case .problem(let text): note(variable: variable, text)
        case .warning(let text): warn(variable: variable, text)
        }
    }

    private mutating func note(_ entry: ConfigFile.Entry, in section: String, _ remark: URLParameterRemark) {
        switch remark {
        case .problem(let text): note(entry, in: section, text)
        case .warning(let text): warn(entry, in: section, text)
        }
    }

    /// The brokers that a URL or several name.
    ///
    /// - Parameters:
    ///   - directory: what relative names of certificates and keys count from.
    ///   - note: takes what is to be said about parameters.
    static func brokers(
        _ text: String,
        filesIn directory: String,
        note: (URLParameterRemark) -> Void
    ) throws(AMQPURIError) -> [AMQPURI] {
        let files = [\AMQPURI.caCertificateFile, \AMQPURI.certificateFile, \AMQPURI.keyFile]
        // The hosts of one URL share its parameters: each is told of once.
        var told: Set<URLParameterRemark> = []
        return try AMQPURI.list(text).map { broker in
            var broker = broker
            for remark in PikaParameters.apply(to: &broker) where told.insert(remark).inserted { note(remark) }
            for file in files { broker[keyPath: file] = broker[keyPath: file]?.absolute(from: directory) }
            return broker
        }
    }

    /// The line of the file in which the byte `offset` of a value stands.
    private static func line(of offset: Int, in entry: ConfigFile.Entry) -> Int {
        let before = entry.value.utf8.prefix(offset).count { $0 == 0x0A }
        return before < entry.lines.count ? entry.lines[before].line : entry.line
    }

    /// A credential that systemd hands over: a file in the folder that it names in the environment.
    /// Source: systemd.exec(5), LoadCredential=.
    private mutating func readURLCredential(_ entry: ConfigFile.Entry, into server: inout Configuration.Server) {
        guard !entry.value.isEmpty, !entry.value.utf8.contains(UInt8(ascii: "/")), ![".", ".."].contains(entry.value)
        else {
            note(entry, in: "server", "has to be a credential's name, without a folder")
            return
        }
        guard let folder = surroundings.credentials else {
            let remedy = "start it by systemd with LoadCredential=\(entry.value):PATH in the unit, or use url_file"
            note(entry, in: "server", "$CREDENTIALS_DIRECTORY is not set: " + remedy)
            return
        }
        readURLFile(entry, in: folder, into: &server)
    }

    private mutating func readURLFile(
        _ entry: ConfigFile.Entry,
        in directory: String,
        into server: inout Configuration.Server
    ) {
        guard !entry.value.isEmpty, !entry.value.utf8.contains(0), !entry.value.utf8.contains(0x0A) else {
            note(entry, in: "server", "has to be the path of a file, on one line and without NUL")
            return
        }
        let urlPath = entry.value.absolute(from: directory)
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
                server.brokers = try Self.brokers(text, filesIn: directory) { remark in
                    note(entry, in: "server", remark.in(urlPath))
                }
            } catch {
                note(entry, in: "server", "\(urlPath): \(error)")
            }
        }
    }

    /// psistats 0.0.4 and earlier had a key for each part of the URL.
    private mutating func readOldKeys(into server: inout Configuration.Server) {
        guard ["host", "port", "path", "user", "pass"].contains(where: { file.entry($0, in: "server") != nil }) else {
            return
        }
        var broker = Configuration.Server().brokers[0]
        if let entry = file.entry("host", in: "server"), !entry.value.isEmpty {
            if let host = Self.host(entry.value) {
                broker.host = host
            } else {
                let isURL = entry.value.utf8.contains { [UInt8(ascii: "/"), UInt8(ascii: "@")].contains($0) }
                let advice = isURL ? "; a URL is written with the key 'url'" : "; a port has the key 'port'"
                note(entry, in: "server", "has to be the name or the address of a host and nothing else" + advice)
            }
        }
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
        for key in ["user", "pass"] {
            guard let entry = file.entry(key, in: "server"), entry.value.utf8.contains(where: { $0 == 0 || $0 == 0x0A })
            else { continue }
            note(entry, in: "server", "has to be on one line and without NUL")
        }
        server.brokers = [broker]
    }

    /// A host's name or address, an IPv6 address with or without brackets; nil for what cannot be one.
    private static func host(_ text: String) -> String? {
        var text = text[...]
        if text.hasPrefix("["), text.hasSuffix("]") { text = text.dropFirst().dropLast() }
        let isAddress = text.utf8.count { $0 == UInt8(ascii: ":") } >= 2
        let fits = text.unicodeScalars.allSatisfy { scalar in
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", "-", ".", "_": true
            case ":", "%": isAddress
            // Names of other alphabets are the resolver's business.
            default: scalar.value >= 0x80 && scalar.properties.isAlphabetic
            }
        }
        return fits && !text.isEmpty && text.utf8.count <= 255 ? String(text) : nil
    }
}
#endif
