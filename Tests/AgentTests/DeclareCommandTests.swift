#if Agent
import Testing

@testable import PsistatsAgent

@Suite("psistats declare --dry-run")
struct DeclareCommandTests {
    static let password = "correct horse battery staple"

    /// Runs `declare --dry-run` with `Fixtures/declare/psistats.conf`.
    private func declare(_ options: String..., config: String? = nil) throws -> Program.Result {
        let directory = try TemporaryDirectory()
        let file = try directory.write("psistats.conf", config ?? Self.config())
        return try Program.run(["declare", "--dry-run", "--config", file] + options)
    }

    private static func config() throws -> String {
        String(decoding: try Repository.bytes("Fixtures/declare/psistats.conf"), as: UTF8.self)
    }

    private func expected(_ name: String) throws -> String {
        String(decoding: try Repository.bytes("Fixtures/declare/\(name)"), as: UTF8.self)
    }

    // Fixtures/declare/README.md says how the expected texts were made.
    @Test("prints what is expected", arguments: ["fields", "hex", "json"])
    func formats(_ format: String) throws {
        let result = try declare("--format", format)
        #expect(result.status == 0)
        #expect(result.text == (try expected("\(format).txt")))
        #expect(result.errors == "")
    }

    @Test("fields is the default format")
    func defaultFormat() throws {
        #expect(try declare().text == (try expected("fields.txt")))
    }

