import Glibc
import Testing

@testable import AMQPWire

/// The recorded sessions of `Fixtures/amqp`: what real clients and a real broker sent.
@Suite("Recorded sessions")
struct RecordingTests {
    @Test("every recording decodes to the listing beside it", arguments: Recording.all)
    func listing(_ recording: Recording) throws {
        let octets = try Recording.contents(recording.path)
        let expected = String(decoding: try Recording.contents(recording.path + ".txt"), as: UTF8.self)
        #expect(recording.listing(of: octets) == expected)
    }

    @Test("every recorded octet comes out again when what was decoded is encoded", arguments: Recording.all)
    func reencoding(_ recording: Recording) throws {
        let octets = try Recording.contents(recording.path)
        var decoder = AMQPFrameDecoder(limits: AMQPWireLimits(frameSize: 0))
        decoder.append(octets)
        var encoder = AMQPFrameEncoder(maxFrameSize: 0)
        var position = 0
        do throws(AMQPWireError) {
            while let frame = try decoder.next() {
                encoder.bytes.removeAll()
                switch frame.payload {
                case .protocolHeader: encoder.appendProtocolHeader()
                case .method(let method): try encoder.append(method, channel: frame.channel)
                case .header(let header): try encoder.append(header, channel: frame.channel)
                case .body(let body): body.withUnsafeBytes { encoder.append(body: $0, channel: frame.channel) }
                case .heartbeat: encoder.appendHeartbeat()
                }
                let original = Array(octets[position..<position + frame.size])
                position += frame.size
                // What is passed over when read is not written.
                guard frame.notes.isEmpty else { continue }
                if recording.hasUnusualBooleans {
                    #expect(encoder.bytes.count == original.count, "frame at octet \(frame.offset)")
                } else {
                    #expect(encoder.bytes.copy() == original, "frame at octet \(frame.offset)")
                }
            }
        } catch {
            #expect(error.code == recording.expectedError)
            return
        }
        #expect(recording.expectedError == nil)
        #expect(decoder.pendingCount == 0)
        #expect(position == octets.count)
    }

    @Test("the recordings are there")
    func presence() {
        for release in Recording.releases {
            #expect(Recording.all.count { $0.path.contains("/Fixtures/amqp/\(release)pika/") } >= 60)
        }
        #expect(Recording.all.count >= 240)
    }
}

/// One direction of a recorded session.
struct Recording: Sendable, CustomTestStringConvertible {
    let path: String
    /// `pika/consume.server`.
    let name: String
    var testDescription: String { name }

    /// Those with RabbitMQ 3.10, then those with newer ones.
    static let all: [Recording] = releases.flatMap { release in
        ["amqpwire", "handmade", "pika", "rabbitmq-c"].flatMap { client in
            let folder = release + client + "/"
            return names(in: root + folder).sorted().map { Recording(path: root + folder + $0, name: folder + $0) }
        }
    }

    /// What stands before the client's folder.
    static let releases = ["", "rabbitmq-4.3/"]

    /// The name without the release.
    private var session: Substring {
        Self.releases.reversed().first(where: name.hasPrefix).map { name.dropFirst($0.count) } ?? name[...]
    }

    private static let root =
        String(#filePath.dropLast("Tests/AMQPWireTests/RecordingTests.swift".count)) + "Fixtures/amqp/"

    private static func names(in folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasSuffix(".client") || name.hasSuffix(".server") { names.append(name) }
        }
        return names
    }

    struct Unreadable: Error {
        let path: String
    }

    static func contents(_ path: String) throws -> [UInt8] {
        guard let file = fopen(path, "r") else { throw Unreadable(path: path) }
        defer { fclose(file) }
        var octets: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { octets += chunk[..<count] }
        return octets
    }

    /// What `psistats frames` prints.
    func listing(of octets: [UInt8]) -> String {
        var decoder = AMQPFrameDecoder(limits: AMQPWireLimits(frameSize: 0))
        decoder.append(octets)
        let listing = AMQPFrameListing()
        var text = ""
        var end: UInt64 = 0
        do {
            while let frame = try decoder.next() {
                text += listing.line(frame, fields: decoder.fields()) + "\n"
                end = decoder.position
            }
        } catch {
            let place = error.offset == end ? "" : ", in the frame that starts at octet \(end)"
            text += "psistats: (recording): malformed: \(error)\(place)\n"
        }
        return text
    }

    /// What the recording ends with, where that is not AMQP 0-9-1.
    var expectedError: AMQPWireError.Code? {
        switch session {
        case "handmade/unknown-method.client": .unknownMethod(classID: 60, methodID: 999)
        case "handmade/wrong-protocol-header.client": .unsupportedProtocol(Array("AMQP".utf8) + [0, 1, 0, 0])
        case "handmade/wrong-protocol-header.server" where name != session:
            .unsupportedProtocol(Array("AMQP".utf8) + [3, 1, 0, 0])
        default: nil
        }
    }

    /// Whether there is a boolean of 2 in it, which reads as true and is written as 1.
    var hasUnusualBooleans: Bool {
        [
            "handmade/every-table-type-rewritten.client", "handmade/declare-with-every-table-type.client",
            "handmade/publish-every-table-type.client", "handmade/publish-every-table-type.server",
        ].contains(session)
    }
}
