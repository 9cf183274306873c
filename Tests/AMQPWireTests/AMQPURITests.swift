import Testing

@testable import AMQPWire

/// What a URI has to give: its text, then user, password, host, port and vhost.
struct URIVector: Sendable, CustomTestStringConvertible {
    var text, user, password, host: String
    var port: UInt16
    var vhost: String

    init(_ text: String, _ user: String, _ password: String, _ host: String, _ port: UInt16, _ vhost: String) {
        (self.text, self.user, self.password, self.host, self.port, self.vhost) = (
            text, user, password, host, port, vhost
        )
    }

    var testDescription: String { text }
}

@Suite("AMQP URIs")
struct AMQPURITests {
    /// Appendix A of the specification, with what rabbitmq-c's test_parse_url and the Java client's AmqpUriTest add.
    /// Rows without a port of their own are tried with both schemes.
    static let good: [URIVector] = [
        URIVector("amqp://user:pass@host:10000/vhost", "user", "pass", "host", 10000, "vhost"),
        URIVector("amqps://user:pass@host:10000/vhost", "user", "pass", "host", 10000, "vhost"),
        URIVector("amqp://user%61:%61pass@ho%61st:10000/v%2fhost", "usera", "apass", "hoast", 10000, "v/host"),
        URIVector("amqps://user%61:%61pass@ho%61st:10000/v%2fhost", "usera", "apass", "hoast", 10000, "v/host"),
        URIVector("aMQps://user%61:%61pass@host:10000/v%2fhost", "usera", "apass", "host", 10000, "v/host"),
        URIVector("amqp://", "guest", "guest", "localhost", 5672, "/"),
        URIVector("amqps://", "guest", "guest", "localhost", 5671, "/"),
        URIVector("amqp://:@/", "", "", "localhost", 5672, "/"),
        URIVector("amqps://:@/", "", "", "localhost", 5671, "/"),
        URIVector("amqp://user@", "user", "guest", "localhost", 5672, "/"),
        URIVector("amqps://user@", "user", "guest", "localhost", 5671, "/"),
        URIVector("amqp://user:pass@", "user", "pass", "localhost", 5672, "/"),
        URIVector("amqps://user:pass@", "user", "pass", "localhost", 5671, "/"),
        URIVector("amqp://guest:pass@", "guest", "pass", "localhost", 5672, "/"),
        URIVector("amqp://host", "guest", "guest", "host", 5672, "/"),
        URIVector("amqps://host", "guest", "guest", "host", 5671, "/"),
        URIVector("amqp://:10000", "guest", "guest", "localhost", 10000, "/"),
        URIVector("amqps://:10000", "guest", "guest", "localhost", 10000, "/"),
        URIVector("amqp:///vhost", "guest", "guest", "localhost", 5672, "vhost"),
        URIVector("amqps:///vhost", "guest", "guest", "localhost", 5671, "vhost"),
        URIVector("amqp://host/", "guest", "guest", "host", 5672, "/"),
        URIVector("amqps://host/", "guest", "guest", "host", 5671, "/"),
        URIVector("amqp://host/%2f", "guest", "guest", "host", 5672, "/"),
        URIVector("amqps://host/%2f", "guest", "guest", "host", 5671, "/"),
        URIVector("amqp://[::1]", "guest", "guest", "::1", 5672, "/"),
        URIVector("amqps://[::1]", "guest", "guest", "::1", 5671, "/"),
        URIVector("amqp://host:100", "guest", "guest", "host", 100, "/"),
        URIVector("amqps://host:100", "guest", "guest", "host", 100, "/"),
        URIVector("amqp://[::1]:100", "guest", "guest", "::1", 100, "/"),
        URIVector("amqps://[::1]:100", "guest", "guest", "::1", 100, "/"),
        URIVector("amqp://host/blah", "guest", "guest", "host", 5672, "blah"),
        URIVector("amqps://host/blah", "guest", "guest", "host", 5671, "blah"),
        URIVector("amqp://host:100/blah", "guest", "guest", "host", 100, "blah"),
        URIVector("amqps://host:100/blah", "guest", "guest", "host", 100, "blah"),
        URIVector("amqp://:100/blah", "guest", "guest", "localhost", 100, "blah"),
        URIVector("amqps://:100/blah", "guest", "guest", "localhost", 100, "blah"),
        URIVector("amqp://[::1]/blah", "guest", "guest", "::1", 5672, "blah"),
        URIVector("amqps://[::1]/blah", "guest", "guest", "::1", 5671, "blah"),
        URIVector("amqp://[::1]:100/blah", "guest", "guest", "::1", 100, "blah"),
        URIVector("amqps://[::1]:100/blah", "guest", "guest", "::1", 100, "blah"),
        URIVector("amqp://user:pass@host", "user", "pass", "host", 5672, "/"),
        URIVector("amqps://user:pass@host", "user", "pass", "host", 5671, "/"),
        URIVector("amqp://user:pass@host:100", "user", "pass", "host", 100, "/"),
        URIVector("amqps://user:pass@host:100", "user", "pass", "host", 100, "/"),
        URIVector("amqp://user:pass@:100", "user", "pass", "localhost", 100, "/"),
        URIVector("amqps://user:pass@:100", "user", "pass", "localhost", 100, "/"),
        URIVector("amqp://user:pass@[::1]", "user", "pass", "::1", 5672, "/"),
        URIVector("amqps://user:pass@[::1]", "user", "pass", "::1", 5671, "/"),
        URIVector("amqp://user:pass@[::1]:100", "user", "pass", "::1", 100, "/"),
        URIVector("amqps://user:pass@[::1]:100", "user", "pass", "::1", 100, "/"),
    ]