    @Test("its octets, listed by psistats frames, are all that opens, declares and binds")
    func pipeline() throws {
        let raw = try declare("--format", "raw")
        let listing = try Program.run(["frames", "-"], input: raw.output)
        #expect(listing.status == 0)
        #expect(listing.text == (try expected("listing.txt")))
        let names = listing.lines.map { $0.split(separator: " ")[3] }
        #expect(
            names == [
                "protocol-header", "connection.start-ok", "connection.tune-ok", "connection.open", "channel.open",
                "exchange.declare", "queue.declare", "queue.bind",
            ]
        )
    }

    @Test("json is what psistats frames makes of the octets")
    func json() throws {
        let raw = try declare("--format", "raw")
        let listing = try Program.run(["frames", "--format", "json", "-"], input: raw.output)
        #expect(try declare("--format", "json").text == listing.text)
    }

    @Test("hex is the octets")
    func hex() throws {
        let raw = try declare("--format", "raw").output
        let digits = try declare("--format", "hex").lines.map { $0.dropFirst(10).prefix(39) }.joined()
        #expect(digits.filter { $0 != " " } == raw.map(HexDump.hexadecimal).joined())
    }

    @Test("each octet stands in the fields at its offset, none is left out")
    func everyOctet() throws {
        let raw = try declare("--format", "raw").output
        var shown = [UInt8?](repeating: nil, count: raw.count)
        for line in try declare().lines where line.hasPrefix("  ") {
            let offset = try #require(Int(line.dropFirst(2).prefix(8), radix: 16))
            let octets = line.dropFirst(12).prefix(23).split(separator: " ").compactMap { UInt8($0, radix: 16) }
            for (index, octet) in octets.enumerated() { shown[offset + index] = octet }
        }
        #expect(shown == raw.map(Optional.some))
    }

    @Test("no format holds the password, nor its length, unless asked to", arguments: DeclareCommand.Format.allCases)
    func secrets(_ format: DeclareCommand.Format) throws {
        let other = try Self.config().replacing("correct%20horse%20battery%20staple", with: "x")
        let masked = try declare("--format", format.rawValue)
        #expect(masked.output == (try declare("--format", format.rawValue, config: other).output))
        let shown = try declare("--format", format.rawValue, "--show-secrets")
        #expect(shown.status == 0)
        #expect(shown.output != masked.output)
        #expect(!masked.text.contains("correct horse"))
        switch format {
        case .fields, .raw, .json: #expect(shown.text.contains(Self.password))
        case .hex: #expect(shown.text.contains("636f 7272 6563") || shown.text.contains("63 6f72 7265 63"))
        }
    }

    @Test("the settings of the configuration are in the frames")
    func settings() throws {
        let config = """
            [server]
            url=amqps://agent:secret@broker.example/stats?heartbeat=7&frame_max=8192&channel_max=3&auth_mechanism=amqplain
            [exchange]
            name=metrics
            type=fanout
            durable=yes
            autodelete=yes
            [queue]
            prefix=p
            exclusive=no
            durable=yes
            autodelete=no
            ttl=4294967295
            [hostname]
            name=rack 7
            """
        let raw = try declare("--format", "raw", config: config)
        let lines = try Program.run(["frames", "-"], input: raw.output).lines.map { $0.dropFirst(25) }
        #expect(lines.count == 8)
        #expect(lines[1].hasSuffix(#"mechanism="AMQPLAIN" response=******** locale="en_US""#))
        #expect(lines[2] == "connection.tune-ok channel-max=3 frame-max=8192 heartbeat=7")
        #expect(lines[3] == #"connection.open virtual-host="stats" reserved-1="" reserved-2=false"#)
        #expect(
            lines[5] == #"exchange.declare reserved-1=0 exchange="metrics" type="fanout" passive=false durable=true "#
                + "auto-delete=true internal=false no-wait=false arguments={}"
        )
        #expect(
            lines[6] == #"queue.declare reserved-1=0 queue="p.rack 7" passive=false durable=true exclusive=false "#
                + "auto-delete=false no-wait=false arguments={x-message-ttl: l 4294967295}"
        )
        #expect(
            lines[7] == #"queue.bind reserved-1=0 queue="p.rack 7" exchange="metrics" routing-key="p.rack 7" "#
                + "no-wait=false arguments={}"
        )
    }

    @Test("the configuration is looked for where the command runs")
    func found() throws {
        let directory = try TemporaryDirectory()
        _ = try directory.write("psistats.conf", Self.config())
        let result = try Program.run(["declare", "--dry-run"], directory: directory.path)
        #expect(result.text == (try expected("fields.txt")))
    }

    @Test("a wrong value is told with file, line and key")
    func wrongValue() throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("psistats.conf", "[queue]\nprefix=a\nttl=soon\n")
        let result = try Program.run(["declare", "--dry-run", "--config", file])
        #expect(result.status == 78)
        #expect(result.output.isEmpty)
        #expect(result.errors.hasPrefix("\(file):3: ttl: "))
    }

    @Test("a bad URL is told without the password in it")
    func badURL() throws {
        let result = try declare(config: "[server]\nurl=amqp://guest:hunter2@host:port/\n")
        #expect(result.status == 78)
        #expect(result.errors.contains(":2: url: "))
        #expect(!result.errors.contains("hunter2"))
    }

    @Test("a login mechanism that the client does not know is refused")
    func unknownMechanism() throws {
        let result = try declare(config: "[server]\nurl=amqp://localhost/?auth_mechanism=gssapi\n")
        #expect(result.status == 78)
        #expect(result.errors.contains("auth_mechanism has to be one of PLAIN, AMQPLAIN, EXTERNAL"))
    }

    @Test("a missing configuration is told")
    func missing() throws {
        let result = try Program.run(["declare", "--dry-run", "--config", "/nonexistent/psistats.conf"])
        #expect(result.status == 78)
        #expect(result.errors == "/nonexistent/psistats.conf: cannot be read: No such file or directory\n")
    }

    @Test("without --dry-run a broker that cannot be reached is told, with what to do")
    func unreachable() throws {
        // Port 1 is nobody's, and nobody but root could take it.
        let result = try Program.run(
            ["declare", "--config", Repository.root + "/psistats.conf"],
            environment: ["PSISTATS_URL=amqp://guest:secret@127.0.0.1:1"]
        )
        #expect(result.status == 69)
        #expect(result.output.isEmpty)
        #expect(result.errors.contains("listens on that port; host and port stand in [server] url"))
        #expect(!result.errors.contains("secret"))
    }
}
#endif
