#if Agent
import AMQPWire
import Glibc
import Testing

@testable import PsistatsAgent

@Suite("psistats frames")
struct FramesCommandTests {
    /// One frame of each kind: 8 + 52 + 54 + 22 + 13 + 8 octets.
    static let stream: [UInt8] = {
        var encoder = AMQPFrameEncoder()
        encoder.appendProtocolHeader()
        let octets: [UInt8] = Array("hello".utf8)
        do {
            try encoder.append(.connectionStartOk(.init(response: AMQPSecret("\0guest\0hunter2"))), channel: 0)
            try octets.withUnsafeBytes { body in
                try encoder.append(
                    .basicPublish(.init(exchange: "psistats", routingKey: "psistats.pi")),
                    properties: AMQPProperties(
                        contentType: "text/plain",
                        headers: ["at": .timestamp(1_600_000_000), "raw": .bytes([0, 255]), "n": 1.5, "none": .void]
                    ),
                    body: body,
                    channel: 1
                )
            }
        } catch {
            preconditionFailure("\(error)")
        }
        encoder.appendHeartbeat()
        return encoder.bytes.copy()
    }()

    static let listing = """
               0        8     0  protocol-header 0-9-1
               8       46     0  connection.start-ok client-properties={} mechanism="PLAIN" response=******** locale="en_US"
              54       36     1  basic.publish reserved-1=0 exchange="psistats" routing-key="psistats.pi" mandatory=false immediate=false
              90       77     1  header class=60 body-size=5 content-type="text/plain" headers={at: T 1600000000, raw: x x"00ff", n: d 1.5, none: V}
             167       13     1  body 5 "hello"
             180        8     0  heartbeat

        """

    static let json = """
        {"channel":0,"frame":"protocol-header","offset":0,"size":8,"version":"0-9-1"}
        {"arguments":{"client-properties":{},"locale":"en_US","mechanism":"PLAIN","response":"********"},"channel":0,"frame":"method","method":"connection.start-ok","offset":8,"size":46}
        {"arguments":{"exchange":"psistats","immediate":false,"mandatory":false,"reserved-1":0,"routing-key":"psistats.pi"},"channel":1,"frame":"method","method":"basic.publish","offset":54,"size":36}
        {"bodySize":5,"channel":1,"class":60,"frame":"header","offset":90,"properties":{"content-type":"text/plain","headers":{"at":{"type":"timestamp","value":1600000000},"n":1.5,"none":null,"raw":{"encoding":"base64","type":"bytes","value":"AP8="}}},"size":77}
        {"bytes":5,"channel":1,"frame":"body","offset":167,"size":13,"text":"hello"}
        {"channel":0,"frame":"heartbeat","offset":180,"size":8}

        """

    @Test("lists each frame in a line")
    func text() throws {
        let result = try Program.run(["frames", "-"], input: Self.stream)
        #expect(result.status == 0)
        #expect(result.text == Self.listing)
        #expect(result.errors == "")
    }

    @Test("prints each frame as a JSON object")
    func jsonLines() throws {
        let result = try Program.run(["frames", "--format", "json", "-"], input: Self.stream)
        #expect(result.status == 0)
        #expect(result.text == Self.json)
    }