    /// amqp091-go's uri_test, as far as it adds to the rows above. The vhost of `amqp://host/` is `/` there, too.
    static let goFlavoured: [URIVector] = [
        URIVector("amqp://host/%2F%2F", "guest", "guest", "host", 5672, "//"),
        URIVector("amqp://host/%2Fslash%2F", "guest", "guest", "host", 5672, "/slash/"),
        URIVector("amqp://192.168.1.1:1000/", "guest", "guest", "192.168.1.1", 1000, "/"),
        URIVector("amqp://[::1]:1000", "guest", "guest", "::1", 1000, "/"),
        URIVector("amqp://[fe80::1]", "guest", "guest", "fe80::1", 5672, "/"),
        URIVector("amqp://[fe80::1%25en0]", "guest", "guest", "fe80::1%en0", 5672, "/"),
        URIVector("amqp://[fe80::1]:5671", "guest", "guest", "fe80::1", 5671, "/"),
        URIVector("amqps:///", "guest", "guest", "localhost", 5671, "/"),
        URIVector("amqps://host:1000/", "guest", "guest", "host", 1000, "/"),
        URIVector("amqp://bob:dobbs@foo.bar:5678/private", "bob", "dobbs", "foo.bar", 5678, "private"),
        URIVector("amqp://foo.bar:5672/", "guest", "guest", "foo.bar", 5672, "/"),
        URIVector("amqps://foo.bar:5671/", "guest", "guest", "foo.bar", 5671, "/"),
    ]

    static let ours: [URIVector] = [
        URIVector("AMQP://HOST", "guest", "guest", "HOST", 5672, "/"),
        URIVector("amqp://user:a:b:c@host", "user", "a:b:c", "host", 5672, "/"),
        URIVector("amqp://user:a,b@host", "user", "a,b", "host", 5672, "/"),
        URIVector("amqp://u:%40%2F%3F%23%25@host", "u", "@/?#%", "host", 5672, "/"),
        URIVector("amqp://j%C3%B6rg:stra%C3%9Fe@host/k%C3%BCche", "jörg", "straße", "host", 5672, "küche"),
        URIVector("amqp://jörg:straße@host/küche", "jörg", "straße", "host", 5672, "küche"),
        URIVector("amqp://user@host/a%40b", "user", "guest", "host", 5672, "a@b"),
        URIVector("amqp://host:00065535", "guest", "guest", "host", 65535, "/"),
        URIVector("amqp://host?", "guest", "guest", "host", 5672, "/"),
        URIVector("amqp://host/?", "guest", "guest", "host", 5672, "/"),
        URIVector("amqp://[::ffff:10.0.0.1]:1", "guest", "guest", "::ffff:10.0.0.1", 1, "/"),
    ]

    @Test(
        "a good URI gives its parts, and prints as a text that gives them again",
        arguments: good + goFlavoured + ours
    )
    func goodURI(_ vector: URIVector) throws {
        let uri = try AMQPURI(vector.text)
        #expect(uri.user == vector.user)
        #expect(uri.password == vector.password)
        #expect(uri.host == vector.host)
        #expect(uri.port == vector.port)
        #expect(uri.vhost == vector.vhost)
        #expect(uri.scheme == (vector.text.lowercased().hasPrefix("amqps:") ? .amqps : .amqp))
        #expect(try AMQPURI(uri.rendered(masked: false)) == uri)
        var masked = try AMQPURI(uri.description)
        masked.password = uri.password
        #expect(masked == uri)
        #expect(try AMQPURI.list(vector.text) == [uri])
    }

    /// rabbitmq-c's and the Java client's bad URIs (each also with `amqps`), amqp091-go's, and our own.
    static let bad: [(String, AMQPURIError)] = [
        ("http://www.rabbitmq.com", AMQPURIError(.unknownScheme, offset: 0)),
        ("https://www.rabbitmq.com", AMQPURIError(.unknownScheme, offset: 0)),
        ("http://example.com/", AMQPURIError(.unknownScheme, offset: 0)),
        ("amqp://foo:bar:baz", AMQPURIError(.severalColons, offset: 14)),
        ("amqps://foo:bar:baz", AMQPURIError(.severalColons, offset: 15)),
        ("amqp://foo[::1]", AMQPURIError(.badHost, offset: 7)),
        ("amqps://foo[::1]", AMQPURIError(.badHost, offset: 8)),
        ("amqp://foo:[::1]", AMQPURIError(.severalColons, offset: 12)),
        ("amqps://foo:[::1]", AMQPURIError(.severalColons, offset: 13)),
        ("amqp://[::1]foo", AMQPURIError(.badIPv6Address, offset: 12)),
        ("amqps://[::1]foo", AMQPURIError(.badIPv6Address, offset: 13)),
        ("amqp://foo:1000xyz", AMQPURIError(.portNotNumber, offset: 11)),
        ("amqps://foo:1000xyz", AMQPURIError(.portNotNumber, offset: 12)),
        ("amqp://foo:1000000", AMQPURIError(.portOutOfRange, offset: 11)),
        ("amqps://foo:1000000", AMQPURIError(.portOutOfRange, offset: 12)),
        ("amqp://foo/bar/baz", AMQPURIError(.severalPathSegments, offset: 14)),
        ("amqps://foo/bar/baz", AMQPURIError(.severalPathSegments, offset: 15)),
        ("amqp://foo%1", AMQPURIError(.badEscape, offset: 10)),
        ("amqps://foo%1", AMQPURIError(.badEscape, offset: 11)),
        ("amqp://foo%1x", AMQPURIError(.badEscape, offset: 10)),
        ("amqps://foo%1x", AMQPURIError(.badEscape, offset: 11)),
        ("amqp://foo%xy", AMQPURIError(.badEscape, offset: 10)),
        ("amqps://foo%xy", AMQPURIError(.badEscape, offset: 11)),
        ("amqp://admin:PASSWORD@rabbitmq-service/ -http_port=8080", AMQPURIError(.whitespace, offset: 39)),
        ("", AMQPURIError(.empty, offset: 0)),
        ("amqp:/host", AMQPURIError(.unknownScheme, offset: 0)),
        ("amqpx://host", AMQPURIError(.unknownScheme, offset: 0)),
        ("amqp\u{1A}//host", AMQPURIError(.controlCharacter, offset: 4)),
        (" amqp://host", AMQPURIError(.whitespace, offset: 0)),
        ("amqp://ho\u{0}st", AMQPURIError(.nul, offset: 9)),
        ("amqp://u:%00@host", AMQPURIError(.nul, offset: 9)),
        ("amqp://ho\u{7F}st", AMQPURIError(.controlCharacter, offset: 9)),
        ("amqp://user:pa#ss@host", AMQPURIError(.fragment, offset: 14)),
        ("amqp://user:%ff@host", AMQPURIError(.notUTF8, offset: 12)),
        ("amqp://host/%c3%28", AMQPURIError(.notUTF8, offset: 12)),
        ("amqp://user:p@ss@host", AMQPURIError(.severalUserInfos, offset: 16)),
        ("amqp://user:1234/5@host", AMQPURIError(.userInfoAfterHost, offset: 18)),
        ("amqp://user:1234?5@host", AMQPURIError(.userInfoAfterHost, offset: 18)),
        ("amqp://user:p@ss/word@host", AMQPURIError(.userInfoAfterHost, offset: 21)),
        ("amqp://user@host/a@b", AMQPURIError(.userInfoAfterHost, offset: 18)),
        ("amqp://user:p@ss?word@host", AMQPURIError(.userInfoAfterHost, offset: 21)),
        ("amqp://h%C3%B6st", AMQPURIError(.badHost, offset: 7)),
        ("amqp://ho%20st", AMQPURIError(.badHost, offset: 7)),
        ("amqp://ho%2Fst", AMQPURIError(.badHost, offset: 7)),
        ("amqp://fe80::1", AMQPURIError(.severalColons, offset: 12)),
        ("amqp://[::1", AMQPURIError(.badIPv6Address, offset: 7)),
        ("amqp://[]", AMQPURIError(.badIPv6Address, offset: 8)),
        ("amqp://[host]", AMQPURIError(.badIPv6Address, offset: 8)),
        ("amqp://[::1%25]", AMQPURIError(.badIPv6Address, offset: 8)),
        ("amqp://host:", AMQPURIError(.emptyPort, offset: 12)),
        ("amqp://host:/vhost", AMQPURIError(.emptyPort, offset: 12)),
        ("amqp://[::1]:", AMQPURIError(.emptyPort, offset: 13)),
        ("amqp://host:0", AMQPURIError(.portOutOfRange, offset: 12)),
        ("amqp://host:65536", AMQPURIError(.portOutOfRange, offset: 12)),
        ("amqp://host:+1", AMQPURIError(.portNotNumber, offset: 12)),
        ("amqp://host:-1", AMQPURIError(.portNotNumber, offset: 12)),
        ("amqp://host:99999999999999999999999", AMQPURIError(.portOutOfRange, offset: 12)),
        ("amqp://h1,h2", AMQPURIError(.severalHosts, offset: 10)),
        ("amqp://user@h1,", AMQPURIError(.emptyHost, offset: 15)),
        ("amqp://host/" + String(repeating: "v", count: 256), AMQPURIError(.vhostTooLong, offset: 12)),
        ("amqp://host?heartbeat=65536", AMQPURIError(.badParameter(.heartbeat), offset: 22)),
        ("amqp://host?heartbeat=", AMQPURIError(.badParameter(.heartbeat), offset: 22)),
        ("amqp://host?heartbeat", AMQPURIError(.badParameter(.heartbeat), offset: 21)),
        ("amqp://host?heartbeat=-1", AMQPURIError(.badParameter(.heartbeat), offset: 22)),
        ("amqp://host?heartbeat=+1", AMQPURIError(.badParameter(.heartbeat), offset: 22)),
        ("amqp://host?connection_timeout=4294967296", AMQPURIError(.badParameter(.connectionTimeout), offset: 31)),
        ("amqp://host?channel_max=70000", AMQPURIError(.badParameter(.channelMax), offset: 24)),
        ("amqp://host?frame_max=4095", AMQPURIError(.badParameter(.frameMax), offset: 22)),
        ("amqp://host?verify=yes", AMQPURIError(.badParameter(.verify), offset: 19)),
        ("amqp://host?fail_if_no_peer_cert=1", AMQPURIError(.badParameter(.failIfNoPeerCertificate), offset: 33)),
        ("amqp://host?cacertfile=", AMQPURIError(.badParameter(.caCertificateFile), offset: 23)),
        ("amqp://host?auth_mechanism=", AMQPURIError(.badParameter(.authMechanism), offset: 27)),
        ("amqp://host?heartbeat=1&heartbeat=1", AMQPURIError(.repeatedParameter(.heartbeat), offset: 24)),
        ("amqp://host?x=%f", AMQPURIError(.badEscape, offset: 14)),
    ]