    @Test("reads a file")
    func file() throws {
        let name = Repository.root + "/Fixtures/amqp/pika/handshake-and-close.client"
        let result = try Program.run(["frames", name])
        #expect(result.status == 0)
        #expect(result.lines.count == 7)
        #expect(
            result.lines.last?.hasSuffix(
                #"connection.close reply-code=200 reply-text="Normal shutdown" class-id=0 method-id=0"#
            ) == true
        )
    }

    @Test("writes again what it read")
    func reencode() throws {
        let result = try Program.run(["frames", "--reencode", "-"], input: Self.stream)
        #expect(result.status == 0)
        #expect(result.output == Self.stream)
    }

    @Test("an empty stream has no frames")
    func empty() throws {
        let result = try Program.run(["frames", "-"])
        #expect(result.status == 0)
        #expect(result.output.isEmpty)
    }

    @Test("secrets appear only when they are asked for", arguments: ["text", "json"])
    func secrets(_ format: String) throws {
        let masked = try Program.run(["frames", "--format", format, "-"], input: Self.stream)
        #expect(!masked.text.contains("hunter2"))
        let shown = try Program.run(["frames", "--format", format, "--show-secrets", "-"], input: Self.stream)
        #expect(shown.text.contains("hunter2"))
    }

    @Test("a stream cut inside a frame is listed up to there, and what is missing is told")
    func cut() throws {
        // Where each frame ends, and how many octets it has.
        let frames = [(8, 8), (54, 46), (90, 36), (167, 77), (180, 13), (188, 8)]
        for count in [1, 7, 8, 9, 14, 15, 53, 54, 100, 166, 179, 187] {
            let result = try Program.run(["frames", "-"], input: Array(Self.stream.prefix(count)))
            let whole = frames.count { $0.0 <= count }
            #expect(result.lines.count == whole)
            let start = whole == 0 ? 0 : frames[whole - 1].0
            guard start != count else {
                #expect(result.status == 0)
                continue
            }
            #expect(result.status == 65)
            let place = "psistats: standard input: the stream ends inside the frame that starts at octet \(start): "
            let size = frames[whole].1
            let missing = size - (count - start)
            if start > 0, count - start < 7 {
                #expect(
                    result.errors == place + "only \(count - start) of the 7 octets that say how long it is are there\n"
                )
            } else {
                let verb = missing == 1 ? "is" : "are"
                #expect(result.errors == place + "\(missing) of its \(size) octets \(verb) missing\n")
            }
        }
    }

    @Test("a malformed frame ends the listing, and its place and fault are told")
    func malformed() throws {
        var stream = Self.stream
        stream[53] = 0
        let end = try Program.run(["frames", "-"], input: stream)
        #expect(end.status == 65)
        #expect(end.lines.count == 1)
        #expect(
            end.errors == "psistats: standard input: malformed: a frame ends with 00 instead of ce at octet 53, "
                + "in the frame that starts at octet 8\n"
        )
        stream = Self.stream
        stream[54] = 7
        let type = try Program.run(["frames", "--format", "json", "-"], input: stream)
        #expect(type.status == 65)
        #expect(type.lines.count == 2)
        #expect(type.errors == "psistats: standard input: malformed: unknown frame type 7 at octet 54\n")
    }

    @Test("a file that cannot be read is named with the reason")
    func unreadable() throws {
        let missing = try Program.run(["frames", "/nonexistent/recording"])
        #expect(missing.status == 66)
        #expect(missing.errors == "psistats: /nonexistent/recording: No such file or directory\n")
        let directory = try Program.run(["frames", "/proc"])
        #expect(directory.status == 66)
        #expect(directory.errors == "psistats: /proc: Is a directory\n")
    }

    @Test("options that contradict one another are refused", arguments: ["--format=json", "--show-secrets"])
    func contradiction(_ option: String) throws {
        let result = try Program.run(["frames", "--reencode", option, "-"])
        #expect(result.status == 64)
        #expect(result.output.isEmpty)
    }

    @Test("a frame may be larger than brokers agree on, up to a limit that can be set")
    func frameSize() throws {
        let size = 1_000_000
        let stream = Self.bodyFrame(size)
        let result = try Program.run(["frames", "-"], input: stream)
        #expect(result.status == 0)
        let refused = try Program.run(["frames", "--max-frame-size", "131072", "-"], input: stream)
        #expect(refused.status == 65)
        #expect(
            refused.errors
                == "psistats: standard input: malformed: a frame of 1000008 octets, 131072 are allowed at octet 0\n"
        )
    }

    @Test("a length that is announced costs nothing until the octets come")
    func announcedLength() throws {
        let result = try Program.run(
            ["frames", "--max-frame-size", "0", "-"],
            input: [3, 0, 1, 255, 255, 255, 255, 1]
        )
        #expect(result.status == 65)
        #expect(
            result.errors == "psistats: standard input: the stream ends inside the frame that starts at octet 0: "
                + "4294967295 of its 4294967303 octets are missing\n"
        )
    }

    @Test(
        "a stream of 200 MB takes less than 64 MiB of memory",
        arguments: ["--format=text", "--format=json", "--reencode"]
    )
    func huge(_ option: String) throws {
        let piece = Self.bodyFrame(131_064) + Self.bodyFrame(1_000)
        var left = 200_000_000
        let result = try Program.run(["frames", option, "-"], keepsOutput: false) { _ in
            guard left > 0 else { return nil }
            left -= piece.count
            return piece
        }
        #expect(result.status == 0)
        #expect(result.peakMemory > 1_000)
        #expect(result.peakMemory < 65_536)
    }

    @Test("a reader that has enough ends it quietly", arguments: [false, true])
    func brokenPipe(ignored: Bool) throws {
        let piece = Self.bodyFrame(100)
        var left = 20_000
        let result = try Program.run(
            ["frames", "-"],
            ignoresBrokenPipes: ignored,
            outputLimit: 1
        ) { _ in
            guard left > 0 else { return nil }
            left -= 1
            return piece
        }
        if ignored {
            #expect(result.status == ExitStatus.outputClosed.rawValue)
        } else {
            #expect(result.signal == SIGPIPE)
        }
        #expect(result.errors == "")
    }

    @Test("frames are printed while the stream still comes")
    func live() throws {
        var first: [UInt8]? = Array(Self.stream.prefix(8))
        let result = try Program.run(["frames", "-"]) { outputCount in
            defer { first = nil }
            return first ?? (outputCount == 0 ? [] : nil)
        }
        #expect(result.status == 0)
        #expect(result.text == "       0        8     0  protocol-header 0-9-1\n")
    }

    static func bodyFrame(_ size: Int) -> [UInt8] {
        var encoder = AMQPFrameEncoder(maxFrameSize: 0)
        [UInt8](repeating: UInt8(ascii: "x"), count: size).withUnsafeBytes { encoder.append(body: $0, channel: 1) }
        return encoder.bytes.copy()
    }
}
#endif