    @Test("a bad URI is refused with the reason and the place", arguments: bad)
    func badURI(_ text: String, _ expected: AMQPURIError) {
        #expect(throws: expected) { try AMQPURI(text) }
    }

    @Test("RabbitMQ's query parameters are read")
    func parameters() throws {
        let plain = try AMQPURI("amqp://myhost?heartbeat=5&connection_timeout=10000&channel_max=0&frame_max=131072")
        #expect(plain.heartbeat == 5)
        #expect(plain.connectionTimeout == .seconds(10))
        #expect(plain.channelMax == 0)
        #expect(plain.frameMax == 131072)
        #expect(plain.host == "myhost")
        #expect(plain.vhost == "/")

        let text =
            "amqps://myhost/v?cacertfile=/path/to/ca.pem&certfile=%2Fpath%2Fclient.pem&keyfile=/k+k.pem"
            + "&verify=verify_none&server_name_indication=other.example&fail_if_no_peer_cert=true"
            + "&auth_mechanism=plain&auth_mechanism=amqplain&&depth=3&flag&depth=4"
        let tls = try AMQPURI(text)
        #expect(tls.caCertificateFile == "/path/to/ca.pem")
        #expect(tls.certificateFile == "/path/client.pem")
        #expect(tls.keyFile == "/k+k.pem")
        #expect(tls.verification == .verifyNone)
        #expect(tls.serverNameIndication == "other.example")
        #expect(tls.failIfNoPeerCertificate == true)
        #expect(tls.authMechanisms == ["plain", "amqplain"])
        #expect(tls.unknownParameters.map(\.name) == ["depth", "flag", "depth"])
        #expect(tls.unknownParameters.map(\.value) == ["3", "", "4"])
        #expect(try AMQPURI(tls.rendered(masked: false)) == tls)
        #expect(try AMQPURI(plain.description).connectionTimeout == .seconds(10))
    }

    @Test("several hosts share everything but host and port")
    func hostList() throws {
        let uris = try AMQPURI.list("amqps://user:p,w@h1:5672,h2,[::1]:99/vhost?heartbeat=3")
        #expect(uris.map(\.host) == ["h1", "h2", "::1"])
        #expect(uris.map(\.port) == [5672, 5671, 99])
        #expect(uris.allSatisfy { $0.user == "user" && $0.password == "p,w" && $0.vhost == "vhost" })
        #expect(uris.allSatisfy { $0.heartbeat == 3 && $0.scheme == .amqps })
    }

    @Test("whole URIs stand side by side with commas")
    func uriList() throws {
        let uris = try AMQPURI.list(" amqp://a:1,b:2@h1/x,\n  AMQPS://h2,h3/a,b , amqp:// ")
        #expect(uris.map(\.host) == ["h1", "h2", "h3", "localhost"])
        #expect(uris.map(\.vhost) == ["x", "a,b", "a,b", "/"])
        #expect(uris.map(\.scheme) == [.amqp, .amqps, .amqps, .amqp])
        #expect(uris.first?.password == "1,b:2")
    }

    @Test(
        "an error in a list counts from the start of the list",
        arguments: [
            ("amqp://h1,amqp://h2:0", AMQPURIError(.portOutOfRange, offset: 20)),
            ("amqp://h1,", AMQPURIError(.emptyHost, offset: 10)),
            ("amqp://h1,,h2", AMQPURIError(.emptyHost, offset: 10)),
            ("amqp://h1/v,h2/v", AMQPURIError(.severalPathSegments, offset: 14)),
            ("amqp://h1, h2", AMQPURIError(.whitespace, offset: 10)),
            (",amqp://h1", AMQPURIError(.empty, offset: 0)),
            ("  \n ", AMQPURIError(.empty, offset: 4)),
            ("amqp://u:p@h1,v:q@h2", AMQPURIError(.severalUserInfos, offset: 17)),
        ]
    )
    func badList(_ text: String, _ expected: AMQPURIError) {
        #expect(throws: expected) { try AMQPURI.list(text) }
    }

    @Test("passwords never print")
    func secrets() throws {
        let uri = try AMQPURI("amqps://user:hunter2@host/v?password=hunter2")
        #expect(uri.description == "amqps://user:***@host:5671/v?password=***")
        var dumped = ""
        dump([uri], to: &dumped)
        struct Holder { var uri: AMQPURI, more: [AMQPURI.UnknownParameter] }
        let holder = Holder(uri: uri, more: uri.unknownParameters)
        dump(holder, to: &dumped)
        for text in [
            dumped, "\(uri)", uri.debugDescription, String(reflecting: uri), "\(holder)", String(reflecting: holder),
            "\([uri])", "\(Optional(uri) as Any)", "\(uri.unknownParameters)",
        ] {
            #expect(!text.contains("hunter2"))
        }
    }

    @Test(
        "an error never shows a part of the URI",
        arguments: [
            "hunter2://user:hunter2@host", "amqp://user:hunter2", "amqp://user:hunter2/@host", "amqp://hunter2#@h",
            "amqp://user:hunter2@h@host", "amqp://user:hunter2%@host", "amqp://user:hunter2@host:hunter2",
            "amqp://user:hunter2@host/a/b", "amqp://user:hunter2@host?heartbeat=hunter2", "amqp://user:hunter2 @host",
            "amqp://user:hunter2%ff@host", "amqp://user:1/hunter2@host", "amqp://user:hunter2@[host]",
        ]
    )
    func errorsKeepSecrets(_ text: String) throws {
        let error = try #require(throws: AMQPURIError.self) { try AMQPURI.list(text) }
        var dumped = "\(error)" + String(reflecting: error)
        dump(error, to: &dumped)
        #expect(!dumped.contains("hunter2"))
        #expect(error.description.hasSuffix("(at byte \(error.offset))"))
    }

    @Test("no text traps, and what is accepted prints as something equal")
    func mutations() throws {
        var generator = SplitMix64(seed: 0x5EED_0001)
        let seeds =
            (Self.good + Self.goFlavoured + Self.ours).map { Array($0.text.utf8) }
            + Self.bad.map { Array($0.0.utf8) }
            + [Array("amqps://u:p,w@h1:1,h2:2,[::1%25e0]/v?auth_mechanism=a&x=%20,amqp://b?verify=verify_none".utf8)]
        let splices = [
            "%", "%2", "%2f", "@", ":", "/", "?", "&", "=", ",", "[", "]", "\u{0}", " ", "amqp://", "é", "99999",
        ].map { Array($0.utf8) }
        var accepted = 0
        for _ in 0..<20_000 {
            var bytes = generator.element(of: seeds)
            for _ in 0...Int.random(in: 0..<3, using: &generator) {
                let at = Int.random(in: 0...bytes.count, using: &generator)
                switch Int.random(in: 0..<5, using: &generator) {
                case 0: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: at)
                case 1: bytes.removeSubrange(at...)
                case 2: bytes.insert(contentsOf: generator.element(of: splices), at: at)
                case 3 where at < bytes.count: bytes.remove(at: at)
                default: bytes.insert(contentsOf: generator.element(of: seeds), at: at)
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            do throws(AMQPURIError) {
                for uri in try AMQPURI.list(text) {
                    accepted += 1
                    #expect(try AMQPURI(uri.rendered(masked: false)) == uri)
                }
            } catch {
                #expect(0...text.utf8.count ~= error.offset)
            }
        }
        #expect(accepted > 1000)
    }
}
